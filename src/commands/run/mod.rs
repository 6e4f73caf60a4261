//! `run`, from the flags to the exit code.
//!
//! Invariant: what can fail at the end is tried at the start; nothing is sent
//! before the plan is consented to; and the exit code comes from what the
//! ledger holds.

mod args;
mod check_users;
mod consent;
mod ends;
mod exposed;
mod finish;
mod inputs;
mod job;
mod last_words;
mod other_batches;
mod places;
#[cfg(feature = "cognito")]
mod pool;
mod prepare;
mod preview;
mod record;
mod send;
mod settings;
#[cfg(feature = "cognito")]
mod sign_out;
mod simulate;
mod summary;
#[cfg(feature = "cognito")]
mod who;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

pub(crate) use self::args::RunArgs;
use self::last_words::LastWords;
use self::settings::RunSettings;
use super::error::Error;
use super::exit::Exit;
use crate::process::signals::Shutdown;
use crate::ui::Printer;

/// Runs `finspace-reset run`. A summary is written at every exit.
///
/// # Errors
/// Nothing was sent; the error says why.
pub(crate) async fn run(args: RunArgs, printer: &Printer) -> Result<Exit, Error> {
    places::check(&args)?;
    let summary = args.summary.clone();
    let done = Box::pin(carry_out(args, printer)).await;
    if let (Err(error), Some(file)) = (&done, summary)
        && let Err(unwritten) = summary::write_end(&file, error.exit(), &error.to_string())
    {
        printer.error(unwritten.to_string());
    }
    done
}

/// Writes the summary of a run whose command line could not be read: the one of
/// last night would say that all is well.
pub(crate) fn tell_unread(words: &[OsString], fault: &str) {
    let flag = words.iter().rposition(|word| word == "--summary").and_then(|at| words.get(at + 1).cloned());
    let joined = || words.iter().rev().find_map(|word| Some(word.to_str()?.strip_prefix("--summary=")?.into()));
    if let Some(file) = flag.or_else(joined) {
        // The fault itself is told; a place that can't take it has none to add.
        let _ = summary::write_end(Path::new(&file), Exit::Unusable, fault);
    }
}

async fn carry_out(args: RunArgs, printer: &Printer) -> Result<Exit, Error> {
    let settings = RunSettings::check(args, std::io::stdout().is_terminal())?;
    let shutdown = Shutdown::default();
    let words = LastWords::prepare(&shutdown, printer, settings.summary.clone());
    shutdown.start().map_err(|error| Error::System("no signal handlers", error))?;
    printer.on_lost_reader(&shutdown);
    let ready = prepare::prepare(settings, printer).await?;
    printer.in_batch(ready.job.batch.as_str());
    if ready.job.settings.dry_run {
        return preview::preview(&ready, printer);
    }
    if let Some(exit) = finish::nothing_left(&ready, printer)? {
        return Ok(exit);
    }
    consent::ask(&ready, printer)?;
    let (job, sent) = send::send(ready, printer, &shutdown, words).await?;
    Ok(finish::finish(&job, sent, printer, &shutdown))
}
