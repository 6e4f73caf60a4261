//! `close`: erases a batch's sealed passwords; its history stays.
//!
//! Invariant: a password that stands in no file is erased only with
//! `--discard-passwords`, and on a terminal only after its batch was named.

use std::io::IsTerminal;

use clap::Args;

use super::args::LedgerArgs;
use super::status::find;
use super::way_on::Left;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::ledger::state_dir::StateError;
use crate::engine::ledger::{Doubt, Ledger, LedgerError, LedgerPaths};
use crate::model::BatchName;
use crate::ui::Printer;
use crate::ui::format::{counted, counted_are};

/// Flags of `close`.
#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// The batch to close
    pub batch: BatchName,
    /// Erase passwords that stand in no file, too: their users need another reset
    #[arg(long)]
    pub discard_passwords: bool,
    /// Go without asking for the batch's name
    #[arg(short, long)]
    pub yes: bool,
    /// The ledgers
    #[command(flatten)]
    pub ledgers: LedgerArgs,
}

/// Runs `finspace-reset close`.
///
/// # Errors
/// There is no such batch, a run has it, a password stands in no file, or it
/// can't be erased.
pub(super) fn run(args: &CloseArgs, printer: &Printer) -> Result<Exit, Error> {
    let batch = &args.batch;
    let (state, place) = find(&args.ledgers, batch, printer)?;
    let _lock = state.lock(batch)?;
    let Some(mut ledger) = Ledger::open(&LedgerPaths::new(state.folder(), batch))? else {
        return Err(StateError::NoBatch(batch.to_string(), state.folder().to_owned()).into());
    };
    if let Some(doubt) = ledger.clock_doubt()? {
        printer.warning(doubt);
    }
    let kind = if place.simulated { "rehearsal" } else { "batch" };
    let undelivered = if ledger.closed_at()?.is_some() { None } else { ledger.standing_nowhere()? };
    if let (Some(left), false) = (&undelivered, args.discard_passwords) {
        return Err(LedgerError::Undelivered { batch: batch.to_string(), left: left.clone() }.into());
    }
    if !args.yes && ledger.closed_at()?.is_none() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let lost =
            undelivered.as_ref().map_or_else(String::new, |left| format!("{} of them stand in no file. ", left.users));
        let question = format!("Closing erases the sealed passwords of {kind} {batch}. {lost}Type {batch} to go on: ");
        if printer.ask(&question).map_err(Error::Stdout)? != batch.as_str() {
            return Err(Error::NotClosed);
        }
    }
    let signed_in = ledger.count_to_sign_out()?;
    let before = ledger.closed_at()?;
    match undelivered {
        Some(left) => {
            let lost = counted(left.users, "password");
            ledger.discard(&format!("the operator closed it, and gave up {lost} that stood in no file"))?;
        }
        None => ledger.close("the operator closed it")?,
    }
    let counts = ledger.counts()?;
    let since = before.map_or_else(String::new, |at| format!(" since {at}"));
    printer.note(format!("{kind} {batch} is closed{since}: its passwords are erased, its history stays"));
    let given_up = ledger.given_up()?.len();
    let lost =
        Left { counts, causes: &[], doubt: Doubt::default(), signed_in: 0, given_up, closed: true, place: &place };
    if let Some(line) = lost.reset_anew() {
        printer.warning(line);
    }
    if counts.to_do() > 0 && !place.simulated {
        printer.note(format!(
            "{} still to do: `run` with --batch {batch} and another --output goes on with the rest",
            counted_are(counts.to_do(), "user")
        ));
    }
    if signed_in > 0 {
        printer.note(format!(
            "{} reset and not signed out, as --sign-out wanted: end their sessions with `aws cognito-idp admin-user-global-sign-out`",
            counted_are(signed_in, "user")
        ));
    }
    Ok(Exit::Success)
}
