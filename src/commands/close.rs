//! `close`: erases a batch's sealed passwords; its history stays.

use clap::Args;

use super::args::StateArgs;
use super::status::find;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::ledger::state_dir::StateError;
use crate::engine::ledger::{Ledger, LedgerPaths};
use crate::model::BatchName;
use crate::ui::Printer;

/// Flags of `close`.
#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// The batch to close
    pub batch: BatchName,
    /// Where the ledgers live
    #[command(flatten)]
    pub state: StateArgs,
}

/// Runs `finspace-reset close`.
///
/// # Errors
/// There is no such batch, a run has it, or it can't be erased.
pub(super) fn run(args: &CloseArgs, printer: &Printer) -> Result<Exit, Error> {
    let state = find(args.state.state_dir.as_deref(), &args.batch)?;
    let _lock = state.lock(&args.batch)?;
    let Some(mut ledger) = Ledger::open(&LedgerPaths::new(state.folder(), &args.batch))? else {
        return Err(StateError::NoBatch(args.batch.to_string(), state.folder().to_owned()).into());
    };
    ledger.close("the operator closed it")?;
    let counts = ledger.counts()?;
    printer.note(format!("batch {} is closed: its passwords are erased, its history stays", args.batch));
    if counts.to_do() > 0 {
        printer.note(format!("{} of its users are still to do; put them in a roster of their own", counts.to_do()));
    }
    Ok(Exit::Success)
}
