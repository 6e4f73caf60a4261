//! A file that is not there until it is whole.
//!
//! Invariant: until [`Staged::publish`] nothing bears a name, so a process that
//! dies leaves no half file with passwords behind; where the file system can't
//! do that, the file has a hidden name and mode 0600.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use sha2::{Digest, Sha256};
use tempfile::TempPath;

use crate::fault;
use crate::outcome::hex;

/// How the hidden name of a staged file begins.
pub const PREFIX: &str = ".finspace-reset-";

/// A file being written, and the digest of what was written.
pub struct Staged {
    output: BufWriter<File>,
    hash: Sha256,
    folder: PathBuf,
    name: Option<TempPath>,
}

impl Staged {
    /// Starts a file that will stand in `folder`.
    ///
    /// # Errors
    /// The folder takes no files.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let (file, name) = match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => (File::from(file), None),
            // Not every file system has files without a name.
            Err(_) => {
                let (file, name) = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?.into_parts();
                (file, Some(name))
            }
        };
        Ok(Self {
            output: BufWriter::with_capacity(64 * 1024, file),
            hash: Sha256::new(),
            folder: folder.to_owned(),
            name,
        })
    }

    /// Puts what was written on the disk, tells its digest to `announce`, and
    /// gives it its name, in the place of what bore it.
    ///
    /// # Errors
    /// Nothing bears the name then but what did before.
    pub fn publish<E: From<io::Error>>(
        mut self,
        path: &Path,
        announce: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.output.flush()?;
        let file = self.output.into_inner().map_err(|error| E::from(error.into_error()))?;
        file.sync_all()?;
        announce(&hex(&self.hash.finalize()))?;
        fault::point("announced");
        let name = match self.name {
            Some(name) => name,
            None => link(&file, &self.folder)?,
        };
        fault::point("linked");
        // On failure the hidden name is removed when it is dropped.
        name.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

/// Gives a nameless file a hidden name, to be renamed over the real one.
fn link(file: &File, folder: &Path) -> io::Result<TempPath> {
    // The name of a temporary file that is gone again is free.
    let hidden = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?.into_temp_path().to_path_buf();
    if hidden.exists() {
        fs::remove_file(&hidden)?;
    }
    linkat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), CWD, &hidden, AtFlags::SYMLINK_FOLLOW)?;
    TempPath::try_from_path(hidden)
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_dropped_file_leaves_nothing_and_a_published_one_replaces_the_old_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut dropped = Staged::new(folder.path()).unwrap();
        dropped.write_all(b"secret").unwrap();
        dropped.flush().unwrap();
        drop(dropped);
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "old"));

        let mut staged = Staged::new(folder.path()).unwrap();
        staged.write_all(b"new").unwrap();
        let mut told = String::new();
        staged
            .publish::<io::Error>(&path, |digest| {
                digest.clone_into(&mut told);
                Ok(())
            })
            .unwrap();
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "new"));
        assert_eq!(told, hex(&Sha256::digest(b"new")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let mut refused = Staged::new(folder.path()).unwrap();
        refused.write_all(b"newer").unwrap();
        assert!(refused.publish(&path, |_| Err(io::Error::other("no"))).is_err());
        assert_eq!((names(), fs::read_to_string(&path).unwrap().as_str()), (1, "new"));
    }
}
