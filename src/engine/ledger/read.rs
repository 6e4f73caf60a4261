//! What the ledger tells: rows with their newest outcomes, counts, doubts,
//! publications, runs.
//!
//! Invariant: nothing here writes.

use std::time::Duration;

use rusqlite::{Row, params};

use super::{Ledger, LedgerError};
use crate::model::{Counts, Millis, Password, RowKind, Status, UserNumber};

/// A row of the output, as the ledger knows it.
#[derive(Clone, Debug)]
pub(crate) struct LedgerRow {
    /// The line in the input.
    pub line: u64,
    /// What the row stands for.
    pub kind: RowKind,
    /// The row's own cells.
    pub cells: Vec<String>,
    /// The user, unless the row is invalid.
    pub user_id: Option<String>,
    /// Why it is invalid, or which line it repeats.
    pub note: Option<String>,
    /// The newest outcome's status; pending where there is none.
    pub status: Status,
    /// When it came.
    pub at: Option<Millis>,
    /// Tries in all runs.
    pub attempts: u32,
    /// Whether the user may have been reset more than once.
    pub again: bool,
    /// The deciding request.
    pub request_id: Option<String>,
    /// The error's code.
    pub error_code: Option<String>,
    /// The error's meaning.
    pub error_message: Option<String>,
    /// The password, while the batch is open.
    pub password: Option<Password>,
}

/// Users that may have been reset without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Doubt {
    /// How many there are.
    pub users: u64,
    /// How many of them the same token can still settle without a new reset.
    pub can_settle: u64,
    /// Until when (milliseconds since the epoch) the last of those can.
    pub until: Option<i64>,
    /// How many a run that goes on right now has claimed.
    pub in_flight: u64,
}

/// A file this batch wrote.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Publication {
    /// Its absolute path; `-` for standard output.
    pub path: String,
    /// SHA-256 of its content.
    pub digest: String,
    /// When.
    pub at: i64,
}

/// One run of the batch.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct RunRecord {
    /// Its number.
    pub run: i64,
    /// When it began.
    pub started_at: i64,
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Whose credentials it used; never a secret.
    pub identity: String,
    /// When it ended, if it did in order.
    pub ended_at: Option<i64>,
    /// Its exit code.
    pub exit_code: Option<u8>,
    /// What it came to.
    pub ending: Option<String>,
}

/// Joins a row `r` with its user `u` and newest outcome `o`.
/// Where one user stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    /// Whether there is any outcome.
    pub known: bool,
    /// The newest one.
    pub status: Status,
    /// Whether the user may have been reset more than once.
    pub again: bool,
    /// Whether this run has settled the user already.
    pub settled: bool,
}

/// Where the users stand, by number.
pub(super) struct Standings(Vec<Standing>);

impl Standings {
    /// Where this user stands; nobody stands nowhere.
    pub(super) fn of(&self, user: Option<UserNumber>) -> Standing {
        let at = user.and_then(|n| usize::try_from(n).ok());
        at.and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }
}

const NEWEST: &str = "FROM rows r LEFT JOIN users u ON u.n = r.n
     LEFT JOIN outcomes o ON o.n = r.n AND o.seq = (SELECT max(seq) FROM outcomes WHERE n = r.n)";

