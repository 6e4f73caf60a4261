//! What the flags of `run` mean, once checked.
//!
//! Invariant: a combination that can't work is refused here, before anything
//! touches the network or a ledger.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{AwsArgs, RunArgs};
use crate::client;
use crate::publish::{Destination, PublishError};
use crate::roster;
use crate::seal::{self, Seal, SealError};

/// Flags that don't go together.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An output of neither kind.
    #[error(
        "the output {0} ends in neither .csv nor .csv.age; call it .csv for plain text, or .csv.age with -r KEY or -p for an encrypted file"
    )]
    Extension(PathBuf),
    /// A man page of nothing.
    #[error("there is no command {0:?}; see «finspace-reset --help»")]
    NoCommand(String),
    /// An encrypted output for nobody.
    #[error(
        "{0} is to be encrypted, and nobody could open it; name a public key with -r or -R, or use -p for a passphrase, or write a plain .csv"
    )]
    NoRecipient(PathBuf),
    /// A plain output with recipients.
    #[error(
        "{0} is a plain CSV, and recipients or a passphrase are given; call it {0}.age, or leave out -r, -R and -p"
    )]
    PlainWithRecipient(PathBuf),
    /// Armor without encryption.
    #[error("-a/--armor is for encrypted output; add -r KEY, -R FILE or -p")]
    ArmorAlone,
    /// A binary file on a terminal.
    #[error("an encrypted file would garble the terminal; add -a/--armor, or redirect standard output")]
    BinaryOnTerminal,
    /// Standard input twice.
    #[error("standard input can't be both the roster and {0}; use a file for one of them")]
    StdinTwice(&'static str),
    /// A preview on standard output would mix with its own words.
    #[error("a summary can't go to standard output; name a file with --summary")]
    SummaryToStdout,
}

/// Flags of `run` that go together.
pub struct RunSettings {
    /// Where the results go, if anywhere.
    pub destination: Option<Destination>,
    /// How the roster is read.
    pub roster: roster::Options,
    /// How the service is reached.
    pub connection: client::Options,
    /// The other flags, as typed.
    pub args: RunArgs,
}

impl RunSettings {
    /// Checks the flags against each other.
    ///
    /// # Errors
    /// They don't go together.
    pub fn check(args: RunArgs, stdout_is_terminal: bool) -> Result<Self, SettingsError> {
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
    pub fn seal(&self) -> Result<Option<Seal>, SealError> {
        let args = &self.args;
        let recipients = !args.recipient.is_empty() || !args.recipients_file.is_empty();
        let passphrase = args.passphrase || args.passphrase_file.is_some();
        match (recipients, passphrase) {
            (true, true) => Err(SealError::PassphraseAndRecipients),
            (true, false) => Seal::to_recipients(&args.recipient, &args.recipients_file, args.armor).map(Some),
            (false, true) => {
                let secret = seal::passphrase(args.passphrase_file.as_deref(), true)?;
                Seal::with_passphrase(secret, args.armor).map(Some)
            }
            (false, false) => Ok(None),
        }
    }

    /// The absolute path of the output file, if it is one.
    ///
    /// # Errors
    /// Its folder is not there.
    pub fn output_path(&self) -> Result<Option<PathBuf>, PublishError> {
        match &self.destination {
            Some(Destination::File(path)) => Destination::resolve(path).map(Some),
            _ => Ok(None),
        }
    }
}

/// The connection flags; a time-out of 0 is none.
#[must_use]
pub fn connection(aws: &AwsArgs) -> client::Options {
    let limit = |time: Duration| (!time.is_zero()).then_some(time);
    client::Options {
        region: aws.region.clone(),
        profile: aws.profile.clone(),
        endpoint_url: aws.endpoint_url.clone(),
        ca_bundle: aws.ca_bundle.clone(),
        no_verify_ssl: aws.no_verify_ssl,
        connect_timeout: limit(aws.connect_timeout),
        read_timeout: limit(aws.read_timeout),
        environment_id: aws.environment_id.clone(),
        sign: true,
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
