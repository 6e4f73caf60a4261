//! The state folder: where ledgers, keys and locks live.
//!
//! Invariant: nobody else can write there, and at most one process works on a
//! batch; its lock dies with it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use crate::model::BatchName;
use crate::process::files;

/// A fault of the state folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Nowhere to put it.
    #[error("there is no home folder for the ledgers; name one with --state-dir or FINSPACE_RESET_STATE_DIR")]
    NoHome,
    /// It can't be used.
    #[error("the state folder {0}: {1}; make it writable, or name another with --state-dir")]
    Folder(PathBuf, #[source] io::Error),
    /// A folder that is another one in each working directory.
    #[error(
        "the state folder {folder} of {source_name} {why}; give the absolute path, or two runs from different folders would reset everyone twice"
    )]
    NotAbsolute {
        /// The folder as given.
        folder: PathBuf,
        /// The setting that named it.
        source_name: &'static str,
        /// The fault.
        why: &'static str,
    },
    /// Somebody else's folder, or file in it.
    #[error("{0}: {1}; run as the user who owns it, or name another --state-dir")]
    NotOwn(PathBuf, #[source] io::Error),
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
        "there is no batch {0} in {1}; `finspace-reset status` lists those there are, and --state-dir names another folder"
    )]
    NoBatch(String, PathBuf),
    /// Another process has the batch.
    #[error("batch {batch} is being worked on by {holder}; wait for it to end, or stop it and run again")]
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
    /// The folder that `--state-dir` names, else the one of the environment, else
    /// the user's own; always an absolute path.
    ///
    /// # Errors
    /// The name is relative where that can't be meant, there is no home folder,
    /// or the folder belongs to somebody else.
    pub(crate) fn locate(named: Option<&Path>) -> Result<Self, StateError> {
        let state = Self { folder: folder(named, std::env::var_os(STATE_DIR))? };
        match fs::metadata(&state.folder) {
            Ok(data) => files::check_owner(&data).map_err(|error| StateError::NotOwn(state.folder.clone(), error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StateError::Folder(state.folder, error)),
        }
        Ok(state)
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
        let data = fs::metadata(&self.folder).map_err(fail)?;
        files::check_owner(&data).map_err(|error| StateError::NotOwn(self.folder.clone(), error))?;
        if data.permissions().mode() & 0o022 != 0 {
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
        let fail = |error| StateError::NotOwn(path.clone(), error);
        for _ in 0..LOCK_TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = files::open_own(&path, &mut options).map_err(fail)?;
            if !take(&file).map_err(fail)? {
                let holder = holder_in(&mut file).unwrap_or_default().to_string();
                return Err(StateError::Busy { batch: batch.to_string(), holder });
            }
            // Whoever removed the file in between may have let somebody else in.
            let is_there =
                |data: Metadata| file.metadata().is_ok_and(|ours| files::inode(&ours) == files::inode(&data));
            if !fs::symlink_metadata(&path).is_ok_and(is_there) {
                continue;
            }
            // Who has it is for people; the lock itself is the operating system's.
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{} {host}", std::process::id()))
                .map_err(fail)?;
            return Ok(Lock { _file: file });
        }
        Err(StateError::Busy { batch: batch.to_string(), holder: "somebody who removes its lock".into() })
    }

    /// Returns the digests of the previews written for any batch: a preview holds
    /// no password, and a mended roster is another batch.
    #[must_use]
    pub(crate) fn previews(&self) -> Vec<String> {
        let mut text = String::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "preview")
                && let Ok(mut file) = files::open_own(&path, File::options().read(true))
            {
                let _ = file.read_to_string(&mut text);
            }
        }
        text.lines().map(str::to_owned).collect()
    }

    /// Remembers a preview's digest, so that the real run may replace it.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn add_preview(&self, batch: &BatchName, digest: &str) -> Result<(), StateError> {
        let path = self.preview_file(batch);
        files::open_own(&path, OpenOptions::new().create(true).append(true).mode(0o600))
            .and_then(|mut file| writeln!(file, "{digest}"))
            .map_err(|error| StateError::NotOwn(path, error))
    }

    fn preview_file(&self, batch: &BatchName) -> PathBuf {
        self.folder.join(format!("{batch}.preview"))
    }

    /// The process that works on a batch right now, if one does. Asking takes no
    /// lock, so that no run that starts meanwhile finds the batch taken.
    #[must_use]
    pub(crate) fn holder(&self, batch: &BatchName) -> Option<Holder> {
        let path = self.folder.join(format!("{batch}.lock"));
        let mut file = files::open_own(&path, File::options().read(true)).ok()?;
        let whole =
            Flock { start: 0, length: 0, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
        fcntl_getlk(&file, &whole).ok().flatten()?;
        Some(holder_in(&mut file).unwrap_or_default())
    }
}

