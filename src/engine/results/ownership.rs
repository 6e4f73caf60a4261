//! Ownership of files: the places that an output may take, and the files it may replace.
//!
//! Invariant: what this program did not write as that kind of file is never
//! replaced; no link is followed that somebody else made; and no two files of
//! one command stand in the same place, by path or by inode.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::PublishError;
use crate::engine::ledger::Whose;
use crate::model::hex;
use crate::process::files::{caller, digest, open_regular};

/// A summary is looked for its mark in this much of the file.
const LOOKED_AT: u64 = 1 << 20;

/// Links in one path, as the system counts them.
const MOST_LINKS: usize = 40;

/// A place that an output can't take.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnershipError {
    /// The folder of an output.
    #[error("the output folder {folder}: {source}; make it, or make it writable, or choose another {what}")]
    Folder {
        /// The output's name in messages.
        what: &'static str,
        /// The folder.
        folder: PathBuf,
        /// The fault.
        #[source]
        source: io::Error,
    },
    /// A link of somebody else's on the way.
    #[error(
        "{link} is a link that user {owner} made, and following it could write over any file; name the file itself, or a folder of your own"
    )]
    ForeignLink {
        /// The link.
        link: PathBuf,
        /// The number of the user who made it.
        owner: u32,
    },
    /// Two files of one command in one place.
    #[error("{what} and {other} are the same file, {path}; give each a path of its own")]
    SamePlace {
        /// The one.
        what: &'static str,
        /// The other.
        other: &'static str,
        /// The path of both.
        path: PathBuf,
    },
    /// An output among ledgers and keys.
    #[error("{what} {path} lies in the state folder {folder}, among ledgers and keys; choose a path outside of it")]
    AmongLedgers {
        /// The output.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// The state folder.
        folder: PathBuf,
    },
}

/// The files that one command reads and writes, each in a place of its own.
#[derive(Default)]
pub(crate) struct Places {
    taken: Vec<Place>,
    closed: Vec<PathBuf>,
}

struct Place {
    what: &'static str,
    path: PathBuf,
    inode: Option<(u64, u64)>,
    written: bool,
}

impl Places {
    /// Remembers an input: no output may take its place. An input that is not
    /// there is told by whoever reads it.
    ///
    /// # Errors
    /// An output is there already.
    pub(crate) fn reads(&mut self, what: &'static str, path: &Path) -> Result<(), OwnershipError> {
        let Ok(path) = fs::canonicalize(path) else { return Ok(()) };
        self.take(Place { what, inode: inode(&path), path, written: false })
    }

    /// Closes the state folder to all outputs.
    pub(crate) fn keeps(&mut self, folder: &Path) {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        self.closed.push(folder);
    }

    /// Works out where an output stands, as [`resolve`] does, and takes the place.
    ///
    /// # Errors
    /// Its folder is not there, a link on the way is somebody else's, or the
    /// place is another file's of this command.
    pub(crate) fn writes(&mut self, what: &'static str, path: &Path) -> Result<PathBuf, OwnershipError> {
        let path = resolve(what, path)?;
        if let Some(folder) = self.closed.iter().find(|folder| path.starts_with(folder)) {
            return Err(OwnershipError::AmongLedgers { what, path, folder: folder.clone() });
        }
        self.take(Place { what, inode: inode(&path), path: path.clone(), written: true })?;
        Ok(path)
    }

