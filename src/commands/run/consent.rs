//! Consent to a plan: how it is told, and who has to say yes.

use std::fmt::Write as _;

use crate::engine::dispatch::pacer::Rate;
use crate::engine::plan::Plan;
use crate::engine::roster::{Roster, RowIssue};
use crate::model::{BatchName, Counts, Target, client_token};
use crate::ui::format::human;

/// The preview, for people.
#[must_use]
pub(crate) fn describe(plan: &Plan, about: &About<'_>) -> String {
    let Counts { rows, succeeded, unknown, .. } = plan.counts;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("target", about.target.to_string());
    line("identity", about.identity.to_owned());
    line("batch", about.batch.to_string());
    line("rows", rows.to_string());
    line("to reset", plan.to_reset.to_string());
    if unknown > 0 {
        line("in doubt", format!("{unknown} of an earlier run, tried first"));
    }
    line("already done", succeeded.to_string());
    let mut special = |name: &str, count: u64, remarks: &[RowIssue]| {
        if count == 0 {
            return line(name, "0".into());
        }
        line(name, count.to_string());
        for remark in remarks {
            line("", format!("line {}: {}", remark.line, remark.text));
        }
        let told = remarks.len() as u64;
        if told > 0 && count > told {
            line("", format!("… and {} more", count - told));
        }
    };
    special("duplicates", plan.counts.duplicate, &plan.duplicates);
    special("invalid", plan.counts.invalid, &about.roster.facts().invalid_rows);
    special("excluded", plan.counts.excluded, &plan.excluded);
    let pace = about.rate;
    line(
        "time",
        plan.duration(pace).map_or_else(
            || "as fast as the service takes it".into(),
            |time| format!("about {} at {pace}", human(time)),
        ),
    );
    line("output", about.output.to_owned());
    for (at, user) in plan.first.iter().enumerate() {
        let token = client_token(about.target, about.batch, user);
        line(if at == 0 { "first users" } else { "" }, format!("{user:?} token {token}"));
    }
    line("plan", plan.fingerprint.to_string());
    text
}

/// What a preview tells besides the plan.
pub(crate) struct About<'a> {
    /// Where requests would go.
    pub target: &'a Target,
    /// Whose credentials would sign them.
    pub identity: &'a str,
    /// The batch.
    pub batch: &'a BatchName,
    /// The roster.
    pub roster: &'a Roster,
    /// The ceiling.
    pub rate: Rate,
    /// Where the output goes and who can open it.
    pub output: &'a str,
}
