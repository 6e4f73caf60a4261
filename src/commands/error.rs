//! Every error that can end a command, with the exit code it ends in.
//!
//! Invariant: one match decides each code, and it is exhaustive.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::commands::exit::Exit;
use crate::engine::ledger::LedgerError;
use crate::engine::ledger::guard::ResetElsewhere;
use crate::engine::ledger::state_dir::StateError;
use crate::engine::people::PeopleError;
use crate::engine::plan::PlanError;
use crate::engine::results::PublishError;
use crate::engine::results::encryption::EncryptionError;
use crate::engine::results::handover::HandoverError;
use crate::engine::results::one_user::OneUserError;
use crate::engine::results::ownership::OwnershipError;
use crate::model::InputError;
use crate::service::aws::ConnectionError;

/// Everything that can end a command early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant carries its own error's words")]
pub(super) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    StateDir(#[from] StateError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    #[error(transparent)]
    Handover(#[from] HandoverError),
    #[error(transparent)]
    OneUser(#[from] OneUserError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// The batch's name was not typed.
    #[error("not confirmed; nothing was erased")]
    NotClosed,
    #[error(transparent)]
    ResetElsewhere(#[from] ResetElsewhere),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The credentials took longer than the run may.
    #[error("the time of --deadline is over, and the credentials are still being fetched; nothing was sent")]
    Deadline,
    /// The service does not list its users, and this is why, with its remedy.
    #[error("the users can't be listed: {0}")]
    List(String),
    /// Something the system refuses to every program: a thread, a socket.
    #[error("{0}: {1}; free some of the system's resources and run again")]
    System(&'static str, #[source] std::io::Error),
    /// Standard output was never there.
    #[error(
        "standard output is closed, or open for reading alone, and what goes there would be lost; nothing was sent: redirect it to a file"
    )]
    StdoutClosed,
    /// Fewer descriptors than connections want.
    #[error(
        "this process may have {limit} files open and wants about {want}; raise the limit with `ulimit -n {want}`, or lower --concurrency"
    )]
    Descriptors { limit: u64, want: u64 },
    /// Standard output is gone.
    #[error("standard output can't be written: {0}; run again with a reader that stays")]
    Stdout(#[source] std::io::Error),
}

impl Error {
    /// The code this error ends in, before any request was sent.
    #[must_use]
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::StateDir(StateError::Busy { .. }) | Self::Ledger(LedgerError::Busy { .. }) => Exit::Busy,
            Self::People(PeopleError::Endless(_) | PeopleError::Unlisted(_))
            | Self::Check(_)
            | Self::List(_)
            | Self::Deadline => Exit::Stopped,
            Self::Stdout(_)
            | Self::Handover(HandoverError::Folder(..))
            | Self::Ledger(LedgerError::HalfErased { .. } | LedgerError::Gone(_)) => Exit::NotDurable,
            Self::Settings(_)
            | Self::Input(_)
            | Self::Connection(_)
            | Self::StateDir(_)
            | Self::Ledger(_)
            | Self::Encryption(_)
            | Self::Handover(_)
            | Self::OneUser(_)
            | Self::Publish(_)
            | Self::Ownership(_)
            | Self::NotClosed
            | Self::ResetElsewhere(_)
            | Self::Plan(_)
            | Self::People(PeopleError::Scratch(_))
            | Self::System(..)
            | Self::StdoutClosed
            | Self::Descriptors { .. } => Exit::Unusable,
        }
    }
}

/// Flags that don't go together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// An output of neither kind.
    #[error(
        "the output {0} ends in neither .csv nor .csv.age; call it .csv for plain text, or .csv.age with -r KEY or -p for an encrypted file"
    )]
    Extension(PathBuf),
    /// A man page of nothing.
    #[error("there is no command {0:?}; see `finspace-reset --help`")]
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
    /// Everybody's passwords on a screen.
    #[error(
        "{0} would show every password on this screen; name one user with --user ID, or a file with -o FILE, or ask for all of them here with -o -"
    )]
    PasswordsOnScreen(PathBuf),
    /// Standard input twice.
    #[error("standard input can't be both {0} and {1}; use a file for one of them")]
    StdinTwice(&'static str, &'static str),
    /// An environment variable that can't be read.
    #[error("{0} is {1:?}; make it {2}, or unset it")]
    Variable(&'static str, OsString, String),
    /// A region beside a pool that lies in another.
    #[error("the user pool {pool} lies in its own region, and --region says {typed}; leave out --region")]
    OtherRegion {
        /// The pool.
        pool: String,
        /// The region.
        typed: String,
    },
    /// A build without Cognito.
    #[error("this program was built without Cognito user pools; build it with the cargo feature `cognito`")]
    NoCognito,
    /// A summary on standard output would mix with results.
    #[error("a summary can't go to standard output; name a file with --summary")]
    SummaryToStdout,
    /// A pool in a service that has none.
    #[error("--user-pool-id and --pool describe a user pool; add --service cognito, or leave them out")]
    PoolWithoutCognito,
}

/// Reasons that end a check early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The service refuses the caller.
    #[error("the service refuses to tell of users ({why}); {remedy}")]
    Refused {
        /// Its answer.
        why: String,
        /// The way out.
        remedy: &'static str,
    },
    /// The service does not tell of the pool.
    #[error("the service refuses to tell of the user pool ({why}); {remedy}")]
    PoolRefused {
        /// Its answer.
        why: String,
        /// The way out.
        remedy: &'static str,
    },
    /// No answer that tells of it.
    #[error("the user pool can't be read, and nothing was sent: {0}")]
    PoolUnread(String),
    /// Something else said stop.
    #[error("stopped while users were checked, and nothing was reset: {0}")]
    Stopped(String),
}
