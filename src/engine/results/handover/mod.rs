//! Splits a result by the values of a column: one age file a value, for that
//! value's keys alone.
//!
//! Invariant: nothing is written in the clear, and the folder appears whole or
//! not at all. A value without a key is found before the folder is begun.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::engine::results::digesting::Digesting;
use crate::engine::results::encryption::{Encryption, EncryptionError};
use crate::model::{InputError, quoted_cell, visible_path};

mod keys;
mod names;
mod sorter;

pub(crate) use keys::Keys;
use names::Names;
use sorter::Sorter;

/// The column that makes a table a result.
const PASSWORD: &str = "temporary_password";

/// Values and lines that an error names at most.
const TOLD: usize = 10;

/// A fault met when results are handed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    /// The result or the keys can't be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A key, or the result's own encryption.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// A column that would put a secret into file names.
    #[error(
        "--by {0} is a column of the results and not of the roster; name a column of the roster, like the manager or the team"
    )]
    OwnColumn(String),
    /// A table without passwords.
    #[error("{0} has no column {PASSWORD}, so nobody would be handed one; name a result of `finspace-reset run`")]
    NoResult(String),
    /// Values that nobody's key is named for.
    #[error(
        "{file}: {without} of its values in {column} {} no key in {keys}: {told}; add a row for each to {keys}, nothing was written",
        if *without == 1 { "has" } else { "have" }
    )]
    NoKey {
        /// The result.
        file: String,
        /// The number of such values.
        without: usize,
        /// The column.
        column: String,
        /// The file of keys.
        keys: String,
        /// The first of them, with their lines.
        told: String,
    },
    /// A folder in the way.
    #[error("the folder {0} is there already and not empty; name another with -o, or move it away")]
    InTheWay(PathBuf),
    /// The folder can't be written.
    #[error("the folder {0} can't be written: {1}; nothing was handed over: mend the cause and run again")]
    Folder(PathBuf, #[source] io::Error),
    /// Somebody asked for the end.
    #[error("stopped; nothing was handed over")]
    Stopped,
}

/// The rows to hand over, and their keys.
pub(crate) struct Handover<'a> {
    /// The result's name.
    pub file: &'a Path,
    /// The column whose values divide the rows.
    pub column: &'a str,
    /// The keys for each value.
    pub keys: Keys,
    /// The folder that is made.
    pub folder: &'a Path,
    /// Returns true if somebody asked for the end.
    pub stopped: &'a dyn Fn() -> bool,
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The value whose rows it holds.
    pub value: String,
    /// Its name in the folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// The keys that open it.
    pub recipients: Vec<String>,
    /// The number of its rows.
    pub rows: u64,
}

/// The result of a handover.
pub(crate) struct HandedOver {
    /// The files, in the order of the keys.
    pub files: Vec<Written>,
    /// The index of the column among the result's columns.
    pub column_at: usize,
    /// The number of values of the keys without a row.
    pub unused: u64,
}

impl Handover<'_> {
    /// Reads the result and writes the folder.
    ///
    /// # Errors
    /// A value has no key, the result can't be read, or the folder can't be
    /// written; there is no folder then.
    pub(crate) fn write(&self, text: impl Read) -> Result<HandedOver, HandoverError> {
        let staged = self.stage()?;
        let mut table = Rows::begin(self.file, self.column, text)?;
        let (header, column_at) = (table.header.clone(), table.at);
        let parent = staged.path().parent().unwrap_or(Path::new("/"));
        let mut sorter = Sorter::new(parent).map_err(|error| self.failed(error))?;
        let mut without = Without::default();
        while let Some((value, line)) = table.next()? {
            match self.keys.group(&value) {
                None => without.add(value, line),
                // Once a value has no key no file will be written.
                Some(_) if without.is_any() => {}
                Some(group) => sorter.add(group, &table.row).map_err(|error| self.failed(error))?,
            }
            if (self.stopped)() {
                return Err(HandoverError::Stopped);
            }
        }
        if without.is_any() {
            return Err(HandoverError::NoKey {
                file: visible_path(self.file),
                without: without.count,
                column: self.column.to_owned(),
                keys: self.keys.name().to_owned(),
                told: without.told(),
            });
        }
        let files = self.write_files(staged.path(), &header, sorter)?;
        self.publish(staged)?;
        let unused = self.keys.len() as u64 - files.len() as u64;
        Ok(HandedOver { files, column_at, unused })
    }

    fn failed(&self, error: io::Error) -> HandoverError {
        HandoverError::Folder(self.folder.to_owned(), error)
    }

    /// Makes the folder that takes the place of `folder` when it is whole.
    fn stage(&self) -> Result<tempfile::TempDir, HandoverError> {
        match fs::read_dir(self.folder).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(HandoverError::InTheWay(self.folder.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed(error)),
        }
        let parent = self.folder.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(self.folder.file_name().unwrap_or_default());
        prefix.push(".unfinished-");
        let private = fs::Permissions::from_mode(0o700);
        tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(private)
            .tempdir_in(parent)
            .map_err(|error| self.failed(error))
    }

    /// Writes one file after the other: at any time one is open.
    fn write_files(&self, folder: &Path, header: &[u8], sorter: Sorter) -> Result<Vec<Written>, HandoverError> {
        let mut names = Names::default();
        let mut files = Vec::new();
        let mut rows = sorter.sorted().map_err(|error| self.failed(error))?;
        while let Some(group) = rows.group() {
            if (self.stopped)() {
                return Err(HandoverError::Stopped);
            }
            let value = self.keys.value(group);
            let keys = self.keys.of(group);
            let name = names.of(value);
            let path = folder.join(&name);
            let failed = |error| HandoverError::Folder(path.clone(), error);
            let encryption = Encryption::to_keys(&keys, false)?;
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
            let output = Digesting::new(BufWriter::new(file));
            let mut sealed = encryption.writer(output).map_err(failed)?;
            sealed.write_all(header).map_err(failed)?;
            let mut count = 0;
            while rows.group() == Some(group) {
                sealed.write_all(rows.row()).map_err(failed)?;
                rows.advance().map_err(failed)?;
                count += 1;
            }
            let mut output = sealed.finish().map_err(failed)?;
            output.flush().map_err(failed)?;
            files.push(Written {
                value: value.to_owned(),
                name,
                digest: output.finish().1,
                recipients: encryption.readers().to_vec(),
                rows: count,
            });
        }
        Ok(files)
    }

    /// Puts the finished folder on the disk and into its place.
    fn publish(&self, staged: tempfile::TempDir) -> Result<(), HandoverError> {
        let put = || -> io::Result<()> {
            // One call for all files: a million of them need not wait each.
            rustix::fs::syncfs(File::open(staged.path())?)?;
            fs::rename(staged.path(), self.folder)?;
            let parent = self.folder.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()
        };
        put().map_err(|error| self.failed(error))?;
        // It bears another name now: there is nothing left to remove.
        drop(staged.keep());
        Ok(())
    }
}