    fn take(&mut self, place: Place) -> Result<(), OwnershipError> {
        let same = |other: &&Place| {
            // The same list may be read twice.
            (place.written || other.written)
                && (other.path == place.path || other.inode.is_some() && other.inode == place.inode)
        };
        if let Some(other) = self.taken.iter().find(same) {
            return Err(OwnershipError::SamePlace { what: place.what, other: other.what, path: place.path });
        }
        self.taken.push(place);
        Ok(())
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// Returns the absolute path of the file behind every link, also where that
/// file is not there yet: it is what gets written, and not the link.
///
/// # Errors
/// The folder is not there, or a link on the way was made by somebody else than
/// the caller or root.
pub(crate) fn resolve(what: &'static str, path: &Path) -> Result<PathBuf, OwnershipError> {
    let at = |folder: &Path, source| OwnershipError::Folder { what, folder: folder.to_owned(), source };
    let me = caller();
    let whole = std::path::absolute(path).map_err(|source| at(path, source))?;
    let mut ahead: Vec<OsString> = Vec::new();
    push(&mut ahead, &whole);
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == OsStr::new("..") {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        let data = match fs::symlink_metadata(&next) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound && ahead.is_empty() => return Ok(next),
            Err(error) => return Err(at(&as_typed(path, &next), error)),
        };
        if !data.is_symlink() {
            real = next;
            continue;
        }
        if data.uid() != me && data.uid() != 0 {
            return Err(OwnershipError::ForeignLink { link: next, owner: data.uid() });
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(at(&next, io::Error::from(rustix::io::Errno::LOOP)));
        }
        let target = fs::read_link(&next).map_err(|error| at(&next, error))?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        push(&mut ahead, &target);
    }
    Ok(real)
}

/// Puts a path's parts on the stack of those still to go, the first on top.
fn push(ahead: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    ahead.extend(parts);
}

/// The folder as the caller typed it, where the trouble is with that one.
fn as_typed(path: &Path, missing: &Path) -> PathBuf {
    let typed = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match typed {
        Some(folder) if folder.file_name() == missing.file_name() => folder.to_owned(),
        _ => missing.to_owned(),
    }
}

/// The kind of file that may be replaced.
#[derive(Clone, Copy)]
pub(crate) enum Replaces<'a> {
    /// Nothing.
    Nothing,
    /// A file of this batch, of which this tells by its SHA-256.
    Batch(&'a dyn Fn(&str) -> Whose),
    /// A summary of this program's.
    Summary,
}

impl Replaces<'_> {
    /// Makes sure that the file, which is there and regular, may be replaced.
    pub(super) fn check(self, path: &Path) -> Result<(), PublishError> {
        let failed = |error| PublishError::Write(path.to_owned(), error);
        let path = path.to_owned();
        match self {
            Self::Nothing => Err(PublishError::Exists(path)),
            Self::Batch(whose) => {
                let file = open_regular(&path, File::options().read(true)).map_err(failed)?;
                match whose(&hex(digest(file).map_err(failed)?)) {
                    Whose::Ours => Ok(()),
                    Whose::Sole => Err(PublishError::SoleCopy(path)),
                    Whose::Foreign => Err(PublishError::NotOurs(path)),
                }
            }
            Self::Summary if is_summary(&beginning(&path).map_err(failed)?) => Ok(()),
            Self::Summary => Err(PublishError::NotASummary(path)),
        }
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    open_regular(path, File::options().read(true))?.take(LOOKED_AT).read_to_end(&mut text)?;
    Ok(text)
}

/// Returns true if these are the bytes of a summary: by its `schema`, or by the
/// members that summaries had before they bore one.
fn is_summary(bytes: &[u8]) -> bool {
    let Ok(serde_json::Value::Object(json)) = serde_json::from_slice(bytes) else { return false };
    match json.get("schema").and_then(serde_json::Value::as_str) {
        Some(schema) => schema.starts_with("finspace-reset/"),
        None => ["exit_code", "meaning", "batch", "counts", "this_run"].iter().all(|key| json.contains_key(*key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_file_behind_a_link_is_what_is_written_even_before_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real/target.csv", root.join("link.csv")).unwrap();
        symlink("link.csv", root.join("twice.csv")).unwrap();
        symlink("real", root.join("folder")).unwrap();
        let to = |name: &str| resolve("--output", &root.join(name)).unwrap();
        assert_eq!(to("link.csv"), root.join("real/target.csv"));
        assert_eq!(to("twice.csv"), root.join("real/target.csv"));
        assert_eq!(to("folder/../other.csv"), root.join("other.csv"));
        assert_eq!(to("folder/new.csv"), root.join("real/new.csv"));
        symlink("loop.csv", root.join("loop.csv")).unwrap();
        assert!(resolve("--output", &root.join("loop.csv")).is_err());
        let missing = resolve("--output", &root.join("nowhere/out.csv")).unwrap_err().to_string();
        assert!(missing.contains("nowhere"), "{missing}");
    }

    #[test]
    fn two_files_of_one_command_never_stand_in_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::write(at("roster.csv"), "user_id\n").unwrap();
        fs::hard_link(at("roster.csv"), at("also.csv")).unwrap();
        symlink("out.csv", at("link.csv")).unwrap();
        fs::create_dir(at("state")).unwrap();
        let places = || {
            let mut places = Places::default();
            places.reads("the roster", &at("roster.csv")).unwrap();
            places.keeps(&at("state"));
            places.writes("--output", &at("out.csv")).unwrap();
            places
        };
        for (name, other) in [
            ("out.csv", Some("--output")),
            ("link.csv", Some("--output")),
            ("state/../out.csv", Some("--output")),
            ("roster.csv", Some("the roster")),
            ("also.csv", Some("the roster")),
            ("state/x.ledger", Some("state folder")),
            ("free.json", None),
        ] {
            let taken = places().writes("--summary", &at(name));
            match (taken, other) {
                (Ok(_), None) => {}
                (Err(error), Some(other)) => assert!(error.to_string().contains(other), "{name}: {error}"),
                (taken, _) => panic!("{name}: {taken:?}"),
            }
        }
        // A list may be read twice.
        places().reads("--exclude", &at("roster.csv")).unwrap();
        assert!(places().reads("--exclude", &at("missing.csv")).is_ok());
    }

    #[test]
    fn a_summary_is_known_by_its_mark_and_nothing_else_is_one() {
        for (text, is) in [
            (r#"{"schema":"finspace-reset/summary/1"}"#, true),
            (r#"{"exit_code":0,"meaning":"","batch":"b","counts":{},"this_run":{}}"#, true),
            (r#"{"schema":"another"}"#, false),
            (r#"{"exit_code":0}"#, false),
            ("[]", false),
            ("user_id,status\n", false),
            ("", false),
        ] {
            assert_eq!(is_summary(text.as_bytes()), is, "{text}");
        }
    }
}
