//! Users whom a batch left alone before and would reset now: the exclude list of
//! its last run was not named again, or is another one.
//!
//! Invariant: nothing is refused here and nothing written; a roster that the
//! ledger took as it is now has no such users.

use std::collections::HashSet;

use super::job::Job;
use crate::commands::error::Error;
use crate::engine::ledger::{Ledger, Readiness, RowKind};
use crate::engine::plan::{Exposed, Plan, SUPERUSER};
use crate::ui::Printer;
use crate::ui::format::counted;

/// Returns what is to be told of such users.
pub(super) fn remark(exposed: Exposed) -> String {
    let Exposed { users, first_line } = exposed;
    let (at, them) = if users == 1 { ("in", "that user") } else { ("the first in", "them") };
    format!(
        "{} whom this batch left alone before (--exclude, --check-users) would be reset now, {at} line {first_line}; the same flags leave {them} alone again",
        counted(users, "user")
    )
}

/// Finds those whom the plan would reset and the batch left alone before, and
/// warns of them. The service does not know those who are `missing`.
///
/// # Errors
/// Roster or ledger can't be read.
pub(super) fn warn(
    job: &Job,
    (plan, missing): (&Plan, &HashSet<String>),
    ledger: Option<&Ledger>,
    printer: &Printer,
) -> Result<Option<Exposed>, Error> {
    let Some(ledger) = ledger else { return Ok(None) };
    if plan.to_reset == 0 || ledger.get("import_key")?.as_deref() == Some(&plan.import_key) {
        return Ok(None);
    }
    // Who asks for superusers need not be told of them.
    let but = job.settings.sending.include_superusers.then_some(SUPERUSER);
    let left_out = ledger.left_out(but)?;
    if left_out.is_empty() {
        return Ok(None);
    }
    let mut lookup = ledger.lookup()?;
    let mut found: Option<Exposed> = None;
    for row in job.roster.rows()? {
        let row = job.selection().row(row?)?;
        let (RowKind::User, Readiness::Ready | Readiness::NotAsked, Some(id)) =
            (row.kind, &row.readiness, &row.user_id)
        else {
            continue;
        };
        let is_exposed = !missing.contains(id.as_str())
            && lookup.is_in(&left_out, id)?
            && lookup.of(id)?.status.is_surely_not_reset();
        if is_exposed {
            found.get_or_insert(Exposed { users: 0, first_line: row.line }).users += 1;
        }
    }
    if let Some(exposed) = found {
        printer.warning(remark(exposed));
    }
    Ok(found)
}
