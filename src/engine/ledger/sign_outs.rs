//! The ends of sessions: who was signed out after the reset.
//!
//! Invariant: a user is signed out after the reset and apart from it; whoever is
//! not stays reset, and is found here by the next run.

use rusqlite::{OptionalExtension, params};

use super::{Ledger, LedgerError};
use crate::model::{Millis, RowKind, Status, UserNumber};

/// The users whose sessions were ended, and when. Only batches of services that
/// can do it have it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS sign_outs (
    n INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
)";

/// A user who was reset and not signed out yet.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    /// The row that names the user.
    row: i64,
    /// The user's number.
    pub number: UserNumber,
    /// The user.
    pub user_id: String,
    /// The row's line.
    pub line: u64,
}

/// The ends of sessions in a batch that was asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct SignOutState {
    /// Users of the roster whose sessions were ended.
    pub signed_out: u64,
    /// Users who were reset and are not signed out.
    pub left: u64,
}

impl Ledger {
    /// Returns how far signing out has come; none where it was never asked for.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn sign_out_state(&self) -> Result<Option<SignOutState>, LedgerError> {
        if !self.has_table("sign_outs")? {
            return Ok(None);
        }
        let user = RowKind::User as u8;
        let sql = format!("SELECT count(*) FROM rows r JOIN sign_outs s ON s.n = r.n WHERE r.kind = {user}");
        let signed_out = self.db.query_row(&sql, [], |row| row.get(0)).map_err(|error| self.error(error))?;
        Ok(Some(SignOutState { signed_out, left: self.count_signed_in()? }))
    }

    /// Makes room for the ends of sessions.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn take_sign_outs(&self) -> Result<(), LedgerError> {
        self.db.execute(TABLE, []).map(drop).map_err(|error| self.error(error))
    }

    /// Returns the condition under which a row's user was reset and not signed out.
    fn signed_in(&self) -> Result<String, LedgerError> {
        let (user, succeeded, earlier) = (RowKind::User as u8, Status::Succeeded as u8, self.earlier_seq()?);
        let signed_out = if self.has_table("sign_outs")? { "AND r.n NOT IN (SELECT n FROM sign_outs)" } else { "" };
        Ok(format!(
            "r.kind = {user} {signed_out} AND EXISTS (
                 SELECT 1 FROM outcomes o WHERE o.n = r.n AND o.status = {succeeded} AND o.seq > {earlier}
                 AND o.seq = (SELECT max(seq) FROM outcomes WHERE n = r.n))"
        ))
    }

    /// Counts the roster's users who were reset and not signed out.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn count_signed_in(&self) -> Result<u64, LedgerError> {
        let sql = format!("SELECT count(*) FROM rows r WHERE {}", self.signed_in()?);
        self.db.query_row(&sql, [], |row| row.get(0)).map_err(|error| self.error(error))
    }

    /// Counts those whom a run was to sign out and did not; none where no run was.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn count_to_sign_out(&self) -> Result<u64, LedgerError> {
        if self.has_table("sign_outs")? { self.count_signed_in() } else { Ok(0) }
    }

    /// Returns the next of the roster's users who were reset and not signed out.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn next_signed_in(&self, after: Option<&SignedIn>) -> Result<Option<SignedIn>, LedgerError> {
        let sql = format!(
            "SELECT r.row, r.n, u.user_id, r.line FROM rows r JOIN users u ON u.n = r.n
             WHERE r.row > ?1 AND {} ORDER BY r.row LIMIT 1",
            self.signed_in()?
        );
        let find = || -> rusqlite::Result<Option<SignedIn>> {
            let row = |row: &rusqlite::Row<'_>| {
                Ok(SignedIn { row: row.get(0)?, number: row.get(1)?, user_id: row.get(2)?, line: row.get(3)? })
            };
            self.db.prepare_cached(&sql)?.query_row([after.map_or(-1, |user| user.row)], row).optional()
        };
        find().map_err(|error| self.error(error))
    }

    /// Records that a user's sessions were ended.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn record_sign_out(&self, number: UserNumber) -> Result<(), LedgerError> {
        let record = || -> rusqlite::Result<()> {
            let sql = "INSERT OR REPLACE INTO sign_outs (n, at) VALUES (?1, ?2)";
            self.db.prepare_cached(sql)?.execute(params![number, Millis::now().0]).map(drop)
        };
        record().map_err(|error| self.error(error))
    }
}
