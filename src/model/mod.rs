//! The words every part of the program shares: batch, target, client token,
//! status, outcome, counts.
//!
//! Invariant: nothing here does I/O.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

mod counts;
mod input;
mod pool;
mod target;
mod text;

pub(crate) use counts::{Counts, Pause, RowKind, RowStatus, Standing, Tally};
pub(crate) use hex::encode as hex;
pub(crate) use input::{IdForm, InputError, POOL_COLUMNS, USER_COLUMNS, trim_user_id};
pub(crate) use pool::UserPoolId;
pub(crate) use target::{BatchName, Target, client_token};
pub(crate) use text::{is_hidden, quoted_cell, shell_word, visible, visible_lines, visible_path};

/// The time for which the service remembers a client token (API reference, `clientToken`).
pub(crate) const TOKEN_WINDOW: Duration = Duration::from_mins(10);

/// The life of a temporary password (API reference, `temporaryPassword`).
pub(crate) const PASSWORD_LIFE: Duration = Duration::from_hours(7 * 24);

/// Milliseconds since the Unix epoch: the ledger's unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(pub i64);

impl Millis {
    /// The wall clock. Saturates for clocks outside the representable range.
    #[must_use]
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This instant and `span` more.
    #[must_use]
    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns true if `span` may have passed since `start`, or the clock ran backwards
    /// so that nobody can tell. Both ends were cut to whole milliseconds, so at
    /// an equal one it may.
    #[must_use]
    pub(crate) fn is_past(self, start: Self, span: Duration) -> bool {
        self < start || self >= start.plus(span)
    }
}

/// As people and files have it: a text.
impl serde::Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Millis {
    /// RFC 3339 in UTC with milliseconds, as the output file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// The state of a user in the ledger. The numbers are its file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Status {
    /// Not tried yet, or surely not sent.
    #[default]
    Pending = 0,
    /// Reset; the newest answer's password is the user's current one.
    Succeeded = 1,
    /// Surely not reset by this batch.
    Failed = 2,
    /// A request went out and no answer came back.
    Unknown = 3,
}

impl Status {
    /// The status a ledger's number stands for.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed, Self::Unknown]
            .into_iter()
            .find(|status| *status as i64 == number)
    }

    /// Returns true if no request of the batch can have reset the user.
    #[must_use]
    pub(crate) fn is_surely_not_reset(self) -> bool {
        matches!(self, Self::Pending | Self::Failed)
    }

    /// Returns the word in the output.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        RowStatus::of(RowKind::User, Standing { status: self, ..Standing::default() }).word()
    }
}

/// A temporary password. Never shown by Debug or Display, erased on drop.
#[derive(Clone)]
pub(crate) struct Password(SecretString);

impl Password {
    /// Takes the secret over.
    #[must_use]
    pub(crate) fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The secret, for sealing or for the output file.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A user's number in the ledger, from 0 in the order of first appearance.
pub(crate) type UserNumber = u32;

/// A user as known before this run touches it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The user's number in the ledger.
    pub number: UserNumber,
    /// The user ID, trimmed and checked.
    pub user_id: String,
    /// The user's line in the roster, for messages.
    pub line: u64,
    /// Tries so far, in all runs.
    pub attempts: u32,
    /// The time at which the first request left that may have reset the user unanswered.
    pub doubtful_since: Option<Millis>,
    /// True if an earlier retry may have reset the user once more.
    pub again: bool,
    /// The password to set, where the caller makes it. It is sealed with the
    /// claim, before any request may leave.
    pub password: Option<Password>,
}

