//! Lines of a text that may have no line ends: each is cut at a bound, and the rest skipped.

use std::io::{self, BufRead, Read as _};

/// Longest line that is read whole, bytes.
pub const LONGEST_LINE: usize = 16 * 1024;

/// Reads line by line with one buffer.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// From the beginning of `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new() }
    }

    /// The next line without its end, and whether that is all of it; `None` at the end. Bytes that
    /// are no UTF-8 are replaced.
    ///
    /// # Errors
    /// What the input returns: then nothing is known of what would have come.
    pub fn next_line(&mut self) -> io::Result<Option<(std::borrow::Cow<'_, str>, bool)>> {
        self.line.clear();
        let bound = LONGEST_LINE as u64 + 1;
        if (&mut self.input).take(bound).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let mut whole = true;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > LONGEST_LINE {
            whole = false;
            self.input.skip_until(b'\n')?;
        }
        Ok(Some((String::from_utf8_lossy(&self.line), whole)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_the_next_one_is_whole() {
        let text = format!("a\r\n{}\nlast \u{fffd}", "x".repeat(3 * LONGEST_LINE));
        let mut lines = Lines::new(text.as_bytes());
        let mut seen = Vec::new();
        while let Some((line, whole)) = lines.next_line().unwrap() {
            seen.push((line.len().min(100), whole));
        }
        assert_eq!(seen, [(1, true), (100, false), (8, true)]);
    }
}