impl Ledger {
    /// Where the roster's rows stand.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn counts(&self) -> Result<Counts, LedgerError> {
        let standings = self.standings(i64::MAX).map_err(|error| self.error(error))?;
        let mut counts = Counts::default();
        self.each("SELECT kind, n FROM rows", |row| {
            let standing = standings.of(row.get(1)?);
            counts.add(kind(row, 0)?, standing.status, standing.again, 1);
            Ok(())
        })?;
        Ok(counts)
    }

    /// Every user's newest status. One walk along the outcomes, four bytes a user:
    /// asking for each user's newest outcome takes four times as long.
    /// Outcomes numbered above `start` mark their users as settled.
    pub(super) fn standings(&self, start: i64) -> rusqlite::Result<Standings> {
        let mut standings = Standings(Vec::new());
        let mut statement = self.db.prepare_cached(
            "SELECT n, status, again, seq FROM outcomes WHERE n <= (SELECT max(n) FROM users) ORDER BY n, seq",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let n: UserNumber = row.get(0)?;
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            if standings.0.len() <= n {
                standings.0.resize(n + 1, Standing::default());
            }
            let settled = row.get::<_, i64>(3)? > start;
            standings.0[n] = Standing { known: true, status: status(row, 1)?, again: row.get(2)?, settled };
        }
        Ok(standings)
    }

    /// Users in doubt: how many, and how long the service's memory of their
    /// tokens still settles them.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn doubt(&self, window: Duration) -> Result<Doubt, LedgerError> {
        let mut doubt = Doubt::default();
        let now = Millis::now();
        self.each(&format!("SELECT o.since {NEWEST} WHERE r.kind IN (0, 3) AND o.status = 3"), |row| {
            doubt.users += 1;
            let since = Millis(row.get::<_, Option<i64>>(0)?.unwrap_or(0));
            if !now.is_past(since, window) {
                doubt.can_settle += 1;
                doubt.until = doubt.until.max(Some(since.plus(window).0));
            }
            Ok(())
        })?;
        self.each(
            "SELECT count(*) FROM claims c JOIN users u ON u.n BETWEEN c.first AND c.last
             WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.n = u.n AND o.seq > c.seq)",
            |row| {
                doubt.in_flight = row.get(0)?;
                Ok(())
            },
        )?;
        Ok(doubt)
    }

    /// Every row in input order. `visit` may stop the walk with its own error.
    ///
    /// # Errors
    /// The ledger can't be read, a password does not open, or `visit` failed.
    pub(crate) fn rows<E: From<LedgerError>>(
        &self,
        mut visit: impl FnMut(LedgerRow) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let fail = |error| self.error(error);
        let mut counts = Counts::default();
        let mut statement = self
            .db
            .prepare(&format!(
                "SELECT r.line, r.kind, r.cells, u.user_id, r.note, coalesce(o.status, 0), o.at, coalesce(o.attempts, 0),
                 coalesce(o.again, 0), o.request_id, o.code, o.message, p.sealed
                 {NEWEST} LEFT JOIN passwords p ON p.n = r.n AND r.kind IN (0, 3) AND o.status = 1 ORDER BY r.row"
            ))
            .map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let (mut read, sealed) = read_row(row).map_err(fail)?;
            if let (Some(sealed), Some(user_id), Some(vault)) = (&sealed, &read.user_id, &self.vault) {
                read.password = Some(vault.unseal(user_id, sealed).map_err(LedgerError::from)?);
            }
            counts.add(read.kind, read.status, read.again, 1);
            visit(read)?;
        }
        Ok(counts)
    }

    /// The files this batch wrote, the newest first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn publications(&self) -> Result<Vec<Publication>, LedgerError> {
        let mut found = Vec::new();
        self.each("SELECT path, digest, at FROM publications ORDER BY at DESC, rowid DESC", |row| {
            found.push(Publication { path: row.get(0)?, digest: row.get(1)?, at: row.get(2)? });
            Ok(())
        })?;
        Ok(found)
    }

    /// The batch's runs, the oldest first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn runs(&self) -> Result<Vec<RunRecord>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT run, started_at, pid, host, identity, ended_at, exit_code, ending FROM runs ORDER BY run",
            |row| {
                found.push(RunRecord {
                    run: row.get(0)?,
                    started_at: row.get(1)?,
                    pid: row.get(2)?,
                    host: row.get(3)?,
                    identity: row.get(4)?,
                    ended_at: row.get(5)?,
                    exit_code: row.get(6)?,
                    ending: row.get(7)?,
                });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Why users failed or are in doubt: code, how many, the first one's line;
    /// the most frequent first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn causes(&self) -> Result<Vec<(String, u64, u64)>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            &format!(
                "SELECT coalesce(o.code, ''), count(*), min(r.line) {NEWEST}
                 WHERE r.kind = 0 AND o.status IN (2, 3) GROUP BY 1 ORDER BY 2 DESC, 1"
            ),
            |row| {
                found.push((row.get(0)?, row.get(1)?, row.get(2)?));
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The newest error among the roster's users: code, message, line.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn last_error(&self) -> Result<Option<(String, String, u64)>, LedgerError> {
        let mut found = None;
        self.each(
            &format!(
                "SELECT o.code, coalesce(o.message, ''), r.line {NEWEST}
                 WHERE r.kind = 0 AND o.code IS NOT NULL ORDER BY o.seq DESC LIMIT 1"
            ),
            |row| {
                found = Some((row.get(0)?, row.get(1)?, row.get(2)?));
                Ok(())
            },
        )?;
        Ok(found)
    }

    pub(super) fn each(
        &self,
        sql: &str,
        mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LedgerError> {
        let walk = || -> rusqlite::Result<()> {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(params![])?;
            while let Some(row) = rows.next()? {
                visit(row)?;
            }
            Ok(())
        };
        let mut walk = walk;
        walk().map_err(|error| self.error(error))
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<(LedgerRow, Option<Vec<u8>>)> {
    let cells: String = row.get(2)?;
    let cells = serde_json::from_str(&cells)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error)))?;
    let read = LedgerRow {
        line: row.get(0)?,
        kind: kind(row, 1)?,
        cells,
        user_id: row.get(3)?,
        note: row.get(4)?,
        status: status(row, 5)?,
        at: row.get::<_, Option<i64>>(6)?.map(Millis),
        attempts: row.get(7)?,
        again: row.get(8)?,
        request_id: row.get(9)?,
        error_code: row.get(10)?,
        error_message: row.get(11)?,
        password: None,
    };
    Ok((read, row.get(12)?))
}

fn kind(row: &Row<'_>, at: usize) -> rusqlite::Result<RowKind> {
    let number = row.get(at)?;
    RowKind::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, number))
}

pub(super) fn status(row: &Row<'_>, at: usize) -> rusqlite::Result<Status> {
    let number = row.get(at)?;
    Status::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, number))
}
