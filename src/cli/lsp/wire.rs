//! Messages on pipes: read as long as they may be and no longer, and written.

use std::io::{self, BufRead, Read as _, Write};

use gen_lsp_types::json_rpc::{Error, Id, RequestObject, ResponseObject};
use gen_lsp_types::{ErrorCodes, LogMessageNotification, LogMessageParams, MessageType};
use gen_lsp_types::{Notification, Request};
use serde::Serialize;

/// The longest message that is taken, in bytes: a source file of the largest size that is analysed,
/// every second character escaped, and what is around it.
const LONGEST: u64 = 32 << 20;
/// The longest line of a header, in bytes.
const LONGEST_HEADER: u64 = 4096;

/// What came from the other side.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A request, a notification, or the answer to a request of ours, which has no method.
    Message(RequestObject),
    /// Something that is none, and why; what comes after it can be read.
    Unreadable(ErrorCodes, String),
    /// There is no more, and perhaps why.
    End(Option<io::Error>),
}

/// Tells everything that comes, to the end or until nobody listens.
pub(super) fn read_all(input: &mut impl BufRead, tell: &dyn Fn(Incoming) -> bool) {
    loop {
        let incoming = match frame(input) {
            Ok(Frame::Body(body)) => message(&body),
            Ok(Frame::TooLong(length)) => Incoming::Unreadable(
                ErrorCodes::InvalidRequest,
                format!("a message of {length} bytes is too long: at most {LONGEST} are read"),
            ),
            Ok(Frame::End) => Incoming::End(None),
            Err(error) => Incoming::End(Some(error)),
        };
        let last = matches!(incoming, Incoming::End(_));
        if !tell(incoming) || last {
            return;
        }
    }
}

fn message(body: &[u8]) -> Incoming {
    // Text that is no JSON, and JSON that is no message, are told apart by the protocol.
    let value: serde_json::Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => {
            return Incoming::Unreadable(ErrorCodes::ParseError, format!("no JSON: {error}"));
        }
    };
    match serde_json::from_value(value) {
        Ok(message) => Incoming::Message(message),
        Err(error) => {
            let why = format!("no message of JSON-RPC 2.0: {error}");
            Incoming::Unreadable(ErrorCodes::InvalidRequest, why)
        }
    }
}

/// What stands between two headers.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Body(Vec<u8>),
    /// So long that it was skipped.
    TooLong(u64),
    End,
}

fn frame(input: &mut impl BufRead) -> io::Result<Frame> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut length = None;
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        input.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut line)?;
        if line.is_empty() && number == 0 {
            return Ok(Frame::End);
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(wrong("a header has no end"));
        };
        let text = text.trim_ascii();
        if text.is_empty() {
            break;
        }
        let text = str::from_utf8(text).map_err(|_| wrong("a header is no text"))?;
        let (name, value) = text.split_once(':').ok_or_else(|| wrong("a header has no `:`"))?;
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse::<u64>();
            length = Some(value.map_err(|_| wrong("a Content-Length is no number"))?);
        }
    }
    let length = length.ok_or_else(|| wrong("a message has no Content-Length"))?;
    let mut body = input.take(length);
    if length > LONGEST {
        io::copy(&mut body, &mut io::sink())?;
        return Ok(Frame::TooLong(length));
    }
    let mut bytes = Vec::new();
    // What was promised is not believed: memory is taken for what comes.
    body.read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Frame::Body(bytes))
}

/// Where messages are written to.
pub(super) struct Out<W: Write> {
    to: W,
    requests: i64,
}

