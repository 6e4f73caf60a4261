//! Tips for flags that people bring along from other tools.
//!
//! Invariant: a tip names a flag that the command has. Without one the error stands
//! alone: an unknown flag is never meant as a value.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// Flags of other tools, the flag here that does it, and the tip.
const MEANT: [(&[&str], &str, &str); 15] = [
    (
        &["--force", "-f", "--assume-yes", "--no-prompt", "--non-interactive", "--quietly"],
        "yes",
        "--yes goes without asking",
    ),
    (
        &["--json", "--format", "--output-format"],
        "summary",
        "--summary FILE writes the result as JSON, --log-format json makes each log line an object",
    ),
    (
        &["--parallel", "--workers", "--threads", "--jobs", "-j", "-P"],
        "concurrency",
        "--concurrency N limits the requests in flight",
    ),
    (&["--retries", "--max-retries", "--retry"], "max-attempts", "--max-attempts N limits the tries for one user"),
    (&["--timeout"], "deadline", "--deadline DURATION ends the run, --read-timeout SECONDS the wait for one answer"),
    (&["--skip", "--ignore", "--except"], "exclude", "--exclude FILE names the users never to touch"),
    (&["--resume", "--continue"], "batch", "the same command again continues a batch"),
    (&["--input", "--file", "--csv", "--users"], "id-column", "the roster is named without a flag: run FILE"),
    (
        &["--key", "--encrypt", "--encrypt-to", "--public-key"],
        "recipient",
        "--recipient KEY encrypts the results to a public key",
    ),
    (
        &["--identity", "-i"],
        "recipient",
        "--recipient KEY takes the public key; the identity opens the file later, with decrypt",
    ),
    (
        &["--verify", "--validate"],
        "check-users",
        "--check-users first asks the service for each user, --dry-run sends nothing",
    ),
    (&["--rps", "--qps", "--throttle", "--rate-limit"], "rate", "--rate N is the requests a second at most"),
    (&["--silent"], "quiet", "--quiet is silent on success"),
    (&["--state", "--ledger"], "state-dir", "--state-dir DIR is the folder of the ledgers"),
    (&["--debug", "--trace"], "verbose", "-vv logs every answer"),
];

/// Gives the error of an unknown flag the tip that helps, in place of the parser's.
pub(super) fn advise(mut error: Error, command: &Command) -> Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
    let tip = MEANT.iter().find(|(flags, has, _)| {
        flags.contains(&typed.as_str()) && command.get_arguments().any(|option| option.get_long() == Some(has))
    });
    if let Some((_, _, tip)) = tip {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(*tip)]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn every_tip_names_a_flag_of_run_and_no_flag_of_its_own_is_foreign() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        let is_flag = |name: &str| run.get_arguments().any(|option| option.get_long() == Some(name));
        for (typed, has, _) in MEANT {
            assert!(is_flag(has), "{has}");
            for flag in typed {
                assert!(!is_flag(flag.trim_start_matches('-')), "{flag} is a flag");
            }
        }
    }
}
