//! The integration tests, one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod cache;
mod cases;
mod ci;
mod command;
mod config;
#[cfg(unix)]
mod editor;
#[cfg(target_os = "linux")]
mod endpoints;
mod evidence;
mod fixes;
mod fixtures;
mod followed;
mod linted;
#[cfg(unix)]
mod lsp;
mod members;
mod mend;
#[cfg(target_os = "linux")]
mod otlp;
mod own_rules;
mod pages;
mod reach;
mod recordings;
mod reports;
mod robust;
mod rules;
#[cfg(target_os = "linux")]
mod screens;
#[cfg(target_os = "linux")]
mod shell;
mod soup;
#[cfg(target_os = "linux")]
mod toolbox;
mod workflow;
