//! The ledger's file format.
//!
//! `PRAGMA user_version` is the format's version; a newer one than
//! [`VERSION`] is refused. History:
//!
//! 1. The first format.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

use super::LedgerError;

/// The format this program writes.
pub(super) const VERSION: i64 = 1;

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

/// Makes the tables of a new ledger.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE)?;
    configure(db)?;
    db.execute_batch(&format!(
        "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// Opens a ledger that is there, and makes sure that it is one and is whole.
pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
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
    let size = std::fs::metadata(path).map_or(0, |data| data.len());
    let check = if size <= CHECKED_WHOLE { "integrity_check" } else { "quick_check" };
    let verdict: String = db.query_row(&format!("PRAGMA {check}(1)"), [], |row| row.get(0)).map_err(about)?;
    if verdict != "ok" {
        // SQLite's verdict has several lines; an error is one.
        let what = verdict.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(LedgerError::Damaged { path: path.to_owned(), what });
    }
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        configure(&db).map_err(about)?;
    }
    Ok(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    // What closing removes must not linger in free pages.
    db.pragma_update(None, "secure_delete", true)?;
    // Temporary b-trees of queries hold user data: never in a file.
    db.pragma_update(None, "temp_store", "memory")
}
