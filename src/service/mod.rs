//! The services that are asked for a reset: what the engine needs of each, and
//! what is true of it.
//!
//! Invariant: the engine sends through [`Service`] and reads a service's ways
//! off its [`ServiceFacts`]; a service imports nothing of the engine. A new
//! service is a folder beside `finspace`, and the line that picks it.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{IdForm, Password};

mod any;
pub(crate) mod aws;
#[cfg(feature = "cognito")]
pub(crate) mod cognito;
pub(crate) mod directory;
mod failure;
pub(crate) mod finspace;
mod pool_words;

pub(crate) use any::AnyService;
pub(crate) use failure::{Cause, Failure, Proof, Said, word};
pub(crate) use pool_words::PoolWords;

/// A service that resets passwords. One call is one request on the wire.
pub(crate) trait Service {
    /// Returns the service's facts.
    fn facts(&self) -> ServiceFacts;

    /// Gets what a request needs before it may leave, such as credentials that
    /// have to be renewed. Nothing has left then: cancelling it leaves nothing open.
    ///
    /// # Errors
    /// It can't be had.
    async fn ready(&self) -> Result<(), Failure>;

    /// Resets one user's password with one request. Cancelling it after it was
    /// polled leaves open whether it was carried out.
    ///
    /// # Errors
    /// Everything but a password that is the user's from now on.
    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure>;

    /// Returns the maker of passwords, where the caller makes them.
    fn maker(&self) -> Option<Arc<dyn PasswordMaker>> {
        None
    }

    /// Takes note of a password that the service refuses: asks for its rules
    /// again, unless those that are known refuse it too.
    ///
    /// # Errors
    /// The rules can't be read; nobody is reset by asking.
    async fn relearn(&self, _refused: &Password) -> Result<(), Failure> {
        Ok(())
    }
}

/// Makes the passwords of a service whose caller makes them.
pub(crate) trait PasswordMaker: Send + Sync {
    /// Makes a password by the rules that are known now.
    fn make(&self) -> Password;
}

/// The facts of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceFacts {
    /// The name that people know it by.
    pub name: &'static str,
    /// The form of its user IDs.
    pub ids: IdForm,
    /// The effect of asking for a reset once more.
    pub repeat: Repeat,
    /// The error code that says that there is no such user.
    pub no_such_user: &'static str,
    /// The columns of a list of its users.
    pub user_columns: &'static [&'static str],
    /// The life of a temporary password.
    pub password_life: Duration,
    /// The way out where the service refuses the caller.
    pub refused: &'static str,
}

/// The effect of asking for the same reset once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The request carries a client token. While the service remembers it, a
    /// repeat answers for the reset that was done; later it resets once more.
    Token {
        /// That time.
        window: Duration,
    },
    /// The request carries the password, and the same one makes the same state
    /// however late it comes.
    SamePassword,
}

/// Returns the facts of the service that is asked, of a user pool as far as they
/// are known before it was.
#[must_use]
pub(crate) fn facts(in_pool: bool) -> ServiceFacts {
    #[cfg(feature = "cognito")]
    if in_pool {
        return cognito::FACTS;
    }
    let _ = in_pool;
    finspace::FACTS
}

/// Returns true if whoever failed with this code fails again, however often it is
/// repeated: only a change of the user or of the roster helps.
#[must_use]
pub(crate) fn fails_again(code: &str, in_pool: bool) -> bool {
    let own = match code {
        word::NOT_BUILT => Some(Cause::NotBuilt),
        word::FEDERATED | word::UNCONFIRMED | word::AMBIGUOUS => Some(Cause::Unfit),
        _ => None,
    };
    let errors = if in_pool { pool_errors() } else { finspace::OWN_ERRORS };
    let named = || errors.iter().find(|(_, name, _)| *name == code).map(|(.., cause)| *cause);
    own.or_else(named).is_some_and(Cause::is_lasting)
}

#[cfg(feature = "cognito")]
fn pool_errors() -> &'static [aws::failure::OwnError] {
    cognito::OWN_ERRORS
}

#[cfg(not(feature = "cognito"))]
fn pool_errors() -> &'static [aws::failure::OwnError] {
    &[]
}

/// One reset to ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The user.
    pub user_id: &'a str,
    /// The client token, where repeats go by one.
    pub token: Option<&'a str>,
    /// The password to set, where the caller makes it.
    pub password: Option<&'a Password>,
}

/// A reset that was answered.
#[derive(Debug)]
pub(crate) struct Reset {
    /// The user's temporary password, current from now on.
    pub password: Password,
    /// The service's ID of the request.
    pub request_id: Option<String>,
    /// The user whom the answer names.
    pub user_id: Option<String>,
}

impl Reset {
    /// This reset, unless it says to be about somebody else.
    ///
    /// # Errors
    /// It says so.
    pub(crate) fn of(self, user_id: &str) -> Result<Self, Failure> {
        if self.user_id.as_deref().is_some_and(|answered| answered != user_id) {
            return Err(Failure::unreadable("the answer is about another user", self.request_id));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_the_service_turns_away_fails_again() {
        for (code, in_pool, again) in [
            ("ResourceNotFoundException", false, true),
            ("ValidationException", false, true),
            ("RequestNotBuilt", false, true),
            ("ConflictException", false, false),
            ("AccessDeniedException", false, false),
            ("InternalServerException", false, false),
            ("ConnectError", false, false),
            ("", false, false),
            ("FederatedUser", true, true),
            ("UserNotResolved", true, false),
        ] {
            assert_eq!(fails_again(code, in_pool), again, "{code}");
        }
        // Of a pool it says that the pool is missing, and nothing of the user.
        assert!(!fails_again("ResourceNotFoundException", true));
        assert_eq!(fails_again("UserNotFoundException", true), cfg!(feature = "cognito"));
    }
}
