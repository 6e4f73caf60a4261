//! The target of a batch.
//!
//! Invariant: a batch belongs to the target that first answered it, for good;
//! until then it may go to another one. Whoever is in doubt from before may
//! have been reset there, which is counted if a reset follows here.

use super::{Ledger, LedgerError};
use crate::model::Target;

/// The fact that says that no request of the batch was answered yet. Ledgers of
/// earlier builds have none, and are bound.
const UNBOUND: &str = "unbound";

impl Ledger {
    /// Returns the target as the ledger names it.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn target(&self) -> Result<String, LedgerError> {
        Ok(self.get("target")?.unwrap_or_default())
    }

    /// Refuses a run against another target than the one that the batch is bound to.
    ///
    /// # Errors
    /// The targets differ.
    pub(crate) fn expect_target(&self, target: &Target) -> Result<(), LedgerError> {
        let theirs = self.target()?;
        let ours = target.to_string();
        // A pool's ledger is of another format than any other's.
        let same_kind = self.makes_passwords() == target.is_pool();
        if theirs == ours || same_kind && !self.is_bound()? {
            return Ok(());
        }
        Err(LedgerError::OtherTarget { batch: self.batch.clone(), theirs, ours })
    }

    /// Names the target of a new batch, which is not bound to it yet.
    pub(super) fn name_target(&self, target: &Target) -> Result<(), LedgerError> {
        self.set("target", &target.to_string())?;
        self.set(UNBOUND, "1")
    }

    /// Returns true if a request of the batch was ever answered by the service.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn is_bound(&self) -> Result<bool, LedgerError> {
        let mut bound = self.get(UNBOUND)?.is_none();
        if !bound {
            // A killed run had no time to say so.
            self.each("SELECT 1 FROM outcomes WHERE status = 1 OR request_id IS NOT NULL LIMIT 1", |_| {
                bound = true;
                Ok(())
            })?;
        }
        Ok(bound)
    }

    /// Binds the batch to its target: the service has answered.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn bind(&self) -> Result<(), LedgerError> {
        let unbind = self.db.execute("DELETE FROM batch WHERE key = ?1", [UNBOUND]);
        unbind.map(drop).map_err(|error| self.error(error))
    }

    /// Turns a batch that is not bound yet to `target`.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn turn_to(&self, target: &Target) -> Result<(), LedgerError> {
        if self.target()? == target.to_string() {
            return Ok(());
        }
        // The old target's tokens settle nothing at the new one.
        let settle_nothing = self.db.execute("UPDATE outcomes SET since = 0 WHERE status = 3", []);
        settle_nothing.map_err(|error| self.error(error))?;
        self.set("target", &target.to_string())
    }
}
