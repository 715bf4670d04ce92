//! The metrics over HTTP: on threads of their own, so that no reader ever keeps a watch waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::report::classic;

/// Longest head of a request, in bytes.
const HEAD: usize = 8 * 1024;
/// A request and its answer take no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Readers that are answered at the same time; further ones are sent away.
const READERS: usize = 8;
/// Without new numbers for so many intervals the watch counts as stuck.
const LATE: u32 = 4;
/// Time after which a failed accept is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that answers with the newest metrics.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// Where it listens.
    pub(super) at: SocketAddr,
}

struct Shared {
    page: Mutex<Option<Page>>,
    readers: AtomicUsize,
    interval: Duration,
}

/// The newest metrics.
#[derive(Clone)]
struct Page {
    text: Arc<str>,
    since: Instant,
}

impl Server {
    /// Listens, and answers from now on. New numbers are expected each `interval`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(super) fn start(address: SocketAddr, interval: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address} for --serve"))?;
        let at = listener.local_addr()?;
        let shared =
            Arc::new(Shared { page: Mutex::new(None), readers: AtomicUsize::new(0), interval });
        let server = Self { shared: Arc::clone(&shared), at };
        // It ends with the process: there is nothing that it could leave half done.
        std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || accept(&listener, &shared))?;
        Ok(server)
    }

    /// Takes over new metrics; readers that are being answered get the old ones.
    pub(super) fn update(&self, text: String) {
        let page = Page { text: text.into(), since: Instant::now() };
        *self.shared.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
    }
}

/// Reads an address; without a host, only this machine is answered.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| format!("'{text}' is no address such as :9464 or 0.0.0.0:9464"))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, for instance: others may close some.
            std::thread::sleep(PAUSE);
            continue;
        };
        let count = shared.readers.fetch_add(1, Ordering::Relaxed);
        let reader = Reader(Arc::clone(shared));
        if count >= READERS {
            let _ = stream.set_nonblocking(true);
            let _ = answer(stream, 503, "text/plain", "too many readers\n", Instant::now() + PAUSE);
            continue;
        }
        let thread = std::thread::Builder::new().name("metrics reader".to_owned());
        // Without a thread the reader sees its connection closed, and comes again.
        let _ = thread.spawn(move || reader.serve(stream));
    }
}

/// One that is being answered; counted until it is dropped.
struct Reader(Arc<Shared>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reader {
    fn serve(&self, mut stream: TcpStream) {
        let deadline = Instant::now() + PATIENCE;
        // A reader that goes away is none of our business.
        let _ = match head(&mut stream, deadline) {
            Ok(head) => self.reply(stream, &head, deadline),
            Err(status) => answer(stream, status, "text/plain", "bad request\n", deadline),
        };
    }

    fn reply(&self, stream: TcpStream, head: &str, deadline: Instant) -> std::io::Result<()> {
        let plain = "text/plain; charset=utf-8";
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if method != "GET" && method != "HEAD" {
            return answer(stream, 405, plain, "only GET\n", deadline);
        }
        let page = self.0.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let age = page.as_ref().map(|page| page.since.elapsed());
        match (path.split('?').next().unwrap_or_default(), page) {
            ("/healthz", Some(_)) if age.is_some_and(|age| age <= self.0.interval * LATE) => {
                answer(stream, 200, plain, "ok\n", deadline)
            }
            ("/healthz", _) => answer(stream, 503, plain, "no new numbers\n", deadline),
            ("/metrics", None) => answer(stream, 503, plain, "no numbers yet\n", deadline),
            ("/metrics", Some(page)) => {
                let open = header(head, "accept").contains("application/openmetrics-text");
                let empty = method == "HEAD";
                let (kind, text) = if open {
                    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                    (kind, page.text.to_string())
                } else {
                    ("text/plain; version=0.0.4; charset=utf-8", classic(&page.text))
                };
                answer(stream, 200, kind, if empty { "" } else { &text }, deadline)
            }
            _ => answer(stream, 404, plain, "there are /metrics and /healthz\n", deadline),
        }
    }
}

/// The first value of a header, in lower case; empty without it.
fn header(head: &str, name: &str) -> String {
    let values = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut found = values.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    found.next().map_or_else(String::new, |(_, value)| value.trim().to_ascii_lowercase())
}

/// Reads the head of a request, or gives the status that refuses it.
fn head(stream: &mut TcpStream, deadline: Instant) -> Result<String, u16> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            bytes.truncate(end);
            let head = String::from_utf8_lossy(&bytes).into_owned();
            let body = header(&head, "content-length");
            let chunked = !header(&head, "transfer-encoding").is_empty();
            // Nothing that is asked here needs a body.
            return if chunked || !matches!(body.as_str(), "" | "0") { Err(413) } else { Ok(head) };
        }
        if bytes.len() > HEAD {
            return Err(431);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Err(408);
        }
        match stream.read(&mut piece) {
            Ok(0) => return Err(400),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(408),
        }
    }
}