impl<W: Write> Out<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, requests: 0 }
    }

    pub(super) fn notify<N: Notification>(&mut self, params: N::Params) -> io::Result<()> {
        self.send(&RequestObject::from_notification::<N>(params))
    }

    pub(super) fn request<R: Request>(&mut self, params: R::Params) -> io::Result<()> {
        self.requests += 1;
        self.send(&RequestObject::from_request::<R>(Id::Number(self.requests), params))
    }

    pub(super) fn answer<R: Request>(&mut self, id: Id, result: R::Result) -> io::Result<()> {
        self.send(&ResponseObject::from_success::<R>(id, result))
    }

    pub(super) fn refuse(&mut self, id: Id, code: ErrorCodes, message: String) -> io::Result<()> {
        self.send(&ResponseObject::from_error(id, Error { code, message, data: None }))
    }

    /// Tells who looks into the log.
    pub(super) fn log(&mut self, kind: MessageType, message: String) -> io::Result<()> {
        self.notify::<LogMessageNotification>(LogMessageParams { kind, message })
    }

    fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let body = serde_json::to_vec(message)?;
        write!(self.to, "Content-Length: {}\r\n\r\n", body.len())?;
        self.to.write_all(&body)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What is told of these bytes, in a word each.
    fn told(bytes: &[u8]) -> Vec<String> {
        let words: RefCell<Vec<String>> = RefCell::default();
        read_all(&mut io::BufReader::new(bytes), &|incoming| {
            let word = match incoming {
                Incoming::Message(message) => message.method().to_owned(),
                Incoming::Unreadable(ErrorCodes::ParseError, _) => "no JSON".to_owned(),
                Incoming::Unreadable(..) => "no message".to_owned(),
                Incoming::End(None) => "end".to_owned(),
                Incoming::End(Some(error)) => error.to_string(),
            };
            words.borrow_mut().push(word);
            true
        });
        words.into_inner()
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn messages_follow_each_other() {
        let one = framed(r#"{"jsonrpc":"2.0","method":"a"}"#);
        let two = r#"{"jsonrpc":"2.0","id":1,"method":"b","params":{}}"#;
        let two = format!("Content-Type: x\ncontent-length:{}\n\n{two}", two.len());
        assert_eq!(told(format!("{one}{two}{one}").as_bytes()), ["a", "b", "a", "end"]);
        assert_eq!(told(b""), ["end"]);
    }

    #[test]
    fn what_is_no_message_does_not_end_it() {
        let good = framed(r#"{"jsonrpc":"2.0","method":"a"}"#);
        let deep = "[".repeat(100_000);
        for (bad, word) in [
            ("{", "no JSON"),
            ("\u{0}", "no JSON"),
            (&deep, "no JSON"),
            ("[]", "no message"),
            ("{}", "no message"),
            (r#"{"jsonrpc":"1.0","method":"a"}"#, "no message"),
            (r#"{"jsonrpc":"2.0","method":7}"#, "no message"),
            (r#"{"jsonrpc":"2.0","method":"a","id":{}}"#, "no message"),
        ] {
            assert_eq!(told(format!("{}{good}", framed(bad)).as_bytes()), [word, "a", "end"]);
        }
    }

    #[test]
    fn what_is_too_long_is_skipped() {
        let length = usize::try_from(LONGEST).expect("a length") + 1;
        let mut bytes = format!("Content-Length: {length}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + length, b' ');
        bytes.extend(framed(r#"{"jsonrpc":"2.0","method":"a"}"#).bytes());
        assert_eq!(told(&bytes), ["no message", "a", "end"]);
    }

    #[test]
    fn a_header_that_cannot_be_read_ends_it() {
        for bad in [
            "Content-Length: x\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
            "Content-Length 5\r\n\r\n",
            "Content-Type: x\r\n\r\n",
            "Content-Length: 5",
            "Content-Length: 5\r\n\r\nabc",
            "Content-Length: 99999999999999\r\n\r\nabc ",
            "\r\n\r\n",
            &"x".repeat(100_000),
        ] {
            let told = told(bad.as_bytes());
            assert!(told.len() <= 2 && told.last().is_some_and(|word| !word.is_empty()), "{bad}");
            assert!(!told.iter().any(|word| word == "a"), "{told:?}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Out::new(Vec::new());
        out.log(MessageType::Info, "ä\n".to_owned()).expect("written");
        out.refuse(Id::Null, ErrorCodes::ParseError, "x".to_owned()).expect("written");
        assert_eq!(told(&out.to), ["window/logMessage", "", "end"]);
    }
}
