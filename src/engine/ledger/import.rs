//! Brings a roster's rows into the ledger.
//!
//! Invariant: the rows are replaced whole or not at all; users are only ever
//! added, so what happened to one stays known when a roster loses it.

use rusqlite::{OptionalExtension, Statement, params};

use super::{Ledger, LedgerError};
use crate::model::RowKind;
use crate::process::failpoint;

/// A roster's row as the ledger takes it.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    /// The line in the input.
    pub line: u64,
    /// The row's kind.
    pub kind: RowKind,
    /// The user, unless the row is invalid.
    pub user_id: Option<String>,
    /// The reason why it is invalid, or the line that it repeats.
    pub note: Option<String>,
    /// The row's own cells.
    pub cells: Vec<String>,
    /// The name that the row has for the user, where it is not the user's own.
    pub spelling: Option<String>,
    /// The readiness of the user.
    pub readiness: Readiness,
}

/// The readiness of a row's user: may it be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Yes.
    Ready,
    /// No, for a reason that follows the user's name; whoever was reset, or may
    /// have been, stays as they are.
    LeftAlone(String),
    /// It was not found out who it is.
    NotAsked,
}

impl NewRow {
    /// A row that is nothing but a user.
    #[cfg(test)]
    pub(crate) fn of_user(user_id: &str) -> Self {
        Self {
            line: 1,
            kind: RowKind::User,
            user_id: Some(user_id.to_owned()),
            note: None,
            cells: Vec::new(),
            spelling: None,
            readiness: Readiness::Ready,
        }
    }

    /// Returns why the row is no user's first, or is left out; empty if it is not.
    pub(crate) fn note(&self) -> &str {
        self.note.as_deref().unwrap_or_default()
    }
}

/// The changes that an import made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Users the batch had not known.
    pub added: u64,
    /// Users the batch knows and the roster no longer names.
    pub lost: u64,
}

/// Users on their way into the ledger. They go in by the thousand and sorted:
/// IDs at random would touch every page of the index again and again.
struct NewUsers<'a> {
    add: Statement<'a>,
    waiting: Vec<(String, i64)>,
}

/// Users that go in together: some megabytes at most.
const TOGETHER: usize = 32 * 1024;

impl NewUsers<'_> {
    fn push(&mut self, number: i64, user_id: String) -> rusqlite::Result<()> {
        self.waiting.push((user_id, number));
        if self.waiting.len() < TOGETHER { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        self.waiting.sort_unstable();
        for (user_id, number) in self.waiting.drain(..) {
            self.add.execute(params![number, user_id])?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Replaces the batch's rows by those of a roster, unless `key` says that
    /// they are the same.
    ///
    /// # Errors
    /// The rows can't be read (`E`), or the ledger can't be written.
    pub(crate) fn import<E: From<LedgerError>>(
        &mut self,
        key: &str,
        rows: impl Iterator<Item = Result<NewRow, E>>,
    ) -> Result<Imported, E> {
        if self.get("import_key")?.as_deref() == Some(key) {
            return Ok(Imported::default());
        }
        let fail = |error| LedgerError::of(&self.place.ledger, error);
        // Dropping a transaction rolls it back: an error leaves the old rows.
        let transaction = self.db.unchecked_transaction().map_err(fail)?;
        let known: i64 =
            self.db.query_row("SELECT coalesce(max(n) + 1, 0) FROM users", [], |row| row.get(0)).map_err(fail)?;
        let several_names = self.has_table("spellings")?;
        let mut next = known;
        let mut kept: i64 = 0;
        self.db.execute("DELETE FROM rows", []).map_err(fail)?;
        {
            let mut find = self.db.prepare("SELECT n FROM users WHERE user_id = ?1").map_err(fail)?;
            let mut added = NewUsers {
                add: self.db.prepare("INSERT INTO users (n, user_id) VALUES (?1, ?2)").map_err(fail)?,
                waiting: Vec::new(),
            };
            let mut put = self
                .db
                .prepare("INSERT INTO rows (row, line, kind, n, note, cells) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                .map_err(fail)?;
            for (at, row) in rows.enumerate() {
                let row = row?;
                failpoint::hit("importing");
                let number = match row.user_id {
                    None => None,
                    Some(id) => {
                        // In a new batch only a repeated user can be there already.
                        let repeats = row.kind == RowKind::Duplicate;
                        if repeats {
                            added.write().map_err(fail)?;
                        }
                        let look = known > 0 || repeats;
                        let found: Option<i64> =
                            if look { find.query_row([&id], |row| row.get(0)).optional().map_err(fail)? } else { None };
                        if found.is_some_and(|n| n < known) && !repeats {
                            kept += 1;
                        }
                        Some(match found {
                            Some(n) => n,
                            None => {
                                added.push(next, id).map_err(fail)?;
                                next += 1;
                                next - 1
                            }
                        })
                    }
                };
                if let (Some(spelling), Some(number)) = (&row.spelling, number) {
                    self.keep_spelling(spelling, number).map_err(fail)?;
                }
                let cells = serde_json::to_string(&row.cells).unwrap_or_default();
                put.execute(params![
                    i64::try_from(at).unwrap_or(i64::MAX),
                    i64::try_from(row.line).unwrap_or(i64::MAX),
                    row.kind as u8,
                    number,
                    row.note,
                    cells,
                ])
                .map_err(fail)?;
            }
            added.write().map_err(fail)?;
        }
        let forgotten = if several_names { self.forget_unused().map_err(fail)? } else { 0 };
        if next > known {
            self.store_fingerprints().map_err(fail)?;
        }
        self.set("import_key", key)?;
        transaction.commit().map_err(fail)?;
        Ok(Imported {
            added: u64::try_from(next - known).unwrap_or(0),
            lost: u64::try_from(known - kept - forgotten).unwrap_or(0),
        })
    }
}
