//! The state folder: where ledgers, keys and locks live.
//!
//! Invariant: nobody else can write there, and at most one process works on a
//! batch; its lock dies with it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::model::BatchName;

/// What can go wrong with the state folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Nowhere to put it.
    #[error("there is no home folder for the ledgers; name one with --state-dir or FINSPACE_RESET_STATE_DIR")]
    NoHome,
    /// It can't be used.
    #[error("the state folder {0}: {1}; make it writable, or name another with --state-dir")]
    Folder(PathBuf, #[source] io::Error),
    /// Others can write to it.
    #[error(
        "the state folder {0} can be written by others, who could swap ledgers and keys; chmod 700 it, or name another with --state-dir"
    )]
    Shared(PathBuf),
    /// The disk is nearly full.
    #[error(
        "the disk of {path} has {free} MiB free, and this roster wants about {want} MiB; free some space, or name another {flag}"
    )]
    Room {
        /// The folder.
        path: PathBuf,
        /// Free space in MiB.
        free: u64,
        /// Wanted space in MiB.
        want: u64,
        /// The flag that moves it.
        flag: &'static str,
    },
    /// No ledger of that name.
    #[error(
        "there is no batch {0} in {1}; «finspace-reset status» lists those there are, and --state-dir names another folder"
    )]
    NoBatch(String, PathBuf),
    /// Another process has the batch.
    #[error("batch {batch} is being worked on by process {holder}; wait for it to end, or stop it and run again")]
    Busy {
        /// The batch.
        batch: String,
        /// The other process.
        holder: String,
    },
}

/// The state folder of this user.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    folder: PathBuf,
}

impl StateDir {
    /// The folder named by `--state-dir`, else the user's own.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn locate(named: Option<&Path>) -> Result<Self, StateError> {
        let folder = match named {
            Some(folder) => folder.to_owned(),
            None => {
                let base = etcetera::base_strategy::Xdg::new().map_err(|_| StateError::NoHome)?;
                base.state_dir().unwrap_or_else(|| base.data_dir()).join("finspace-reset")
            }
        };
        Ok(Self { folder })
    }

    /// The part of it for rehearsals, which share nothing with real batches.
    #[must_use]
    pub(crate) fn simulated(&self) -> Self {
        Self { folder: self.folder.join("simulated") }
    }

    /// The folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder if it isn't there, and makes sure that it is private
    /// and can be written.
    ///
    /// # Errors
    /// It can't be made or written, or others can write to it.
    pub(crate) fn prepare(&self) -> Result<(), StateError> {
        let fail = |error| StateError::Folder(self.folder.clone(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(fail)?;
        let mode = fs::metadata(&self.folder).map_err(fail)?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(StateError::Shared(self.folder.clone()));
        }
        tempfile::tempfile_in(&self.folder).map(drop).map_err(fail)
    }

    /// The names of the batches with a ledger here, sorted.
    ///
    /// # Errors
    /// The folder can't be read; one that isn't there holds none.
    pub(crate) fn batches(&self) -> Result<Vec<BatchName>, StateError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::Folder(self.folder.clone(), error)),
        };
        let mut names: Vec<BatchName> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".ledger")?.parse().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Takes the batch for this process, until the lock is dropped.
    ///
    /// # Errors
    /// Another process has it, or the lock's file can't be made.
    pub(crate) fn lock(&self, batch: &BatchName) -> Result<Lock, StateError> {
        let path = self.folder.join(format!("{batch}.lock"));
        let fail = |error| StateError::Folder(self.folder.clone(), error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(StateError::Busy { batch: batch.to_string(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        // Who has it is for people; the lock itself is the operating system's.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(fail)?;
        Ok(Lock { _file: file })
    }

    /// The digests of the previews written for a batch.
    #[must_use]
    pub(crate) fn previews(&self, batch: &BatchName) -> Vec<String> {
        let text = fs::read_to_string(self.preview_file(batch)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Remembers a preview's digest, so that the real run may replace it.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn add_preview(&self, batch: &BatchName, digest: &str) -> Result<(), StateError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.preview_file(batch))
            .and_then(|mut file| writeln!(file, "{digest}"))
            .map_err(|error| StateError::Folder(self.folder.clone(), error))
    }

    fn preview_file(&self, batch: &BatchName) -> PathBuf {
        self.folder.join(format!("{batch}.preview"))
    }

    /// The process that works on a batch right now, if one does.
    #[must_use]
    pub(crate) fn holder(&self, batch: &BatchName) -> Option<String> {
        let mut file = File::open(self.folder.join(format!("{batch}.lock"))).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok()?;
                Some(holder.trim().to_owned())
            }
            _ => None,
        }
    }
}

/// Bytes of ledger and of output that a row takes, with some room.
const LEDGER_ROW: u64 = 700;
const OUTPUT_ROW: u64 = 500;
/// What either takes at least; and what the ledger's log takes, by the row until
/// SQLite begins it anew.
const LEAST: u64 = 512 << 10;
const LOG_ROW: u64 = 48 << 10;
const LOG: u64 = 16 << 20;

/// Makes sure that a roster of `rows` rows has room.
///
/// # Errors
/// It hasn't.
pub(crate) fn check_room(state: &StateDir, output_folder: Option<&Path>, rows: u64) -> Result<(), StateError> {
    let log = rows.saturating_mul(LOG_ROW).min(LOG);
    let places = [(Some(state.folder()), LEDGER_ROW, log, "--state-dir"), (output_folder, OUTPUT_ROW, 0, "--output")];
    for (folder, row, besides, flag) in places {
        let Some(folder) = folder else { continue };
        // A file system that doesn't tell is not a full one.
        let Ok(about) = rustix::fs::statvfs(folder) else {
            continue;
        };
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let want = rows.saturating_mul(row).saturating_add(besides + LEAST);
        if free < want {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            return Err(StateError::Room { path: folder.to_owned(), free: free >> 20, want: mib(want), flag });
        }
    }
    Ok(())
}

/// A batch taken by this process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}
