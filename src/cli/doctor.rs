//! `poolscan doctor`: which sources of evidence work here, tried one by one.

use std::io::{self, Write};

use super::args::{Color, DoctorArgs, PageFormat};
use super::exit::{Exit, NoTarget};
use super::sources;
use super::terminal::page_style;
use crate::live::collect::doctor::examine;
use crate::live::collect::doctor_endpoints::examine_endpoints;
use crate::live::target::{Process, boot_ms};
use crate::report::{doctor, doctor_json};

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let process = args
        .pid
        .map(|pid| Process::open(pid, boot_ms()))
        .transpose()
        .map_err(|error| NoTarget(error.to_string()))?;
    let mut checks = examine(process.as_ref());
    let pprof = sources::pprof(&args.sources)?;
    let metrics = sources::metrics(&args.sources)?;
    checks.extend(examine_endpoints(pprof.as_ref(), metrics, process.as_ref()));
    let mut out = io::stdout().lock();
    match args.format {
        PageFormat::Human => doctor(&checks, page_style(Color::Auto), &mut out)?,
        PageFormat::Json => doctor_json(&checks, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}
