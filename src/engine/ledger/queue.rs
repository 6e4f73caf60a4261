//! The order of users: those in doubt first, then the others, in input
//! order; nobody twice in a run.
//!
//! Invariant: who is given out is decided by how things stood when the run
//! began, kept in memory at some bytes a user: the ledger is walked along once,
//! however many runs went before.

use rusqlite::{Row, params};

use super::read::{Known, Standings};
use super::{Ledger, LedgerError};
use crate::model::{Millis, Status, Task, UserNumber};

/// The users still to be given out.
pub(crate) struct Queue {
    standings: Standings,
    /// Outcomes of this run are numbered above this.
    start: i64,
    doubtful: bool,
    /// The row that was given out last.
    after: i64,
    /// The rows before the first in doubt, and before the first of the others.
    before: (i64, i64),
    left: u64,
}

impl Ledger {
    /// The users of the run that has begun, `limit` at most.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn queue(&self, limit: Option<u64>) -> Result<Queue, LedgerError> {
        let standings = self.standings(self.run_start)?;
        Queue::new(self, standings, limit).map_err(|error| self.error(error))
    }
}

impl Queue {
    fn new(ledger: &Ledger, standings: Standings, limit: Option<u64>) -> rusqlite::Result<Self> {
        let mut before = (None, None);
        let mut statement = ledger.db.prepare("SELECT row, n FROM rows WHERE kind = 0 ORDER BY row")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?
            && (before.0.is_none() || before.1.is_none())
        {
            let (number, known): (i64, Known) = (row.get(0)?, standings.of(row.get(1)?));
            for (first, doubtful) in [(&mut before.0, true), (&mut before.1, false)] {
                if first.is_none() && wanted(known, doubtful) {
                    *first = Some(number - 1);
                }
            }
        }
        Ok(Self {
            standings,
            start: ledger.run_start,
            doubtful: before.0.is_some(),
            after: -1,
            before: (before.0.unwrap_or(i64::MAX), before.1.unwrap_or(i64::MAX)),
            left: limit.unwrap_or(u64::MAX),
        })
    }

    /// Up to so many of the next users; none means that there are no more.
    pub(super) fn next(&mut self, ledger: &Ledger, users: usize) -> rusqlite::Result<Vec<Task>> {
        let mut tasks = Vec::new();
        loop {
            let want = (users - tasks.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            if want == 0 {
                return Ok(tasks);
            }
            let found = self.page(ledger, want, &mut tasks)?;
            self.left -= found as u64;
            if found < want && self.doubtful {
                self.doubtful = false;
                self.after = -1;
            } else if found < want {
                return Ok(tasks);
            }
        }
    }

    fn page(&mut self, ledger: &Ledger, users: usize, tasks: &mut Vec<Task>) -> rusqlite::Result<usize> {
        let before = if self.doubtful { self.before.0 } else { self.before.1 };
        let mut statement = ledger.db.prepare_cached(
            "SELECT r.row, r.n, u.user_id, r.line FROM rows r JOIN users u ON u.n = r.n
             WHERE r.kind = 0 AND r.row > ?1 ORDER BY r.row",
        )?;
        let mut rows = statement.query([self.after.max(before)])?;
        let mut found = 0;
        while found < users
            && let Some(row) = rows.next()?
        {
            let known = self.standings.of(row.get(1)?);
            if wanted(known, self.doubtful) {
                tasks.push(self.task(ledger, row, known)?);
                found += 1;
                self.after = row.get(0)?;
            }
        }
        Ok(found)
    }

    fn task(&self, ledger: &Ledger, row: &Row<'_>, known: Known) -> rusqlite::Result<Task> {
        let number: UserNumber = row.get(1)?;
        let (attempts, doubtful_since) = if known.tried {
            ledger
                .db
                .prepare_cached(
                    "SELECT attempts, CASE status WHEN 3 THEN since END FROM outcomes
                     WHERE n = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
                )?
                .query_row(params![number, self.start], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?
        } else {
            (0, None)
        };
        Ok(Task {
            number,
            user_id: row.get(2)?,
            line: row.get(3)?,
            attempts,
            doubtful_since: doubtful_since.map(Millis),
            again: known.standing.again,
            password: None,
        })
    }
}

/// Returns true if a run gives out a user who stands so.
fn wanted(known: Known, doubtful: bool) -> bool {
    let of_kind = match known.standing.status {
        Status::Unknown => doubtful,
        Status::Pending | Status::Failed => !doubtful,
        Status::Succeeded => false,
    };
    of_kind && !known.settled
}
