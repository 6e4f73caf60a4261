//! The facts of a run that its ledger keeps for the record: who ran what, with
//! whose consent, for whose eyes.
//!
//! Invariant: none of them is a secret.

use super::job::Job;
use super::preview::command_line;
use super::settings::Consent;
use crate::engine::ledger::{Ledger, LedgerError, fact};
use crate::engine::plan::Plan;

/// Records the facts of the run that was just begun.
///
/// # Errors
/// The ledger can't be written.
pub(super) fn record(job: &Job, plan: &Plan, ledger: &Ledger) -> Result<(), LedgerError> {
    let readers = job.encryption.as_ref().map(|to| to.readers().join("\n")).unwrap_or_default();
    ledger.record_run_facts(&[
        (fact::ROSTER, job.roster.name()),
        (fact::ROSTER_SHA256, &job.roster.facts().sha256),
        (fact::COMMAND_LINE, &command_line().join(" ")),
        (fact::CONSENT, &consent(job, plan)),
        (fact::RECIPIENTS, if job.settings.output.has_passphrase() { "passphrase" } else { &readers }),
        (fact::OS_USER, &os_user()),
    ])
}

/// Returns the consent that the run had.
fn consent(job: &Job, plan: &Plan) -> String {
    match &job.settings.consent {
        _ if job.settings.service.simulate => "--simulate".into(),
        _ if plan.to_reset == 0 => "none was needed".into(),
        Consent::Given => "--yes".into(),
        Consent::Plan(name) => format!("--confirm {name}"),
        Consent::Ask => format!("typed {}", plan.to_reset),
    }
}

/// Returns the user of the operating system, by name where one is set.
fn os_user() -> String {
    let number = rustix::process::getuid().as_raw();
    match std::env::var("USER").or_else(|_| std::env::var("LOGNAME")) {
        Ok(name) if !name.is_empty() => format!("{name} ({number})"),
        _ => number.to_string(),
    }
}
