//! Reasons to stop a run.

use crate::engine::dispatch::breaker::Trip;
use crate::process::signals::Signal;
use crate::service::{Cause, Failure, ServiceFacts};

/// The end of a run.
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
    Refused {
        /// Its answer.
        why: String,
        /// The way out.
        remedy: &'static str,
    },
    /// The service refuses passwords that keep its policy.
    PasswordsRefused(String),
    /// The credentials are at an end, and new ones can't be had.
    NoCredentials(String),
    /// The endpoint is down.
    EndpointDown(String),
    /// The endpoint answers, and not as the API does.
    NotTheApi(String),
    /// The service has let nothing through for long.
    Throttled,
    /// The ledger can't be written.
    LedgerFailed,
}

impl StopReason {
    /// The reason for which the breaker stops a run at this failure.
    #[must_use]
    pub(crate) fn of(trip: Trip, failure: &Failure, facts: &ServiceFacts) -> Self {
        match trip {
            Trip::Down => Self::EndpointDown(failure.to_string()),
            Trip::NotTheApi => Self::NotTheApi(failure.to_string()),
            Trip::Denied => Self::refused(failure, facts),
            Trip::Throttled => Self::Throttled,
        }
    }

    /// The reason for which a run stops at a failure that no other request would
    /// escape: the service refuses, or there is nothing to ask it with.
    #[must_use]
    pub(crate) fn refused(failure: &Failure, facts: &ServiceFacts) -> Self {
        if failure.cause == Cause::PasswordRefused {
            return Self::PasswordsRefused(failure.to_string());
        }
        match failure.status {
            Some(_) => Self::Refused { why: failure.to_string(), remedy: facts.refused },
            None => Self::NoCredentials(failure.message.clone()),
        }
    }

    /// The endpoint gave answers, and none was the API's.
    #[must_use]
    pub(crate) fn not_the_api() -> Self {
        Self::NotTheApi("none of its answers was the API's".into())
    }

    /// Returns the reason for an early end, with its remedy.
    #[must_use]
    pub(crate) fn reason(&self) -> Option<String> {
        Some(match self {
            Self::Finished => return None,
            Self::Signalled(_) => "a signal asked for it; what was in flight is recorded".into(),
            Self::Deadline => "the time of --deadline is over".into(),
            Self::TooManyFailures => {
                "more users failed than --max-failures allows; look at their errors before going on".into()
            }
            Self::Refused { why, remedy } => format!("the service refuses the caller ({why}); {remedy}"),
            Self::PasswordsRefused(why) => format!(
                "the service refuses passwords that keep the policy it tells of ({why}); look at the password policy of the pool, then run again"
            ),
            Self::NoCredentials(why) => {
                format!("the credentials can't be renewed ({why}); renew them or sign in, then run again")
            }
            Self::EndpointDown(why) => {
                format!("the endpoint gives no answer ({why}); check --endpoint-url, --region and the network")
            }
            Self::NotTheApi(why) => format!(
                "the endpoint does not answer as the API does ({why}); check --endpoint-url, and for a proxy or a login page in between"
            ),
            Self::Throttled => {
                "the service has refused every request for a long time as too many; run again later, or lower --rate"
                    .into()
            }
            Self::LedgerFailed => "the ledger can't be written; free space or make it writable".into(),
        })
    }
}
