//! The CSV that a dry run writes.
//!
//! Invariant: it has the columns of the real output, says in every row that it
//! is a preview, and never holds a password.

use std::collections::HashSet;
use std::io::Write;

use crate::exit::Error;
use crate::ledger::{Ledger, LedgerRow};
use crate::outcome::{BatchName, Target};
use crate::plan::new_row;
use crate::publish::{PublishError, Table, write_header, write_row};
use crate::roster::Roster;

/// Writes the preview of a roster.
///
/// # Errors
/// Roster or ledger can't be read, or the output can't be written.
pub fn write(
    roster: &Roster,
    excluded: &HashSet<String>,
    ledger: Option<&Ledger>,
    target: &Target,
    batch: &BatchName,
    output: &mut dyn Write,
) -> Result<(), Error> {
    let failed = |error: csv::Error| PublishError::Write("the preview".into(), error.into());
    let table = Table { header: roster.header(), target, batch };
    let mut csv = csv::Writer::from_writer(output);
    write_header(&mut csv, &table).map_err(failed)?;
    for row in roster.rows()? {
        let row = new_row(row?, excluded);
        let status = match (&row.user_id, ledger) {
            (Some(id), Some(ledger)) => ledger.standing(id)?.0,
            _ => crate::outcome::Status::default(),
        };
        let note = row.note.map_or_else(|| "preview: no request was sent".into(), |note| format!("preview: {note}"));
        let row = LedgerRow {
            line: row.line,
            kind: row.kind,
            cells: row.cells,
            user_id: row.user_id,
            note: Some(note.clone()),
            status,
            at: None,
            attempts: 0,
            again: false,
            request_id: None,
            error_code: Some("Preview".into()),
            error_message: Some(note),
            password: None,
        };
        write_row(&mut csv, &table, &row).map_err(failed)?;
    }
    csv.flush().map_err(|error| PublishError::Write("the preview".into(), error))?;
    Ok(())
}
