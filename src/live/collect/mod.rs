//! Collectors: each turns one part of /proc or one kernel interface into facts.

pub mod beat;
pub mod children;
pub mod doctor;
mod environment;
pub mod fd_facts;
pub mod fd_table;
pub mod fds;
pub mod feed;
mod flow;
pub mod hidden;
pub mod idle;
mod inherited;
pub mod limits;
pub mod link;
mod mappings;
pub mod memory;
mod netns;
pub mod other_end;
mod others;
pub mod overview;
pub mod own;
pub mod pattern;
pub mod sampler;
pub mod socket_facts;
pub mod sockets;
pub mod thread_tables;
pub mod threads;
