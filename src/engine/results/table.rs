//! The rows of the output, and of its preview.
//!
//! Invariant: [`COLUMNS`] is the one list of the columns that are added to the
//! input's own; each has its name and the cell that stands below it.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::PublishError;
use crate::engine::ledger::{Ledger, LedgerRow, RowKind, UserSet};
use crate::model::{BatchName, Counts, RowStatus, Target, client_token};

/// The parts that the rows of one output are made of.
pub(crate) struct Table<'a> {
    /// The input's own column names.
    pub header: &'a [String],
    /// The names that make the client tokens.
    pub target: &'a Target,
    /// The batch.
    pub batch: &'a BatchName,
    /// The life of a temporary password.
    pub password_life: Duration,
    /// True if the ends of sessions are told, in a column of their own.
    pub tells_sign_outs: bool,
    /// The output's name in errors.
    pub name: &'a Path,
}

/// A column that the output adds: its name, and how its cell is made.
pub(crate) struct Column {
    /// The name in the header.
    pub name: &'static str,
    cell: for<'a> fn(&Cells<'a>) -> Cow<'a, str>,
}

/// The parts that the cells of one row are made of.
struct Cells<'a> {
    row: &'a LedgerRow,
    status: RowStatus,
    table: &'a Table<'a>,
}

/// The columns that the output adds to the input's own, in their order.
pub(crate) static COLUMNS: [Column; 10] = [
    Column { name: "status", cell: |cells| cells.status.word().into() },
    Column { name: "temporary_password", cell: |cells| cells.password().into() },
    Column {
        name: "password_expires_at",
        cell: |cells| text(cells.reset().and_then(|row| row.at).map(|at| at.plus(cells.table.password_life))),
    },
    Column { name: "reset_at", cell: |cells| text(cells.reset().and_then(|row| row.at)) },
    Column { name: "attempts", cell: |cells| text(Some(if cells.was_tried() { cells.row.attempts } else { 0 })) },
    Column { name: "client_token", cell: |cells| cells.token() },
    Column { name: "request_id", cell: |cells| borrowed(cells.row.request_id.as_ref().filter(|_| cells.was_tried())) },
    Column { name: "error_code", cell: |cells| cells.error_code() },
    Column { name: "error_message", cell: |cells| cells.error_message() },
    Column { name: "input_line", cell: |cells| text(Some(cells.row.line)) },
];

/// The column of a run that ends sessions.
pub(crate) static SIGNED_OUT: Column =
    Column { name: "signed_out_at", cell: |cells| text(cells.reset().and_then(|row| row.signed_out_at)) };

impl Table<'_> {
    /// Returns the columns that this output adds, in their order.
    fn columns(&self) -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().chain(self.tells_sign_outs.then_some(&SIGNED_OUT))
    }
}

/// The names of the added columns.
pub(crate) fn column_names() -> [&'static str; 10] {
    std::array::from_fn(|at| COLUMNS[at].name)
}

fn text<'a>(value: Option<impl ToString>) -> Cow<'a, str> {
    value.map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
}

fn borrowed(value: Option<&String>) -> Cow<'_, str> {
    value.map_or("", String::as_str).into()
}

impl<'a> Cells<'a> {
    fn password(&self) -> &'a str {
        let password = self.row.password.as_ref().filter(|_| self.status == RowStatus::Succeeded);
        password.map_or("", |password| password.expose())
    }

    /// The row, if its user was reset.
    fn reset(&self) -> Option<&'a LedgerRow> {
        matches!(self.status, RowStatus::Succeeded | RowStatus::Earlier).then_some(self.row)
    }

    fn is_users(&self) -> bool {
        !matches!(self.row.kind, RowKind::Invalid | RowKind::Duplicate)
    }

    fn was_tried(&self) -> bool {
        self.is_users() && self.status != RowStatus::Excluded
    }

    fn token(&self) -> Cow<'a, str> {
        let user = self.row.user_id.as_ref().filter(|_| self.is_users() && !self.table.target.is_pool());
        text(user.map(|id| client_token(self.table.target, self.table.batch, id).hyphenated()))
    }

    fn error_code(&self) -> Cow<'a, str> {
        match self.status {
            RowStatus::Invalid => "InvalidUserId".into(),
            RowStatus::Duplicate => "Duplicate".into(),
            RowStatus::Excluded => "Excluded".into(),
            RowStatus::Earlier => "Earlier".into(),
            _ => borrowed(self.row.error_code.as_ref()),
        }
    }

    fn error_message(&self) -> Cow<'a, str> {
        match self.status {
            RowStatus::Invalid | RowStatus::Duplicate | RowStatus::Excluded => borrowed(self.row.note.as_ref()),
            _ => borrowed(self.row.error_message.as_ref()),
        }
    }
}

/// Writes the header and every row; returns the counts, and whose passwords are
/// in it.
///
/// # Errors
/// The ledger can't be read, a user was reset and the password is missing, or
/// the output can't be written.
pub(super) fn write_rows(
    ledger: &Ledger,
    table: &Table<'_>,
    output: &mut dyn Write,
) -> Result<(Counts, UserSet), PublishError> {
    let failed = |error: csv::Error| PublishError::Write(table.name.to_owned(), error.into());
    let mut csv = csv::Writer::from_writer(output);
    let mut written = UserSet::default();
    write_header(&mut csv, table).map_err(failed)?;
    let counts = ledger.rows(|row| {
        if row.status() == RowStatus::Succeeded {
            match (row.number, row.password.as_ref().is_some_and(|password| !password.expose().is_empty())) {
                (Some(number), true) => written.insert(number),
                _ => return Err(PublishError::NoPassword(row.user_id.unwrap_or_default(), row.line)),
            }
        }
        write_row(&mut csv, table, &row).map_err(failed)
    })?;
    csv.flush().map_err(|error| PublishError::Write(table.name.to_owned(), error))?;
    Ok((counts, written))
}

/// Writes the header.
///
/// # Errors
/// The output can't be written.
pub(crate) fn write_header<W: Write>(csv: &mut csv::Writer<W>, table: &Table<'_>) -> csv::Result<()> {
    csv.write_record(table.header.iter().map(String::as_str).chain(table.columns().map(|column| column.name)))
}

/// Writes one row.
///
/// # Errors
/// The output can't be written.
pub(crate) fn write_row<W: Write>(csv: &mut csv::Writer<W>, table: &Table<'_>, row: &LedgerRow) -> csv::Result<()> {
    for cell in &row.cells {
        csv.write_field(cell)?;
    }
    let cells = Cells { row, status: row.status(), table };
    for column in table.columns() {
        csv.write_field((column.cell)(&cells).as_bytes())?;
    }
    csv.write_record(None::<&[u8]>)
}
