//! Endpoints that are slow, hang, lie, send without end, or something else altogether.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::*;

/// Long enough for a busy machine, and far shorter than what would wait for ever.
const SHORT: Bounds = Bounds { time: Duration::from_secs(2), bytes: 1 << 20 };

/// A server that does the same to every connection; gives its address.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            answer(&mut stream);
        }
    });
    Address::parse(&format!("http://u:secret@{address}/metrics")).unwrap()
}

/// The number of bytes in lines, or why there are none.
fn asked(address: &Address, bounds: Bounds) -> Result<usize, String> {
    let mut body = Client::default().get(address, bounds)?;
    let mut length = 0;
    loop {
        match body.next_line() {
            Ok(Some((line, _))) => length += line.len(),
            Ok(None) => return Ok(length),
            Err(error) => return Err(why_cut(&error, bounds)),
        }
    }
}

fn sends(answer: &'static [u8]) -> Address {
    server(move |stream| drop(stream.write_all(answer)))
}

#[test]
fn an_answer_comes_through() {
    let address = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabc\ndefg");
    assert_eq!(asked(&address, SHORT), Ok(7));
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(asked(&sends(chunked), SHORT), Ok(3));
    // Asked again and again over connections of its own.
    assert_eq!((asked(&address, SHORT), asked(&address, SHORT)), (Ok(7), Ok(7)));
}

#[test]
fn one_that_never_answers_is_given_up() {
    let (hold, held) = mpsc::channel();
    let silent = server(move |stream| hold.send(stream.try_clone().unwrap()).unwrap());
    let begin = Instant::now();
    let said = asked(&silent, SHORT).unwrap_err();
    assert!(said.contains("within 2 s"), "{said}");
    assert!(begin.elapsed() >= SHORT.time && begin.elapsed() < 20 * SHORT.time);
    drop(held);
    // One byte now and then is no answer either.
    let dripping = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let said = asked(&dripping, SHORT).unwrap_err();
    assert!(said.contains("within 2 s"), "{said}");
}

#[test]
fn one_that_sends_without_end_is_cut() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let endless = server(move |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let line = [b'x'; 8192];
        while stream.write_all(&line).is_ok() {
            counted.fetch_add(line.len(), Ordering::Relaxed);
        }
    });
    let bounds = Bounds { time: Duration::from_secs(60), ..SHORT };
    let said = asked(&endless, bounds).unwrap_err();
    assert_eq!(said, "its answer is longer than 1 MiB");
    // No more was taken than fits into the bound and the buffers of the two sockets.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20);
    let headers = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Endless: 0123456789\r\n").is_ok() {}
    });
    assert!(asked(&headers, bounds).is_err());
}

#[test]
fn lies_and_garbage_are_reasons_and_never_show_the_password() {
    let answers: [&[u8]; 12] = [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 \r\n\r\nbroken",
        b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: http://10.0.0.1/secret\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://127.0.0.1/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /metrics\r\n\r\n",
    ];
    for answer in answers {
        let shown = String::from_utf8_lossy(answer);
        let said = asked(&sends(answer), SHORT).expect_err(&shown);
        assert!(
            !said.is_empty() && said.len() <= 260 && !said.contains("secret"),
            "{shown}: {said}"
        );
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = Address::parse(&format!("http://u:secret@{closed}/")).unwrap();
    let said = asked(&closed, SHORT).unwrap_err();
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn a_folder_that_wants_its_slash_is_followed() {
    let address = server({
        let asked = AtomicUsize::new(0);
        move |stream| {
            let answer: &[u8] = match asked.fetch_add(1, Ordering::Relaxed) {
                0 => b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: /metrics/\r\n\r\n",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            };
            stream.write_all(answer).unwrap();
        }
    });
    assert_eq!(asked(&address, SHORT), Ok(2));
}
