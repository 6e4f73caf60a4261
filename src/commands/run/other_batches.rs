//! The guard across batches: an unnamed batch touches nobody whom another batch
//! of the same target reset while that password lives.

use super::job::Job;
use crate::commands::error::Error;
use crate::engine::ledger::guard::{self, Roll};
use crate::engine::ledger::{Ledger, RowKind};
use crate::engine::plan::new_row;
use crate::model::{PASSWORD_LIFE, Status};
use crate::ui::Printer;

/// Refuses an unnamed batch whose users another batch has reset.
///
/// # Errors
/// There are such users, or the roster or the state folder can't be read.
pub(super) fn check(job: &Job, ledger: Option<&Ledger>, printer: &Printer) -> Result<(), Error> {
    if job.settings.batch.is_some() || job.settings.service.simulate {
        return Ok(());
    }
    if job.state.batches()?.iter().all(|batch| *batch == job.batch) {
        return Ok(());
    }
    let mut roll = Roll::default();
    for row in job.roster.rows()? {
        let row = new_row(row?, &job.excluded);
        let (RowKind::User, Some(id)) = (row.kind, &row.user_id) else { continue };
        let done = match ledger {
            Some(ledger) => ledger.standing(id)?.status == Status::Succeeded,
            None => false,
        };
        if !done {
            roll.add(id);
        }
    }
    let found = guard::look(&job.state, &job.target, &job.batch, roll, PASSWORD_LIFE)?;
    for error in &found.unread {
        printer.note(format!("not looked into for users who were reset before: {error}"));
    }
    Ok(found.refuse()?)
}
