//! The command line as it is typed.
//!
//! Invariant: nothing here looks at the world; `settings` decides what the
//! words mean. Help, completions and man pages all come from these definitions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

use crate::outcome::{BatchName, Millis};

mod argparse;
mod examples;
mod reset_user_password;
mod run;
mod values;

pub use reset_user_password::{Color, OutputFormat, ResetUserPasswordArgs, Skeleton};
pub use run::{LogFormat, ProgressMode, RunArgs};
use values::{date, duration, seconds};

/// The version, and the commit it was built from where that is known.
pub const VERSION: &str = env!("FINSPACE_RESET_VERSION");

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Reset the passwords of many Amazon FinSpace users from a CSV, safely and once each
#[derive(Debug, Parser)]
#[command(name = "finspace-reset", version = VERSION, styles = STYLES, after_help = examples::SHORT, after_long_help = examples::LONG, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Reset everyone in a CSV
    #[command(after_long_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Tell what the ledgers know
    Status(StatusArgs),
    /// Erase a batch's sealed passwords; its history stays
    Close(CloseArgs),
    /// Write a page about a batch for the incident's file; no password on it
    Report(ReportArgs),
    /// Serve the simulated API on loopback
    Simulator(SimulatorArgs),
    /// Open an encrypted result (any age tool can, too)
    Decrypt(DecryptArgs),
    /// Make an age identity
    Keygen(KeygenArgs),
    /// Write a CSV of the users FinSpace knows
    ListUsers(ListUsersArgs),
    /// Reset one user, in place of «aws finspace-data reset-user-password»
    #[command(after_help = examples::AWS_CLI, display_name = "finspace-reset")]
    ResetUserPassword(Box<ResetUserPasswordArgs>),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print a man page, or write all of them to a folder
    Man(ManArgs),
}

/// The command whose words the AWS CLI's rules are for.
const RESET_USER_PASSWORD: &str = "reset-user-password";

/// Reads a command line. Help, versions and misuse of this program's own
/// commands end the process here, as is clap's way.
///
/// # Errors
/// Misuse of the AWS CLI's command, in its own words.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Cli, String> {
    let mut words: Vec<OsString> = words.collect();
    // Options of the AWS CLI may stand before its command, where this program has none of its own.
    let at = words.iter().skip(1).position(|word| word == RESET_USER_PASSWORD).map(|at| at + 1);
    let at = at.filter(|at| *at == 1 || words[1].to_string_lossy().starts_with("--"));
    let Some(at) = at else {
        return Ok(Cli::parse_from(words));
    };
    let program = words.remove(0);
    let command_word = words.remove(at - 1);
    let text = |word: OsString| {
        word.into_string().map_err(|word| format!("{} is not UTF-8; AWS knows no such ID", word.display()))
    };
    let words = words
        .into_iter()
        .map(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|what| usage(&format!("{PROGRAM}: error: {what}\n")))?;
    let mut cli = Cli::command();
    cli.build();
    let Some(command) = cli.find_subcommand(RESET_USER_PASSWORD) else {
        return Ok(Cli::parse_from([program, command_word]));
    };
    let plain = match argparse::read(command, &words) {
        Ok(argparse::Reading::Words(plain)) => plain,
        Ok(argparse::Reading::Help) => vec!["--help".into()],
        Err(argparse::Complaint::Usage(what)) => return Err(usage(&format!("{PROGRAM}: error: {what}\n"))),
        Err(argparse::Complaint::Unknown(words)) => {
            return Err(usage(&format!("Unknown options: {}\n", words.join(", "))));
        }
    };
    Ok(Cli::parse_from([program, command_word].into_iter().chain(plain.into_iter().map(OsString::from))))
}

const PROGRAM: &str = "finspace-reset";

/// What the AWS CLI says before it tells what is wrong.
fn usage(what: &str) -> String {
    format!(
        "usage: {PROGRAM} [options] <command> [parameters]\nTo see help text, you can run:\n\n  {PROGRAM} --help\n  {PROGRAM} <command> --help\n\n{what}"
    )
}

