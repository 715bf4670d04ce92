//! One bounded GET of an endpoint that may be slow, hang, lie or send without end.

mod address;
mod asked;
mod lines;

use std::io::{self, BufReader, Read};
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::http::header::LOCATION;

pub use address::Address;
pub use asked::Asked;
pub use lines::{LONGEST_LINE, Lines};

/// For so long a connection may take to be opened.
const CONNECT: Duration = Duration::from_secs(2);
/// So often an endpoint may send us on.
const REDIRECTS: usize = 3;
/// Headers of an answer, bytes.
const HEADERS: usize = 64 * 1024;
/// Buffers of a connection, bytes.
const BUFFER: usize = 32 * 1024;
/// Longest reason that is passed on, bytes.
const LONGEST_REASON: usize = 200;

/// How much of an answer is taken.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For the whole exchange, the last byte of the body included.
    pub time: Duration,
    /// Body, in bytes.
    pub bytes: u64,
}

/// Lines of a body that comes in while they are read.
pub type Body = Lines<BufReader<Box<dyn Read + Send>>>;

/// Asks over connections of its own, one a request.
#[derive(Debug)]
pub struct Client(ureq::Agent);

impl Default for Client {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            // Whatever the environment says: an endpoint of this machine is meant.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .max_response_header_size(HEADERS)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("poolscan/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.new_agent())
    }
}

impl Client {
    /// The body of an answer with status 200.
    ///
    /// # Errors
    /// In words, without the address.
    pub fn get(&self, address: &Address, bounds: Bounds) -> Result<Body, String> {
        let mut at = address.clone();
        for _ in 0..=REDIRECTS {
            let request = self.0.get(at.uri().clone()).config();
            let answer = request.timeout_global(Some(bounds.time)).build().call();
            let answer = answer.map_err(|error| why(&error, bounds))?;
            let status = answer.status();
            if status == StatusCode::OK {
                let body = answer.into_body().into_with_config().limit(bounds.bytes).reader();
                let body: Box<dyn Read + Send> = Box::new(body);
                return Ok(Lines::new(BufReader::with_capacity(BUFFER, body)));
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match location.filter(|_| status.is_redirection()) {
                Some(location) => at = at.sent_on(location)?,
                None => return Err(format!("answers with status {}", status.as_u16())),
            }
        }
        Err(format!("sends on more than {REDIRECTS} times"))
    }
}

/// Why a body could not be read to its end.
pub fn why_cut(error: &io::Error, bounds: Bounds) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(inner) => why(inner, bounds),
        None => bounded(error.to_string()),
    }
}

fn why(error: &ureq::Error, bounds: Bounds) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        ureq::Error::Timeout(_) => format!("no whole answer within {} s", bounds.time.as_secs()),
        ureq::Error::BodyExceedsLimit(limit) => {
            format!("its answer is longer than {} MiB", limit >> 20)
        }
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
            Some(inner) => why(inner, bounds),
            None => bounded(error.to_string()),
        },
        ureq::Error::Protocol(inner) => bounded(format!("what it sends is no HTTP: {inner}")),
        // Others may quote the address, and with it a password.
        _ => "it cannot be asked".to_owned(),
    }
}

fn bounded(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
    reason
}

#[cfg(test)]
mod tests;
