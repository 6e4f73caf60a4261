//! `decrypt`: opens an encrypted result.
//!
//! Invariant: a plaintext file appears whole or not at all.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::results::encryption::{self, EncryptionError};

/// Flags of `decrypt`.
#[derive(Debug, Args)]
pub(crate) struct DecryptArgs {
    /// The encrypted file; - reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// File with the identity it was encrypted to; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identity: Vec<String>,
    /// File with the passphrase in its first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Write to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Opens an encrypted file.
///
/// # Errors
/// It does not open, or the output can't be written.
pub(super) fn run(args: &DecryptArgs) -> Result<Exit, Error> {
    match &args.output {
        None => {
            let mut output = std::io::stdout().lock();
            encryption::decrypt(&args.file, &args.identity, args.passphrase_file.as_deref(), &mut output)?;
            output.flush().map_err(Error::Stdout)?;
        }
        Some(path) => {
            let fail = |error| EncryptionError::Io(path.clone(), error);
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
            let opened = encryption::decrypt(&args.file, &args.identity, args.passphrase_file.as_deref(), &mut output);
            if let Err(error) = opened.and_then(|()| output.sync_all().map_err(fail)) {
                // Half a plain text is worth nothing and still holds passwords.
                let _ = std::fs::remove_file(path);
                return Err(error.into());
            }
        }
    }
    Ok(Exit::Success)
}
