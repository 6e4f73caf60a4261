//! Remains of a run that was killed.
//!
//! Invariant: a user whom a claim covers and no newer outcome settles may have
//! been reset without an answer, and is told as `unknown` from here on.

use std::time::Duration;

use super::Ledger;
use crate::model::{Millis, Outcome, Status, UserNumber};

impl Ledger {
    /// Turns every claim that has no newer outcome into an `unknown` outcome.
    pub(super) fn recover_in_flight(&mut self, window: Option<Duration>) -> rusqlite::Result<u64> {
        struct Left {
            n: UserNumber,
            claimed: Millis,
            attempts: u32,
            since: Option<Millis>,
            again: bool,
        }
        let left: Vec<Left> = self
            .db
            .prepare(
                "SELECT u.n, c.at, coalesce(o.attempts, 0), CASE o.status WHEN 3 THEN o.since END, coalesce(o.again, 0)
                 FROM claims c JOIN users u ON u.n BETWEEN c.first AND c.last
                 LEFT JOIN outcomes o ON o.n = u.n AND o.seq = (SELECT max(seq) FROM outcomes WHERE n = u.n)
                 WHERE o.seq IS NULL OR o.seq < c.seq",
            )?
            .query_map([], |row| {
                Ok(Left {
                    n: row.get(0)?,
                    claimed: Millis(row.get(1)?),
                    attempts: row.get(2)?,
                    since: row.get::<_, Option<i64>>(3)?.map(Millis),
                    again: row.get(4)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        for user in &left {
            // The older doubt stays the start of the window, unless the claim
            // came after its end: then that request may have reset anew.
            let late = user.since.is_some_and(|since| window.is_some_and(|window| user.claimed.is_past(since, window)));
            let since = if late { user.claimed } else { user.since.unwrap_or(user.claimed) };
            self.append(
                &Outcome {
                    number: user.n,
                    status: Status::Unknown,
                    at: Millis::now(),
                    attempts: user.attempts + 1,
                    doubtful_since: Some(since),
                    again: user.again || late,
                    request_id: None,
                    error_code: Some("Interrupted".into()),
                    error_message: Some("a run ended before this user's answer was recorded; run again".into()),
                    password: None,
                },
                None,
            )?;
        }
        self.db.execute_batch("DELETE FROM claims; COMMIT")?;
        Ok(left.len() as u64)
    }
}
