//! Writes the output file from the ledger.
//!
//! Invariant: the file appears whole or not at all, 0600, and never in the
//! place of a file that this batch did not write. Its digest is in the ledger
//! before the file is in its place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::engine::ledger::{Ledger, LedgerError, LedgerRow, RowKind};
use crate::model::{BatchName, Counts, PASSWORD_LIFE, Status, Target, client_token, hex};
pub(crate) mod atomic_file;
pub(crate) mod encryption;
pub(crate) mod handover;
pub(crate) mod one_user;
pub(crate) mod ownership;

use crate::engine::results::atomic_file::AtomicFile;
use crate::engine::results::encryption::Encryption;
use crate::engine::results::ownership::{OwnershipError, Replaces};

/// The columns that the output adds to the input's own.
pub(crate) const COLUMNS: [&str; 10] = [
    "status",
    "temporary_password",
    "password_expires_at",
    "reset_at",
    "attempts",
    "client_token",
    "request_id",
    "error_code",
    "error_message",
    "input_line",
];

/// What can go wrong with the output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The folder of the output.
    #[error("the output folder {0}: {1}; make it, or make it writable, or choose another --output")]
    Folder(PathBuf, #[source] io::Error),
    /// Somebody else's file.
    #[error("{0} exists and was not written by this batch; move it away, or choose another --output")]
    NotOurs(PathBuf),
    /// Somebody else's file in the place of a summary.
    #[error("{0} exists and is not a summary of finspace-reset; move it away, or choose another --summary")]
    NotASummary(PathBuf),
    /// A file in the place of one that replaces nothing.
    #[error("{0} exists; move it away, or choose another path")]
    InTheWay(PathBuf),
    /// Where the output stands.
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
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Where the output goes.
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
        Ok(_) if replaces.allows(path).map_err(failed)? => Ok(()),
        Ok(_) => Err(match replaces {
            Replaces::Nothing => PublishError::InTheWay(path.to_owned()),
            Replaces::Known(_) => PublishError::NotOurs(path.to_owned()),
            Replaces::Summary => PublishError::NotASummary(path.to_owned()),
        }),
    }
}

/// SHA-256 of what a file holds.
///
/// # Errors
/// It can't be read.
pub(crate) fn digest(mut file: File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash.finalize())),
            got => hash.update(&buffer[..got]),
        }
    }
}

/// What makes the rows of one output.
pub(crate) struct Table<'a> {
    /// The input's own column names.
    pub header: &'a [String],
    /// The names that make the client tokens.
    pub target: &'a Target,
    /// The batch.
    pub batch: &'a BatchName,
    /// What errors call the output.
    pub name: &'a Path,
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

/// What can fail between the last byte and the name: the disk, or the caller.
enum Step<E> {
    Caller(E),
    Disk(io::Error),
}

impl<E> From<io::Error> for Step<E> {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Writes to an open stream: standard output.
///
/// # Errors
/// It can't be written.
pub(crate) fn stream<E: From<PublishError>>(
    output: &mut dyn Write,
    seal: Option<&Encryption>,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let name = Path::new("standard output");
    let mut output = BufWriter::with_capacity(64 * 1024, output);
    write_through(&mut output, seal, name, fill)?;
    output.flush().map_err(|error| PublishError::Write(name.to_owned(), error))?;
    Ok(())
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

/// Writes the header and every row; tells the counts of what it wrote.
///
/// # Errors
/// The ledger can't be read, or the output can't be written.
pub(crate) fn write_rows(ledger: &Ledger, table: &Table<'_>, output: &mut dyn Write) -> Result<Counts, PublishError> {
    let failed = |error: csv::Error| PublishError::Write(table.name.to_owned(), error.into());
    let mut csv = csv::Writer::from_writer(output);
    write_header(&mut csv, table).map_err(failed)?;
    let counts = ledger.rows(|row| write_row(&mut csv, table, &row).map_err(failed))?;
    csv.flush().map_err(|error| PublishError::Write(table.name.to_owned(), error))?;
    Ok(counts)
}

/// Writes the header.
///
/// # Errors
/// The output can't be written.
pub(crate) fn write_header<W: Write>(csv: &mut csv::Writer<W>, table: &Table<'_>) -> csv::Result<()> {
    csv.write_record(table.header.iter().map(String::as_str).chain(COLUMNS))
}

/// Writes one row.
///
/// # Errors
/// The output can't be written.
pub(crate) fn write_row<W: Write>(csv: &mut csv::Writer<W>, table: &Table<'_>, row: &LedgerRow) -> csv::Result<()> {
    for cell in &row.cells {
        csv.write_field(cell)?;
    }
    let word = word(row);
    let of_user = !matches!(row.kind, RowKind::Invalid | RowKind::Duplicate);
    let tried = of_user && word != "excluded";
    let succeeded = of_user && row.status == Status::Succeeded;
    let reset_at = row.at.filter(|_| succeeded);
    let text = |value: Option<String>| value.unwrap_or_default();
    csv.write_field(word)?;
    csv.write_field(row.password.as_ref().filter(|_| succeeded).map_or("", |password| password.expose()))?;
    csv.write_field(text(reset_at.map(|at| at.plus(PASSWORD_LIFE).to_string())))?;
    csv.write_field(text(reset_at.map(|at| at.to_string())))?;
    csv.write_field(if tried { row.attempts.to_string() } else { "0".into() })?;
    let token = row.user_id.as_ref().filter(|_| of_user).map(|id| client_token(table.target, table.batch, id));
    csv.write_field(text(token.map(|token| token.hyphenated().to_string())))?;
    csv.write_field(row.request_id.as_deref().filter(|_| tried).unwrap_or_default())?;
    let (code, message) = match word {
        "invalid" => ("InvalidUserId", row.note.clone()),
        "duplicate" => ("Duplicate", row.note.clone()),
        "excluded" => ("Excluded", row.note.clone()),
        _ => (row.error_code.as_deref().unwrap_or_default(), row.error_message.clone()),
    };
    csv.write_field(code)?;
    csv.write_field(text(message))?;
    csv.write_field(row.line.to_string())?;
    csv.write_record(None::<&[u8]>)
}

/// The row's word in the column `status`.
#[must_use]
pub(crate) fn word(row: &LedgerRow) -> &'static str {
    match (row.kind, row.status) {
        (RowKind::Invalid, _) => "invalid",
        (RowKind::Duplicate, _) => "duplicate",
        (RowKind::Excluded, Status::Pending | Status::Failed) => "excluded",
        (RowKind::User | RowKind::Excluded, status) => status.word(),
    }
}
