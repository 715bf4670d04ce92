//! What `--tokio` may say.

use clap::Args;

use crate::live::collect::endpoint::Address;

/// Whose tasks are asked for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Tokio {
    /// A process that has the thread of a console.
    Auto,
    /// Nobody.
    Off,
    /// The console at this address.
    At(Address),
}

/// The tasks of tokio, for whoever looks at processes.
#[derive(Debug, Args)]
pub(in crate::cli) struct TokioArgs {
    /// Tasks of tokio from the console that the process carries (console-subscriber): auto asks one
    /// whose thread it has, off none, http://HOST:PORT this one (docs/tokio.md)
    #[arg(long, value_name = "auto|off|URL", value_parser = tokio, default_value = "auto")]
    pub(in crate::cli) tokio: Tokio,
}

fn tokio(text: &str) -> Result<Tokio, String> {
    match text {
        "auto" => Ok(Tokio::Auto),
        "off" => Ok(Tokio::Off),
        url => match Address::parse(url) {
            Ok(address) if address.port().is_some() && address.path() == "/" => {
                Ok(Tokio::At(address))
            }
            _ => Err("it is none of auto, off, http://HOST:PORT".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_enough() {
        assert_eq!(tokio("auto"), Ok(Tokio::Auto));
        assert_eq!(tokio("off"), Ok(Tokio::Off));
        for text in ["http://[::1]:6669/", "[::1]:6669"] {
            let Ok(Tokio::At(address)) = tokio(text) else { panic!("{text}") };
            assert_eq!(address.shown(), "http://[::1]:6669/");
        }
        for wrong in ["on", "https://h:1", "localhost", "h:99999", "http://a b:1", ":80", "h:1/x"] {
            assert!(tokio(wrong).is_err(), "{wrong}");
        }
    }
}
