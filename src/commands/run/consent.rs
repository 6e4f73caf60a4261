//! Consent to a plan: how it is shown, and who has to say yes.
//!
//! Invariant: nothing is sent to reset anybody before this returns.

use std::fmt::Write as _;

use super::exposed;
use super::job::Job;
use super::other_batches::remarks;
use super::prepare::Ready;
use super::settings::{Consent, somebody_is_there};
use crate::commands::error::Error;
use crate::engine::fingerprint::Fingerprint;
use crate::engine::plan::{Plan, PlanError};
use crate::engine::roster::{ListReport, RowIssue};
use crate::model::{Counts, client_token, visible};
use crate::service::PoolWords;
use crate::ui::Printer;
use crate::ui::format::{counted, human};

/// Returns when the plan is consented to: none is needed where nothing is sent,
/// or all is simulated.
///
/// # Errors
/// Nobody can be asked, the answer was no, or the plan is not the one named.
pub(super) fn ask(ready: &Ready, printer: &Printer) -> Result<(), Error> {
    let Ready { job, plan, .. } = ready;
    match &job.settings.consent {
        Consent::Plan(typed) => {
            return Ok(Fingerprint::expect(typed, &job.binding(plan)).map_err(PlanError::from)?);
        }
        Consent::Given => return Ok(()),
        Consent::Ask if plan.to_reset == 0 => return Ok(()),
        Consent::Ask => {}
    }
    if !somebody_is_there() || job.settings.roster_is_stdin() {
        return Err(PlanError::NoConsent(plan.to_reset).into());
    }
    printer.note(describe(job, plan, Told::Before).trim_end());
    let users = plan.to_reset;
    let again = again(job, plan);
    let question = format!(
        "{} of {} will lose their old password at once{again}. Type {users} to go on: ",
        counted(users, "user"),
        job.target
    );
    let answer = printer.ask(&question).map_err(Error::Stdout)?;
    if answer == users.to_string() { Ok(()) } else { Err(PlanError::Declined.into()) }
}

/// Returns the words for those whom another batch has reset.
fn again(job: &Job, plan: &Plan) -> &'static str {
    let of_one_batch = job.elsewhere.iter().map(|overlap| overlap.users).max();
    match of_one_batch {
        None => "",
        Some(users) if users < plan.counts.to_do() - plan.left_alone => ", some of whom were reset within a week",
        Some(_) if plan.to_reset == 1 => ", though they were reset within a week",
        Some(_) => ", all of whom were reset within a week",
    }
}

/// Says if whoever reads the plan was told what is odd about the inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It stands right above, on the same screen or in the same log.
    Before,
    /// It does not: quiet was asked for, or the plan goes to a file of its own.
    Nothing,
}

/// Returns the plan for people. What was told before is only counted.
pub(super) fn describe(job: &Job, plan: &Plan, told: Told) -> String {
    let untold = |issues: &'_ [RowIssue]| if told == Told::Nothing { issues.to_vec() } else { Vec::new() };
    let Counts { rows, succeeded, unknown, earlier, .. } = plan.counts;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{}", visible(&value));
    };
    line("target", job.target.to_string());
    line("identity", if job.identity.is_empty() { "none is needed".into() } else { job.identity.clone() });
    line("batch", job.batch.to_string());
    line("rows", rows.to_string());
    line("to reset", plan.to_reset.to_string());
    if unknown > 0 {
        line("in doubt", format!("{unknown} of an earlier run, tried first"));
    }
    line("already done", succeeded.to_string());
    if earlier > 0 {
        line("earlier", format!("{earlier} more were reset, and their passwords erased since"));
    }
    if let Some(exposed) = plan.exposed {
        line("beware", exposed::remark(exposed));
    }
    for (at, remark) in remarks(&job.elsewhere).into_iter().enumerate() {
        line(if at == 0 { "again" } else { "" }, remark);
    }
    let mut special = |name: &str, count: u64, issues: &[RowIssue]| {
        line(name, count.to_string());
        for issue in issues {
            line("", format!("line {}: {}", issue.line, issue.text));
        }
        let shown = issues.len() as u64;
        if shown > 0 && count > shown {
            line("", format!("… and {} more", count - shown));
        }
    };
    special("duplicates", plan.counts.duplicate, &plan.duplicates);
    special("invalid", plan.counts.invalid, &untold(&job.roster.facts().invalid_rows));
    special("excluded", plan.counts.excluded, &plan.excluded);
    if plan.left_alone > 0 {
        special("left alone", plan.left_alone, &untold(&plan.left_alone_rows));
    }
    for remark in job.exclude_lists.iter().filter(|_| told == Told::Nothing && rows > 0).filter_map(ListReport::remark)
    {
        line("", remark);
    }
    for (name, words) in job.client.pool().iter().flat_map(PoolWords::lines) {
        line(name, words);
    }
    let sending = &job.settings.sending;
    if sending.sign_out {
        line("sign out", format!("{} after their passwords, at the same pace", plan.to_reset + plan.to_sign_out));
    }
    let pace = sending.rate;
    let time = plan.duration(pace).map(|time| format!("about {} at {pace}", human(time)));
    line("time", time.unwrap_or_else(|| "as fast as the service takes it".into()));
    line("output", output(job));
    for (at, user) in plan.first.iter().enumerate() {
        let token = client_token(&job.target, &job.batch, user);
        let token =
            if job.settings.verbose && !job.target.is_pool() { format!(" token {token}") } else { String::new() };
        line(if at == 0 { "first users" } else { "" }, format!("{user:?}{token}"));
    }
    line("plan", job.fingerprint(plan).to_string());
    text
}

/// Returns where the passwords will go, and who can open them.
fn output(job: &Job) -> String {
    match (&job.settings.output.destination, &job.encryption) {
        (None, _) => "none is named; add --output FILE to the real run".into(),
        (Some(_), None) => format!("{}, in the clear", job.output_name()),
        (Some(_), Some(to)) => format!("{}, encrypted for {}", job.output_name(), to.readers().join(", ")),
    }
}
