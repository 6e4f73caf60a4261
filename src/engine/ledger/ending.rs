//! The end of a run that its ledger's owner can't write: a second signal leaves
//! at once, and an error has dropped the ledger.
//!
//! Invariant: it is written through a connection of its own, waits a moment at
//! most, and never over an end that was written in order.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::{Ledger, LedgerError};
use crate::model::Millis;

/// The longest wait for whoever is writing: a second signal wants to be gone.
const PATIENCE: Duration = Duration::from_millis(300);

/// The place of a run's end.
#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    ledger: PathBuf,
    run: i64,
}

impl RunEnd {
    /// Records the run's exit code and what it came to, unless its end is known.
    ///
    /// # Errors
    /// The ledger can't be written within a moment.
    pub(crate) fn record(&self, exit_code: u8, ending: &str) -> Result<(), LedgerError> {
        let record = || -> rusqlite::Result<()> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(&self.ledger, flags)?;
            db.busy_timeout(PATIENCE)?;
            db.pragma_update(None, "synchronous", "full")?;
            let sql = "UPDATE runs SET ended_at = ?1, exit_code = ?2, ending = ?3
                       WHERE run = ?4 AND pid = ?5 AND ended_at IS NULL";
            db.execute(sql, params![Millis::now().0, exit_code, ending, self.run, std::process::id()]).map(drop)
        };
        record().map_err(|error| LedgerError::of(&self.ledger, error))
    }
}

impl Ledger {
    /// Returns the place of the end of the run that was begun.
    #[must_use]
    pub(crate) fn run_end(&self) -> RunEnd {
        RunEnd { ledger: self.place.ledger.clone(), run: self.run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::LedgerPaths;
    use crate::model::{BatchName, TOKEN_WINDOW, Target};

    #[test]
    fn an_end_is_written_once_and_nobody_is_waited_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let batch: BatchName = "b".parse().unwrap();
        let paths = LedgerPaths::new(folder.path(), &batch);
        let mut ledger = Ledger::create(&paths, &batch, &Target::Simulated).unwrap();
        ledger.begin_run("somebody", TOKEN_WINDOW).unwrap();
        let end = ledger.run_end();
        // Somebody writes, and goes on writing.
        ledger.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(end.record(130, "late").is_err());
        ledger.db.execute_batch("COMMIT").unwrap();
        end.record(130, "first").unwrap();
        end.record(2, "second").unwrap();
        let run = ledger.runs().unwrap().pop().unwrap();
        assert_eq!((run.exit_code, run.ending.as_deref()), (Some(130), Some("first")));
    }
}
