//! What targets share on one host, read once a beat.

pub mod net_tables;
pub mod sock_diag;
pub mod socket_row;
pub mod select;
