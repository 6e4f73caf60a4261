//! The sentences of the report: where everyone stands, and what is open.
//!
//! Invariant: each state is told once, from the same counts as the numbers
//! beside it, and no command is advised that would be refused.

use super::causes::Causes;
use crate::commands::status::BatchStatus;
use crate::model::Millis;
use crate::ui::format::{counted, moment};

/// `1 user is`, `2 users are`.
fn are(count: u64) -> String {
    format!("{} {}", counted(count, "user"), if count == 1 { "is" } else { "are" })
}

/// Returns a step as a sentence.
fn sentence(step: &str) -> String {
    let mut letters = step.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// One sentence for each state that somebody is in.
pub(super) fn standing(batch: &BatchStatus, causes: &Causes) -> Vec<String> {
    let counts = batch.counts;
    let mut told = Vec::new();
    let mut tell = |count: u64, sentence: String| {
        if count > 0 {
            told.push(sentence);
        }
    };
    let expiry = causes.reset.map_or_else(String::new, |(first, last)| {
        let life = batch.password_life;
        let verb = if last.plus(life) < Millis::now() { "expired" } else { "expire" };
        let (first, last) = (moment(first.plus(life)), moment(last.plus(life)));
        if first == last {
            format!("; the temporary passwords {verb} at {first} UTC")
        } else {
            format!("; the temporary passwords {verb} between {first} and {last} UTC")
        }
    });
    tell(counts.succeeded, format!("{} reset{expiry}.", are(counts.succeeded)));
    tell(
        counts.reset_again,
        format!("{} among them or in doubt may have been reset more than once.", counted(counts.reset_again, "user")),
    );
    if let Some(ends) = &batch.sign_out {
        tell(ends.signed_out, format!("{} signed out, too.", are(ends.signed_out)));
    }
    tell(
        counts.failed,
        format!("{} failed and kept the old password, as far as this batch goes.", counted(counts.failed, "user")),
    );
    tell(counts.unknown, format!("{} in doubt: a request went out, and no answer came back.", are(counts.unknown)));
    tell(counts.pending, format!("{} pending: no request was sent.", are(counts.pending)));
    tell(counts.invalid, format!("{} of the roster can't be sent.", counted(counts.invalid, "row")));
    tell(
        counts.duplicate,
        format!(
            "{} of the roster {} the user of an earlier one.",
            counted(counts.duplicate, "row"),
            if counts.duplicate == 1 { "repeats" } else { "repeat" }
        ),
    );
    tell(counts.excluded, format!("{} left alone, as --exclude says.", are(counts.excluded)));
    tell(
        counts.earlier,
        format!(
            "{} reset by an earlier run of this batch, which closed since and erased the passwords.",
            are(counts.earlier)
        ),
    );
    if told.is_empty() {
        told.push("The roster names nobody.".into());
    }
    told
}

/// Returns a sentence for each thing that somebody still has to do.
pub(super) fn open(batch: &BatchStatus) -> Vec<String> {
    let counts = batch.counts;
    let mut open = Vec::new();
    if let Some(process) = &batch.running {
        open.push(format!("A run is going on: process {process}."));
    }
    let closed = batch.closed_at.is_some();
    let again = |command: &str| {
        if closed {
            // A closed batch's file is never replaced.
            format!("the same command with --batch {} and another --output {command}", batch.batch)
        } else {
            format!("the same command again {command}")
        }
    };
    if counts.pending > 0 {
        open.push(format!("{} not reset yet; {}.", are(counts.pending), again("resets them")));
    }
    if counts.unknown > 0 {
        let until = match &batch.doubt_until {
            Some(until) if !closed => format!(
                "{} of them can be settled without a new reset until {until}: {}",
                batch.in_doubt.can_settle,
                again("asks for their answers")
            ),
            _ if batch.repeats_for_ever && !closed => again("sends them the same password again"),
            _ => again("resets them once more, to be sure"),
        };
        open.push(format!("{} may or may not be reset; {until}.", counted(counts.unknown, "user")));
    }
    let left = batch.left();
    let helped = counts.failed - left.in_vain();
    if helped > 0 {
        open.push(format!("{} failed; {}.", counted(helped, "user"), again("tries them again")));
    }
    open.extend(
        [left.correct_users(), left.correct_rows(), left.sign_out()].into_iter().flatten().map(|step| sentence(&step)),
    );
    if let Some(handover) = batch.handover.as_ref().filter(|handover| handover.waiting > 0) {
        open.push(format!("{} still to be handed the password.", are(handover.waiting)));
    }
    if !closed && batch.undelivered > 0 {
        open.push(format!(
            "{} in no file yet; the same command again writes them.",
            match batch.undelivered {
                1 => "1 password stands".to_owned(),
                many => format!("{many} passwords stand"),
            }
        ));
    } else if !closed && counts.succeeded > 0 {
        open.push(format!(
            "The ledger still holds sealed passwords; `{}` erases them.",
            batch.place.command("close", "")
        ));
    }
    if counts.succeeded > 0 && batch.output.is_none() {
        open.push("No file with the passwords has been written.".into());
    }
    open
}
