//! The guard across batches: an unnamed batch touches nobody whom another batch
//! of the same target reset while that password lives, and a named one says so.

use super::job::Job;
use crate::commands::error::Error;
use crate::engine::ledger::guard::{Found, Others, Overlap, Roll};
use crate::engine::ledger::{Ledger, RowKind};
use crate::model::Status;
use crate::ui::Printer;

/// The number of batches that are told.
const TOLD: usize = 3;

/// Refuses an unnamed batch whose users another batch has reset. Returns those
/// batches for a named one, told.
///
/// # Errors
/// There are such users, or the roster or the state folder can't be read.
pub(super) fn check(job: &Job, ledger: Option<&Ledger>, printer: &Printer) -> Result<Vec<Overlap>, Error> {
    if job.settings.service.simulate {
        return Ok(Vec::new());
    }
    let found = look(job, ledger)?;
    for error in &found.unread {
        printer.note(format!("not looked into for users who were reset before: {error}"));
    }
    if job.settings.batch.is_none() {
        let begun = ledger.map(Ledger::has_begun).transpose()?.unwrap_or_default();
        found.refuse(begun.then_some(&job.batch))?;
        return Ok(Vec::new());
    }
    // The plan that is shown tells it, too.
    let is_shown = job.settings.plan_is_beside_the_notes();
    for remark in remarks(&found.overlaps).iter().filter(|_| !is_shown || printer.is_json()) {
        printer.note(format!("{remark}; batch {} resets them again", job.batch));
    }
    Ok(found.overlaps)
}

/// Looks once more, when this batch's own users stand in its ledger: of two runs
/// that begin together, one at least sees the other.
///
/// # Errors
/// As [`check`].
pub(super) fn check_again(job: &Job, ledger: &Ledger) -> Result<(), Error> {
    if job.settings.service.simulate || job.settings.batch.is_some() {
        return Ok(());
    }
    Ok(look(job, Some(ledger))?.refuse(None)?)
}

/// Looks for the users to do in the target's other batches.
fn look(job: &Job, ledger: Option<&Ledger>) -> Result<Found, Error> {
    let others = Others::find(&job.state, &job.target, &job.batch)?;
    let roll = if others.is_empty() { Roll::default() } else { roll(job, ledger)? };
    Ok(others.look(roll))
}

/// Returns what is to be told of users whom other batches have reset.
pub(super) fn remarks(elsewhere: &[Overlap]) -> Vec<String> {
    let mut remarks: Vec<String> = elsewhere.iter().take(TOLD).map(Overlap::remark).collect();
    if elsewhere.len() > TOLD {
        remarks.push(format!("and {} more batches have reset some of them", elsewhere.len() - TOLD));
    }
    remarks
}

/// The users to do.
fn roll(job: &Job, ledger: Option<&Ledger>) -> Result<Roll, Error> {
    let mut roll = Roll::default();
    let mut lookup = ledger.map(Ledger::lookup).transpose()?;
    for row in job.roster.rows()? {
        let row = job.selection().row(row?)?;
        let (RowKind::User, Some(id)) = (row.kind, &row.user_id) else { continue };
        let done = match &mut lookup {
            Some(lookup) => lookup.of(id)?.status == Status::Succeeded,
            None => false,
        };
        if !done {
            roll.add(id);
        }
    }
    Ok(roll)
}
