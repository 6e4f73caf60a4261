//! Faults of a ledger, each with its remedy.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::engine::ledger::deliveries::Undelivered;
use crate::engine::ledger::vault::VaultError;

/// A fault of a ledger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The file is no ledger.
    #[error("{0} is not a finspace-reset ledger; move it out of the state folder, or name another --state-dir")]
    NotOurs(PathBuf),
    /// The file is from a newer program.
    #[error(
        "the ledger {path} has format {version}, and this program knows formats up to {}; use the newer finspace-reset that wrote it",
        super::schema::VERSION
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its format.
        version: i64,
    },
    /// The file is damaged.
    #[error(
        "the ledger {path} is damaged ({what}); restore it from a backup with its key, or move it away and start the batch anew, knowing that its users may then be reset twice"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// The part that does not fit.
        what: String,
    },
    /// The disk is full.
    #[error("the ledger {0} can't grow: the disk is full; free some space and run again to continue")]
    Full(PathBuf),
    /// The file or its folder can't be written.
    #[error("the ledger {0} can't be written; make the file and its folder writable and run again to continue")]
    ReadOnly(PathBuf),
    /// Anything else that SQLite reports.
    #[error("the ledger {0}: {1}; check its disk and folder, then run again to continue")]
    Database(PathBuf, #[source] rusqlite::Error),
    /// The file is not the caller's own, or no file.
    #[error("the ledger {0}: {1}; put the batch's own ledger there, or name another --state-dir")]
    NotOwn(PathBuf, #[source] std::io::Error),
    /// Another batch's ledger under this name.
    #[error(
        "the ledger {path} is that of batch {inside}; give it its own name back ({inside}.ledger, with its key), and put the right one there"
    )]
    WrongName {
        /// The ledger.
        path: PathBuf,
        /// The batch's name in it.
        inside: String,
    },
    /// Another process has the ledger open for a run.
    #[error("batch {batch} is being worked on by {holder}; wait for it to end, or stop it and run again")]
    Busy {
        /// The batch.
        batch: String,
        /// The other process, as the ledger knows it.
        holder: String,
    },
    /// The file went away while a run wrote to it.
    #[error(
        "{0} was moved or removed while the batch is being worked on; put it back before you run again, or its users may be reset twice"
    )]
    Gone(PathBuf),
    /// Closing would erase what stands nowhere else.
    #[error(
        "{} temporary passwords of batch {batch} stand in no file{}, and closing would erase them; publish them with the command that ran the batch, or give them up with `finspace-reset close {batch} --discard-passwords`",
        .left.users, gone(&.left.gone)
    )]
    Undelivered {
        /// The batch.
        batch: String,
        /// The passwords.
        left: Undelivered,
    },
    /// Something reads the old pages.
    #[error(
        "batch {batch} is closed and its key is destroyed, but its sealed passwords are not all overwritten in {path}: another program has the ledger open; end that, then finish with `finspace-reset close {batch}`"
    )]
    HalfErased {
        /// The ledger.
        path: PathBuf,
        /// The batch.
        batch: String,
    },
    /// The sealing key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The batch belongs to another target.
    #[error(
        "batch {batch} belongs to the target {theirs}, and this run goes to {ours}; check --region and --endpoint-url, or give this run a batch of its own with --batch"
    )]
    OtherTarget {
        /// The batch.
        batch: String,
        /// The ledger's target.
        theirs: String,
        /// This run's.
        ours: String,
    },
}

fn gone(files: &[PathBuf]) -> String {
    match files.last() {
        None => String::new(),
        Some(path) => format!(" ({} is no longer where it was written, or holds something else)", path.display()),
    }
}

impl LedgerError {
    pub(super) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, what: error.to_string() }
            }
            // A failing write under a file-size limit or a lost disk.
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => Self::Damaged { path, what: error.to_string() },
                error => Self::Database(path, error),
            },
        }
    }
}
