//! The history of a batch: its runs and their facts, its files, activity over
//! time, and the files that were handed over.
//!
//! Invariant: the tables made here are additions to format 1 that an older
//! program passes over; a ledger without them has no such facts.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Ledger, LedgerError, PaceSample};
use crate::model::{Millis, Status};

/// Facts of a run that its row in `runs` has no room for.
const RUN_FACTS: &str = "CREATE TABLE IF NOT EXISTS run_facts (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID";

/// The names of a run's facts.
pub(crate) mod fact {
    /// The roster's file name.
    pub(crate) const ROSTER: &str = "roster";
    /// SHA-256 of the roster's bytes.
    pub(crate) const ROSTER_SHA256: &str = "roster_sha256";
    /// The command line, without a secret.
    pub(crate) const COMMAND_LINE: &str = "command_line";
    /// The kind of consent: `typed N`, `--yes`, or `--confirm PLAN`.
    pub(crate) const CONSENT: &str = "consent";
    /// The public keys the results are encrypted to, one a line, or `passphrase`; empty for plain text.
    pub(crate) const RECIPIENTS: &str = "recipients";
    /// The user of the operating system.
    pub(crate) const OS_USER: &str = "os_user";
    /// The reason why the run stopped early.
    pub(crate) const STOPPED: &str = "stopped";
    /// The time at which a signal asked the run to stop.
    pub(crate) const STOPPING: &str = "stopping_since";
}

/// Outcomes of one status within one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Start of the span.
    pub from: Millis,
    /// The outcomes' status.
    pub status: Status,
    /// Their number.
    pub count: u64,
}

/// A file this batch wrote.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// Its absolute path; `-` for standard output.
    pub path: String,
    /// SHA-256 of its content.
    pub digest: String,
    /// The time of the sample.
    pub at: i64,
}

/// One run of the batch.
#[derive(Clone, Debug)]
pub(crate) struct RunRecord {
    /// Its number.
    pub run: i64,
    /// The time at which it began.
    pub started_at: i64,
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// The identity that it used; never a secret.
    pub identity: String,
    /// The time at which it ended, if it did in order.
    pub ended_at: Option<i64>,
    /// Its exit code.
    pub exit_code: Option<u8>,
    /// Its end in words.
    pub ending: Option<String>,
    /// The time at which a signal asked it to stop, if one did.
    pub stopping_since: Option<String>,
}

impl Ledger {
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
        let mut facts = self.run_facts()?;
        self.each(
            "SELECT run, started_at, pid, host, identity, ended_at, exit_code, ending FROM runs ORDER BY run",
            |row| {
                let mut facts = facts.remove(&row.get(0)?).unwrap_or_default();
                found.push(RunRecord {
                    run: row.get(0)?,
                    started_at: row.get(1)?,
                    pid: row.get(2)?,
                    host: row.get(3)?,
                    identity: row.get(4)?,
                    ended_at: row.get(5)?,
                    exit_code: row.get(6)?,
                    ending: row.get(7)?,
                    stopping_since: facts.remove(fact::STOPPING),
                });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The first and the last moment of which anything is known.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn span(&self) -> Result<Option<(Millis, Millis)>, LedgerError> {
        let mut span = None;
        self.each(
            "SELECT min(at), max(at) FROM (SELECT at FROM outcomes UNION ALL SELECT at FROM paces
             UNION ALL SELECT started_at FROM runs UNION ALL SELECT ended_at FROM runs)",
            |row| {
                let ends: (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
                span = ends.0.zip(ends.1).map(|(first, last)| (Millis(first), Millis(last)));
                Ok(())
            },
        )?;
        Ok(span)
    }

    /// Returns the moment of the batch's last reset.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn last_reset_at(&self) -> Result<Option<Millis>, LedgerError> {
        let mut last = None;
        self.each("SELECT max(at) FROM outcomes WHERE status = 1", |row| {
            last = row.get::<_, Option<i64>>(0)?.map(Millis);
            Ok(())
        })?;
        Ok(last)
    }

    /// Returns the number of outcomes in each span of so many milliseconds.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn activity(&self, span: i64) -> Result<Vec<Activity>, LedgerError> {
        let mut found = Vec::new();
        let span = span.max(1);
        self.each(
            &format!(
                "SELECT at / {span} * {span}, status, count(*) FROM outcomes WHERE status > 0 GROUP BY 1, 2 ORDER BY 1"
            ),
            |row| {
                let status = super::read::status(row, 1)?;
                found.push(Activity { from: Millis(row.get(0)?), status, count: row.get(2)? });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The pace of every run, sample by sample.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn paces(&self) -> Result<Vec<PaceSample>, LedgerError> {
        let mut found = Vec::new();
        self.each("SELECT at, sent, throttled, rate FROM paces ORDER BY at", |row| {
            let (at, sent, throttled, rate) = (Millis(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?);
            found.push(PaceSample { at, sent, throttled, rate });
            Ok(())
        })?;
        Ok(found)
    }

    /// The number of the run that was begun.
    #[must_use]
    pub(crate) fn run_number(&self) -> i64 {
        self.run
    }

    /// Records facts of the run that was begun, by names of [`fact`].
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn record_run_facts(&self, facts: &[(&str, &str)]) -> Result<(), LedgerError> {
        let record = || -> rusqlite::Result<()> {
            let transaction = self.db.unchecked_transaction()?;
            transaction.execute(RUN_FACTS, [])?;
            for (key, value) in facts {
                self.put_run_fact(key, value)?;
            }
            transaction.commit()
        };
        record().map_err(|error| self.error(error))
    }

    /// Puts down a fact of the run within the transaction that is open.
    pub(super) fn put_run_fact(&self, key: &str, value: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO run_facts (run, key, value) VALUES (?1, ?2, ?3)";
        self.db.execute(sql, params![self.run, key, value]).map(drop)
    }

    /// The facts of every run, by its number.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn run_facts(&self) -> Result<BTreeMap<i64, BTreeMap<String, String>>, LedgerError> {
        let mut found: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
        if self.has_table("run_facts")? {
            self.each("SELECT run, key, value FROM run_facts", |row| {
                found.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Returns true if the ledger has a table that came after its format's first
    /// one.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, LedgerError> {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
        self.db.query_row(sql, [name], |row| row.get(0)).map_err(|error| self.error(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::LedgerPaths;
    use crate::model::{BatchName, Target};

    #[test]
    fn facts_belong_to_their_run_and_a_ledger_without_them_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let batch: BatchName = "b".parse().unwrap();
        let paths = LedgerPaths::new(folder.path(), &batch);
        let mut ledger = Ledger::create(&paths, &batch, &Target::Simulated).unwrap();
        assert!(ledger.run_facts().unwrap().is_empty());
        for consent in ["--yes", "typed 3"] {
            ledger.begin_run("somebody", crate::model::TOKEN_WINDOW).unwrap();
            ledger.record_run_facts(&[(fact::CONSENT, consent), (fact::OS_USER, "ann")]).unwrap();
        }
        ledger.record_run_facts(&[(fact::STOPPED, "the deadline passed")]).unwrap();
        let facts = ledger.run_facts().unwrap();
        assert_eq!((facts[&1][fact::CONSENT].as_str(), facts[&1].get(fact::STOPPED)), ("--yes", None));
        assert_eq!((facts[&2][fact::CONSENT].as_str(), facts[&2].len()), ("typed 3", 3));
    }
}
