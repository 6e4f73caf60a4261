//! The flags of `run`.

#![allow(clippy::doc_markdown, reason = "the docs of flags are the help, and people read no backticks there")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use crate::commands::args::{AwsArgs, LogFormat, PoolArgs, StateArgs, delimiter, duration, whole};
use crate::engine::dispatch::limits::MaxFailures;
use crate::engine::dispatch::pacer::Rate;
use crate::model::BatchName;

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// CSV of user IDs; - reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Write the results to FILE: .csv plain, .csv.age encrypted, - standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Encrypt to this age, SSH or plugin public key; repeatable
    #[arg(short, long, value_name = "KEY", help_heading = "Encryption")]
    pub recipient: Vec<String>,
    /// Encrypt to the public keys in FILE, one a line; repeatable [env for .csv.age: FINSPACE_RESET_RECIPIENTS_FILE]
    #[arg(short = 'R', long, value_name = "FILE", help_heading = "Encryption", value_hint = ValueHint::FilePath)]
    pub recipients_file: Vec<PathBuf>,
    /// Encrypt with a passphrase, asked on the terminal
    #[arg(short, long, help_heading = "Encryption")]
    pub passphrase: bool,
    /// Encrypt with the passphrase in the first line of FILE
    #[arg(long, value_name = "FILE", help_heading = "Encryption", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Write ASCII-armored age
    #[arg(short, long, help_heading = "Encryption")]
    pub armor: bool,

    /// Column of the user IDs: a header, or a number from 1 with --no-headers [default: the header that reads as user_id, else the only column]
    #[arg(long, value_name = "NAME", help_heading = "Roster")]
    pub id_column: Option<String>,
    /// The first row is a user, not a header
    #[arg(long, help_heading = "Roster")]
    pub no_headers: bool,
    /// Field delimiter (\t for a tab) [default: detected among , ; tab |]
    #[arg(long, value_name = "C", value_parser = delimiter, help_heading = "Roster")]
    pub delimiter: Option<u8>,
    /// Name of the batch; the same name continues it [default: a digest of the user IDs]
    #[arg(long, value_name = "NAME", help_heading = "Roster")]
    pub batch: Option<BatchName>,
    /// CSV of users never to touch; repeatable [env, always added: FINSPACE_RESET_EXCLUDE]
    #[arg(long, value_name = "FILE", help_heading = "Roster", value_hint = ValueHint::FilePath)]
    pub exclude: Vec<PathBuf>,
    /// Reset only the first N users still to do; the rest stay pending
    #[arg(long, value_name = "N", value_parser = whole::<u64, 1, { u64::MAX }>, allow_negative_numbers = true, help_heading = "Roster")]
    pub limit: Option<u64>,

    /// Requests a second at most: 5, 0.5, 30/m, unlimited [env: FINSPACE_RESET_RATE] [default: 5]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Pace")]
    pub rate: Option<Rate>,
    /// Requests in flight at most
    #[arg(long, value_name = "N", default_value = "16", value_parser = whole::<u16, 1, 4096>, allow_negative_numbers = true, help_heading = "Pace")]
    pub concurrency: u16,
    /// Tries for one user
    #[arg(long, value_name = "N", default_value = "8", value_parser = whole::<u32, 1, 1000>, allow_negative_numbers = true, help_heading = "Pace")]
    pub max_attempts: u32,
    /// Stop past this many failed users, or this percentage
    #[arg(long, value_name = "N|P%", allow_negative_numbers = true, help_heading = "Pace")]
    pub max_failures: Option<MaxFailures>,
    /// Stop cleanly after this long (45m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true, help_heading = "Pace")]
    pub deadline: Option<Duration>,

    /// First ask FinSpace (read only) whether each user exists and is enabled
    #[arg(long, help_heading = "Safety")]
    pub check_users: bool,
    /// With --check-users: reset superusers as well, instead of leaving them out
    #[arg(long, requires = "check_users", help_heading = "Safety")]
    pub include_superusers: bool,
    /// With --user-pool-id: also end the sessions of each user who was reset
    #[arg(long, help_heading = "Safety", requires = "user_pool_id")]
    pub sign_out: bool,
    /// Preview: send no reset, whatever else is asked for
    #[arg(short = 'n', long, help_heading = "Safety")]
    pub dry_run: bool,
    /// Go without asking
    #[arg(short, long, help_heading = "Safety", conflicts_with = "confirm")]
    pub yes: bool,
    /// Go only if the plan is exactly the one previewed
    #[arg(long, value_name = "PLAN", help_heading = "Safety")]
    pub confirm: Option<String>,
    /// Run against the embedded simulator
    #[arg(long, help_heading = "Safety", conflicts_with_all = ["endpoint_url", "environment_id"])]
    pub simulate: bool,
    /// Close the batch after publishing, whatever failed, unless somebody is pending or unknown
    #[arg(long, help_heading = "Safety")]
    pub close: bool,

    /// Write a JSON summary of the run to FILE
    #[arg(long, value_name = "FILE", help_heading = "Display", value_hint = ValueHint::FilePath)]
    pub summary: Option<PathBuf>,
    /// Style of progress
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto, help_heading = "Display")]
    pub progress: ProgressMode,
    /// Form of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = "Display")]
    pub log_format: LogFormat,
    /// Log more: users that fail (-v), every answer (-vv)
    #[arg(short, long, action = ArgAction::Count, help_heading = "Display")]
    pub verbose: u8,
    /// Print nothing if everything succeeds
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Display")]
    pub quiet: bool,

    /// Folder of the ledgers [default: $XDG_STATE_HOME/finspace-reset]
    #[command(flatten)]
    pub state: StateArgs,
    /// Ways to reach the service
    #[command(flatten)]
    pub aws: AwsArgs,
    /// The user pool, where the service is Amazon Cognito
    #[command(flatten)]
    pub pool: PoolArgs,

    /// Time for which the service remembers a client token; for tests against a
    /// simulator
    #[arg(long, hide = true, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    pub token_window: Duration,
    /// Time for which nothing but throttling is borne; for tests against a
    /// simulator
    #[arg(long, hide = true, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    pub throttle_patience: Duration,
    /// Time for which a run that stops waits for answers; for tests against a
    /// simulator
    #[arg(long, hide = true, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub drain: Duration,
}

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, else a line every 10 seconds
    Auto,
    /// A bar
    Bar,
    /// A line every 10 seconds
    Log,
    /// Nothing
    None,
}
