//! One bounded exchange with a collector.

use std::io::Read as _;
use std::time::Duration;

use prost::Message;
use ureq::http::{HeaderName, HeaderValue, StatusCode};

use crate::live::collect::endpoint::Address;

/// Longest answer that is read, bytes.
const ANSWER: u64 = 64 * 1024;
/// For so long a connection may take to be opened.
const CONNECT: Duration = Duration::from_secs(2);

/// Where to, and with what.
pub(super) struct Client {
    agent: ureq::Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Why something was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The same may be taken later.
    Now(String),
    /// It never will.
    Always(String),
}

impl Refused {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Now(reason) | Self::Always(reason) => reason,
        }
    }
}

impl Client {
    /// One that waits for `time` at most, the last byte of the answer included.
    pub(super) fn new(time: Duration, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        let config = ureq::Agent::config_builder()
            // Whatever the environment says of proxies: the address that was named is meant.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT.min(time)))
            .timeout_global(Some(time))
            .user_agent(concat!("poolscan/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent(), headers }
    }

    /// Sends a message; gives the answer.
    pub(super) fn post<Answer: Message + Default>(
        &self,
        to: &Address,
        message: &impl Message,
    ) -> Result<Answer, Refused> {
        let mut request = self.agent.post(to.uri().clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request
            .header("content-type", "application/x-protobuf")
            .send(&message.encode_to_vec()[..])
            .map_err(|error| Refused::Now(why(&error)))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let reason = format!("it answers with status {}", status.as_u16());
            // Those that the standard says to try again.
            return Err(match status.as_u16() {
                429 | 502 | 503 | 504 => Refused::Now(reason),
                _ => Refused::Always(reason),
            });
        }
        let mut body = Vec::new();
        let read = answer.into_body().into_reader().take(ANSWER).read_to_end(&mut body);
        // It was taken: what the answer says beyond that is only read where it can be.
        let body = read.map_or(&[][..], |_| &body);
        Ok(Answer::decode(body).unwrap_or_default())
    }
}

/// In words, without the address: it may hold a password.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        _ => "it cannot be asked".to_owned(),
    }
}
