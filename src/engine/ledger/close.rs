//! The end of a batch: its passwords go, its history stays.
//!
//! Invariant: a password that stands in no file is erased only on the operator's
//! word. Once it is marked closed, a batch ends up without key and sealed
//! passwords, however often a crash comes in between: the mark `erased_at` is
//! set when all of it is done, and until then every run and `close` goes on.

use std::time::Duration;

use super::{Ledger, LedgerError, SEQ_PER_RUN};
use crate::engine::ledger::vault::Vault;
use crate::model::Millis;
use crate::process::failpoint;

/// A clock may be this much behind the ledger's newest record, and no more.
const BEHIND: Duration = Duration::from_mins(5);
/// A batch that rested for longer than this is likelier a wrong clock.
const AHEAD: Duration = Duration::from_hours(400 * 24);

/// The state of a batch that is opened for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is open.
    Open,
    /// It is open, and here is why, though its passwords look expired.
    Kept(String),
    /// It is closed and erased.
    Closed,
}

impl Ledger {
    /// Returns the time at which the batch was closed, if it was.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn closed_at(&self) -> Result<Option<Millis>, LedgerError> {
        Ok(self.get("closed_at")?.and_then(|text| text.parse().ok()).map(Millis))
    }

    /// Returns true if a closing is marked and not finished.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn is_half_erased(&self) -> Result<bool, LedgerError> {
        Ok(self.closed_at()?.is_some() && self.get("erased_at")?.is_none())
    }

    /// Closes the batch: destroys the key and removes the sealed passwords.
    ///
    /// # Errors
    /// A password stands in no file, and nothing is changed; or the erasing is
    /// not finished, which closing again does.
    pub(crate) fn close(&mut self, why: &str) -> Result<(), LedgerError> {
        if self.closed_at()?.is_none()
            && let Some(left) = self.undelivered()?
        {
            return Err(LedgerError::Undelivered { batch: self.batch.clone(), left });
        }
        self.mark_and_erase(why, |_| Ok(()))
    }

    /// Closes the batch and gives up, on the operator's word, what stands in no file.
    ///
    /// # Errors
    /// The erasing is not finished; closing again does.
    pub(crate) fn discard(&mut self, why: &str) -> Result<(), LedgerError> {
        self.mark_and_erase(why, Self::give_up)
    }

    fn mark_and_erase(
        &mut self,
        why: &str,
        note: impl FnOnce(&Self) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        // The mark goes first: a crash behind it leaves a batch that is closed
        // and not yet erased, which the next run or closing erases.
        if self.closed_at()?.is_none() {
            let fail = |error| LedgerError::of(&self.place.ledger, error);
            let transaction = self.db.unchecked_transaction().map_err(fail)?;
            note(self)?;
            self.set("closed_why", why)?;
            self.set("closed_seq", &self.seq_so_far()?.to_string())?;
            self.set("closed_at", &Millis::now().0.to_string())?;
            transaction.commit().map_err(fail)?;
        }
        failpoint::hit("marked-closed");
        self.erase()
    }

    /// Erases what a closed batch still holds.
    fn erase(&mut self) -> Result<(), LedgerError> {
        self.vault = None;
        Vault::destroy(&self.place.key)?;
        failpoint::hit("key-destroyed");
        self.db.execute("DELETE FROM passwords", []).map_err(|error| self.error(error))?;
        failpoint::hit("passwords-deleted");
        // The log holds the old pages until it is emptied, which waits for readers.
        let busy: bool = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| self.error(error))?;
        if busy {
            return Err(LedgerError::HalfErased { path: self.place.ledger.clone(), batch: self.batch.clone() });
        }
        self.set("erased_at", &Millis::now().0.to_string())
    }

    /// Finishes a closing that was cut short, and closes a batch whose passwords
    /// have all expired and stand in files.
    ///
    /// # Errors
    /// The ledger can't be read or written, or the erasing is not finished.
    pub(crate) fn close_if_due(&mut self) -> Result<Due, LedgerError> {
        if self.closed_at()?.is_some() {
            if self.is_half_erased()? || self.place.key.exists() {
                self.erase()?;
            }
            return Ok(Due::Closed);
        }
        if let Some(doubt) = self.clock_doubt()? {
            return Ok(Due::Kept(format!(
                "{doubt}; nothing is taken as expired until then: erase the passwords with `finspace-reset close {}`",
                self.batch
            )));
        }
        let now = Millis::now();
        // No password is older than the first run, which is quickly asked.
        let life = self.password_life()?;
        let first = self.one_time("SELECT min(started_at) FROM runs")?;
        if first.is_none_or(|at| now <= at.plus(life)) {
            return Ok(Due::Open);
        }
        let newest =
            self.one_time("SELECT max(o.at) FROM passwords p JOIN outcomes o ON o.n = p.n WHERE o.status = 1")?;
        if newest.is_none_or(|at| now <= at.plus(life)) {
            return Ok(Due::Open);
        }
        if let Some(left) = self.undelivered()? {
            return Ok(Due::Kept(format!(
                "the passwords of batch {} have expired, and {} of them were never written to a file; they are kept until they are published or the batch is closed",
                self.batch, left.users
            )));
        }
        self.close("its passwords have expired")?;
        Ok(Due::Closed)
    }

    /// Tells why the clock can't be trusted, if the ledger's own times say so.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn clock_doubt(&self) -> Result<Option<String>, LedgerError> {
        let now = Millis::now();
        let Some(newest) = self.newest_record()? else { return Ok(None) };
        // A closed batch may rest for ever.
        let ahead = now > newest.plus(AHEAD) && self.closed_at()?.is_none();
        let wrong = ahead || now.plus(BEHIND) < newest;
        Ok(wrong.then(|| {
            format!(
                "the clock says {now}, and the newest record of batch {} is of {newest}: set the clock right",
                self.batch
            )
        }))
    }

    /// Opens a closed batch anew, with a new key, for users that it has not
    /// reset. Whoever was reset before stands as `earlier` from here on.
    ///
    /// # Errors
    /// The batch is not closed and erased, or key or ledger can't be written.
    pub(crate) fn reopen(&mut self) -> Result<(), LedgerError> {
        if self.is_half_erased()? {
            self.erase()?;
        }
        let Some(closed_at) = self.closed_at()? else { return Ok(()) };
        self.vault = Some(Vault::create(&self.place.key, &self.batch)?);
        let fail = |error| LedgerError::of(&self.place.ledger, error);
        let transaction = self.db.unchecked_transaction().map_err(fail)?;
        let upto = match self.get("closed_seq")? {
            Some(seq) => seq,
            None => self.seq_so_far()?.to_string(),
        };
        self.set("earlier_seq", &upto)?;
        self.set("earlier_at", &closed_at.0.to_string())?;
        self.db
            .execute_batch(
                "DELETE FROM batch WHERE key IN ('closed_at', 'closed_why', 'closed_seq', 'erased_at');
                 UPDATE deliveries SET sole = 1;
                 INSERT OR IGNORE INTO deliveries (digest, users, sole) SELECT digest, x'', 1 FROM publications;",
            )
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// The number that all outcomes so far are below.
    fn seq_so_far(&self) -> Result<i64, LedgerError> {
        let mut last = 0;
        self.each("SELECT coalesce(max(run), 0) FROM runs", |row| {
            last = row.get(0)?;
            Ok(())
        })?;
        Ok((last + 1) * SEQ_PER_RUN)
    }

    /// The number up to which successes are those of before the last closing.
    pub(super) fn earlier_seq(&self) -> Result<i64, LedgerError> {
        Ok(self.get("earlier_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Returns the time of the newest record. Nothing is younger than the newest
    /// of these, which are quickly asked.
    pub(super) fn newest_record(&self) -> Result<Option<Millis>, LedgerError> {
        self.one_time(
            "SELECT max(at) FROM (SELECT max(started_at) at FROM runs UNION ALL SELECT max(ended_at) FROM runs
             UNION ALL SELECT max(at) FROM publications UNION ALL SELECT max(at) FROM claims
             UNION ALL SELECT max(at) FROM paces)",
        )
    }

    fn one_time(&self, sql: &str) -> Result<Option<Millis>, LedgerError> {
        let mut time = None;
        self.each(sql, |row| {
            time = row.get::<_, Option<i64>>(0)?.map(Millis);
            Ok(())
        })?;
        Ok(time)
    }
}
