//! The files that a batch's results were handed over in, and who still waits.
//!
//! Invariant: a user waits until a file was made of results that hold the
//! password the user has now. The table is an addition to format 1.

use std::collections::HashMap;

use rusqlite::params;

use super::{Ledger, LedgerError};
use crate::model::{Millis, Status};

const HANDOVERS: &str = "CREATE TABLE IF NOT EXISTS handovers (
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    by_column TEXT NOT NULL,
    column_at INTEGER NOT NULL,
    value TEXT NOT NULL,
    recipients TEXT NOT NULL,
    rows INTEGER NOT NULL
)";

/// Lines of waiting users that are kept at most.
const LINES: usize = 200;

/// A file that somebody's rows were handed over in.
#[derive(Clone, Debug)]
pub(crate) struct HandedFile {
    /// Its absolute path.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// The time at which it was made.
    pub at: Millis,
    /// The time at which the results were written that it was made of.
    pub published_at: Millis,
    /// The column that divided the rows.
    pub column: String,
    /// The index of that column in the roster.
    pub column_at: usize,
    /// The value of its rows.
    pub value: String,
    /// The keys that open it, one a line.
    pub recipients: String,
    /// The number of its rows.
    pub rows: u64,
}

/// The handed-over part of a batch.
#[derive(Clone, Debug)]
pub(crate) struct HandoverState {
    /// The number of files made.
    pub files: u64,
    /// Users whose current password is in one of them.
    pub users: u64,
    /// Users whose current password is in none.
    pub waiting: u64,
    /// The roster's lines of the first of those who wait.
    pub lines: Vec<u64>,
}

impl Ledger {
    /// Records files that were handed over.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn record_handover(&self, files: &[HandedFile]) -> Result<(), LedgerError> {
        let record = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            transaction.execute(HANDOVERS, [])?;
            let mut insert =
                transaction.prepare("INSERT INTO handovers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
            for file in files {
                insert.execute(params![
                    file.path,
                    file.digest,
                    file.at.0,
                    file.published_at.0,
                    file.column,
                    file.column_at,
                    file.value,
                    file.recipients,
                    file.rows,
                ])?;
            }
            drop(insert);
            transaction.commit()
        };
        record().map_err(|error| self.error(error))
    }

    /// The files that were handed over, the oldest first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn handovers(&self) -> Result<Vec<HandedFile>, LedgerError> {
        let mut found = Vec::new();
        if self.has_table("handovers")? {
            self.each("SELECT * FROM handovers ORDER BY at, rowid", |row| {
                found.push(HandedFile {
                    path: row.get(0)?,
                    digest: row.get(1)?,
                    at: Millis(row.get(2)?),
                    published_at: Millis(row.get(3)?),
                    column: row.get(4)?,
                    column_at: row.get(5)?,
                    value: row.get(6)?,
                    recipients: row.get(7)?,
                    rows: row.get(8)?,
                });
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Returns the users who were handed a password and those who wait; none where
    /// nothing was handed over.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn handover_state(&self) -> Result<Option<HandoverState>, LedgerError> {
        let files = self.handovers()?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut newest: HashMap<usize, HashMap<&str, Millis>> = HashMap::new();
        for file in &files {
            let at = newest.entry(file.column_at).or_default().entry(&file.value).or_insert(file.published_at);
            *at = file.published_at.max(*at);
        }
        let mut state = HandoverState { files: files.len() as u64, users: 0, waiting: 0, lines: Vec::new() };
        self.rows::<LedgerError>(|row| {
            let Some(at) = row.at.filter(|_| row.standing.status == Status::Succeeded && row.kind.is_of_user()) else {
                return Ok(());
            };
            let is_handed = newest.iter().any(|(column, values)| {
                let value = row.cells.get(*column).map(|cell| cell.trim());
                value.and_then(|value| values.get(value)).is_some_and(|published| *published >= at)
            });
            if is_handed {
                state.users += 1;
            } else {
                state.waiting += 1;
                if state.lines.len() < LINES {
                    state.lines.push(row.line);
                }
            }
            Ok(())
        })?;
        Ok(Some(state))
    }
}
