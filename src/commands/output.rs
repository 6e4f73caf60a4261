//! Writes what a command made to a new file or to standard output.

use std::io::{self, Write};
use std::path::Path;

use crate::commands::error::Error;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, Destination, PublishError};

/// Fills an output: it writes, and makes an error of the stream's own.
type Failed<'a> = &'a dyn Fn(io::Error) -> Error;

/// Fills a file of that name, which must not be there yet, or standard output.
///
/// # Errors
/// It is there, or can't be written, or `fill` failed.
pub(super) fn deliver(
    output: &Path,
    fill: impl FnOnce(&mut dyn Write, Failed<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if output.as_os_str() == "-" {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        fill(&mut stdout, &Error::Stdout)?;
        return stdout.flush().map_err(Error::Stdout);
    }
    let path = Destination::resolve(output)?;
    results::check(&path, Replaces::Nothing)?;
    let failed = |error| PublishError::Write(path.clone(), error).into();
    results::replace(&path, None, Replaces::Nothing, |file| fill(file, &failed), |_| Ok(()))
}
