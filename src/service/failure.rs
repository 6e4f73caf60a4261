//! A request that failed, and what its answer proves about the user.
//!
//! Invariant: one function, [`Failure::proof`], decides what an answer proves.
//! A doubt ends with a password, or with the service's own word that the user
//! does not exist or can't be asked for; nothing else ends it.

use std::time::Duration;

/// The reason for which a request did not give what it was to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The service asks for fewer requests.
    Throttled,
    /// The credentials were good once, or the clock is off: worth new ones.
    Expired,
    /// The credentials are missing or not accepted.
    Credentials,
    /// The caller may not do this.
    Denied,
    /// The service itself knows no such user.
    NoSuchUser,
    /// The service itself calls the request invalid.
    Invalid,
    /// The service itself refuses this user as it stands; another time it may
    /// not, and an earlier request may have been carried out.
    Unfit,
    /// The service itself refuses every request of this kind: the pool is not
    /// there, or the caller may not.
    Barred,
    /// The service itself refuses the password: its policy has changed.
    PasswordRefused,
    /// The service itself says that the user had this password before.
    PasswordUsed,
    /// The service itself says that somebody else is at it.
    Conflict,
    /// 5xx: the service failed, perhaps after doing it.
    Server,
    /// No connection stood.
    Unreachable,
    /// The request left, and no answer that can be read came back.
    Lost,
    /// A 2xx without a password that can be read.
    Unreadable,
    /// An answer that the service would not give: a redirect, or a refusal
    /// without one of its codes.
    Foreign,
    /// The request can't be built, so none ever left.
    NotBuilt,
}

impl Cause {
    /// Returns true if the same request is answered so again, until somebody
    /// changes the user or the roster.
    #[must_use]
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self, Self::NoSuchUser | Self::Invalid | Self::Unfit | Self::NotBuilt)
    }
}

/// Our own words for users who fail without an answer, as error codes.
pub(crate) mod word {
    /// The request can't be built.
    pub(crate) const NOT_BUILT: &str = "RequestNotBuilt";
    /// The password is kept by another identity provider.
    pub(crate) const FEDERATED: &str = "FederatedUser";
    /// The account was never confirmed.
    pub(crate) const UNCONFIRMED: &str = "UnconfirmedUser";
    /// Several users answer to the name.
    pub(crate) const AMBIGUOUS: &str = "AmbiguousUser";
}

/// The proof that an answer gives about the user it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// No request of this batch has reset the user, this one or an earlier one.
    NeverReset,
    /// This request was not carried out; an earlier one may have been.
    NotThisTime,
    /// Nothing: the request may have been carried out.
    Nothing,
}

impl Proof {
    /// Returns true if the user is in doubt now, who was or was not `before`.
    #[must_use]
    pub(crate) fn in_doubt(self, before: bool) -> bool {
        match self {
            Self::NeverReset => false,
            Self::NotThisTime => before,
            Self::Nothing => true,
        }
    }
}

/// A request that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Failure {
    /// The failure's cause.
    pub cause: Cause,
    /// True if the answer carries an error code of the service, which nobody else
    /// on the way would send.
    pub is_own: bool,
    /// The service's error code, or our own word where there was none.
    pub code: String,
    /// The words of the service or the system.
    pub message: String,
    /// The service's ID of the request.
    pub request_id: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The wait that the service asks for.
    pub retry_after: Option<Duration>,
    /// The service's own words, in full.
    pub said: Box<Said>,
}

/// An answer's own words, as far as it had any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Its error code.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

impl Failure {
    /// A failure that came without an answer.
    #[must_use]
    pub(crate) fn without_answer(cause: Cause, code: &str, message: String) -> Self {
        Self {
            cause,
            is_own: false,
            code: code.into(),
            message,
            request_id: None,
            status: None,
            retry_after: None,
            said: Box::default(),
        }
    }

    /// A 2xx that holds no password: the reset was done and its answer lost.
    #[must_use]
    pub(crate) fn unreadable(message: &str, request_id: Option<String>) -> Self {
        let failure = Self::without_answer(Cause::Unreadable, "UnreadableAnswer", message.into());
        Self { request_id, status: Some(200), ..failure }
    }

    /// No answer within the read time-out.
    #[must_use]
    pub(crate) fn timed_out(limit: Duration) -> Self {
        let message = format!("no answer within {limit:?} (--read-timeout)");
        Self::without_answer(Cause::Lost, "ReadTimeout", message)
    }

    /// The failure of a request that led up to a reset, and reset nobody itself.
    #[must_use]
    pub(crate) fn of_a_question(self) -> Self {
        match self.cause {
            Cause::Server | Cause::Lost | Cause::Unreadable | Cause::Foreign => {
                Self { cause: Cause::Unreachable, ..self }
            }
            _ => self,
        }
    }

    /// Returns the proof that this answer gives about the user.
    ///
    /// A refusal proves that its request was not carried out only in the
    /// service's own words: whoever else stands on the way may refuse what was
    /// carried out behind it. The exception is 429, which is said before any
    /// work, whoever says it.
    #[must_use]
    pub(crate) fn proof(&self) -> Proof {
        match self.cause {
            Cause::NoSuchUser | Cause::Invalid => Proof::NeverReset,
            Cause::Throttled | Cause::Unreachable | Cause::NotBuilt => Proof::NotThisTime,
            Cause::Unfit
            | Cause::Barred
            | Cause::PasswordRefused
            | Cause::PasswordUsed
            | Cause::Expired
            | Cause::Credentials
            | Cause::Denied
            | Cause::Conflict => {
                // Without an answer there were no credentials, and nothing left.
                if self.is_own || self.status.is_none() { Proof::NotThisTime } else { Proof::Nothing }
            }
            Cause::Server | Cause::Lost | Cause::Unreadable | Cause::Foreign => Proof::Nothing,
        }
    }
}
