//! `decrypt`: opens an encrypted result, whole or one user's row of it.
//!
//! Invariant: a plaintext file appears whole or not at all, and a screen shows
//! everybody's passwords only if it is asked for by name.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::commands::error::{Error, SettingsError};
use crate::commands::exit::Exit;
use crate::engine::results::encryption::{EncryptionError, Opener};
use crate::engine::results::one_user;
use crate::ui::Printer;

/// Flags of `decrypt`.
#[derive(Debug, Args)]
pub(crate) struct DecryptArgs {
    /// The encrypted file; - reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// File with the identity it was encrypted to; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identity: Vec<String>,
    /// File with the passphrase, of the file or of the identity, in its first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Write to FILE, which must not exist; - standard output, also where it is a screen
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write the header and this user's row alone
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Column with the user IDs, for --user [default: a header that reads as user_id]
    #[arg(long, value_name = "NAME", requires = "user")]
    pub id_column: Option<String>,
}

/// Opens an encrypted file.
///
/// # Errors
/// It does not open, the user is not in it, or the output can't be written.
pub(super) fn run(args: &DecryptArgs, printer: &Printer) -> Result<Exit, Error> {
    if args.output.is_none() && args.user.is_none() && io::stdout().is_terminal() {
        return Err(SettingsError::PasswordsOnScreen(args.file.clone()).into());
    }
    match args.output.as_deref().filter(|path| path.as_os_str() != "-") {
        None => open(args, &mut io::stdout().lock(), Error::Stdout, printer)?,
        Some(path) => {
            let fail = |error: io::Error| match error.kind() {
                // It is the folder that is not there.
                io::ErrorKind::NotFound => Error::from(EncryptionError::Io(path.to_owned(), error)),
                _ => Error::from(EncryptionError::of_file(path, error)),
            };
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
            let opened = open(args, &mut output, fail, printer);
            if let Err(error) = opened.and_then(|()| output.sync_all().map_err(fail)) {
                // Half a plain text is worth nothing and still holds passwords.
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
        }
    }
    Ok(Exit::Success)
}

/// Writes what was asked for to `output`.
fn open(
    args: &DecryptArgs,
    output: &mut dyn Write,
    failed: impl Fn(io::Error) -> Error,
    printer: &Printer,
) -> Result<(), Error> {
    let opener = Opener::new(&args.identity, args.passphrase_file.as_deref())?;
    if let Some(odd) = opener.oddity() {
        printer.warning(odd);
    }
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(&args.file).map_err(|error| EncryptionError::of_file(&args.file, error))?)
    };
    let mut text = opener.open(&args.file, input)?;
    if let Some(user) = &args.user {
        let found = one_user::find(Path::new(&args.file), text, user, args.id_column.as_deref())?;
        return output.write_all(&found).and_then(|()| output.flush()).map_err(failed);
    }
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // Reading and writing fail for different reasons with different remedies.
        match text.read(&mut buffer).map_err(|error| EncryptionError::of_reading(&args.file, error))? {
            0 => return output.flush().map_err(failed),
            got => output.write_all(&buffer[..got]).map_err(&failed)?,
        }
    }
}
