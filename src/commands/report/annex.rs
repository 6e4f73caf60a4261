//! Every user's standing, as CSV or JSON, for whoever has to prove it.
//!
//! Invariant: no password is in it, and memory does not grow with the rows.

use std::io::Write;

use serde_json::json;

use super::Format;
use crate::commands::error::Error;
use crate::commands::status::BatchStatus;
use crate::engine::ledger::{Ledger, LedgerRow};

/// The JSON form's name.
const SCHEMA: &str = "finspace-reset/report/1";

/// The columns, by the names that the results have; the last one is that of a
/// batch whose users were to be signed out.
const COLUMNS: [&str; 8] =
    ["user_id", "status", "reset_at", "request_id", "input_line", "error_code", "reset_again", "signed_out_at"];

/// Writes the annex.
///
/// # Errors
/// The ledger can't be read, or the output can't be written.
pub(super) fn write(
    format: Format,
    ledger: &Ledger,
    batch: &BatchStatus,
    output: &mut dyn Write,
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<(), Error> {
    let columns = COLUMNS.len() - usize::from(batch.sign_out.is_none());
    match format {
        Format::Json => {
            let head = json!({
                "schema": SCHEMA, "batch": batch.batch, "target": batch.target, "state": batch.state,
                "created_at": batch.created_at, "closed_at": batch.closed_at, "counts": batch.counts,
            });
            let head = head.to_string();
            let head = head.strip_suffix('}').unwrap_or(&head);
            write!(output, "{head},\n\"users\":[").map_err(failed)?;
            let mut first = true;
            ledger.rows::<Error>(|row| {
                let cells = cells(&row);
                let between = if std::mem::take(&mut first) { "\n" } else { ",\n" };
                let value = |at: usize| Some(cells[at].as_str()).filter(|cell| !cell.is_empty());
                let mut object = json!({
                    COLUMNS[0]: value(0), COLUMNS[1]: value(1), COLUMNS[2]: value(2), COLUMNS[3]: value(3),
                    COLUMNS[4]: row.line, COLUMNS[5]: value(5), COLUMNS[6]: row.standing.again,
                });
                if columns == COLUMNS.len() {
                    object[COLUMNS[7]] = value(7).into();
                }
                write!(output, "{between}{object}").map_err(failed)
            })?;
            writeln!(output, "\n]}}").map_err(failed)
        }
        Format::Csv | Format::Html => {
            let mut table = csv::Writer::from_writer(output);
            let failed = |error: csv::Error| failed(error.into());
            table.write_record(&COLUMNS[..columns]).map_err(failed)?;
            ledger.rows::<Error>(|row| table.write_record(&cells(&row)[..columns]).map_err(failed))?;
            table.flush().map_err(|error| failed(error.into()))
        }
    }
}

fn cells(row: &LedgerRow) -> [String; 8] {
    let word = row.status().word();
    let at = row.at.filter(|_| matches!(word, "succeeded" | "earlier")).map(|at| at.to_string());
    let tried = row.kind.is_of_user() && word != "excluded";
    let code = match word {
        "invalid" => Some("InvalidUserId".to_owned()),
        "duplicate" => Some("Duplicate".to_owned()),
        "earlier" => Some("Earlier".to_owned()),
        "excluded" => Some("Excluded".to_owned()),
        _ => row.error_code.clone(),
    };
    [
        row.user_id.clone().unwrap_or_default(),
        word.to_owned(),
        at.unwrap_or_default(),
        row.request_id.clone().filter(|_| tried).unwrap_or_default(),
        row.line.to_string(),
        code.unwrap_or_default(),
        row.standing.again.to_string(),
        row.signed_out_at.map(|at| at.to_string()).unwrap_or_default(),
    ]
}
