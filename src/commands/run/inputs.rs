//! The roster and the lists of users to leave alone, read and told.
//!
//! Invariant: what is remarkable about an input is told before anything is
//! sent; what can't be used is an error.

use crate::commands::error::Error;
use crate::commands::run::settings::Inputs;
use crate::engine::plan::{Excluded, NAMED};
use crate::engine::results;
use crate::engine::roster::{Exclusions, ListReport, Roster, RowIssue, Source, Statistics};
use crate::model::IdForm;
use crate::ui::Printer;

/// The input files of a run.
pub(super) struct Users {
    /// The users to reset.
    pub roster: Roster,
    /// The users to leave alone.
    pub excluded: Excluded,
    /// The share of each exclude list that the roster knows.
    pub exclude_lists: Vec<ListReport>,
}

/// Reads the exclude lists and the roster, and tells what is remarkable.
///
/// # Errors
/// One of them can't be read.
pub(super) fn read(inputs: &Inputs, sign_out: bool, printer: &Printer) -> Result<Users, Error> {
    let mut exclusions = Exclusions::default();
    for path in &inputs.exclude {
        exclusions.add(&Source::open(path)?, &inputs.form)?;
    }
    let source = Source::open(&inputs.roster)?;
    let mut reserved = results::column_names().to_vec();
    reserved.extend(sign_out.then_some(results::SIGNED_OUT.name));
    let roster = Roster::read(source, &inputs.form, &reserved, &mut |id| exclusions.meet(id))?;
    tell_roster(roster.name(), roster.facts(), printer);
    let (excluded, exclude_lists) = exclusions.finish(inputs.form.ids == IdForm::UserName);
    let excluded = excluded.into_iter().map(|user_id| (user_id, NAMED)).collect();
    for list in &exclude_lists {
        if let Some(remark) = list.spread.remark(&list.file) {
            printer.note(remark);
        }
    }
    // Whom an entry means is not known yet where users have several names, and
    // where nobody stands there is nobody to protect.
    if inputs.form.ids == IdForm::FinSpace && roster.facts().rows > 0 {
        tell_lists(&exclude_lists, printer);
    }
    Ok(Users { roster, excluded, exclude_lists })
}

/// Tells of entries that name nobody.
pub(super) fn tell_lists(lists: &[ListReport], printer: &Printer) {
    for list in lists {
        match list.remark() {
            Some(remark) if list.is_idle() => printer.warning(remark),
            Some(remark) => printer.note(remark),
            None => {}
        }
    }
}

fn tell_roster(name: &str, facts: &Statistics, printer: &Printer) {
    if facts.trimmed > 0 {
        printer.note(format!(
            "{name}:{}: white space around a user ID was trimmed ({} in all)",
            facts.first_trimmed, facts.trimmed
        ));
    }
    if let Some(remark) = facts.spread.remark(name) {
        printer.note(remark);
    }
    if facts.odd > 0 {
        let shown: Vec<String> =
            facts.odd_rows.iter().map(|RowIssue { line, text }| format!("line {line}: {text}")).collect();
        let more = more(facts.odd, shown.len());
        let hold = if facts.odd == 1 { "1 row holds" } else { &format!("{} rows hold", facts.odd) };
        printer.note(format!(
            "{name}: {hold} what looks like no user ID, and will be sent as it stands: {}{more}",
            shown.join(", ")
        ));
    }
    for RowIssue { line, text } in &facts.invalid_rows {
        printer.note(format!("{name}:{line}: {text}"));
    }
    let told = facts.invalid_rows.len() as u64;
    if facts.invalid > told {
        printer.note(format!("{name}: {} more rows can't be sent; the output names each", facts.invalid - told));
    }
}

fn more(all: u64, told: usize) -> String {
    let left = all - told as u64;
    if left == 0 { String::new() } else { format!(" and {left} more") }
}
