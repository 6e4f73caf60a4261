//! A file that is not there until it is whole.
//!
//! Invariant: until [`AtomicFile::publish`] nothing bears a name, so a process that
//! dies leaves no half file with passwords behind; where the file system can't
//! do that, the file has a hidden name and mode 0600.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use tempfile::TempPath;

use super::digesting::Digesting;
use crate::process::failpoint;

/// A file being written, and the digest of what was written.
pub(crate) struct AtomicFile {
    output: Digesting<BufWriter<File>>,
    path: PathBuf,
    /// Its name until it is whole, where it must have one.
    name: Option<TempPath>,
}

impl AtomicFile {
    /// Starts the file that will stand at `path`. What a crash left of an
    /// earlier one is removed.
    ///
    /// # Errors
    /// The folder takes no files.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let hidden = hidden(path);
        remove(&hidden)?;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let (file, name) = match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            // Without /proc it could never be given its name.
            Ok(file) if fs::symlink_metadata(own_name(&file)).is_ok() => (File::from(file), None),
            // Not every file system has files without a name.
            _ => {
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
                (file, Some(TempPath::try_from_path(hidden)?))
            }
        };
        let output = Digesting::new(BufWriter::with_capacity(64 * 1024, file));
        Ok(Self { output, path: path.to_owned(), name })
    }

    /// Puts what was written on the disk, tells its digest to `announce`, and
    /// gives it its name, in the place of what bore it.
    ///
    /// # Errors
    /// Nothing bears the name then but what did before.
    pub(crate) fn publish<E: From<io::Error>>(mut self, announce: impl FnOnce(&str) -> Result<(), E>) -> Result<(), E> {
        self.output.flush()?;
        let (output, digest) = self.output.finish();
        let file = output.into_inner().map_err(|error| E::from(error.into_error()))?;
        file.sync_all()?;
        announce(&digest)?;
        failpoint::hit("announced");
        let name = match self.name {
            Some(name) => Some(name),
            // A free name is taken at once; an old file gives way to a hidden one.
            None if link(&file, &self.path).is_ok() => None,
            None => {
                let hidden = hidden(&self.path);
                link(&file, &hidden)?;
                failpoint::hit("linked");
                Some(TempPath::try_from_path(hidden)?)
            }
        };
        if let Some(name) = name {
            // On failure the hidden name is removed when it is dropped.
            name.persist(&self.path).map_err(|error| error.error)?;
        }
        File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        Ok(())
    }
}

/// The name a file bears, if it must, before it bears its own.
fn hidden(path: &Path) -> PathBuf {
    let mut name = OsString::from(".finspace-reset-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Returns what a nameless file can be named by.
fn own_name(file: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives a nameless file a name that is free.
fn link(file: &File, path: &Path) -> io::Result<()> {
    linkat(CWD, own_name(file), CWD, path, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
}

/// Removes a file that may not be there.
///
/// # Errors
/// It is there and can't be removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hex;
    use sha2::{Digest, Sha256};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_dropped_file_leaves_nothing_and_a_published_one_replaces_the_old_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut dropped = AtomicFile::new(&path).unwrap();
        dropped.write_all(b"secret").unwrap();
        dropped.flush().unwrap();
        drop(dropped);
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "old"));

        let mut staged = AtomicFile::new(&path).unwrap();
        staged.write_all(b"new").unwrap();
        let mut told = String::new();
        staged
            .publish::<io::Error>(|digest| {
                digest.clone_into(&mut told);
                Ok(())
            })
            .unwrap();
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "new"));
        assert_eq!(told, hex(Sha256::digest(b"new")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let mut refused = AtomicFile::new(&path).unwrap();
        refused.write_all(b"newer").unwrap();
        assert!(refused.publish(|_| Err(io::Error::other("no"))).is_err());
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "new"));
    }
}
