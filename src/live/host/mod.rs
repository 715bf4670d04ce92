//! What targets share on one host: finding them, socket tables, control groups, processes.

pub mod cgroup;
pub mod discover;
pub mod net_tables;
pub mod patience;
pub mod process_table;
pub mod select;
pub mod sock_diag;
pub mod socket_row;
