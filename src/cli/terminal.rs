//! What the terminal behind standard output can show.

use std::io::{self, IsTerminal};

use super::args::Color;
use crate::report::Style;

/// Columns when nobody says.
const WIDTH: usize = 100;
/// Columns in files and pipes, where nothing is too narrow.
const PIPE_WIDTH: usize = 140;

/// Rows of the terminal, 0 when unknown.
pub(super) fn rows() -> usize {
    size().map_or(0, |(_, rows)| rows)
}

/// The style of output that is watched.
pub(super) fn style() -> Style {
    let width = size().map(|(columns, _)| columns).filter(|&width| width >= 40);
    Style {
        color: colors(Color::Auto),
        width: width.unwrap_or(WIDTH),
        unicode: ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8")),
    }
}

/// The style of a page that is written once. The console of Windows takes all of Unicode whatever
/// the environment says.
pub(super) fn page_style(color: Color) -> Style {
    let style = Style { color: colors(color), ..style() };
    if io::stdout().is_terminal() {
        Style { unicode: style.unicode || cfg!(windows), ..style }
    } else {
        Style { color: style.color, ..file_style() }
    }
}

/// The style of a page in a file or pipe, which gets whatever the source holds.
pub(super) fn file_style() -> Style {
    Style { color: false, width: PIPE_WIDTH, unicode: true }
}

/// Whether to use colours.
fn colors(wanted: Color) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match wanted {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
                // Older consoles of Windows show colour sequences as text.
                && (!cfg!(windows) || set("WT_SESSION") || set("TERM"))
        }
    }
}

/// Columns and rows of the terminal.
#[cfg(target_os = "linux")]
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Columns and rows of the terminal, as far as the shell tells its children.
#[cfg(not(target_os = "linux"))]
fn size() -> Option<(usize, usize)> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    Some((number("COLUMNS")?, number("LINES").unwrap_or(0)))
}
