//! The roster and the lists of users to leave alone, read and told.
//!
//! Invariant: what is remarkable about an input is told before anything is
//! sent; what can't be used is an error.

use std::collections::HashSet;

use crate::commands::error::Error;
use crate::commands::run::settings::Inputs;
use crate::engine::results;
use crate::engine::roster::{self, Roster, Source};
use crate::ui::Printer;

/// Reads the roster, and tells what it holds that can't be sent.
///
/// # Errors
/// It can't be read as a roster.
pub(super) fn read_roster(inputs: &Inputs, printer: &Printer) -> Result<Roster, Error> {
    let source = Source::open(&inputs.roster)?;
    let roster = Roster::read(source, &inputs.form, &results::COLUMNS)?;
    let facts = roster.facts();
    if facts.trimmed > 0 {
        printer.note(format!(
            "{}:{}: white space around a user ID was trimmed ({} in all)",
            roster.name(),
            facts.first_trimmed,
            facts.trimmed
        ));
    }
    for remark in &facts.invalid_rows {
        printer.note(format!("{}:{}: {}", roster.name(), remark.line, remark.text));
    }
    let told = facts.invalid_rows.len() as u64;
    if facts.invalid > told {
        printer.note(format!(
            "{}: {} more rows can't be sent; the output names each",
            roster.name(),
            facts.invalid - told
        ));
    }
    Ok(roster)
}

/// Reads the lists of users to leave alone.
///
/// # Errors
/// A list can't be read whole.
pub(super) fn read_exclusions(inputs: &Inputs) -> Result<HashSet<String>, Error> {
    let mut excluded = HashSet::new();
    for path in &inputs.exclude {
        // A list of its own shape, or one of the roster's.
        let own = roster::Options { bare_list: true, ..roster::Options::default() };
        let ids = roster::user_ids(Source::open(path)?, &own);
        excluded.extend(match ids {
            Err(_) if inputs.form != roster::Options::default() && path.as_os_str() != "-" => {
                roster::user_ids(Source::open(path)?, &inputs.form)?
            }
            ids => ids?,
        });
    }
    Ok(excluded)
}
