//! Tips for commands and flags that people bring along from other tools, or mistype.
//!
//! Invariant: a tip names what there is. Without one the error stands alone: an
//! unknown flag is never meant as a value.

use std::ffi::OsStr;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::model::shell_word;

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

/// Commands of other tools, the command here that does it, and the tip.
const COMMANDS: [(&[&str], &str, &str); 8] = [
    (&["reset", "start", "apply", "execute", "send"], "run", "run FILE -o OUT.csv resets everyone in a CSV"),
    (&["resume", "continue", "retry", "restart"], "run", "the same run command again continues a batch"),
    (
        &["preview", "plan", "dry-run", "check", "validate"],
        "run",
        "run FILE --dry-run shows the plan and sends nothing",
    ),
    (
        &["list", "ls", "show", "batches", "info"],
        "status",
        "status lists the batches, list-users the users of the service",
    ),
    (&["open", "view", "cat", "unlock"], "decrypt", "decrypt FILE -i IDENTITY opens a result"),
    (&["delete", "rm", "erase", "purge", "finish"], "close", "close BATCH erases a batch's sealed passwords"),
    (&["split", "distribute", "share"], "handover", "handover makes one age file for each value of a column"),
    (
        &["simulate", "rehearse", "mock"],
        "simulator",
        "run FILE --simulate rehearses, simulator serves the simulated API",
    ),
];

/// Gives the error of an unknown command the tip that helps, in place of the parser's.
pub(super) fn advise_command(mut error: Error, cli: &Command) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let Some(tip) = command_tip(typed, cli) else { return error };
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    error
}

fn command_tip(typed: &str, cli: &Command) -> Option<String> {
    let names = || cli.get_subcommands().map(Command::get_name);
    // The parser's own measure finds nothing in so short a word as `rn`.
    if let Some(name) = names().find(|name| strsim::osa_distance(typed, name) <= 1) {
        return Some(format!("a similar subcommand exists: '{name}'"));
    }
    if let Some((.., tip)) = COMMANDS.iter().find(|(words, ..)| words.contains(&typed)) {
        return Some((*tip).to_owned());
    }
    let is_file = [".csv", ".tsv", ".txt"].iter().any(|end| typed.to_ascii_lowercase().ends_with(end));
    if is_file || typed.contains('/') {
        let file = shell_word(OsStr::new(typed));
        return Some(format!("the command comes first: finspace-reset run {file} -o OUT.csv"));
    }
    None
}

/// Gives the error of an unknown flag the tip that helps, in place of the parser's,
/// and that of a missing one the form that it has.
pub(super) fn advise(mut error: Error, command: &Command) -> Error {
    if error.kind() == ErrorKind::MissingRequiredArgument && names_output(&error) && command.get_name() == "run" {
        let tip = "-o FILE.csv writes plain text, -o FILE.csv.age with -r KEY encrypts; --dry-run needs neither";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
        return error;
    }
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

/// Returns true if it is the output that is missing.
fn names_output(error: &Error) -> bool {
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return false };
    missing.iter().any(|flag| flag.starts_with("--output"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn a_mistyped_command_is_found_and_a_foreign_one_has_its_tip() {
        let cli = Cli::command();
        let tip = |typed: &str| command_tip(typed, &cli).unwrap_or_default();
        for (typed, told) in [
            ("rn", "'run'"),
            ("ru", "'run'"),
            ("urn", "'run'"),
            ("runn", "'run'"),
            ("clsoe", "'close'"),
            ("reset", "run FILE -o"),
            ("ls", "status lists"),
            ("open", "decrypt FILE"),
            ("users.csv", "finspace-reset run users.csv -o OUT.csv"),
            ("/a b/users", "finspace-reset run '/a b/users' -o OUT.csv"),
        ] {
            assert!(tip(typed).contains(told), "{typed}: {}", tip(typed));
        }
        assert_eq!(command_tip("xyzzy", &cli), None);
        let mut words: Vec<&str> = COMMANDS.iter().flat_map(|(words, ..)| *words).copied().collect();
        let is_command = |name: &str| cli.find_subcommand(name).is_some();
        assert!(!words.iter().any(|word| is_command(word)) && COMMANDS.iter().all(|(_, has, _)| is_command(has)));
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }

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
