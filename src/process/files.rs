//! Files of one's own: opened without following a link or waiting for a pipe.
//!
//! Invariant: what [`open_own`] gives is a regular file that the caller owns.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// The number of the user whose rights this process has.
pub(crate) fn caller() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens a regular file, whoever owns it.
///
/// # Errors
/// It is a link, a pipe or anything else, or it can't be opened.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(|error| {
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => io::Error::other("it is a symbolic link, and is not followed"),
            // A pipe without a reader.
            Some(Errno::NXIO) => not_regular(),
            _ => error,
        }
    })?;
    if file.metadata().as_ref().is_ok_and(Metadata::is_file) { Ok(file) } else { Err(not_regular()) }
}

/// Opens a regular file that the caller owns.
///
/// # Errors
/// As [`open_regular`], or somebody else owns it.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = open_regular(path, options)?;
    check_owner(&file.metadata()?)?;
    Ok(file)
}

/// Makes sure that a path names a regular file of the caller's, for a library
/// that opens it by name. One that is not there is none.
///
/// # Errors
/// It is a link, a pipe or anything else, or somebody else owns it.
pub(crate) fn check_own(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(data) if data.is_symlink() => Err(io::Error::other("it is a symbolic link, and is not followed")),
        Ok(data) if !data.is_file() => Err(not_regular()),
        Ok(data) => check_owner(&data),
    }
}

/// Makes sure that the caller owns what this tells of.
///
/// # Errors
/// Somebody else does.
pub(crate) fn check_owner(data: &Metadata) -> io::Result<()> {
    match (data.uid(), caller()) {
        (owner, me) if owner == me => Ok(()),
        (owner, me) => Err(io::Error::other(format!("it belongs to user {owner}, and you are user {me}"))),
    }
}

/// Returns what tells a file apart, under whatever name.
pub(crate) fn inode(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// SHA-256 of what a file holds.
///
/// # Errors
/// It can't be read.
pub(crate) fn digest(mut file: File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            got => hash.update(&buffer[..got]),
        }
    }
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_links_nor_pipes_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain"), "x").unwrap();
        std::os::unix::fs::symlink("plain", at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, good) in [("plain", true), ("link", false), ("pipe", false), ("folder", false)] {
            for write in [false, true] {
                let opened = open_own(&at(name), File::options().read(true).write(write));
                assert_eq!(opened.is_ok(), good, "{name}, {write}");
            }
            assert_eq!(check_own(&at(name)).is_ok(), good, "{name}");
        }
        assert!(check_own(&at("missing")).is_ok());
    }
}
