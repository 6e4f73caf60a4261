//! Why a run ended, and what follows from it.
//!
//! Invariant: the exit code comes from what the ledger counts, never from what
//! was printed; one match decides it, and it is exhaustive.

use crate::exit::Exit;
use crate::outcome::{Counts, Tally};
use crate::shutdown::Signal;

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every user it had was tried.
    Finished,
    /// A signal came.
    Signalled(Signal),
    /// `--deadline` has passed.
    Deadline,
    /// `--max-failures` was exceeded.
    TooManyFailures,
    /// The service refuses the credentials or the caller.
    Refused(String),
    /// The endpoint is down.
    EndpointDown(String),
    /// The ledger can't be written.
    LedgerFailed,
}

impl Ending {
    /// The exit code from the ledger's counts; with `--limit` from this run's.
    #[must_use]
    pub fn exit(&self, counts: &Counts, limited: Option<Tally>) -> Exit {
        match self {
            Self::Finished => {
                let all = counts.failed + counts.unknown + counts.invalid + counts.pending;
                let bad = limited.map_or(all, |tally| tally.failed + tally.unknown);
                if bad == 0 { Exit::Success } else { Exit::SomeFailed }
            }
            Self::Signalled(signal) => Exit::Signalled(*signal),
            Self::Deadline | Self::TooManyFailures | Self::Refused(_) | Self::EndpointDown(_) => Exit::Stopped,
            Self::LedgerFailed => Exit::NotDurable,
        }
    }

    /// Why it ended before its time, and what to do about it.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        Some(match self {
            Self::Finished => return None,
            Self::Signalled(_) => "a signal asked for it; what was in flight is recorded".into(),
            Self::Deadline => "the time of --deadline is over".into(),
            Self::TooManyFailures => {
                "more users failed than --max-failures allows; look at their errors before going on".into()
            }
            Self::Refused(why) => {
                format!("the service refuses the caller ({why}); check the credentials and that they are a superuser's")
            }
            Self::EndpointDown(why) => {
                format!("the endpoint gives no answer ({why}); check --endpoint-url, --region and the network")
            }
            Self::LedgerFailed => "the ledger can't be written; free space or make it writable".into(),
        })
    }
}
