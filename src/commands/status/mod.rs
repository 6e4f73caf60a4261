//! `status`: what the ledgers know.
//!
//! Invariant: it opens no key and sends nothing, and works on a batch whose
//! roster is long gone.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::commands::args::{LedgerArgs, LogFormat};
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::way_on::Place;
use crate::engine::ledger::state_dir::{StateDir, StateError};
use crate::engine::ledger::{Ledger, LedgerPaths, LedgerRow};
use crate::model::{BatchName, RowKind, RowStatus};
use crate::ui::Printer;
use crate::ui::format::counted_are;

mod batch;
mod text;

pub(super) use batch::BatchStatus;

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Tell about this batch in detail
    pub batch: Option<BatchName>,
    /// Write the users that stand so, as a roster that run takes: a status of the results, or
    /// given-up, those whose passwords were erased while they stood in no file
    #[arg(long, value_name = "STATUS", value_parser = listed(), requires = "batch")]
    pub list: Option<Listed>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub format: LogFormat,
    /// The ledgers
    #[command(flatten)]
    pub ledgers: LedgerArgs,
}

/// The users to list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listed {
    /// Of this status.
    Status(RowStatus),
    /// Reset, and their passwords were given up.
    GivenUp,
}

const GIVEN_UP: &str = "given-up";

/// Returns the parser, which tells the help what there is to choose from.
fn listed() -> impl TypedValueParser<Value = Listed> {
    let words = RowStatus::ALL.map(RowStatus::word).into_iter().chain([GIVEN_UP]);
    let status = |word: String| RowStatus::ALL.into_iter().find(|status| status.word() == word);
    // What is no status and yet among the words is the last of them.
    PossibleValuesParser::new(words).map(move |word| status(word).map_or(Listed::GivenUp, Listed::Status))
}

/// Writes the users of a batch that stand so.
fn list(args: &StatusArgs, batch: &BatchName, listed: Listed, printer: &Printer) -> Result<Exit, Error> {
    let (state, _) = find(&args.ledgers, batch, printer)?;
    let ledger = Ledger::read(&LedgerPaths::new(state.folder(), batch))?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::Stdout(error.into());
    let mut nameless = 0_u64;
    csv.write_record(["user_id"]).map_err(failed)?;
    let is_listed = |row: &LedgerRow| match listed {
        Listed::Status(status) => row.status() == status,
        Listed::GivenUp => row.given_up && row.kind == RowKind::User,
    };
    ledger.rows(|row| match &row.user_id {
        _ if !is_listed(&row) => Ok(()),
        Some(user) => csv.write_record([user]).map_err(failed),
        None => {
            nameless += 1;
            Ok(())
        }
    })?;
    let text = csv.into_inner().map_err(|error| Error::Stdout(error.into_error()))?;
    printer.data(&String::from_utf8_lossy(&text)).map_err(Error::Stdout)?;
    if nameless > 0 {
        printer.note(format!(
            "{} of nobody that could be listed; the results and `report --format csv` tell the lines",
            counted_are(nameless, "row")
        ));
    }
    Ok(Exit::Success)
}

/// Runs `finspace-reset status`.
///
/// # Errors
/// The state folder or a ledger can't be read.
pub(super) fn run(args: &StatusArgs, printer: &Printer) -> Result<Exit, Error> {
    if let (Some(batch), Some(listed)) = (&args.batch, args.list) {
        return list(args, batch, listed, printer);
    }
    let real = StateDir::locate(args.ledgers.state.state_dir.as_deref())?;
    let mut found = Vec::new();
    let mut exit = Exit::Success;
    for (state, simulated) in [(real.clone(), false), (real.simulated(), true)] {
        if args.ledgers.simulate && !simulated {
            continue;
        }
        for batch in state.batches()? {
            if args.batch.as_ref().is_some_and(|wanted| *wanted != batch) {
                continue;
            }
            let place = args.ledgers.place(&batch, simulated);
            let known = Ledger::read(&LedgerPaths::new(state.folder(), &batch));
            match known.and_then(|ledger| Ok((BatchStatus::of(&ledger, &state, place)?, ledger.clock_doubt()?))) {
                Ok((known, doubt)) => {
                    found.push(known);
                    if let Some(doubt) = doubt {
                        printer.warning(doubt);
                    }
                }
                // One bad ledger must not hide the others.
                Err(error) => {
                    printer.error(error.to_string());
                    exit = Exit::Unusable;
                }
            }
        }
    }
    if let (Some(batch), true, Exit::Success) = (&args.batch, found.is_empty(), exit) {
        return Err(missing(&args.ledgers, batch, &real).into());
    }
    let text = match (args.format, &args.batch) {
        (LogFormat::Json, _) => serde_json::to_string_pretty(&found).unwrap_or_default() + "\n",
        (LogFormat::Text, Some(_)) => found.iter().map(text::detail).collect::<Vec<_>>().join("\n"),
        (LogFormat::Text, None) if found.is_empty() && exit == Exit::Success => "no batches yet\n".into(),
        (LogFormat::Text, None) => text::table(&found),
    };
    match args.format {
        LogFormat::Json => printer.data(&text),
        LogFormat::Text => printer.show(&text),
    }
    .map_err(Error::Stdout)?;
    Ok(exit)
}

fn missing(args: &LedgerArgs, batch: &BatchName, real: &StateDir) -> StateError {
    let folder = if args.simulate { real.simulated() } else { real.clone() };
    StateError::NoBatch(batch.to_string(), folder.folder().to_owned())
}

/// Returns the state folder that holds the batch, and the words that name it: the
/// real one where there is one, which is told if a rehearsal bears the same name.
///
/// # Errors
/// There is no such batch.
pub(super) fn find(args: &LedgerArgs, batch: &BatchName, printer: &Printer) -> Result<(StateDir, Place), StateError> {
    let real = StateDir::locate(args.state.state_dir.as_deref())?;
    let holds = |state: &StateDir| LedgerPaths::new(state.folder(), batch).ledger.exists();
    let (is_real, is_rehearsal) = (holds(&real) && !args.simulate, holds(&real.simulated()));
    if is_real && is_rehearsal {
        printer.note(format!(
            "batch {batch}: this is the real one; a rehearsal has the same name, and --simulate names that"
        ));
    }
    match (is_real, is_rehearsal) {
        (true, _) => Ok((real, args.place(batch, false))),
        (false, true) => Ok((real.simulated(), args.place(batch, true))),
        (false, false) => Err(missing(args, batch, &real)),
    }
}
