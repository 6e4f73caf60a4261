//! `man`: prints a man page, or writes all of them.
//!
//! Invariant: a page says nothing that help does not know, but for exit codes,
//! environment and files, which the tables below hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::commands::error::{Error, SettingsError};
use crate::commands::exit::Exit;
use crate::engine::results::PublishError;
use crate::ui::Printer;

/// Flags of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page to print [default: the program's own]
    pub command: Option<String>,
    /// Write every page to FOLDER, which is made where it is missing
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// Names and their meanings, as a section lists them.
type Entries = &'static [(&'static str, &'static str)];

const EXITS_OF_RUN: Entries = &[
    (
        "0",
        "Every user of the roster is reset, or excluded, a duplicate or reset earlier; with --limit, the users it let through are; or a clean dry run.",
    ),
    ("1", "Finished, and at least one user is failed, unknown or invalid."),
    ("2", "Usage, input or configuration is wrong; nothing was sent."),
    (
        "3",
        "Stopped before the end: a guardrail, the deadline, refused credentials, an endpoint that is down. Run again to continue.",
    ),
    ("4", "Results could not be written durably; the ledger has what was done."),
    ("75", "This batch is already running."),
    ("130, 143", "Interrupted or terminated, after in-flight requests were drained and recorded."),
];

const EXITS_OF_THE_AWS_CLI: Entries = &[
    ("0", "The user is reset."),
    ("130", "Interrupted."),
    ("252", "Usage or parameters are wrong."),
    ("253", "No region or no credentials."),
    ("254", "The service answered with an error."),
    ("255", "Anything else."),
];

const EXITS: Entries = &[
    ("0", "Done."),
    ("2", "Usage, input or configuration is wrong; nothing was changed."),
    ("3", "The service refused or did not answer."),
    ("4", "A result could not be written."),
    ("75", "The batch is being worked on by another process."),
];

/// The flag of each variable of this program's own, the variable and its meaning.
const OWN_ENVIRONMENT: [(&str, &str, &str); 5] = [
    (
        "state_dir",
        "FINSPACE_RESET_STATE_DIR",
        "The folder of the ledgers, an absolute path, where no --state-dir is given.",
    ),
    ("check_users", "FINSPACE_RESET_RATE", "The requests a second at most, where no --rate is given."),
    (
        "check_users",
        "FINSPACE_RESET_RECIPIENTS_FILE",
        "Public keys for every output whose name ends in .csv.age, where neither a key nor a passphrase is given.",
    ),
    ("check_users", "FINSPACE_RESET_EXCLUDE", "A CSV of users never to touch, added to those of --exclude."),
    ("environment_id", "FINSPACE_RESET_ENDPOINT_URL", "The endpoint, where no --endpoint-url is given."),
];

const AWS_ENVIRONMENT: Entries = &[
    ("AWS_REGION, AWS_DEFAULT_REGION", "The region, where no --region is given."),
    ("AWS_PROFILE", "The profile of the AWS config files, where no --profile is given."),
    (
        "AWS_ENDPOINT_URL_FINSPACE_DATA, AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER, AWS_ENDPOINT_URL",
        "The endpoint, where no --endpoint-url is given.",
    ),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "Credentials; without them the rest of the AWS chain is asked.",
    ),
    ("AWS_CA_BUNDLE", "Certificate authorities to trust, where no --ca-bundle is given."),
    ("AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE", "The AWS config files, in place of those in ~/.aws."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxies, and the hosts that are reached without one."),
];

const TERMINAL_ENVIRONMENT: Entries =
    &[("NO_COLOR, CLICOLOR, TERM", "Colours are left out where NO_COLOR is set, CLICOLOR is 0 or TERM is dumb.")];

