//! The command line: what the program can be asked to do, and who does it.
//!
//! Invariant: one file a command, with its flags and its work. Nothing below
//! this folder knows the command line, its errors or its exit codes; help,
//! completions and man pages all come from these definitions.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::ui::Printer;
use crate::{awscli, process, ui};
use args::LogFormat;
use error::Error;
use exit::Exit;

mod args;
mod close;
mod completions;
mod decrypt;
mod environment;
mod error;
mod exit;
mod handover;
mod help;
mod keygen;
#[cfg(feature = "cognito")]
mod list_pool_users;
mod list_users;
mod listing;
mod man;
mod misuse;
mod output;
mod report;
mod run;
mod simulator;
mod status;
mod way_on;

/// The version, and the commit it was built from where that is known.
pub(crate) const VERSION: &str = env!("FINSPACE_RESET_VERSION");

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Reset the passwords of many Amazon FinSpace users from a CSV, safely and once each
#[derive(Debug, Parser)]
#[command(name = "finspace-reset", version = VERSION, styles = STYLES, after_help = help::SHORT, after_long_help = help::LONG, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// The command
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reset everyone in a CSV
    #[command(after_long_help = help::RUN)]
    Run(Box<run::RunArgs>),
    /// Tell what the ledgers know
    Status(status::StatusArgs),
    /// Erase a batch's sealed passwords; its history stays
    Close(close::CloseArgs),
    /// Write a page about a batch for the incident's file; no password on it
    Report(report::ReportArgs),
    /// Serve the simulated API on loopback
    Simulator(simulator::SimulatorArgs),
    /// Open an encrypted result (any age tool can, too)
    Decrypt(decrypt::DecryptArgs),
    /// Give each manager, team or desk its rows: one age file for each value of a column
    Handover(handover::HandoverArgs),
    /// Make an age identity
    Keygen(keygen::KeygenArgs),
    /// Write a CSV of the users FinSpace knows
    ListUsers(list_users::ListUsersArgs),
    /// Reset one user, in place of `aws finspace-data reset-user-password`
    #[command(after_help = awscli::EXAMPLES, display_name = "finspace-reset")]
    ResetUserPassword(Box<awscli::ResetUserPasswordArgs>),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print a man page, or write all of them to a folder
    Man(man::ManArgs),
}

/// Runs a command line and returns its exit status.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    process::harden();
    let cli = match awscli::plain_words::<Cli>(words.collect()) {
        Ok(words) => match parse(&words) {
            Ok(cli) => cli,
            Err(code) => return code,
        },
        Err(refusal) => {
            let printer = Printer::new(false, false);
            let code = awscli::refuse(&refusal, &printer);
            printer.flush();
            return code;
        }
    };
    let (quiet, json) = match &cli.command {
        Command::Run(args) => (args.quiet, args.log_format == LogFormat::Json),
        _ => (false, false),
    };
    let printer = Printer::new(quiet, json);
    let code = dispatch(cli.command, &printer).unwrap_or_else(|error| {
        printer.error(error.to_string());
        error.exit().code().into()
    });
    printer.flush();
    code
}

/// Reads a command line. Where machines read standard error, its fault is an
/// object like every other line.
fn parse(words: &[OsString]) -> Result<Cli, ExitCode> {
    let wants_json = words.windows(2).any(|pair| pair[0] == "--log-format" && pair[1] == "json")
        || words.iter().any(|word| word == "--log-format=json");
    let subcommand = words.get(1).and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    Cli::try_parse_from(words).map_err(|error| {
        let error = match Cli::command().find_subcommand(&subcommand) {
            Some(command) => misuse::advise(error, command),
            None => misuse::advise_command(error, &Cli::command()),
        };
        let text = error.render().to_string();
        let fault = text.trim().trim_start_matches("error: ");
        if subcommand == "run" && error.use_stderr() {
            run::tell_unread(words, fault);
        }
        if !wants_json || !error.use_stderr() {
            error.exit();
        }
        let printer = Printer::new(false, true);
        printer.error(fault);
        ExitCode::from(Exit::Unusable.code())
    })
}

/// Returns true if the command's answer, or a secret, goes to standard output.
fn writes_to_stdout(command: &Command) -> bool {
    let is_dash = |path: &std::path::PathBuf| path.as_os_str() == "-";
    match command {
        Command::Run(args) => args.dry_run || args.output.as_ref().is_some_and(is_dash),
        Command::Close(_) | Command::Handover(_) => false,
        Command::Report(args) => is_dash(&args.output),
        Command::Decrypt(args) => args.output.as_ref().is_none_or(is_dash),
        Command::Keygen(args) => args.output.is_none(),
        Command::ListUsers(args) => args.output.as_ref().is_none_or(is_dash),
        Command::Man(args) => args.output.is_none(),
        Command::Status(_) | Command::Simulator(_) | Command::Completions(_) | Command::ResetUserPassword(_) => true,
    }
}

fn dispatch(command: Command, printer: &Printer) -> Result<ExitCode, Error> {
    let unheard = process::descriptors::stdout_was_closed() && writes_to_stdout(&command);
    let exit = match command {
        Command::ResetUserPassword(args) => return Ok(reset_user_password(*args, printer)),
        _ if unheard => return Err(Error::StdoutClosed),
        Command::Run(args) => {
            ui::log::start(printer, args.verbose);
            block_on(run::run(*args, printer))?
        }
        Command::Status(args) => status::run(&args, printer),
        Command::Close(args) => close::run(&args, printer),
        Command::Report(args) => report::run(&args, printer),
        Command::Simulator(args) => block_on(simulator::run(args, printer))?,
        Command::Decrypt(args) => decrypt::run(&args, printer),
        Command::Handover(args) => handover::run(&args, printer),
        Command::Keygen(args) => keygen::run(&args, printer),
        Command::ListUsers(args) => block_on(list_users::run(args, printer))?,
        Command::Completions(args) => completions::run(&args, printer),
        Command::Man(args) => man::run(&args, printer),
    }?;
    Ok(exit.code().into())
}

/// Runs the island that keeps the AWS CLI's exit codes.
fn reset_user_password(args: awscli::ResetUserPasswordArgs, printer: &Printer) -> ExitCode {
    if args.debug {
        ui::log::start(printer, ui::log::EVERY_ANSWER);
    }
    if process::descriptors::stdout_was_closed() {
        return awscli::refuse(&awscli::Refusal::general(Error::StdoutClosed.to_string()), printer);
    }
    match block_on(awscli::run(args, printer)) {
        Ok(code) => code,
        Err(error) => awscli::refuse(&awscli::Refusal::general(error.to_string()), printer),
    }
}

/// Runs `work` on one thread: the fastest runtime for one dispatcher. The
/// ledger and the signals have threads of their own.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| Error::System("no asynchronous runtime", error))?.block_on(work))
}
