//! The complaint about a wrong command line: one line, with the way out. The programs of tests/ have this file, too.

use clap::error::ErrorKind;

/// The complaint of clap in one line, without the usage and the tips below it.
pub(crate) fn one_line(said: &clap::Error) -> String {
    if said.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "error: the command line does not say what to do; --help lists what there is".to_owned();
    }
    let said = said.to_string();
    let complaint = said.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = complaint.lines().map(str::trim).collect();
    format!("{}; --help says more", words.join(" "))
}
