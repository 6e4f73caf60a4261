//! The ledger's answers: rows with their newest outcomes, counts, doubts.
//!
//! Invariant: nothing here writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Params, Row, params};

use super::{Ledger, LedgerError, UserSet};
use crate::model::{Counts, Millis, Password, RowKind, RowStatus, Standing, Status, UserNumber};

/// A row of the output, as the ledger knows it.
#[derive(Clone, Debug)]
pub(crate) struct LedgerRow {
    /// The line in the input.
    pub line: u64,
    /// The row's kind.
    pub kind: RowKind,
    /// The row's own cells.
    pub cells: Vec<String>,
    /// The user, unless the row is invalid.
    pub user_id: Option<String>,
    /// The user's number, of a row that the ledger holds.
    pub number: Option<UserNumber>,
    /// The reason why it is invalid, or the line that it repeats.
    pub note: Option<String>,
    /// The user's standing.
    pub standing: Standing,
    /// The time of the outcome.
    pub at: Option<Millis>,
    /// Tries in all runs.
    pub attempts: u32,
    /// The deciding request.
    pub request_id: Option<String>,
    /// The error's code.
    pub error_code: Option<String>,
    /// The error's meaning.
    pub error_message: Option<String>,
    /// The end of the user's sessions, if it was asked for.
    pub signed_out_at: Option<Millis>,
    /// True if the password was erased while it stood in no file.
    pub given_up: bool,
    /// The password, while the batch is open.
    pub password: Option<Password>,
}

impl LedgerRow {
    /// The row's status in the output.
    pub(crate) fn status(&self) -> RowStatus {
        RowStatus::of(self.kind, self.standing)
    }
}

/// Users that may have been reset without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Their number.
    pub users: u64,
    /// The number of those whom the same token can still settle without a new
    /// reset.
    pub can_settle: u64,
    /// Until when (milliseconds since the epoch) the last of those can.
    pub until: Option<i64>,
    /// The number that a run which goes on right now has claimed.
    pub in_flight: u64,
}

/// Facts of one user that a run needs.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    /// True if there is any outcome.
    pub tried: bool,
    /// The user's standing.
    pub standing: Standing,
    /// True if this run has settled the user already.
    pub settled: bool,
}

/// Facts of the users, by number.
pub(super) struct Standings(Vec<Known>);

impl Standings {
    /// Returns the facts of this user; those of nobody are empty.
    pub(super) fn of(&self, user: Option<UserNumber>) -> Known {
        let at = user.and_then(|n| usize::try_from(n).ok());
        at.and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }
}

/// Joins a row `r` with its user `u` and newest outcome `o`.
pub(super) const NEWEST: &str = "FROM rows r LEFT JOIN users u ON u.n = r.n
     LEFT JOIN outcomes o ON o.n = r.n AND o.seq = (SELECT max(seq) FROM outcomes WHERE n = r.n)";