/// Writes an answer, as far as it is taken before the deadline.
fn answer(
    mut stream: TcpStream,
    status: u16,
    kind: &str,
    body: &str,
    deadline: Instant,
) -> std::io::Result<()> {
    let reason = match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Bad Request",
    };
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n{body}",
        body.len(),
    );
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let at = address("0").expect("any port");
        Server::start(at, Duration::from_secs(3_600)).expect("listens")
    }

    fn ask(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.at).expect("connects");
        stream.write_all(request.as_bytes()).expect("asks");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    #[test]
    fn addresses_without_a_host_are_of_this_machine() {
        assert_eq!(address(":9464"), Ok("127.0.0.1:9464".parse().expect("an address")));
        assert_eq!(address("9464"), address(":9464"));
        assert_eq!(address("[::]:1"), Ok("[::]:1".parse().expect("an address")));
        assert!(address("nowhere").is_err() && address(":99999").is_err());
    }

    #[test]
    fn metrics_come_in_the_format_that_is_asked_for() {
        let server = server();
        assert!(ask(&server, "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503"));
        assert!(ask(&server, "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503"));
        server.update("# TYPE poolscan_x counter\npoolscan_x_total 1\n# EOF\n".to_owned());
        let open = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;q=0.5\r\n\r\n";
        assert!(ask(&server, open).ends_with("# EOF\n"));
        let text = ask(&server, "GET /metrics?x=1 HTTP/1.0\r\n\r\n");
        assert!(text.ends_with("# TYPE poolscan_x_total counter\npoolscan_x_total 1\n"), "{text}");
        assert!(ask(&server, "GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let server = server();
        server.update(String::new());
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(2 * HEAD));
        for (request, status) in [
            ("POST /metrics HTTP/1.1\r\n\r\n", 405),
            ("GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 413),
            ("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET /etc/passwd HTTP/1.1\r\n\r\n", 404),
            ("\x00\u{7f}\r\n\r\n", 405),
        ] {
            let text = ask(&server, request);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {text}");
        }
        // The connection may be closed before all of it was taken.
        let mut stream = TcpStream::connect(server.at).expect("connects");
        let _ = stream.write_all(long.as_bytes());
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    }

    #[test]
    fn slow_readers_delay_nobody() {
        let server = server();
        // More than a socket takes at once, so that the answers stay unfinished.
        server.update("poolscan_x 1\n".repeat(1_000_000));
        let slow: Vec<TcpStream> = (0..READERS)
            .map(|nth| {
                let mut stream = TcpStream::connect(server.at).expect("connects");
                // Half of them do not even finish their question.
                let end = if nth % 2 == 0 { "\r\n\r\n" } else { "" };
                let request = format!("GET /metrics HTTP/1.1{end}");
                stream.write_all(request.as_bytes()).expect("asks");
                stream
            })
            .collect();
        while server.shared.readers.load(Ordering::Relaxed) < READERS {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Updating waits for nobody: it ends although no answer has.
        for _ in 0..100 {
            server.update(String::new());
        }
        assert_eq!(server.shared.readers.load(Ordering::Relaxed), READERS);
        // One more is sent away at once; what it asked is not read.
        let mut stream = TcpStream::connect(server.at).expect("connects");
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 503"), "{text}");
        drop(slow);
        while server.shared.readers.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(ask(&server, "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    }
}
