//! The text formats of metrics, Prometheus and OpenMetrics: one sample at a time.
//!
//! Formats: prometheus.io/docs/instrumenting/exposition_formats, and the OpenMetrics specification.

use std::borrow::Cow;
use std::io::{self, BufRead};

use crate::live::collect::endpoint::Lines;

/// Labels of one sample; those that come later are left out.
const MAX_LABELS: usize = 64;
/// Without a single sample in so many lines it is no such text.
const PATIENCE_LINES: u64 = 10_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// Name of the metric.
    pub name: Cow<'a, str>,
    /// Its labels, in the order of the text.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The value. Not finite values are told as they are.
    pub value: f64,
}

/// How reading went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    /// Samples that were understood.
    pub samples: u64,
    /// Lines that were not.
    pub malformed: u64,
}

/// Shows each sample to `visit`.
///
/// # Errors
/// What the input returns; [`io::ErrorKind::InvalidData`] when nothing of it is a sample.
pub fn read<R: BufRead>(
    lines: &mut Lines<R>,
    mut visit: impl FnMut(&Sample<'_>),
) -> io::Result<Read> {
    let mut read = Read::default();
    while let Some((line, whole)) = lines.next_line()? {
        let line = line.trim_matches(|c| c == ' ' || c == '\t');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match sample(line).filter(|_| whole) {
            Some(sample) => {
                read.samples += 1;
                visit(&sample);
            }
            None => read.malformed += 1,
        }
        if read.samples == 0 && read.malformed > PATIENCE_LINES {
            break;
        }
    }
    if read.samples == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no metrics"));
    }
    Ok(read)
}

/// `name{label="value",…} 1.5 [timestamp] [# exemplar]`, or `{"name",label="value"} 1.5`.
pub fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at(end);
    let mut sample = Sample { name: Cow::Borrowed(name), labels: Vec::new(), value: 0.0 };
    let rest = match rest.strip_prefix('{') {
        Some(labels) => inside(labels, &mut sample)?,
        None => rest.trim_start_matches([' ', '\t']),
    };
    let rest = match rest.strip_prefix('{').filter(|_| sample.labels.is_empty()) {
        // Blanks may stand between name and labels.
        Some(labels) => inside(labels, &mut sample)?,
        None => rest,
    };
    if sample.name.is_empty() {
        return None;
    }
    let value = rest.split([' ', '\t']).find(|field| !field.is_empty())?;
    sample.value = value.parse().ok()?;
    Some(sample)
}

/// Reads labels up to the closing brace; gives what follows it.
fn inside<'a>(mut rest: &'a str, sample: &mut Sample<'a>) -> Option<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some(after);
        }
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => text(quoted)?,
            None => {
                let end = rest.find(['=', '}', ',', ' ', '\t'])?;
                (Cow::Borrowed(rest.get(..end)?), rest.get(end..)?)
            }
        };
        let after = after.trim_start_matches([' ', '\t']);
        let Some(value) = after.strip_prefix('=') else {
            // A name in quotes stands among the labels.
            if !sample.name.is_empty() || name.is_empty() {
                return None;
            }
            sample.name = name;
            rest = after;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']).strip_prefix('"')?;
        let (value, after) = text(value)?;
        if sample.labels.len() < MAX_LABELS {
            sample.labels.push((name, value));
        }
        rest = after;
    }
}

/// A text up to its closing quote, and what follows.
fn text(rest: &str) -> Option<(Cow<'_, str>, &str)> {
    let plain = rest.find(['"', '\\'])?;
    if rest.as_bytes().get(plain) == Some(&b'"') {
        return Some((Cow::Borrowed(rest.get(..plain)?), rest.get(plain + 1..)?));
    }
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((Cow::Owned(value), rest.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                // Not an escape: both stand for themselves.
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests;