impl Ledger {
    /// Returns the roster's rows by status. Whoever is claimed and has no newer
    /// outcome is `unknown`: nobody can tell whether the request left.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn counts(&self) -> Result<Counts, LedgerError> {
        let standings = self.standings(i64::MAX)?;
        let in_flight = self.in_flight()?;
        let mut counts = Counts::default();
        self.each("SELECT kind, n FROM rows", |row| {
            let number = row.get(1)?;
            let mut standing = standings.of(number).standing;
            if is_in_flight(&in_flight, number) {
                standing.status = Status::Unknown;
            }
            counts.add(kind(row, 0)?, standing);
            Ok(())
        })?;
        Ok(counts)
    }

    /// Users whom a claim covers and no newer outcome settles, with the time of
    /// the claim: those of the run that goes on, or of one that was killed.
    pub(super) fn in_flight(&self) -> Result<HashMap<UserNumber, Millis>, LedgerError> {
        let mut found = HashMap::new();
        self.each(
            "SELECT u.n, max(c.at) FROM claims c JOIN users u ON u.n BETWEEN c.first AND c.last
             WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.n = u.n AND o.seq > c.seq) GROUP BY u.n",
            |row| {
                found.insert(row.get(0)?, Millis(row.get(1)?));
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Every user's newest status. One walk along the outcomes, four bytes a user:
    /// asking for each user's newest outcome takes four times as long.
    /// Outcomes numbered above `start` mark their users as settled.
    pub(super) fn standings(&self, start: i64) -> Result<Standings, LedgerError> {
        let mut standings = Standings(Vec::new());
        let earlier = self.earlier_seq()?;
        self.each(
            "SELECT n, status, again, seq FROM outcomes WHERE n <= (SELECT max(n) FROM users) ORDER BY n, seq",
            |row| {
                let n: UserNumber = row.get(0)?;
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                if standings.0.len() <= n {
                    standings.0.resize(n + 1, Known::default());
                }
                let seq: i64 = row.get(3)?;
                let standing = Standing { status: status(row, 1)?, again: row.get(2)?, earlier: seq <= earlier };
                standings.0[n] = Known { tried: true, standing, settled: seq > start };
                Ok(())
            },
        )?;
        Ok(standings)
    }

    /// Users in doubt: how many, and how long the service's memory of their
    /// tokens still settles them.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn doubt(&self, window: Duration) -> Result<Doubt, LedgerError> {
        let in_flight = self.in_flight()?;
        let mut doubt = Doubt { in_flight: in_flight.len() as u64, ..Doubt::default() };
        let now = Millis::now();
        let window = self.window(window);
        let mut add = |since: Millis| {
            doubt.users += 1;
            match window {
                // The same password settles it whenever it is sent.
                None => doubt.can_settle += 1,
                Some(window) if !now.is_past(since, window) => {
                    doubt.can_settle += 1;
                    doubt.until = doubt.until.max(Some(since.plus(window).0));
                }
                Some(_) => {}
            }
        };
        let unknown = Status::Unknown as u8;
        self.each(&format!("SELECT r.n, o.since {NEWEST} WHERE r.kind IN (0, 3) AND o.status = {unknown}"), |row| {
            if !is_in_flight(&in_flight, row.get(0)?) {
                add(Millis(row.get::<_, Option<i64>>(1)?.unwrap_or(0)));
            }
            Ok(())
        })?;
        for claimed in in_flight.values() {
            add(*claimed);
        }
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
        let in_flight = self.in_flight()?;
        let earlier = Earlier::of(self)?;
        let succeeded = Status::Succeeded as u8;
        let signed_out =
            if self.has_table("sign_outs")? { "(SELECT at FROM sign_outs s WHERE s.n = r.n)" } else { "NULL" };
        let mut counts = Counts::default();
        let mut statement = self
            .db
            .prepare(&format!(
                "SELECT r.line, r.kind, r.cells, u.user_id, r.note, coalesce(o.status, 0), o.at, coalesce(o.attempts, 0),
                 coalesce(o.again, 0), o.request_id, o.code, o.message, p.sealed, r.n, coalesce(o.seq, 0), {signed_out}
                 {NEWEST} LEFT JOIN passwords p ON p.n = r.n AND r.kind IN (0, 3) AND o.status = {succeeded}
                 ORDER BY r.row"
            ))
            .map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let (mut read, sealed) = read_row(row).map_err(fail)?;
            if is_in_flight(&in_flight, read.number) {
                read.leave_in_flight();
            }
            earlier.mark(&mut read, row.get(14).map_err(fail)?);
            if let (Some(sealed), Some(user_id), Some(vault)) = (&sealed, &read.user_id, &self.vault) {
                read.password = Some(vault.unseal(user_id, sealed).map_err(LedgerError::from)?);
            }
            counts.add(read.kind, read.standing);
            visit(read)?;
        }
        Ok(counts)
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
        visit: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LedgerError> {
        self.each_with(sql, params![], visit)
    }

    pub(super) fn each_with(
        &self,
        sql: &str,
        parameters: impl Params,
        mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LedgerError> {
        let walk = || -> rusqlite::Result<()> {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(row) = rows.next()? {
                visit(row)?;
            }
            Ok(())
        };
        walk().map_err(|error| self.error(error))
    }
}

impl LedgerRow {
    /// The row of a user whom a claim covers and nothing settles.
    fn leave_in_flight(&mut self) {
        self.standing.status = Status::Unknown;
        self.at = None;
        self.request_id = None;
        self.error_code = Some("Interrupted".into());
        self.error_message = Some("no answer was recorded for this user's request; run again".into());
    }
}

fn is_in_flight(in_flight: &HashMap<UserNumber, Millis>, user: Option<UserNumber>) -> bool {
    !in_flight.is_empty() && user.is_some_and(|user| in_flight.contains_key(&user))
}

/// Resets from before the batch was last closed, and the file with their passwords.
struct Earlier {
    seq: i64,
    given_up: UserSet,
    files: Vec<(PathBuf, String, UserSet)>,
}

impl Earlier {
    fn of(ledger: &Ledger) -> Result<Self, LedgerError> {
        let seq = ledger.earlier_seq()?;
        let files = if seq > 0 { ledger.delivered_files()? } else { Vec::new() };
        Ok(Self { seq, given_up: ledger.given_up()?, files })
    }

    fn mark(&self, row: &mut LedgerRow, seq: i64) {
        row.given_up = row.number.is_some_and(|number| self.given_up.contains(number));
        let Some(number) = row.number.filter(|_| seq > 0 && seq <= self.seq) else { return };
        row.standing.earlier = true;
        if row.status() == RowStatus::Earlier && row.given_up {
            let why = "reset by an earlier run of this batch; the password was given up when the batch was closed, and stands in no file";
            row.error_message = Some(why.into());
        } else if row.status() == RowStatus::Earlier {
            let file = self.files.iter().rev().find(|(_, _, users)| users.contains(number));
            let place = file.map_or_else(|| "the file of that run".into(), |(path, ..)| path.display().to_string());
            row.error_message = Some(format!("reset by an earlier run of this batch; the password went to {place}"));
        }
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
        standing: Standing { status: status(row, 5)?, again: row.get(8)?, earlier: false },
        at: row.get::<_, Option<i64>>(6)?.map(Millis),
        attempts: row.get(7)?,
        number: row.get(13)?,
        request_id: row.get(9)?,
        error_code: row.get(10)?,
        error_message: row.get(11)?,
        signed_out_at: row.get::<_, Option<i64>>(15)?.map(Millis),
        given_up: false,
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
