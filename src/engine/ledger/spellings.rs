//! Names by which a roster meant a user who is called otherwise: an e-mail
//! address, an ID, another case.
//!
//! Invariant: a spelling by which a user was reset, or may have been, means that
//! user in every later run of the batch, whoever bears it by then.

use rusqlite::{OptionalExtension, params};

use super::{Ledger, LedgerError};
use crate::model::Status;

/// The spellings of users that are not their names in `users`. Only batches of
/// services that know several have it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS spellings (
    spelling TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID";

/// The users of a batch by all their spellings.
pub(crate) struct Bindings<'l> {
    ledger: &'l Ledger,
    sql: String,
}

impl Bindings<'_> {
    /// Returns the user whom the batch has reset by a spelling, or may have.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn of(&self, spelling: &str) -> Result<Option<String>, LedgerError> {
        let find = || -> rusqlite::Result<Option<String>> {
            self.ledger.db.prepare_cached(&self.sql)?.query_row([spelling], |row| row.get(0)).optional()
        };
        find().map_err(|error| self.ledger.error(error))
    }
}

impl Ledger {
    /// Returns the users whom this batch has reset, or may have, by their spellings.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn bindings(&self) -> Result<Bindings<'_>, LedgerError> {
        let by_spelling =
            if self.has_table("spellings")? { "SELECT n FROM spellings WHERE spelling = ?1 UNION ALL" } else { "" };
        let (succeeded, unknown) = (Status::Succeeded as u8, Status::Unknown as u8);
        let sql = format!(
            "SELECT u.user_id FROM users u
             LEFT JOIN outcomes o ON o.n = u.n AND o.seq = (SELECT max(seq) FROM outcomes WHERE n = u.n)
             WHERE u.n IN ({by_spelling} SELECT n FROM users WHERE user_id = ?1)
             AND (o.status IN ({succeeded}, {unknown}) OR EXISTS (
                 SELECT 1 FROM claims c WHERE u.n BETWEEN c.first AND c.last AND c.seq > coalesce(o.seq, -1)))
             ORDER BY u.user_id = ?1 LIMIT 1"
        );
        Ok(Bindings { ledger: self, sql })
    }

    /// Makes room for spellings: the batch's users have several.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn take_spellings(&self) -> Result<(), LedgerError> {
        self.db.execute(TABLE, []).map(drop).map_err(|error| self.error(error))
    }

    /// Keeps a spelling of a user, within the transaction that is open.
    pub(super) fn keep_spelling(&self, spelling: &str, number: i64) -> rusqlite::Result<()> {
        let keep = "INSERT OR REPLACE INTO spellings (spelling, n) VALUES (?1, ?2)";
        self.db.prepare_cached(keep)?.execute(params![spelling, number]).map(drop)
    }

    /// Forgets users of whom no row speaks and nothing is recorded: spellings
    /// that meant nobody yet, and mean somebody by now.
    pub(super) fn forget_unused(&self) -> rusqlite::Result<i64> {
        self.db.execute_batch(
            "DELETE FROM spellings WHERE n NOT IN (SELECT n FROM rows WHERE n IS NOT NULL)
             AND n NOT IN (SELECT n FROM outcomes) AND n NOT IN (SELECT n FROM passwords)",
        )?;
        self.db
            .execute(
                "DELETE FROM users WHERE n NOT IN (SELECT n FROM rows WHERE n IS NOT NULL)
             AND n NOT IN (SELECT n FROM outcomes) AND n NOT IN (SELECT n FROM passwords)
             AND NOT EXISTS (SELECT 1 FROM claims WHERE users.n BETWEEN first AND last)",
                [],
            )
            .map(|forgotten| i64::try_from(forgotten).unwrap_or(0))
    }
}
