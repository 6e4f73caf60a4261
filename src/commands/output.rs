//! Writes what a command made to a new file or to standard output.

use std::io::Write;
use std::path::Path;

use crate::commands::error::Error;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, Destination, PublishError};

/// Writes `bytes` to a file of that name, which must not be there yet, or to
/// standard output.
///
/// # Errors
/// It is there, or can't be written.
pub(super) fn deliver(output: &Path, bytes: &[u8]) -> Result<(), Error> {
    if output.as_os_str() == "-" {
        let mut stdout = std::io::stdout().lock();
        return stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Stdout);
    }
    let path = Destination::resolve(output)?;
    results::check(&path, Replaces::Nothing)?;
    let fail = |error| PublishError::Write(path.clone(), error);
    results::replace(&path, None, Replaces::Nothing, |file| file.write_all(bytes).map_err(fail), |_| Ok(()))?;
    Ok(())
}