/// Where the ledgers live.
#[derive(Clone, Debug, Args)]
pub struct StateArgs {
    /// Where the ledgers live [default: $XDG_STATE_HOME/finspace-reset]
    #[arg(long, value_name = "DIR", env = "FINSPACE_RESET_STATE_DIR", help_heading = "Display", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
}

/// How to reach the service, as the AWS CLI means it.
#[derive(Clone, Debug, Args)]
pub struct AwsArgs {
    /// Exchange AWS credentials for those that FinSpace issues in this environment, and renew them in time
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    pub environment_id: Option<String>,
    /// AWS region
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub region: Option<String>,
    /// Profile of the AWS config files
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub profile: Option<String>,
    /// Endpoint that speaks the API
    #[arg(long, value_name = "URL", help_heading = "AWS", value_hint = ValueHint::Url)]
    pub endpoint_url: Option<String>,
    /// PEM file of the certificate authorities to trust
    #[arg(long, value_name = "FILE", help_heading = "AWS", value_hint = ValueHint::FilePath)]
    pub ca_bundle: Option<PathBuf>,
    /// Don't verify the server's certificate
    #[arg(long, help_heading = "AWS")]
    pub no_verify_ssl: bool,
    /// Seconds to wait for a connection; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "AWS")]
    pub connect_timeout: Duration,
    /// Seconds to wait for an answer; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "AWS")]
    pub read_timeout: Duration,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Tell about this batch in detail
    pub batch: Option<BatchName>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub format: LogFormat,
    /// Where the ledgers live
    #[command(flatten)]
    pub state: StateArgs,
}

/// Flags of `close`.
#[derive(Debug, Args)]
pub struct CloseArgs {
    /// The batch to close
    pub batch: BatchName,
    /// Where the ledgers live
    #[command(flatten)]
    pub state: StateArgs,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The batch
    pub batch: BatchName,
    /// Write the page to FILE, which must not exist; - standard output
    #[arg(short, long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Where the ledgers live
    #[command(flatten)]
    pub state: StateArgs,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page to print [default: the program's own]
    pub command: Option<String>,
    /// Write every page to FOLDER, which is made where it is missing
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// Flags of `simulator`.
#[derive(Debug, Args)]
pub struct SimulatorArgs {
    /// Address to listen on; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// CSV of the users there are [default: anyone but IDs that begin with «missing»]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub users: Option<PathBuf>,
    /// How long a client token is remembered
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    pub token_ttl: Duration,
    /// A repeated token answers with a new password instead of the same one
    #[arg(long)]
    pub new_password_on_replay: bool,
    /// Requests a second that are let through: 500, or a schedule like 500:10s,100:10s,800; with ,counted each second's requests are counted, else a bucket fills
    #[arg(long, value_name = "QUOTA")]
    pub quota: Option<crate::simulator::Quota>,
    /// Time an answer takes
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0ms")]
    pub latency: Duration,
    /// Random time on top of it
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0ms")]
    pub jitter: Duration,
    /// Faults by probability, like drop-after=0.03,error-before=0.01
    #[arg(long, value_name = "FAULTS")]
    pub faults: Option<crate::simulator::Faults>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Life of the credentials that are issued [default: as asked for]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub credential_life: Option<Duration>,
}

/// Flags of `decrypt`.
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// The encrypted file; - reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// File with the identity it was encrypted to; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identity: Vec<String>,
    /// File with the passphrase in its first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Write to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Flags of `keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Write the identity to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Flags of `list-users`.
#[derive(Debug, Args)]
pub struct ListUsersArgs {
    /// Write to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Only users of this status
    #[arg(long, value_name = "STATUS", value_parser = clap::builder::PossibleValuesParser::new(["ENABLED", "DISABLED", "CREATING"]), ignore_case = true)]
    pub status: Option<String>,
    /// Only users of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = clap::builder::PossibleValuesParser::new(["APP_USER", "SUPER_USER"]), ignore_case = true)]
    pub kind: Option<String>,
    /// Only users of this permission group; FinSpace tells no last login of those
    #[arg(long, value_name = "ID")]
    pub permission_group: Option<String>,
    /// Only users who have not signed in since DATE (2026-01-31, or with a time), or never
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with = "permission_group")]
    pub not_logged_in_since: Option<Millis>,
    /// How to reach the service
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
