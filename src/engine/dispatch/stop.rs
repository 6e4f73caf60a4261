//! Why a run stopped.

use crate::process::signals::Signal;

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
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

impl StopReason {
    /// Why it ended before its time, and what to do about it.
    #[must_use]
    pub(crate) fn reason(&self) -> Option<String> {
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
