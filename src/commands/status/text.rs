//! `status` for people: a line a batch, or all of one.
//!
//! Invariant: what has to be done next stands at the end, and no command is
//! advised that would be refused.

use std::path::Path;

use super::batch::{BatchStatus, LastError};
use crate::commands::way_on::cause;
use crate::model::{Counts, Millis};
use crate::ui::format::counted;

/// Causes that are told at most.
const CAUSES: usize = 5;

/// Returns a line for each batch.
pub(super) fn table(batches: &[BatchStatus]) -> String {
    let mut rows =
        vec![["BATCH", "STATE", "ROWS", "RESET", "FAILED", "UNKNOWN", "PENDING", "TARGET"].map(str::to_owned)];
    for batch in batches {
        let Counts { rows: all, failed, unknown, pending, .. } = batch.counts;
        let state = if batch.running.is_some() { "running" } else { batch.state };
        let target = if batch.place.simulated {
            format!("{} (a rehearsal: --simulate)", batch.target)
        } else {
            batch.target.clone()
        };
        rows.push([
            batch.batch.clone(),
            state.into(),
            all.to_string(),
            batch.counts.reset().to_string(),
            failed.to_string(),
            unknown.to_string(),
            pending.to_string(),
            target,
        ]);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    table.lines().fold(String::new(), |text, line| text + line.trim() + "\n")
}

/// Returns all of one batch.
pub(super) fn detail(batch: &BatchStatus) -> String {
    let counts = batch.counts;
    let mut lines = vec![
        ("batch", batch.batch.clone() + if batch.place.simulated { " (a rehearsal: --simulate)" } else { "" }),
        ("target", batch.target.clone()),
        (
            "state",
            match (&batch.running, &batch.closed_at) {
                (Some(process), _) => {
                    format!("running, process {process} on {}", batch.running_on.as_deref().unwrap_or("?"))
                }
                (None, Some(at)) => format!("closed at {at}: {}", batch.closed_why.as_deref().unwrap_or_default()),
                (None, None) => "open".into(),
            },
        ),
        ("rows", counts.rows.to_string()),
        ("reset", counts.succeeded.to_string()),
        ("failed", counts.failed.to_string()),
        ("unknown", counts.unknown.to_string()),
        ("pending", counts.pending.to_string()),
        ("invalid", counts.invalid.to_string()),
        ("duplicates", counts.duplicate.to_string()),
        ("excluded", counts.excluded.to_string()),
        ("reset again", counts.reset_again.to_string()),
    ];
    if counts.earlier > 0 {
        // Before the batch was closed: the file of then has their passwords.
        lines.insert(5, ("earlier", format!("{} more were reset, and their passwords erased since", counts.earlier)));
    }
    if batch.in_doubt.in_flight > 0 {
        let what =
            if batch.running.is_some() { "claimed by the run" } else { "left by a run that was stopped; run again" };
        lines.push(("in flight", format!("{}, {what}", batch.in_doubt.in_flight)));
    }
    if batch.repeats_for_ever && batch.in_doubt.users > 0 {
        let what = "are settled without a new reset by the same command";
        lines.push(("in doubt", format!("{} {what}", batch.in_doubt.users)));
    }
    if let Some(until) = &batch.doubt_until {
        lines.push((
            "in doubt",
            format!("{} can be settled without a new reset until {until}", batch.in_doubt.can_settle),
        ));
    }
    if batch.undelivered > 0 {
        lines.push(("undelivered", format!("{} in no file; run the same command again", stand(batch.undelivered))));
    }
    if let Some(sign_out) = &batch.sign_out {
        let left = if sign_out.left > 0 { format!(", {} still to be", sign_out.left) } else { String::new() };
        lines.push(("signed out", format!("{}{left}", sign_out.signed_out)));
    }
    if let Some(output) = &batch.output {
        let gone = if output == "-" || Path::new(output).exists() { "" } else { ", and no longer there" };
        lines.push(("output", format!("{output}, written at {}{gone}", batch.written_at.as_deref().unwrap_or("?"))));
    }
    if let Some(handover) = &batch.handover {
        lines.push(("handed over", handover.to_string()));
    }
    for (at, known) in batch.causes.iter().take(CAUSES).enumerate() {
        lines.push((if at == 0 { "causes" } else { "" }, cause(known)));
    }
    if batch.causes.len() > CAUSES {
        lines.push(("", format!("and {} more causes; the output names each", batch.causes.len() - CAUSES)));
    }
    if let Some(LastError { error_code, error_message, line }) = &batch.last_error {
        lines.push(("last error", format!("line {line}: {error_code}: {error_message}")));
    }
    for run in &batch.runs {
        let end = batch.ending(run);
        lines.push(("run", format!("{} by {} on {}: {end}", Millis(run.started_at), run.identity, run.host)));
    }
    if batch.running.is_none() {
        for (at, step) in batch.left().steps().into_iter().enumerate() {
            lines.push((if at == 0 { "next" } else { "" }, step));
        }
    }
    lines.iter().map(|(name, value)| format!("{name:<13}{value}\n")).collect()
}

/// `1 password stands`, `2 passwords stand`.
fn stand(passwords: u64) -> String {
    format!("{} {}", counted(passwords, "password"), if passwords == 1 { "stands" } else { "stand" })
}
