//! Flags: what a demo reads from its command line. A wrong one is told in one line, with the way out.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::panic::{set_hook, take_hook};
use std::process::exit;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;

use crate::complaint::one_line;
use crate::{complain, end_without_output, log};

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

/// The reader of a flag that is a whole number in `range`. It returns a sentence for anything else.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: Clone + Display + FromStr + PartialOrd + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Reads a flag that is an address with a port. Names are not looked up.
///
/// # Errors
///
/// A sentence for the command line, if `text` is anything else.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    port_fits(text)?;
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:7000".to_owned())
}

/// Whether the port in an address or a URL is one, if there is any.
///
/// # Errors
///
/// A sentence that names the port, if it is too large.
pub fn port_fits(text: &str) -> Result<(), String> {
    let port = text.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    match port.parse::<u16>() {
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err(format!("the port {port} is too large: ports go up to 65535"))
        }
        _ => Ok(()),
    }
}

/// Reads a flag that is the name of a host, as a request has it: without a scheme, a port or a path.
///
/// # Errors
///
/// A sentence for the command line, if `text` is anything else.
pub fn host_name(text: &str) -> Result<String, String> {
    let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if !text.is_empty() && text.chars().all(is_of_a_name) {
        return Ok(text.to_owned());
    }
    Err("expected a name alone, such as example.org; a name beyond ASCII has an xn-- form".to_owned())
}

/// Reads the flags of the command line. A wrong one is told in one line. From here on, a `println!` that nobody can
/// take ends as [`print()`](crate::print()) does, and not in a panic.
pub fn flags<T: Parser>() -> T {
    end_prints_in_order();
    T::try_parse().unwrap_or_else(|error| end_with(&error))
}

/// The beginning of a demo that has no flags and prints by `println!`: `--help` says what it is `about`.
pub fn without_flags(name: &'static str, about: &'static str) {
    end_prints_in_order();
    if let Err(error) = clap::Command::new(name).about(about).try_get_matches() {
        end_with(&error);
    }
}

/// Says what clap has to say instead of flags: what is wrong with them, or the help.
fn end_with(said: &clap::Error) -> ! {
    if said.use_stderr() {
        complain(one_line(said));
        exit(2);
    }
    let mut stdout = io::stdout();
    match stdout
        .write_all(log::fit(said.to_string().trim_end(), log::columns()).as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => exit(0),
        Err(error) => end_without_output(&error),
    }
}

/// `println!` panics where nobody takes what it prints, though the program has no error.
fn end_prints_in_order() {
    let others = take_hook();
    set_hook(Box::new(move |info| {
        let said = info.payload().downcast_ref::<String>();
        if let Some(error) = said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            let gone = error.starts_with("Broken pipe").then_some(ErrorKind::BrokenPipe);
            end_without_output(&gone.map_or_else(|| io::Error::other(error), io::Error::from));
        }
        others(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::{address, host_name, one_line, seconds, whole};
    use std::time::Duration;

    #[test]
    fn seconds_may_have_a_fraction_and_nothing_else_passes() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "-1", "NaN", "inf", "1e300", "ten", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_told_the_range() {
        let number = whole(1..=1000_u16);
        assert_eq!(number("1000"), Ok(1000));
        for wrong in ["", "0", "1001", "-1", "1.5", "ten", "99999999999999999999"] {
            assert_eq!(number(wrong), Err("expected a whole number from 1 to 1000".to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_needs_its_port() {
        assert!(address("127.0.0.1:7000").is_ok() && address("[::1]:0").is_ok());
        for wrong in ["", "7000", "127.0.0.1", "localhost:7000", "127.0.0.1:70000"] {
            assert!(address(wrong).is_err(), "{wrong:?} was accepted");
        }
        for wrong in ["localhost:99999", "127.0.0.1:65536", "[::1]:99999999999999999999"] {
            assert!(address(wrong).is_err_and(|error| error.ends_with("too large: ports go up to 65535")), "{wrong:?}");
        }
    }

    #[test]
    fn the_name_of_a_host_is_a_name_alone() {
        assert!(host_name("example.org").is_ok() && host_name("my-host_2").is_ok());
        for wrong in ["", "a b", "http://example.org", "example.org:80", "example.org/", "ünï"] {
            assert!(host_name(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_complaint_is_one_line_that_names_the_way_out() {
        let twins = clap::Command::new("twins")
            .arg(clap::Arg::new("serve").long("serve").value_name("TWIN").value_parser(["threads", "loop"]));
        let said = twins.try_get_matches_from(["twins", "--serve", "x"]).unwrap_err();
        let line = "error: invalid value 'x' for '--serve <TWIN>' [possible values: threads, loop]; --help says more";
        assert_eq!(one_line(&said), line);
        let soak = clap::Command::new("soak").subcommand(clap::Command::new("wakes")).arg_required_else_help(true);
        let said = soak.try_get_matches_from(["soak"]).unwrap_err();
        assert_eq!(one_line(&said), "error: the command line does not say what to do; --help lists what there is");
    }
}
