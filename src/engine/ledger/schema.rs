//! The ledger's file format.
//!
//! `PRAGMA user_version` is the format's version; a newer one than
//! [`VERSION`] is refused. History:
//!
//! 1. The first format. Since then it has got tables and facts that an older
//!    program passes over; [`ADDITIONS`] makes them where they are missing.
//! 2. The same tables, for a batch whose passwords this program makes: a sealed
//!    password says nothing of success, which an older program would take it for.
//!    Other batches stay in format 1.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::LedgerError;
use crate::model::Target;
use crate::process::files;

/// The newest format this program knows.
pub(super) const VERSION: i64 = Format::Passwords as i64;

/// A format of the ledger. The numbers are those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Format {
    /// The service makes the passwords, and each that is sealed is a success.
    Tokens = 1,
    /// This program makes the passwords, and seals them before they are sent.
    Passwords = 2,
}

impl Format {
    /// Returns the format for a batch of this target.
    pub(super) fn of(target: &Target) -> Self {
        if target.is_pool() { Self::Passwords } else { Self::Tokens }
    }
}

/// "FSPR": what makes a SQLite file one of ours.
pub(super) const APPLICATION_ID: i64 = 0x4653_5052;

/// Up to this size a ledger is checked whole when it is opened, indexes
/// against tables; beyond it only its structure, which is ten times faster.
const CHECKED_WHOLE: u64 = 32 << 20;

/// Bytes of a page. A million rows are walked and filled with a quarter of the
/// reads and writes that SQLite's usual 4096 take.
const PAGE: u32 = 16 * 1024;

/// `seq` orders claims and outcomes: the run's number in its high bits, a
/// counter in the low ones. A user is in flight while a claim that covers it is
/// younger than its newest outcome.
const TABLES: &str = "
CREATE TABLE batch (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    identity TEXT NOT NULL,
    ended_at INTEGER,
    exit_code INTEGER,
    ending TEXT
);
CREATE TABLE users (
    n INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE
);
CREATE TABLE rows (
    row INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    n INTEGER,
    note TEXT,
    cells TEXT NOT NULL
);
CREATE TABLE claims (
    seq INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE TABLE outcomes (
    n INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    since INTEGER,
    attempts INTEGER NOT NULL,
    again INTEGER NOT NULL,
    request_id TEXT,
    code TEXT,
    message TEXT,
    PRIMARY KEY (n, seq)
) WITHOUT ROWID;
CREATE TABLE passwords (
    n INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
);
CREATE TABLE publications (
    digest TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE TABLE paces (
    at INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    throttled INTEGER NOT NULL,
    rate REAL
);
";

/// Tables that came later. An older program passes over them.
///
/// `deliveries`: the users (a bit each) whose passwords stand in a file. Of a
/// `sole` file the ledger holds the passwords no more: closing erased them.
/// `fingerprints`: the users' fingerprints in order, each with its user's number.
const ADDITIONS: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS deliveries (
        digest TEXT PRIMARY KEY,
        users BLOB NOT NULL,
        sole INTEGER NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS fingerprints (
        part INTEGER PRIMARY KEY,
        sorted BLOB NOT NULL
    )",
];

/// Brings a ledger that is opened for writing up to this program's tables. Both
/// formats are current: neither turns into the other.
fn upgrade(db: &Connection) -> rusqlite::Result<()> {
    let steps = ADDITIONS.iter().fold(String::new(), |all, step| all + step + ";");
    db.execute_batch(&format!("BEGIN IMMEDIATE; {steps} COMMIT;"))
}

/// Makes the tables of a new ledger.
pub(super) fn create(db: &Connection, format: Format) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE)?;
    configure(db)?;
    db.execute_batch(&format!(
        "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}; COMMIT;",
        format as i64
    ))?;
    upgrade(db)
}

/// The care with which a ledger is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// To write, checked whole.
    Write,
    /// To read, checked whole; what a killed run left in the log is recovered
    /// where the file can be written.
    Read,
    /// To look a few things up, unchecked.
    Glance,
}

/// Opens a ledger that is there, and makes sure that it is one.
pub(super) fn open(path: &Path, how: Open) -> Result<(Connection, Format), LedgerError> {
    files::check_own(path).map_err(|error| LedgerError::NotOwn(path.to_owned(), error))?;
    let writable = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match (open_with(path, writable, how), how) {
        (Err(LedgerError::ReadOnly(_)), Open::Read | Open::Glance) => {}
        (opened, _) => return opened,
    }
    let readable = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match open_with(path, readable, how) {
        // In a folder that can't be written SQLite has no place to keep its index
        // of the log, and needs none where there is no log.
        Err(LedgerError::ReadOnly(_)) if std::fs::metadata(side(path, "-wal")).map_or(0, |log| log.len()) == 0 => {
            let name: String = path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("%{byte:02x}")).collect();
            let uri = format!("file:{name}?immutable=1");
            open_with(Path::new(&uri), readable | OpenFlags::SQLITE_OPEN_URI, how)
        }
        opened => opened,
    }
}

/// Returns the name of a file that SQLite keeps beside the ledger.
pub(super) fn side(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn open_with(path: &Path, flags: OpenFlags, how: Open) -> Result<(Connection, Format), LedgerError> {
    let about = |error| LedgerError::of(path, error);
    if std::fs::metadata(path).is_ok_and(|data| data.len() == 0) {
        // To SQLite it is a database with nothing in it yet.
        return Err(LedgerError::Damaged { path: path.to_owned(), what: "it is empty".into() });
    }
    let db = Connection::open_with_flags(path, flags).map_err(about)?;
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(about);
    if number("application_id")? != APPLICATION_ID {
        return Err(LedgerError::NotOurs(path.to_owned()));
    }
    let version = number("user_version")?;
    if version > VERSION {
        return Err(LedgerError::Newer { path: path.to_owned(), version });
    }
    if version < 1 {
        return Err(LedgerError::Damaged { path: path.to_owned(), what: "it has no format version".into() });
    }
    if how != Open::Glance {
        check_whole(&db, path)?;
    }
    if how == Open::Write {
        configure(&db).and_then(|()| upgrade(&db)).map_err(about)?;
    } else {
        db.busy_timeout(PATIENCE).map_err(about)?;
        db.pragma_update(None, "temp_store", "memory").map_err(about)?;
    }
    Ok((db, if version == Format::Passwords as i64 { Format::Passwords } else { Format::Tokens }))
}

fn check_whole(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let size = std::fs::metadata(path).map_or(0, |data| data.len());
    let check = if size <= CHECKED_WHOLE { "integrity_check" } else { "quick_check" };
    let verdict: String = db
        .query_row(&format!("PRAGMA {check}(1)"), [], |row| row.get(0))
        .map_err(|error| LedgerError::of(path, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    // SQLite's verdict has several lines; an error is one.
    let what = verdict.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(LedgerError::Damaged { path: path.to_owned(), what })
}

/// The longest wait for another program that holds the ledger.
const PATIENCE: Duration = Duration::from_secs(10);

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    // What closing removes must not linger in free pages.
    db.pragma_update(None, "secure_delete", true)?;
    // Temporary b-trees of queries hold user data: never in a file.
    db.pragma_update(None, "temp_store", "memory")
}
