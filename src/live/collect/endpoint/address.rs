//! Where an endpoint is: an http URL, shown without what may be secret in it.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::{Authority, PathAndQuery};

/// An http URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// Reads a URL; `http://` may be left out.
    ///
    /// # Errors
    /// What is wrong with it, without the text itself: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no_url = || "it is no URL such as http://127.0.0.1:6060/metrics".to_owned();
        let whole = match text.split_once("://") {
            Some(_) => text.to_owned(),
            None => format!("http://{text}"),
        };
        let uri: Uri = whole.parse().map_err(|_| no_url())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err("https is not supported: give the plain http address that the \
                            service offers on its own machine"
                    .to_owned());
            }
            _ => return Err(no_url()),
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(no_url());
        }
        Ok(Self(uri))
    }

    /// The URL itself, with what may be secret in it.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// The path, at least `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// Another path at the same host, with its query.
    ///
    /// # Errors
    /// When it is no path.
    pub fn with_path(&self, path: &str) -> Result<Self, String> {
        let path: PathAndQuery = path.parse().map_err(|_| "it is no path".to_owned())?;
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map(Self).map_err(|_| "it is no URL".to_owned())
    }

    /// As people may see it: without user, password and query.
    pub fn shown(&self) -> String {
        let host = self.0.authority().map_or("", without_user);
        format!("http://{host}{}", self.0.path())
    }

    /// The port that it names, if it names one.
    pub fn port(&self) -> Option<u16> {
        self.0.port_u16()
    }

    /// Whether it means the machine (or the network namespace) itself.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip.is_unspecified()
            }
            Err(_) => bare.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Where an answer sends us on to; never to another host, which nobody named.
    pub(super) fn sent_on(&self, location: &str) -> Result<Self, String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return self.with_path(location);
        }
        let other =
            Self::parse(location).map_err(|_| "sends on to what is no http address".to_owned())?;
        let host = |address: &Self| address.0.authority().map(|at| without_user(at).to_owned());
        if host(&other) != host(self) {
            return Err("sends on to another host, which is not asked".to_owned());
        }
        self.with_path(other.0.path_and_query().map_or("/", PathAndQuery::as_str))
    }
}

/// Host and port.
fn without_user(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let address = Address::parse("http://me:secret@10.0.0.7:9090/metrics?token=hidden");
        assert_eq!(address.unwrap().shown(), "http://10.0.0.7:9090/metrics");
        assert_eq!(Address::parse("localhost:6060").unwrap().shown(), "http://localhost:6060/");
        for wrong in ["http://me:secret@:99999/x", "me:secret@https://x", "http://", "ftp://s:s@h"]
        {
            let said = Address::parse(wrong).unwrap_err();
            assert!(!said.contains("secret") && !said.contains("s:s"), "{said}");
        }
        assert!(Address::parse("https://me:secret@host/").unwrap_err().starts_with("https is not"));
    }

    #[test]
    fn loopback_is_told_by_its_text() {
        let told = |text| Address::parse(text).unwrap().is_loopback();
        assert!(told("localhost:1") && told("127.0.0.9:1") && told("http://[::1]:1/"));
        assert!(told("0.0.0.0:1") && told("http://[::ffff:127.0.0.1]:1/"));
        assert!(!told("10.0.0.7:1") && !told("example.org:80"));
    }

    #[test]
    fn nobody_sends_us_to_another_host() {
        let address = Address::parse("http://u:p@127.0.0.1:1/metrics").unwrap();
        let on = |location| address.sent_on(location).map(|address| address.shown());
        assert_eq!(on("/metrics/"), Ok("http://127.0.0.1:1/metrics/".to_owned()));
        assert_eq!(on("http://127.0.0.1:1/m?x=1"), Ok("http://127.0.0.1:1/m".to_owned()));
        for elsewhere in ["//169.254.169.254/x", "http://127.0.0.1:2/", "https://127.0.0.1:1/", ""]
        {
            assert!(on(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