/// The end of one user's reset, ready for the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The user's number in the ledger.
    pub number: UserNumber,
    /// The status the user ended with.
    pub status: Status,
    /// The time at which the deciding answer came.
    pub at: Millis,
    /// Tries in all runs; throttled ones don't count.
    pub attempts: u32,
    /// The time at which the first request left that may have reset the user unanswered.
    pub doubtful_since: Option<Millis>,
    /// True if a retry may have reset the user once more.
    pub again: bool,
    /// The service's ID of the deciding request.
    pub request_id: Option<String>,
    /// The service's error code, or our own word where there was no answer.
    pub error_code: Option<String>,
    /// The meaning of the error.
    pub error_message: Option<String>,
    /// The temporary password of a success.
    pub password: Option<Password>,
}

/// SHA-256 of `parts`, each with its length, so that no two lists collide by
/// where one part ends.
#[must_use]
pub(crate) fn digest_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::input::check_user_id;
    use super::*;

    #[test]
    fn one_place_has_one_spelling() {
        let plain = Target::service("us-east-1", "https://host.example");
        for typed in ["https://HOST.example/", "HTTPS://host.example:443", "https://host.example"] {
            assert_eq!(Target::service("us-east-1", typed), plain);
        }
        assert_ne!(Target::service("us-east-1", "http://host.example"), plain);
        assert_ne!(Target::service("us-east-2", "https://host.example"), plain);
        assert_ne!(Target::service("us-east-1", "https://host.example/a"), plain);
    }

    #[test]
    fn the_token_is_fixed_for_all_time() {
        let target = Target::service("us-east-1", "https://finspace-api.us-east-1.amazonaws.com");
        let batch: BatchName = "incident-42".parse().unwrap();
        assert_eq!(
            client_token(&target, &batch, "alice").to_string(),
            client_token(&target, &batch, "alice").to_string()
        );
        assert_ne!(client_token(&target, &batch, "alice"), client_token(&target, &batch, "bob"));
        assert_ne!(client_token(&target, &batch, "alice"), client_token(&Target::Simulated, &batch, "alice"));
    }

    #[test]
    fn user_ids_keep_the_api_constraint() {
        for good in ["a", "é", "a/b", " x", "日本語日本語日本語日本語日本語日本語日本語日本語ab", "..."]
        {
            assert!(check_user_id(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "\u{3000}", ".", "..", "a\nb", "abcdefghijklmnopqrstuvwxyzA"] {
            assert!(check_user_id(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_in_a_user_id_is_named() {
        for (id, name) in [
            ("\u{feff}ann", "U+FEFF"),
            ("an\u{200b}n", "U+200B"),
            ("abcdefghijklmnopqrstuvwxyz\u{200e}", "U+200E"),
            ("\u{1b}[1mann", "U+001B"),
            ("ann\u{85}", "U+0085"),
            ("ann\u{2028}", "U+2028"),
            ("ann\0", "U+0000"),
            ("a\tb", "U+0009"),
            ("a\r\nb", "U+000D"),
            ("a\u{202e}b", "U+202E"),
            ("a\u{fffe}b", "U+FFFE"),
            ("a\u{ad}b", "U+00AD"),
            ("a\u{e0041}b", "U+E0041"),
        ] {
            let told = check_user_id(trim_user_id(id)).unwrap_err();
            assert!(told.contains(name), "{id:?}: {told}");
        }
        assert_eq!(trim_user_id("\u{a0}\t ann\r\n\u{3000}"), "ann");
    }

    #[test]
    fn a_clock_that_ran_back_counts_as_past() {
        let start = Millis(1_000_000);
        assert!(!Millis(1_000_500).is_past(start, Duration::from_secs(1)));
        assert!(Millis(1_001_000).is_past(start, Duration::from_secs(1)));
        assert!(Millis(1_001_001).is_past(start, Duration::from_secs(1)));
        assert!(Millis(999_999).is_past(start, Duration::from_secs(1)));
    }

    #[test]
    fn batch_names_are_file_names() {
        for good in ["a", "2026-11-24", "INC_7.b"] {
            assert!(good.parse::<BatchName>().is_ok());
        }
        for bad in ["", ".hidden", "-x", "a/b", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<BatchName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_never_shows() {
        let password = Password::new("Tr0ub4dor&3".into());
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
