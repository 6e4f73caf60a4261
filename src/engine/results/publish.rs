//! Publishing: the ledger's rows into a file or to standard output.
//!
//! Invariant: a password counts as delivered when it stands in a regular file
//! that is synced and bears its name, and the ledger says so afterwards. A pipe
//! or a terminal delivers nothing: nobody can tell what its reader kept.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::encryption::Encryption;
use super::ownership::Replaces;
use super::table::{Table, write_rows};
use super::{PublishError, replace, write_through};
use crate::engine::ledger::{Ledger, UserSet};
use crate::model::{Counts, Millis};

/// The path that the ledger knows standard output by.
pub(crate) const STDOUT: &str = "-";

/// Publishes to a file, in the place of what `replaces` allows.
///
/// # Errors
/// The file is not written then, and what was there still is; or it is written
/// and the ledger can't record it.
pub(crate) fn to_file(
    ledger: &Ledger,
    table: &Table<'_>,
    path: &Path,
    seal: Option<&Encryption>,
    replaces: Replaces<'_>,
) -> Result<Counts, PublishError> {
    let mut written = (Counts::default(), UserSet::default());
    let mut recorded = String::new();
    let name = path.display().to_string();
    let fill = |output: &mut dyn Write| -> Result<(), PublishError> {
        written = write_rows(ledger, table, output)?;
        Ok(())
    };
    replace(path, seal, replaces, fill, |digest| {
        digest.clone_into(&mut recorded);
        Ok(ledger.record_publication(&name, digest)?)
    })?;
    ledger.record_delivery(&recorded, &written.1)?;
    Ok(written.0)
}

/// Publishes to standard output. A regular file behind it is synced.
///
/// # Errors
/// It can't be written or synced.
pub(crate) fn to_stdout(ledger: &Ledger, table: &Table<'_>, seal: Option<&Encryption>) -> Result<Counts, PublishError> {
    let mut written = (Counts::default(), UserSet::default());
    stream(&mut io::stdout().lock(), seal, |output| -> Result<(), PublishError> {
        written = write_rows(ledger, table, output)?;
        Ok(())
    })?;
    let delivered = sync(io::stdout().as_fd()).map_err(|error| PublishError::Write("standard output".into(), error))?;
    let name = format!("stream of {}", Millis::now());
    ledger.record_publication(STDOUT, &name)?;
    if delivered {
        ledger.record_delivery(&name, &written.1)?;
    }
    Ok(written.0)
}

/// Syncs a stream that is a regular file with a name; tells whether it is one.
fn sync(stream: std::os::fd::BorrowedFd<'_>) -> io::Result<bool> {
    let file = File::from(stream.try_clone_to_owned()?);
    let data = file.metadata()?;
    if !data.is_file() || data.nlink() == 0 {
        return Ok(false);
    }
    file.sync_all()?;
    Ok(true)
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
