//! What the demos share: reading seconds and addresses from flags, and leaving with a sentence.

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// The longest time a flag accepts: a year.
const LONGEST: f64 = 365.0 * 24.0 * 3600.0;

/// Reads a flag that is a number of seconds, from 0 to a year.
///
/// # Errors
///
/// A sentence for the command line, if `text` is anything else.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds from 0 to 31536000, such as 10 or 0.5".to_owned()),
    }
}

/// Reads a flag that is an address with a port. Names are not looked up.
///
/// # Errors
///
/// A sentence for the command line, if `text` is anything else.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:7000".to_owned())
}

/// Says on stderr what went wrong, and returns the exit code that goes with it.
pub fn fail(problem: impl Display) -> ExitCode {
    eprintln!("error: {problem}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::{address, seconds};
    use std::time::Duration;

    #[test]
    fn seconds_may_have_a_fraction_and_nothing_else_passes() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "-1", "NaN", "inf", "1e300", "ten", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn an_address_needs_its_port() {
        assert!(address("127.0.0.1:7000").is_ok() && address("[::1]:0").is_ok());
        for wrong in ["", "7000", "127.0.0.1", "localhost:7000", "127.0.0.1:70000"] {
            assert!(address(wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
