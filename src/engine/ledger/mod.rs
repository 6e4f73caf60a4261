//! The ledger: the durable record of one batch, one SQLite file.
//!
//! Invariant: a claim is durable before a request of its users may leave, and
//! an outcome before it counts. Outcomes are only ever appended; a user's state
//! is its newest one. Passwords rest sealed, apart from all else, so that
//! closing the batch can remove them and leave the history.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::engine::ledger::schema::Format;
use crate::engine::ledger::vault::Vault;
use crate::model::{BatchName, Millis, Outcome, Target};
use crate::process::{failpoint, files};

mod causes;
mod close;
mod deliveries;
mod ending;
mod error;
pub(crate) mod guard;
mod handover;
mod history;
mod import;
mod lookup;
mod passwords;
mod queue;
mod read;
mod recover;
mod schema;
mod sign_outs;
mod spellings;
pub(crate) mod state_dir;
mod target;
#[cfg(test)]
mod tests;
mod unsent;
pub(crate) mod vault;
mod writer;

pub(crate) use crate::model::RowKind;
pub(crate) use causes::Cause;
pub(crate) use close::Due;
pub(crate) use deliveries::{UserSet, Whose};
pub(crate) use ending::RunEnd;
pub(crate) use error::LedgerError;
pub(crate) use handover::{HandedFile, HandoverState};
pub(crate) use history::fact;
pub(crate) use history::{Activity, Publication, RunRecord};
pub(crate) use import::{NewRow, Readiness};
pub(crate) use lookup::Lookup;
pub(crate) use read::{Doubt, LedgerRow};
pub(crate) use sign_outs::{SignOutState, SignedIn};
pub(crate) use unsent::Unsent;
pub(crate) use writer::{Claim, Event, PaceSample, Writer};

/// A run's claims and outcomes are numbered within this many.
const SEQ_PER_RUN: i64 = 1 << 40;

/// The two files of a batch in the state folder.
#[derive(Clone, Debug)]
pub(crate) struct LedgerPaths {
    /// The SQLite file.
    pub ledger: PathBuf,
    /// The sealing key beside it.
    pub key: PathBuf,
}

impl LedgerPaths {
    /// The files of `batch` in `folder`.
    #[must_use]
    pub(crate) fn new(folder: &Path, batch: &BatchName) -> Self {
        Self { ledger: folder.join(format!("{batch}.ledger")), key: folder.join(format!("{batch}.key")) }
    }
}

/// A batch's ledger.
pub(crate) struct Ledger {
    db: Connection,
    /// The hold on the file itself, by its inode; dropped after the connection.
    held: Option<File>,
    place: LedgerPaths,
    batch: String,
    vault: Option<Vault>,
    format: Format,
    run: i64,
    next_seq: i64,
    /// The `seq` above which this run has recorded.
    run_start: i64,
}

