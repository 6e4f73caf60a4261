//! What can go wrong with a ledger, each with its remedy.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::engine::ledger::vault::VaultError;

/// What can go wrong with a ledger.
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
        /// What does not fit.
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
