//! The causes of failures and doubts, and whom a repeat can't help.
//!
//! Invariant: nothing here writes, and who fails again is decided by
//! [`fails_again`] alone.

use super::{Ledger, LedgerError};
use crate::model::Status;
use crate::service::fails_again;

/// Users who failed or are in doubt, by the code they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The error's code; empty where there is none.
    pub code: String,
    /// Their number.
    pub users: u64,
    /// The number of those who fail again, however often it is repeated.
    pub in_vain: u64,
    /// The line of the first of them.
    pub first_line: u64,
}

impl Ledger {
    /// Returns the causes of failures and doubts, the most frequent first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn causes(&self) -> Result<Vec<Cause>, LedgerError> {
        let mut found = Vec::new();
        let (failed, unknown) = (Status::Failed as u8, Status::Unknown as u8);
        let newest = super::read::NEWEST;
        let in_pool = self.makes_passwords();
        self.each(
            &format!(
                "SELECT coalesce(o.code, ''), count(*), sum(o.status = {failed}), min(r.line) {newest}
                 WHERE r.kind = 0 AND o.status IN ({failed}, {unknown}) GROUP BY 1 ORDER BY 2 DESC, 1"
            ),
            |row| {
                let code: String = row.get(0)?;
                let in_vain = if fails_again(&code, in_pool) { row.get(2)? } else { 0 };
                found.push(Cause { code, users: row.get(1)?, in_vain, first_line: row.get(3)? });
                Ok(())
            },
        )?;
        Ok(found)
    }
}
