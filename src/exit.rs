//! Exit codes, and every error with the code it ends in.
//!
//! Invariant: one match decides each code, and it is exhaustive.

use crate::awscli::Refusal;
use crate::check::CheckError;
use crate::client::{ConnectionError, Failure};
use crate::ledger::LedgerError;
use crate::outcome::InputError;
use crate::plan::PlanError;
use crate::publish::PublishError;
use crate::seal::SealError;
use crate::settings::SettingsError;
use crate::shutdown::Signal;
use crate::state::StateError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every user of the roster is reset, or a clean dry run.
    Success,
    /// Finished, and at least one user is failed, unknown or invalid.
    SomeFailed,
    /// Usage, input or configuration is wrong; nothing was sent.
    Unusable,
    /// Stopped before the end; run again to continue.
    Stopped,
    /// Results could not be written; the ledger has what was done.
    NotDurable,
    /// The batch is already running.
    Busy,
    /// A signal asked for the end.
    Signalled(Signal),
    /// `reset-user-password`: usage or parameters.
    Parameters,
    /// `reset-user-password`: environment or config files.
    Configuration,
    /// `reset-user-password`: the service answered with an error.
    Service,
    /// `reset-user-password`: anything else.
    General,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::SomeFailed => 1,
            Self::Unusable => 2,
            Self::Stopped => 3,
            Self::NotDurable => 4,
            Self::Busy => 75,
            Self::Signalled(signal) => signal.exit_code(),
            Self::Parameters => 252,
            Self::Configuration => 253,
            Self::Service => 254,
            Self::General => 255,
        }
    }

    /// What the code means, for the JSON summary.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "every user of the roster is reset",
            Self::SomeFailed => "finished, and at least one user is failed, unknown or invalid",
            Self::Unusable => "usage, input or configuration is wrong; nothing was sent",
            Self::Stopped => "stopped before the end; run again to continue",
            Self::NotDurable => "results could not be written; the ledger has what was done",
            Self::Busy => "this batch is already running",
            Self::Signalled(Signal::Interrupt) => "interrupted; run again to continue",
            Self::Signalled(Signal::Terminate) => "terminated; run again to continue",
            Self::Parameters => "usage or parameters are wrong; nothing was sent",
            Self::Configuration => "the environment or the config files are wrong; nothing was sent",
            Self::Service => "the service answered with an error",
            Self::General => "an error that has no code of its own",
        }
    }
}

/// Everything that can end a command early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant carries its own error's words")]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    AwsCli(#[from] Refusal),
    /// The service does not list its users.
    #[error("the users can't be listed ({0}); check the credentials, --region and --endpoint-url")]
    List(Failure),
    /// Something the system refuses to every program: a thread, a socket.
    #[error("{0}: {1}; free some of the system's resources and run again")]
    System(&'static str, #[source] std::io::Error),
    /// Standard output is gone.
    #[error("standard output can't be written: {0}; run again with a reader that stays")]
    Stdout(#[source] std::io::Error),
}

impl Error {
    /// The code this error ends in, before any request was sent.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::State(StateError::Busy { .. }) => Exit::Busy,
            Self::Check(CheckError::Signalled(signal)) => Exit::Signalled(*signal),
            Self::Check(CheckError::Refused(_)) | Self::List(_) => Exit::Stopped,
            Self::Stdout(_) => Exit::NotDurable,
            Self::AwsCli(refusal) => refusal.exit(),
            Self::Settings(_)
            | Self::Input(_)
            | Self::Connection(_)
            | Self::State(_)
            | Self::Ledger(_)
            | Self::Seal(_)
            | Self::Publish(_)
            | Self::Plan(_)
            | Self::System(..) => Exit::Unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_contract() {
        let codes = [
            (Exit::Success, 0),
            (Exit::SomeFailed, 1),
            (Exit::Unusable, 2),
            (Exit::Stopped, 3),
            (Exit::NotDurable, 4),
            (Exit::Busy, 75),
            (Exit::Signalled(Signal::Interrupt), 130),
            (Exit::Signalled(Signal::Terminate), 143),
            (Exit::Parameters, 252),
            (Exit::Configuration, 253),
            (Exit::Service, 254),
            (Exit::General, 255),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code);
        }
    }
}
