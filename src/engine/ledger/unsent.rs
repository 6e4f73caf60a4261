//! Users who fail without a request: missing ones, and those to be left alone.
//!
//! Invariant: a doubt ends with the answer to a reset, never here; nor does a
//! success.

use rusqlite::OptionalExtension;

use super::{Ledger, LedgerError};
use crate::model::{Millis, Outcome, Status, UserNumber};

/// A user who fails without a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsent<'a> {
    /// The user, as the ledger names it.
    pub user_id: &'a str,
    /// The error's code.
    pub code: &'a str,
    /// The error's meaning.
    pub message: &'a str,
}

impl Ledger {
    /// Records the users that `walk` visits as failed, without a request; the run
    /// that has begun does not try them. Returns how many they are.
    ///
    /// # Errors
    /// The ledger can't be written, or `walk` failed.
    pub(crate) fn fail_unsent<E: From<LedgerError>>(
        &mut self,
        walk: impl FnOnce(&mut dyn FnMut(Unsent<'_>) -> Result<(), E>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let path = self.place.ledger.clone();
        let fail = |error| LedgerError::of(&path, error);
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
        let mut failed = 0;
        let walked = walk(&mut |user| {
            failed += u64::from(self.fail(user).map_err(fail)?);
            Ok(())
        });
        self.db.execute_batch(if walked.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(fail)?;
        walked.map(|()| failed)
    }

    /// Records that a user failed, unless it was reset or may have been.
    fn fail(&mut self, user: Unsent<'_>) -> rusqlite::Result<bool> {
        let known = "SELECT n FROM users WHERE user_id = ?1";
        let known = self.db.prepare_cached(known)?.query_row([user.user_id], |row| row.get(0)).optional()?;
        let Some(number): Option<UserNumber> = known else { return Ok(false) };
        let newest = "SELECT status, attempts, again FROM outcomes WHERE n = ?1 ORDER BY seq DESC LIMIT 1";
        let newest = self
            .db
            .prepare_cached(newest)?
            .query_row([number], |row| Ok((super::read::status(row, 0)?, row.get(1)?, row.get(2)?)));
        // What was counted stays.
        let (status, attempts, again): (Status, u32, bool) = newest.optional()?.unwrap_or_default();
        if !status.is_surely_not_reset() {
            return Ok(false);
        }
        self.append(
            &Outcome {
                number,
                status: Status::Failed,
                at: Millis::now(),
                attempts,
                doubtful_since: None,
                again,
                request_id: None,
                error_code: Some(user.code.to_owned()),
                error_message: Some(user.message.to_owned()),
                password: None,
            },
            None,
        )?;
        Ok(true)
    }
}
