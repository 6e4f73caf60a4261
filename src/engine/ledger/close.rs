//! The end of a batch: its passwords go, its history stays.
//!
//! Invariant: once it is marked closed, a batch ends up without key and sealed
//! passwords, however often a crash comes in between.

use super::{Ledger, LedgerError};
use crate::engine::ledger::vault::Vault;
use crate::model::{Millis, PASSWORD_LIFE};
use crate::process::failpoint;

impl Ledger {
    /// When the batch was closed, if it was.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn closed_at(&self) -> Result<Option<Millis>, LedgerError> {
        Ok(self.get("closed_at")?.and_then(|text| text.parse().ok()).map(Millis))
    }

    /// Destroys the key and removes the sealed passwords; the history stays.
    ///
    /// # Errors
    /// The key or the ledger can't be written; closing again finishes it.
    pub(crate) fn close(&mut self, why: &str) -> Result<(), LedgerError> {
        // The mark goes first: a crash behind it leaves a batch that is closed
        // and not yet erased, which the next opening erases.
        if self.closed_at()?.is_none() {
            self.set("closed_why", why)?;
            self.set("closed_at", &Millis::now().0.to_string())?;
        }
        failpoint::hit("marked-closed");
        self.vault = None;
        Vault::destroy(&self.place.key)?;
        failpoint::hit("key-destroyed");
        self.db
            .execute_batch("DELETE FROM passwords; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|error| self.error(error))
    }

    /// Finishes a closing that a crash cut short, and closes a batch whose
    /// passwords have all expired. Tells whether the batch is closed.
    ///
    /// # Errors
    /// The ledger can't be read or written.
    pub(crate) fn close_if_due(&mut self) -> Result<bool, LedgerError> {
        if self.closed_at()?.is_some() {
            if self.place.key.exists() {
                self.close("")?;
            }
            return Ok(true);
        }
        // No password is older than the first run, which is quickly asked.
        let since: Option<i64> = self
            .db
            .query_row("SELECT min(started_at) FROM runs", [], |row| row.get(0))
            .map_err(|error| self.error(error))?;
        if since.is_none_or(|at| Millis::now() <= Millis(at).plus(PASSWORD_LIFE)) {
            return Ok(false);
        }
        let newest: Option<i64> = self
            .db
            .query_row("SELECT max(o.at) FROM passwords p JOIN outcomes o ON o.n = p.n WHERE o.status = 1", [], |row| {
                row.get(0)
            })
            .map_err(|error| self.error(error))?;
        if newest.is_some_and(|at| Millis::now() > Millis(at).plus(PASSWORD_LIFE)) {
            self.close("its passwords have expired")?;
            return Ok(true);
        }
        Ok(false)
    }
}