/// The rows of a result, with the value that divides them.
struct Rows<'a, R> {
    file: &'a Path,
    reader: csv::Reader<R>,
    header: Vec<u8>,
    at: usize,
    record: csv::ByteRecord,
    row: Vec<u8>,
}

impl<'a, R: Read> Rows<'a, R> {
    fn begin(file: &'a Path, column: &str, text: R) -> Result<Self, HandoverError> {
        if super::column_names().iter().any(|own| own.eq_ignore_ascii_case(column)) {
            return Err(HandoverError::OwnColumn(column.to_owned()));
        }
        let mut rows = Self {
            file,
            reader: csv::ReaderBuilder::new().has_headers(false).from_reader(text),
            header: Vec::new(),
            at: 0,
            record: csv::ByteRecord::new(),
            row: Vec::new(),
        };
        let found = rows.read()?;
        let names: Vec<String> = rows.record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let at = if found { keys::column(&names, column) } else { None };
        rows.at = at.ok_or_else(|| {
            let fact = format!("has no column {}", quoted_cell(column));
            InputError::new(&visible_path(file), fact, format!("name one of: {}", names.join(", "))).at(1)
        })?;
        // A roster has the same columns, and would hand nobody a password.
        if !names.iter().any(|name| name == PASSWORD) {
            return Err(HandoverError::NoResult(visible_path(file)));
        }
        rows.header = std::mem::take(&mut rows.row);
        Ok(rows)
    }

    /// The next row's value and line.
    fn next(&mut self) -> Result<Option<(String, u64)>, HandoverError> {
        if !self.read()? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let value = str::from_utf8(self.record.get(self.at).unwrap_or_default()).map_err(|_| {
            InputError::new(&visible_path(self.file), "is not UTF-8".into(), "use a result as it was written").at(line)
        })?;
        Ok(Some((value.trim().to_owned(), line)))
    }

    /// Reads a record, and writes it as a row.
    fn read(&mut self) -> Result<bool, HandoverError> {
        let found = self.reader.read_byte_record(&mut self.record).map_err(|error| self.broken(error))?;
        if found {
            let mut row = std::mem::take(&mut self.row);
            row.clear();
            let mut writer = csv::WriterBuilder::new().buffer_capacity(1024).from_writer(row);
            writer.write_byte_record(&self.record).map_err(|error| self.broken(error))?;
            self.row = writer.into_inner().map_err(|error| self.broken(error.into_error().into()))?;
        }
        Ok(found)
    }

    fn broken(&self, error: csv::Error) -> HandoverError {
        let line = error.position().map_or(1, csv::Position::line);
        match error.into_kind() {
            csv::ErrorKind::Io(error) => EncryptionError::of_reading(self.file, error).into(),
            _ => {
                let fact = "has a row that is not as wide as the header".into();
                InputError::new(&visible_path(self.file), fact, "use a result as it was written").at(line).into()
            }
        }
    }
}

/// Values that no key is named for, and their lines.
#[derive(Default)]
struct Without {
    values: BTreeMap<String, (u64, Vec<u64>)>,
    count: usize,
}

impl Without {
    fn is_any(&self) -> bool {
        self.count > 0
    }

    fn add(&mut self, value: String, line: u64) {
        if let Some((rows, lines)) = self.values.get_mut(&value) {
            *rows += 1;
            if lines.len() < TOLD {
                lines.push(line);
            }
        } else {
            self.count += 1;
            self.values.insert(value, (1, vec![line]));
        }
    }

    fn told(&self) -> String {
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_by_key(|(_, (_, lines))| lines[0]);
        let one = |(value, (rows, lines)): &(&String, &(u64, Vec<u64>))| {
            let named: Vec<String> = lines.iter().map(u64::to_string).collect();
            let more = *rows - lines.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let noun = if *rows == 1 { "line" } else { "lines" };
            let value = if value.is_empty() { "the blank one".to_owned() } else { quoted_cell(value) };
            format!("{value} ({noun} {}{more})", named.join(", "))
        };
        let mut told: Vec<String> = all.iter().take(TOLD).map(one).collect();
        if all.len() > TOLD {
            told.push(format!("and {} more", all.len() - TOLD));
        }
        told.join(", ")
    }
}
