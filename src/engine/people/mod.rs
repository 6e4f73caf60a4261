//! The register of who is who: the user whom each spelling of a roster means.
//!
//! Invariant: two spellings of one user come to one user name, whichever way
//! and in whichever order the users were read; a spelling that this batch has
//! reset somebody by, or may have, means that user for good. Nobody is sent to
//! of whom this does not say who it is.

mod found;
mod lookups;
mod pages;
mod register;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use found::Tallies;
pub(crate) use lookups::{Lookups, Whom};
pub(crate) use pages::{Pages, PagesError, Place};
pub(crate) use register::{People, PeopleError};
pub(crate) use walk::Walk;

use crate::service::directory::{DirectoryUser, PAGE};
use crate::service::word;

/// The standing of a user, as far as it decides whether to send a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fitness {
    /// A user of the directory's own, who may sign in.
    Fit = 0,
    /// The same, and may not sign in: reset all the same, and told.
    Disabled = 1,
    /// A user of another provider, whose password is not kept here: a reset
    /// would open an account beside it.
    Federated = 2,
    /// A user who has not confirmed to be one: a reset would do so.
    Unconfirmed = 3,
}

impl Fitness {
    /// Returns a user's fitness.
    #[must_use]
    pub(crate) fn of(user: &DirectoryUser) -> Self {
        match user.status.as_str() {
            "EXTERNAL_PROVIDER" => Self::Federated,
            "UNCONFIRMED" => Self::Unconfirmed,
            _ if user.enabled => Self::Fit,
            _ => Self::Disabled,
        }
    }

    fn from_number(number: i64) -> Self {
        let all = [Self::Fit, Self::Disabled, Self::Federated, Self::Unconfirmed];
        // A number that nobody writes is nobody to send to.
        all.into_iter().find(|fitness| *fitness as i64 == number).unwrap_or(Self::Unconfirmed)
    }

    /// Returns why the user is left alone, if so.
    fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Fit | Self::Disabled => None,
            Self::Federated => Some(Refusal::Federated),
            Self::Unconfirmed => Some(Refusal::Unconfirmed),
        }
    }
}

/// The reason for which a row is left alone, and fails without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The directory knows no such user.
    Missing,
    /// A user of another provider.
    Federated,
    /// A user who was never confirmed.
    Unconfirmed,
    /// Several users answer to the spelling.
    Ambiguous,
    /// The directory would not tell; the reason.
    Unresolved(String),
}

impl Refusal {
    /// Returns the error code; `no_such_user` is the service's own for that.
    #[must_use]
    pub(crate) fn code(&self, no_such_user: &'static str) -> &'static str {
        match self {
            Self::Missing => no_such_user,
            Self::Federated => word::FEDERATED,
            Self::Unconfirmed => word::UNCONFIRMED,
            Self::Ambiguous => word::AMBIGUOUS,
            Self::Unresolved(_) => "UserNotResolved",
        }
    }

    /// Returns the meaning, for people; it follows the user's name.
    #[must_use]
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Missing => "is not known to the user pool; no request was sent".into(),
            Self::Federated => {
                "signs in through another identity provider, which keeps the password; left alone, no request was sent"
                    .into()
            }
            Self::Unconfirmed => {
                "has never confirmed the account, and a reset would do so; left alone, no request was sent".into()
            }
            Self::Ambiguous => {
                "is borne by several users of the pool, so name the one by its user name; no request was sent".into()
            }
            Self::Unresolved(why) => format!("could not be found out ({why}); no request was sent, run again"),
        }
    }
}

/// The meaning of a spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A user of the directory.
    Person(Person),
    /// Nobody who can be sent to.
    Nobody(Refusal),
    /// It was not asked yet, as `--limit` leaves it for later.
    NotAsked,
}

/// A user whom spellings of the roster mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The user name: what requests and the ledger call the user.
    pub username: String,
    /// The first line that means the user.
    pub first_line: u64,
    /// The spelling by which an exclude list names the user, if one does.
    pub excluded_as: Option<String>,
    /// The reason for which the user is left alone, if so.
    pub refusal: Option<Refusal>,
}

/// The requests that reading all users of a directory takes, by its own estimate.
#[must_use]
pub(crate) fn pages_of(users: u64) -> u64 {
    users.div_ceil(PAGE).max(1)
}

/// Returns true if reading all users takes fewer requests than looking these spellings
/// up: at least one each.
#[must_use]
pub(crate) fn walk_is_shorter(users: u64, spellings: u64) -> bool {
    pages_of(users) < spellings
}

/// The most pages that are read for the sake of spellings that no filter finds.
const SPARE_PAGES: u64 = 500;

/// Returns true if all users may be read for spellings that filters did not find, though
/// they may be spelt in another case there.
#[must_use]
pub(crate) fn may_read_all_for_the_rest(users: u64, looked_up: u64) -> bool {
    pages_of(users) <= SPARE_PAGES.max(looked_up)
}
