//! The standings of users, asked for by their IDs, for a roster's worth of them.
//!
//! Invariant: one walk along the outcomes comes first, and then a look at one
//! entry a user; the memory it takes is that of [`Standings`]. Users who are
//! asked about in the ledger's own order, as those of the roster it was made
//! from, are found without a search.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Statement};

use super::read::Standings;
use super::{Ledger, LedgerError, UserSet};
use crate::model::{Millis, RowKind, Standing, Status, UserNumber};

/// Tells the standings of users.
pub(crate) struct Lookup<'a> {
    ledger: &'a Ledger,
    standings: Standings,
    in_flight: HashMap<UserNumber, Millis>,
    by_number: Statement<'a>,
    by_id: Statement<'a>,
    /// The number of the user who is likely to be asked about next.
    next: UserNumber,
}

impl Ledger {
    /// Gets ready to tell the standings of users.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn lookup(&self) -> Result<Lookup<'_>, LedgerError> {
        let prepare = |sql| self.db.prepare(sql).map_err(|error| self.error(error));
        Ok(Lookup {
            ledger: self,
            standings: self.standings(i64::MAX)?,
            in_flight: self.in_flight()?,
            by_number: prepare("SELECT 1 FROM users WHERE n = ?1 AND user_id = ?2")?,
            by_id: prepare("SELECT n FROM users WHERE user_id = ?1")?,
            next: 0,
        })
    }

    /// Returns the users whom the roster of the last run left out, but for those
    /// with this `note`.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn left_out(&self, but: Option<&str>) -> Result<UserSet, LedgerError> {
        let sql = "SELECT n FROM rows WHERE kind = ?1 AND n IS NOT NULL AND note IS NOT ?2";
        self.users(sql, (RowKind::Excluded as u8, but))
    }
}

impl Lookup<'_> {
    /// Returns a user's standing: `pending` if there is no such user, `unknown` where a
    /// claim is newer than every outcome.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn of(&mut self, user_id: &str) -> Result<Standing, LedgerError> {
        let Some(number) = self.number(user_id).map_err(|error| self.ledger.error(error))? else {
            return Ok(Standing::default());
        };
        self.next = number.saturating_add(1);
        let mut standing = self.standings.of(Some(number)).standing;
        if self.in_flight.contains_key(&number) {
            standing.status = Status::Unknown;
        }
        Ok(standing)
    }

    /// Returns true if a user is in a set of the ledger's.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn is_in(&mut self, set: &UserSet, user_id: &str) -> Result<bool, LedgerError> {
        let number = self.number(user_id).map_err(|error| self.ledger.error(error))?;
        Ok(number.is_some_and(|number| set.contains(number)))
    }

    fn number(&mut self, user_id: &str) -> rusqlite::Result<Option<UserNumber>> {
        if self.by_number.exists((self.next, user_id))? {
            return Ok(Some(self.next));
        }
        self.by_id.query_row([user_id], |row| row.get(0)).optional()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::ledger::{LedgerPaths, NewRow};
    use crate::model::Target;

    #[test]
    fn every_user_is_found_in_any_order_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let batch = "b".parse().unwrap();
        let paths = LedgerPaths::new(folder.path(), &batch);
        let mut ledger = Ledger::create(&paths, &batch, &Target::Simulated).unwrap();
        ledger.begin_run("test", Duration::from_secs(1)).unwrap();
        let rows = ["ann", "bob", "cyd", "dan", "eve"].map(|id| Ok::<_, LedgerError>(NewRow::of_user(id)));
        ledger.import("key", rows.into_iter()).unwrap();
        let seq = ledger.next_seq;
        // Bob succeeded after a failure; Cyd failed and is claimed again; Dan was claimed and settled.
        for (n, at, status) in [(1, 1, 2), (1, 2, 1), (2, 3, 2), (3, 6, 1)] {
            let sql = "INSERT INTO outcomes (n, seq, status, at, attempts, again) VALUES (?1, ?2, ?3, 0, 1, 0)";
            ledger.db.execute(sql, (n, seq + at, status)).unwrap();
        }
        let claim = "INSERT INTO claims (seq, first, last, at) VALUES (?1, 2, 3, 0)";
        ledger.db.execute(claim, [seq + 5]).unwrap();
        let all = [
            ("ann", Status::Pending),
            ("bob", Status::Succeeded),
            ("cyd", Status::Unknown),
            ("dan", Status::Succeeded),
            ("eve", Status::Pending),
            ("zoe", Status::Pending),
        ];
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 2, 5, 0, 4, 1]] {
            let mut lookup = ledger.lookup().unwrap();
            for at in order {
                assert_eq!(lookup.of(all[at].0).unwrap().status, all[at].1, "{}", all[at].0);
            }
        }
    }
}
