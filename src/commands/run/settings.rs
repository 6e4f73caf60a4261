//! What the flags of `run` mean, once checked.
//!
//! Invariant: a combination that can't work is refused here, before anything
//! touches the network or a ledger.

use std::path::{Path, PathBuf};

use super::RunArgs;
use crate::commands::args::connection;
use crate::commands::error::SettingsError;
use crate::engine::results::encryption::{self, Encryption, EncryptionError};
use crate::engine::results::{Destination, PublishError};
use crate::engine::roster;
use crate::service::aws;

/// Flags of `run` that go together.
pub(crate) struct RunSettings {
    /// Where the results go, if anywhere.
    pub destination: Option<Destination>,
    /// How the roster is read.
    pub roster: roster::Options,
    /// How the service is reached.
    pub connection: aws::Options,
    /// The other flags, as typed.
    pub args: RunArgs,
}

impl RunSettings {
    /// Checks the flags against each other.
    ///
    /// # Errors
    /// They don't go together.
    pub(crate) fn check(args: RunArgs, stdout_is_terminal: bool) -> Result<Self, SettingsError> {
        let encrypting = args.passphrase
            || args.passphrase_file.is_some()
            || !args.recipient.is_empty()
            || !args.recipients_file.is_empty();
        let destination = match &args.output {
            None => None,
            Some(path) if path.as_os_str() == "-" => Some(Destination::Stdout),
            Some(path) => {
                match kind(path) {
                    None => return Err(SettingsError::Extension(path.clone())),
                    // A preview holds no secret; its encryption is the real run's business.
                    Some(Kind::Encrypted) if !encrypting => {
                        return Err(SettingsError::NoRecipient(path.clone()));
                    }
                    Some(Kind::Plain) if encrypting => {
                        return Err(SettingsError::PlainWithRecipient(path.clone()));
                    }
                    Some(_) => {}
                }
                Some(Destination::File(path.clone()))
            }
        };
        if args.armor && !encrypting {
            return Err(SettingsError::ArmorAlone);
        }
        if destination == Some(Destination::Stdout) && encrypting && !args.armor && stdout_is_terminal {
            return Err(SettingsError::BinaryOnTerminal);
        }
        let stdin = Path::new("-");
        if args.input == stdin {
            if args.exclude.iter().any(|path| path == stdin) {
                return Err(SettingsError::StdinTwice("--exclude"));
            }
            if args.recipients_file.iter().any(|path| path == stdin) {
                return Err(SettingsError::StdinTwice("--recipients-file"));
            }
        }
        if args.summary.as_deref() == Some(stdin) {
            return Err(SettingsError::SummaryToStdout);
        }
        Ok(Self {
            destination,
            roster: roster::Options {
                id_column: args.id_column.clone(),
                no_headers: args.no_headers,
                delimiter: args.delimiter,
                bare_list: false,
            },
            connection: connection(&args.aws),
            args,
        })
    }

    /// Makes the encryption of the output ready, asking for the passphrase if
    /// one is wanted.
    ///
    /// # Errors
    /// Recipients or passphrase can't be used.
    pub(crate) fn seal(&self) -> Result<Option<Encryption>, EncryptionError> {
        let args = &self.args;
        let recipients = !args.recipient.is_empty() || !args.recipients_file.is_empty();
        let passphrase = args.passphrase || args.passphrase_file.is_some();
        match (recipients, passphrase) {
            (true, true) => Err(EncryptionError::PassphraseAndRecipients),
            (true, false) => Encryption::to_recipients(&args.recipient, &args.recipients_file, args.armor).map(Some),
            (false, true) => {
                let secret = encryption::passphrase(args.passphrase_file.as_deref(), true)?;
                Encryption::with_passphrase(secret, args.armor).map(Some)
            }
            (false, false) => Ok(None),
        }
    }

    /// The absolute path of the output file, if it is one.
    ///
    /// # Errors
    /// Its folder is not there.
    pub(crate) fn output_path(&self) -> Result<Option<PathBuf>, PublishError> {
        match &self.destination {
            Some(Destination::File(path)) => Destination::resolve(path).map(Some),
            _ => Ok(None),
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Plain,
    Encrypted,
}

fn kind(path: &Path) -> Option<Kind> {
    let is_csv = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_csv(path) {
        return Some(Kind::Plain);
    }
    let inner = path.file_stem().map(Path::new)?;
    let is_age = path.extension()?.eq_ignore_ascii_case("age");
    (is_age && is_csv(inner)).then_some(Kind::Encrypted)
}
