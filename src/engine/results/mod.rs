//! Writes the output file from the ledger.
//!
//! Invariant: the file appears whole or not at all, 0600, and never in the
//! place of a file that this batch did not write. Its digest is in the ledger
//! before the file is in its place.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::engine::ledger::LedgerError;

pub(crate) mod atomic_file;
mod digesting;
pub(crate) mod encryption;
pub(crate) mod handover;
pub(crate) mod one_user;
pub(crate) mod ownership;
pub(crate) mod publish;
mod table;

pub(crate) use table::{SIGNED_OUT, Table, column_names, write_header, write_row};

use crate::engine::results::atomic_file::AtomicFile;
use crate::engine::results::encryption::Encryption;
use crate::engine::results::ownership::{OwnershipError, Replaces};

/// A fault of the output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The folder of the output.
    #[error("the output folder {0}: {1}; make it, or make it writable, or choose another --output")]
    Folder(PathBuf, #[source] io::Error),
    /// Somebody else's file.
    #[error("{0} exists and was not written by this batch; move it away, or choose another --output")]
    NotOurs(PathBuf),
    /// A file in the way of one that replaces nothing.
    #[error("{0} exists and is not replaced; move it away, or choose another --output")]
    Exists(PathBuf),
    /// The only copy of passwords that the ledger has erased.
    #[error(
        "{0} holds the only copy of passwords that this batch erased when it was closed, and is not replaced; choose another --output"
    )]
    SoleCopy(PathBuf),
    /// Somebody else's file in the place of a summary.
    #[error("{0} exists and is not a summary of finspace-reset; move it away, or choose another --summary")]
    NotASummary(PathBuf),
    /// The place of the output.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// Something that is no file.
    #[error("{0} is not a regular file; choose another --output")]
    NotAFile(PathBuf),
    /// Writing failed.
    #[error(
        "the output {0} can't be written: {1}; nothing is lost: mend the cause and run the same command again, which sends no request to users already reset"
    )]
    Write(PathBuf, #[source] io::Error),
    /// A user was reset, and the password is not in the ledger.
    #[error(
        "the ledger has lost the password of user {0:?} (line {1}), who was reset; nothing is published or erased: restore the ledger with its key from a backup, or reset everyone again in a batch of a new name"
    )]
    NoPassword(String, u64),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The output's destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// A file, by the path that was given.
    File(PathBuf),
}

impl Destination {
    /// Returns an output's absolute path, as [`ownership::resolve`] works it out.
    ///
    /// # Errors
    /// The folder is not there.
    pub(crate) fn resolve(path: &Path) -> Result<PathBuf, PublishError> {
        Ok(ownership::resolve("--output", path)?)
    }
}

/// Makes sure at the start that a file could be written at `path`: the folder
/// takes files, and what is there may be replaced.
///
/// # Errors
/// The reason why not.
pub(crate) fn check(path: &Path, replaces: Replaces<'_>) -> Result<(), PublishError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    AtomicFile::new(path).map_err(|error| PublishError::Folder(folder.to_owned(), error))?;
    check_owner(path, replaces)
}

fn check_owner(path: &Path, replaces: Replaces<'_>) -> Result<(), PublishError> {
    let failed = |error| PublishError::Write(path.to_owned(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(data) if !data.is_file() => Err(PublishError::NotAFile(path.to_owned())),
        Ok(_) => replaces.check(path),
    }
}

/// Writes a file whole: `fill` writes its content, `announce` learns its digest
/// before it is put into its place.
///
/// # Errors
/// Nothing of the file is there then, and what was there still is.
pub(crate) fn replace<E: From<PublishError>>(
    path: &Path,
    seal: Option<&Encryption>,
    replaces: Replaces<'_>,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    announce: impl FnOnce(&str) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error| PublishError::Write(path.to_owned(), error);
    let mut staged = AtomicFile::new(path).map_err(failed)?;
    write_through(&mut staged, seal, path, fill)?;
    let announce = |digest: &str| {
        announce(digest).map_err(Step::Caller)?;
        check_owner(path, replaces).map_err(|error| Step::Caller(error.into()))
    };
    match staged.publish(announce) {
        Ok(()) => Ok(()),
        Err(Step::Caller(error)) => Err(error),
        Err(Step::Disk(error)) => Err(failed(error).into()),
    }
}

/// A step between the last byte and the name, which can fail: the disk's, or the
/// caller's.
enum Step<E> {
    Caller(E),
    Disk(io::Error),
}

impl<E> From<io::Error> for Step<E> {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

fn write_through<E: From<PublishError>>(
    output: &mut dyn Write,
    seal: Option<&Encryption>,
    name: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error| PublishError::Write(name.to_owned(), error);
    match seal {
        None => fill(output)?,
        Some(seal) => {
            let mut sealed = seal.writer(output).map_err(failed)?;
            fill(&mut sealed)?;
            sealed.finish().map_err(failed)?;
        }
    }
    Ok(())
}