const STATE_FILES: Entries = &[
    (
        "$XDG_STATE_HOME/finspace-reset/BATCH.ledger",
        "The record of a batch: what happened to each user. It holds no password in the clear.",
    ),
    ("$XDG_STATE_HOME/finspace-reset/BATCH.key", "The key of the batch's sealed passwords, until the batch is closed."),
    ("$XDG_STATE_HOME/finspace-reset/BATCH.lock", "Held while a process works on the batch."),
];

const AWS_FILES: Entries =
    &[("~/.aws/config, ~/.aws/credentials", "The AWS config files: profiles, regions, endpoints, credentials.")];

/// Prints a man page, or writes all of them.
///
/// # Errors
/// There is no such command, or the pages can't be written.
pub(super) fn run(args: &ManArgs, printer: &Printer) -> Result<Exit, Error> {
    // Each page goes by its command's name, whatever a command calls itself in its version.
    let mut cli = Cli::command().disable_help_subcommand(true).mut_subcommands(|command| {
        let name = format!("finspace-reset-{}", command.get_name());
        command.display_name(name)
    });
    cli.build();
    if let Some(folder) = &args.output {
        write_all(&cli, folder).map_err(|error| PublishError::Folder(folder.clone(), error))?;
        return Ok(Exit::Success);
    }
    let command = match &args.command {
        None => &cli,
        Some(name) => cli.find_subcommand(name).ok_or_else(|| SettingsError::NoCommand(name.clone()))?,
    };
    let page = page(command).map_err(Error::Stdout)?;
    printer.data(&String::from_utf8_lossy(&page)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}

fn write_all(cli: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for command in cli.get_subcommands().chain([cli]) {
        fs::write(folder.join(Man::new(command.clone()).get_filename()), page(command)?)?;
    }
    Ok(())
}

/// Returns the page of `command`, in roff.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    help_text(&mut rest, command);
    entries(&mut rest, "EXIT STATUS", &[exits(command)]);
    environment(&mut rest, command);
    let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    let state = if has("state_dir") { STATE_FILES } else { &[] };
    let aws = if has("endpoint_url") { AWS_FILES } else { &[] };
    entries(&mut rest, "FILES", &[state, aws]);
    rest.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Adds what follows the flags in the help: examples as they are typed, and notes.
fn help_text(roff: &mut Roff, command: &Command) {
    let help = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let paragraphs = help.split("\n\n").filter(|paragraph| !paragraph.starts_with("Exit codes"));
    let (examples, notes): (Vec<&str>, Vec<&str>) = paragraphs.partition(|paragraph| paragraph.contains("\n  "));
    if !notes.is_empty() && !help.is_empty() {
        roff.control("SH", ["NOTES"]);
        for note in notes {
            roff.control("PP", []).text([roman(note)]);
        }
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        for example in examples {
            let (title, lines) = example.split_once('\n').unwrap_or(("", example));
            roff.control("PP", []).text([roman(title)]).control("PP", []).control("nf", []);
            // Filled, a command could no longer be copied.
            roff.text([roman(lines)]).control("fi", []);
        }
    }
}

fn exits(command: &Command) -> Entries {
    match command.get_name() {
        "run" | "finspace-reset" => EXITS_OF_RUN,
        "reset-user-password" => EXITS_OF_THE_AWS_CLI,
        _ => EXITS,
    }
}

fn environment(roff: &mut Roff, command: &Command) {
    let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    let own: Vec<(&str, &str)> =
        OWN_ENVIRONMENT.iter().filter(|(id, _, _)| has(id)).map(|(_, name, meaning)| (*name, *meaning)).collect();
    let aws = if has("endpoint_url") { AWS_ENVIRONMENT } else { &[] };
    entries(roff, "ENVIRONMENT", &[&own, aws, TERMINAL_ENVIRONMENT]);
}

/// Adds a section of names and meanings, if there are any.
fn entries(roff: &mut Roff, section: &str, lists: &[&[(&str, &str)]]) {
    if lists.iter().all(|list| list.is_empty()) {
        return;
    }
    roff.control("SH", [section]);
    for (name, meaning) in lists.iter().copied().flatten() {
        roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
}