/// The environment's name of the state folder.
const STATE_DIR: &str = "FINSPACE_RESET_STATE_DIR";

/// Locks that are gone when they are taken: more than a few are no accident.
const LOCK_TRIES: u32 = 100;

fn folder(named: Option<&Path>, environment: Option<OsString>) -> Result<PathBuf, StateError> {
    let environment = environment.filter(|value| !value.is_empty()).map(PathBuf::from);
    let (folder, source_name) = match (named, environment) {
        (Some(named), _) => (named.to_owned(), "--state-dir"),
        (None, Some(folder)) => (folder, STATE_DIR),
        (None, None) => {
            let base = etcetera::base_strategy::Xdg::new().map_err(|_| StateError::NoHome)?;
            (base.state_dir().unwrap_or_else(|| base.data_dir()).join("finspace-reset"), "the home folder")
        }
    };
    let refuse = |why| Err(StateError::NotAbsolute { folder: folder.clone(), source_name, why });
    match folder.as_os_str().as_encoded_bytes().first() {
        None => refuse("is empty"),
        Some(b'~' | b'$') => refuse("was not expanded by a shell"),
        Some(b'/') => Ok(folder),
        Some(_) if source_name != "--state-dir" => refuse("is relative"),
        Some(_) => std::path::absolute(&folder).map_err(|error| StateError::Folder(folder.clone(), error)),
    }
}

/// Takes both kinds of lock: the one that older versions look for, and one that
/// can be asked for without taking it. Tells whether both were free.
fn take(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The process that has a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its number.
    pub process: String,
    /// Its machine, as that calls itself.
    pub host: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process.as_str(), self.host.as_str()) {
            ("", _) => f.write_str("process unknown"),
            (process, "") => write!(f, "process {process}"),
            (process, host) => write!(f, "process {process} on {host}"),
        }
    }
}

fn holder_in(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    Read::take(file, 1024).read_to_string(&mut text).ok()?;
    let (process, host) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    Some(Holder { process: process.to_owned(), host: host.to_owned() })
}

/// Bytes of ledger and of output that a row takes, with some room.
const LEDGER_ROW: u64 = 700;
const OUTPUT_ROW: u64 = 500;
/// The least room that either takes; and that of the ledger's log, by the row until
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_one_place_wherever_a_run_starts() {
        let of = |named: Option<&str>, environment: Option<&str>| {
            folder(named.map(Path::new), environment.map(OsString::from)).ok()
        };
        let here = std::env::current_dir().unwrap();
        assert_eq!(of(Some("/a"), Some("~/b")), Some("/a".into()));
        assert_eq!(of(Some("a"), None), Some(here.join("a")));
        assert_eq!(of(Some("./a"), None), Some(here.join("a")));
        assert_eq!(of(None, Some("/b")), Some("/b".into()));
        for (named, environment) in [
            (Some("~/a"), None),
            (Some("$HOME/a"), None),
            (Some(""), None),
            (None, Some("~/b")),
            (None, Some("$HOME/b")),
            (None, Some("b")),
            (None, Some("./b")),
        ] {
            assert_eq!(of(named, environment), None, "{named:?}, {environment:?}");
        }
    }

    #[test]
    fn a_batch_is_taken_once_and_asking_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let batch = "b".parse().unwrap();
        assert_eq!(state.holder(&batch), None);
        let lock = state.lock(&batch).unwrap();
        assert!(matches!(state.lock(&batch), Err(StateError::Busy { .. })));
        drop(lock);
        for _ in 0..3 {
            assert_eq!(state.holder(&batch), None);
            drop(state.lock(&batch).unwrap());
        }
    }

    #[test]
    fn neither_a_link_nor_a_pipe_is_taken_for_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let batch = "b".parse().unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.path().join("b.lock")).unwrap();
        assert!(matches!(state.lock(&batch), Err(StateError::NotOwn(..))));
        assert!(!folder.path().join("elsewhere").exists());
    }
}
