//! `finspace-reset`: resets the passwords of many Amazon FinSpace users from a
//! CSV, each once, and loses nothing on the way.
//!
//! Data flows one way: roster → ledger → runner (pacer, client) → ledger →
//! publish (seal). `ARCHITECTURE.md` has the picture.

pub mod awscli;
pub mod breaker;
pub mod check;
pub mod cli;
pub mod client;
pub mod commands;
pub mod ending;
pub mod errand;
pub mod exit;
pub mod fault;
pub mod job;
pub mod ledger;
pub mod list_users;
pub mod outcome;
pub mod pacer;
pub mod plan;
pub mod preview;
pub mod progress;
pub mod publish;
pub mod rehearsal;
pub mod report;
pub mod roster;
pub mod rules;
pub mod run;
pub mod runner;
pub mod seal;
pub mod settings;
pub mod shutdown;
#[allow(missing_docs, reason = "its words and errors say what they are in the text they carry")]
pub mod simulator;
pub mod staged;
pub mod state;
pub mod status;
pub mod summary;
pub mod vault;

use std::ffi::OsString;

use cli::{Command, LogFormat};
use exit::{Error, Exit};
use progress::Printer;

/// Carries out a command line; tells how it ended.
#[must_use]
pub fn carry_out(words: impl Iterator<Item = OsString>) -> Exit {
    harden();
    let command = match cli::parse(words) {
        Ok(cli) => cli.command,
        Err(usage) => {
            Printer::new(false).apart(&usage);
            return Exit::Parameters;
        }
    };
    let quiet = matches!(&command, Command::Run(args) if args.quiet);
    let printer = Printer::new(quiet);
    match &command {
        Command::Run(args) => log(&printer, args.verbose, args.log_format),
        Command::ResetUserPassword(args) if args.debug => log(&printer, VERBOSE, LogFormat::Text),
        _ => {}
    }
    let done = dispatch(command, &printer);
    done.unwrap_or_else(|error| {
        match &error {
            // The AWS CLI's words come as it says them.
            Error::AwsCli(refusal) => printer.apart(refusal.to_string()),
            error => printer.error(error.to_string()),
        }
        error.exit()
    })
}

/// The verbosity that tells every answer.
const VERBOSE: u8 = 2;

fn dispatch(command: Command, printer: &Printer) -> Result<Exit, Error> {
    match command {
        Command::Run(args) => block_on(run::run(*args, printer)),
        Command::Status(args) => status::status(&args, printer),
        Command::Close(args) => status::close(&args, printer),
        Command::Report(args) => report::report(&args, printer),
        Command::Simulator(args) => block_on(commands::simulator(args, printer)),
        Command::Decrypt(args) => commands::decrypt(&args),
        Command::Keygen(args) => commands::keygen(&args, printer),
        Command::ListUsers(args) => block_on(list_users::list_users(args, printer)),
        Command::ResetUserPassword(args) => block_on(awscli::reset_user_password(*args, printer)),
        Command::Completions(args) => commands::completions(&args, printer),
        Command::Man(args) => commands::man(&args, printer),
    }
}

/// One thread is the fastest runtime for one dispatcher; the ledger and the
/// signals have threads of their own.
fn block_on(work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::System("no asynchronous runtime", error))?
        .block_on(work)
}

/// Passwords pass through this process: it leaves no core dump.
fn harden() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

/// Logs this program's own words and no library's: the SDK's and HTTP's traces
/// hold bodies, and bodies hold passwords.
fn log(printer: &Printer, verbose: u8, format: LogFormat) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let ours = Targets::new().with_target("finspace_reset", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(printer.clone());
    let registry = tracing_subscriber::registry();
    let started = match format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init(),
        LogFormat::Text => {
            registry.with(lines.with_ansi(progress::may_colour()).with_target(false).with_filter(ours)).try_init()
        }
    };
    // A second subscriber can only be a caller's own, in a test.
    drop(started);
}