impl Ledger {
    /// Starts the ledger of a new batch, and its key.
    ///
    /// # Errors
    /// The files can't be made.
    pub(crate) fn create(place: &LedgerPaths, batch: &BatchName, target: &Target) -> Result<Self, LedgerError> {
        let about = |error| LedgerError::of(&place.ledger, error);
        let failed = |_| LedgerError::ReadOnly(place.ledger.clone());
        // It is left by a crash right here, or seals a ledger that was moved away.
        Vault::set_aside(&place.key)?;
        let vault = Vault::create(&place.key, batch.as_str())?;
        // It gets its name when it is whole: a ledger that is there is never
        // half made. SQLite gives its side files the mode of the main one.
        let unfinished = place.ledger.with_extension("ledger-new");
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(schema::side(&unfinished, suffix));
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failed)?;
        let db = Connection::open(&unfinished).map_err(about)?;
        let format = Format::of(target);
        schema::create(&db, format).map_err(about)?;
        let mut ledger = Self {
            db,
            held: None,
            place: place.clone(),
            batch: batch.to_string(),
            vault: Some(vault),
            format,
            run: 0,
            next_seq: 0,
            run_start: 0,
        };
        ledger.set("name", batch.as_str())?;
        ledger.name_target(target)?;
        ledger.set("created_at", &Millis::now().0.to_string())?;
        ledger.set("program", env!("CARGO_PKG_VERSION"))?;
        drop(ledger.db);
        failpoint::hit("ledger-made");
        fs::rename(&unfinished, &place.ledger).map_err(failed)?;
        ledger.held = Some(hold(place)?);
        ledger.db = schema::open(&place.ledger, schema::Open::Write)?.0;
        Ok(ledger)
    }

    /// Opens a batch's ledger for a run, if there is one.
    ///
    /// # Errors
    /// It is damaged, newer, of another program, or not accessible.
    pub(crate) fn open(place: &LedgerPaths) -> Result<Option<Self>, LedgerError> {
        if let Err(error) = std::fs::metadata(&place.ledger)
            && error.kind() == std::io::ErrorKind::NotFound
        {
            return Ok(None);
        }
        files::check_own(&place.ledger).map_err(|error| LedgerError::NotOwn(place.ledger.clone(), error))?;
        let held = hold(place)?;
        let mut ledger = Self::from_db(place, schema::open(&place.ledger, schema::Open::Write)?)?;
        ledger.held = Some(held);
        Ok(Some(ledger))
    }

    /// Opens a ledger to read its history; a run may be writing to it.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub(crate) fn read(place: &LedgerPaths) -> Result<Self, LedgerError> {
        Self::from_db(place, schema::open(&place.ledger, schema::Open::Read)?)
    }

    fn from_db(place: &LedgerPaths, (db, format): (Connection, Format)) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            db,
            held: None,
            place: place.clone(),
            batch: String::new(),
            vault: None,
            format,
            run: 0,
            next_seq: 0,
            run_start: 0,
        };
        let missing =
            |what: &str| LedgerError::Damaged { path: place.ledger.clone(), what: format!("its {what} is missing") };
        ledger.batch = ledger.get("name")?.ok_or_else(|| missing("batch name"))?;
        if place.ledger.file_stem() != Some(OsStr::new(&ledger.batch)) {
            return Err(LedgerError::WrongName { path: place.ledger.clone(), inside: ledger.batch });
        }
        Ok(ledger)
    }

    /// Opens the sealing key, without which no password can be written or read,
    /// and tries it on a password that is there.
    ///
    /// # Errors
    /// The key is missing or wrong.
    pub(crate) fn unlock(&mut self) -> Result<(), LedgerError> {
        if self.vault.is_some() {
            return Ok(());
        }
        let vault = Vault::open(&self.place.key, &self.batch)?;
        let sealed: Option<(String, Vec<u8>)> = self
            .db
            .query_row("SELECT u.user_id, p.sealed FROM passwords p JOIN users u ON u.n = p.n LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|error| self.error(error))?;
        if let Some((user_id, sealed)) = sealed {
            vault.unseal(&user_id, &sealed)?;
        }
        self.vault = Some(vault);
        Ok(())
    }

    /// A fact of the batch by its name.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn get(&self, key: &str) -> Result<Option<String>, LedgerError> {
        self.db
            .query_row("SELECT value FROM batch WHERE key = ?1", [key], |row| row.get(0))
            .optional()
            .map_err(|error| self.error(error))
    }

    /// Keeps a fact of the batch.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn set(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        self.db
            .execute("INSERT OR REPLACE INTO batch (key, value) VALUES (?1, ?2)", [key, value])
            .map(drop)
            .map_err(|error| self.error(error))
    }

    /// Begins a run: numbers it, and settles what an earlier run left in flight
    /// as `unknown`. Tells how many users that were.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn begin_run(&mut self, identity: &str, window: Duration) -> Result<u64, LedgerError> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.db
            .execute(
                "INSERT INTO runs (started_at, pid, host, identity) VALUES (?1, ?2, ?3, ?4)",
                params![Millis::now().0, std::process::id(), host, identity],
            )
            .map_err(|error| self.error(error))?;
        self.run = self.db.last_insert_rowid();
        self.next_seq = self.run * SEQ_PER_RUN;
        let settled = self.recover_in_flight(self.window(window)).map_err(|error| self.error(error))?;
        self.run_start = self.next_seq;
        Ok(settled)
    }

    /// Ends a run with its exit code and what it came to.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn end_run(&self, exit_code: u8, ending: &str) -> Result<(), LedgerError> {
        self.db
            .execute(
                "UPDATE runs SET ended_at = ?1, exit_code = ?2, ending = ?3 WHERE run = ?4",
                params![Millis::now().0, exit_code, ending, self.run],
            )
            .map(drop)
            .map_err(|error| self.error(error))
    }

    /// Appends an outcome within the transaction that is open.
    fn append(&mut self, outcome: &Outcome, sealed: Option<&[u8]>) -> rusqlite::Result<()> {
        self.next_seq += 1;
        self.db
            .prepare_cached(
                "INSERT INTO outcomes (n, seq, status, at, since, attempts, again, request_id, code, message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                outcome.number,
                self.next_seq,
                outcome.status as u8,
                outcome.at.0,
                outcome.doubtful_since.map(|since| since.0),
                outcome.attempts,
                outcome.again,
                outcome.request_id,
                outcome.error_code,
                outcome.error_message,
            ])?;
        if let Some(sealed) = sealed {
            self.db
                .prepare_cached("INSERT OR REPLACE INTO passwords (n, sealed) VALUES (?1, ?2)")?
                .execute(params![outcome.number, sealed])?;
        }
        Ok(())
    }

    /// Makes sure that the ledger and its key still stand where they were opened.
    pub(super) fn check_in_place(&self) -> Result<(), LedgerError> {
        let Some(held) = &self.held else { return Ok(()) };
        let same = |data: fs::Metadata| held.metadata().is_ok_and(|held| files::inode(&held) == files::inode(&data));
        if !fs::symlink_metadata(&self.place.ledger).is_ok_and(same) {
            return Err(LedgerError::Gone(self.place.ledger.clone()));
        }
        if self.vault.is_some() && fs::symlink_metadata(&self.place.key).is_err() {
            return Err(LedgerError::Gone(self.place.key.clone()));
        }
        Ok(())
    }

    fn error(&self, error: rusqlite::Error) -> LedgerError {
        LedgerError::of(&self.place.ledger, error)
    }
}

/// Takes the ledger's file for this process, whatever became of the batch's lock.
fn hold(place: &LedgerPaths) -> Result<File, LedgerError> {
    let fail = |error| LedgerError::NotOwn(place.ledger.clone(), error);
    let file = files::open_own(&place.ledger, File::options().read(true)).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(fail(error)),
        Err(TryLockError::WouldBlock) => {
            let ledger = Ledger::from_db(place, schema::open(&place.ledger, schema::Open::Glance)?)?;
            let holder = ledger
                .runs()?
                .pop()
                .map_or_else(|| "another process".into(), |run| format!("process {} on {}", run.pid, run.host));
            Err(LedgerError::Busy { batch: ledger.batch, holder })
        }
    }
}
