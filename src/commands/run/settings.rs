//! The flags of `run`, checked against each other.
//!
//! Invariant: a combination that can't work is refused here, before anything
//! touches the network or a ledger. The settings own their values: nothing
//! beyond this file looks at a flag as it was typed.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::RunArgs;
use super::args::ProgressMode;
use crate::commands::args::connection;
use crate::commands::environment;
use crate::commands::error::SettingsError;
use crate::engine::dispatch::limits::MaxFailures;
use crate::engine::dispatch::pacer::Rate;
use crate::engine::results::encryption::{self, Encryption, EncryptionError};
use crate::engine::results::{Destination, PublishError};
use crate::engine::roster;
use crate::model::{BatchName, UserPoolId};
use crate::service::{self, aws};
use crate::ui::{self, Show};

/// A run as it was asked for.
pub(crate) struct RunSettings {
    /// The roster and the users left out of it.
    pub inputs: Inputs,
    /// The name of the batch, if it was given one.
    pub batch: Option<BatchName>,
    /// The folder of the ledgers, if one was given.
    pub state_dir: Option<PathBuf>,
    /// The results file.
    pub output: Output,
    /// The service.
    pub service: Service,
    /// Pace, retries and ends.
    pub sending: Sending,
    /// The consent that was given in advance.
    pub consent: Consent,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--close`.
    pub close: bool,
    /// `--summary`.
    pub summary: Option<PathBuf>,
    /// The display of progress.
    pub show: Show,
    /// True if client tokens are shown too: `-v`.
    pub verbose: bool,
}

/// The files that say who is to be reset.
pub(crate) struct Inputs {
    /// The roster; `-` is standard input.
    pub roster: PathBuf,
    /// The form of the roster.
    pub form: roster::Options,
    /// `--exclude`.
    pub exclude: Vec<PathBuf>,
}

/// The results' destination and readers.
pub(crate) struct Output {
    /// Their destination, if they have one.
    pub destination: Option<Destination>,
    recipients: Vec<String>,
    recipients_files: Vec<PathBuf>,
    passphrase: Option<Passphrase>,
    armor: bool,
}

/// The source of a passphrase.
enum Passphrase {
    Terminal,
    File(PathBuf),
}

/// The service that requests go to.
pub(crate) struct Service {
    /// `--simulate`.
    pub simulate: bool,
    /// The user pool, where the service is Cognito.
    pub pool: Option<UserPoolId>,
    /// The way to the real service.
    pub connection: aws::Options,
}

/// The manner of sending requests.
pub(crate) struct Sending {
    /// `--rate`.
    pub rate: Rate,
    /// `--concurrency`.
    pub concurrency: usize,
    /// `--max-attempts`.
    pub max_attempts: u32,
    /// `--max-failures`.
    pub max_failures: Option<MaxFailures>,
    /// `--deadline`, from the start of the run.
    pub deadline: Option<Duration>,
    /// `--limit`.
    pub limit: Option<u64>,
    /// `--check-users`.
    pub check_users: bool,
    /// `--include-superusers`.
    pub include_superusers: bool,
    /// `--sign-out`.
    pub sign_out: bool,
    /// Time for which the service remembers a client token.
    pub token_window: Duration,
    /// Time for which nothing but throttling is borne.
    pub throttle_patience: Duration,
    /// Time for which a run that stops waits for the answers in flight.
    pub drain: Duration,
}

/// Consent given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// None: a person at the terminal is asked.
    Ask,
    /// `--yes`, or a rehearsal, which harms nobody.
    Given,
    /// `--confirm`: to exactly this plan.
    Plan(String),
}

impl RunSettings {
    /// Checks the flags against each other.
    ///
    /// # Errors
    /// They don't go together.
    pub(crate) fn check(mut args: RunArgs, stdout_is_terminal: bool) -> Result<Self, SettingsError> {
        args.exclude = environment::exclude(args.exclude);
        if !args.simulate {
            args.aws.endpoint_url = environment::endpoint_url(args.aws.endpoint_url.take())?;
        }
        check_standard_input(&args)?;
        if args.summary.as_deref() == Some(Path::new("-")) {
            return Err(SettingsError::SummaryToStdout);
        }
        let passphrase = match args.passphrase_file {
            Some(file) => Some(Passphrase::File(file)),
            None => args.passphrase.then_some(Passphrase::Terminal),
        };
        let mut output = Output {
            destination: args
                .output
                .map(|path| if path.as_os_str() == "-" { Destination::Stdout } else { Destination::File(path) }),
            recipients: args.recipient,
            recipients_files: args.recipients_file,
            passphrase,
            armor: args.armor,
        };
        if !output.is_encrypted() && output.may_be_encrypted() {
            output.recipients_files.extend(environment::recipients_file());
        }
        output.check(stdout_is_terminal)?;
        Ok(Self {
            inputs: Inputs {
                roster: args.input,
                form: roster::Options {
                    id_column: args.id_column,
                    no_headers: args.no_headers,
                    delimiter: args.delimiter,
                    ids: service::facts(args.pool.user_pool_id.is_some()).ids,
                },
                exclude: args.exclude,
            },
            batch: args.batch,
            state_dir: args.state.state_dir,
            output,
            service: Service {
                simulate: args.simulate,
                connection: args.pool.connection(connection(&args.aws))?,
                pool: args.pool.user_pool_id,
            },
            sending: Sending {
                rate: environment::rate(args.rate)?,
                concurrency: usize::from(args.concurrency),
                max_attempts: args.max_attempts,
                max_failures: args.max_failures,
                deadline: args.deadline,
                limit: args.limit,
                check_users: args.check_users,
                include_superusers: args.include_superusers,
                sign_out: args.sign_out,
                token_window: args.token_window,
                throttle_patience: args.throttle_patience,
                drain: args.drain,
            },
            consent: match args.confirm {
                Some(plan) => Consent::Plan(plan),
                None if args.yes || args.simulate => Consent::Given,
                None => Consent::Ask,
            },
            dry_run: args.dry_run,
            close: args.close,
            summary: args.summary,
            verbose: args.verbose > 0,
            show: match args.progress {
                _ if args.quiet => Show::Nothing,
                ProgressMode::Auto if ui::can_draw() => Show::Bar,
                ProgressMode::Auto | ProgressMode::Log => Show::Lines,
                ProgressMode::Bar => Show::Bar,
                ProgressMode::None => Show::Nothing,
            },
        })
    }

    /// Returns true if the plan is shown where the notes on the inputs are: at the
    /// question, and where standard output is the same screen.
    pub(super) fn plan_is_beside_the_notes(&self) -> bool {
        match (self.dry_run, &self.output.destination) {
            (true, Some(Destination::Stdout)) => true,
            (true, _) => std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
            (false, _) => self.consent == Consent::Ask,
        }
    }

    /// Returns true if the roster comes from standard input, which then answers no
    /// question.
    pub(crate) fn roster_is_stdin(&self) -> bool {
        self.inputs.roster.as_os_str() == "-"
    }
}

/// Refuses standard input for two files: it can be read once.
fn check_standard_input(args: &RunArgs) -> Result<(), SettingsError> {
    let files = std::iter::once(("the roster", &args.input))
        .chain(args.exclude.iter().map(|path| ("--exclude", path)))
        .chain(args.recipients_file.iter().map(|path| ("--recipients-file", path)))
        .chain(args.passphrase_file.iter().map(|path| ("--passphrase-file", path)));
    let mut readers = files.filter(|(_, path)| path.as_os_str() == "-").map(|(name, _)| name);
    match (readers.next(), readers.next()) {
        (Some(first), Some(second)) => Err(SettingsError::StdinTwice(first, second)),
        _ => Ok(()),
    }
}

impl Output {
    /// Refuses a name that says something else than the encryption flags.
    fn check(&self, stdout_is_terminal: bool) -> Result<(), SettingsError> {
        match &self.destination {
            Some(Destination::File(path)) => match kind(path) {
                None => return Err(SettingsError::Extension(path.clone())),
                Some(Kind::Encrypted) if !self.is_encrypted() => return Err(SettingsError::NoRecipient(path.clone())),
                Some(Kind::Plain) if self.is_encrypted() => {
                    return Err(SettingsError::PlainWithRecipient(path.clone()));
                }
                Some(_) => {}
            },
            Some(Destination::Stdout) if self.is_encrypted() && !self.armor && stdout_is_terminal => {
                return Err(SettingsError::BinaryOnTerminal);
            }
            _ => {}
        }
        if self.armor && !self.is_encrypted() {
            return Err(SettingsError::ArmorAlone);
        }
        Ok(())
    }

    /// Returns true if the name leaves it open or says that it is encrypted.
    fn may_be_encrypted(&self) -> bool {
        match &self.destination {
            Some(Destination::File(path)) => kind(path) == Some(Kind::Encrypted),
            Some(Destination::Stdout) => false,
            None => true,
        }
    }

    fn is_encrypted(&self) -> bool {
        self.passphrase.is_some() || !self.recipients.is_empty() || !self.recipients_files.is_empty()
    }

    /// Returns true if a passphrase opens the results.
    pub(crate) fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Makes the encryption of the output ready, asking for the passphrase if
    /// one is wanted.
    ///
    /// # Errors
    /// Recipients or passphrase can't be used.
    pub(crate) fn encryption(&self) -> Result<Option<Encryption>, EncryptionError> {
        let recipients = !self.recipients.is_empty() || !self.recipients_files.is_empty();
        let file = match &self.passphrase {
            Some(_) if recipients => return Err(EncryptionError::PassphraseAndRecipients),
            Some(Passphrase::File(file)) => Some(file.as_path()),
            Some(Passphrase::Terminal) => None,
            None if recipients => {
                return Encryption::to_recipients(&self.recipients, &self.recipients_files, self.armor).map(Some);
            }
            None => return Ok(None),
        };
        let secret = encryption::passphrase(file, true)?;
        Encryption::with_passphrase(secret, self.armor).map(Some)
    }

    /// Returns the absolute path of the output file, if it is one.
    ///
    /// # Errors
    /// Its folder is not there.
    pub(crate) fn path(&self) -> Result<Option<PathBuf>, PublishError> {
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

/// Returns the kind of file that a name promises: `.csv` or `.csv.age`.
fn kind(path: &Path) -> Option<Kind> {
    let is_csv = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_csv(path) {
        return Some(Kind::Plain);
    }
    let inner = path.file_stem().map(Path::new)?;
    let is_age = path.extension()?.eq_ignore_ascii_case("age");
    (is_age && is_csv(inner)).then_some(Kind::Encrypted)
}

/// Returns true if a person can be asked: standard input and error are a terminal.
pub(crate) fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
