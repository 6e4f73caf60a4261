//! The words every part of the program shares: batch, target, client token,
//! status, outcome, counts.
//!
//! Invariant: nothing here does I/O, and the client token of a user depends on
//! nothing but (target, batch, user ID), so that it is the same on every
//! retry, run and machine.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long the service remembers a client token (API reference, `clientToken`).
pub const TOKEN_WINDOW: Duration = Duration::from_mins(10);

/// How long a temporary password lives (API reference, `temporaryPassword`).
pub const PASSWORD_LIFE: Duration = Duration::from_hours(7 * 24);

/// The longest user ID the API takes, in Unicode characters.
pub const MAX_USER_ID: usize = 26;

/// The namespace of our UUIDv5 client tokens; changing it changes every token.
const TOKEN_NAMESPACE: Uuid = Uuid::from_u128(0x8f0d_5f0e_93a1_4e53_9c53_6f2b_7d1a_c2e4);

/// Milliseconds since the Unix epoch: the ledger's unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl Millis {
    /// The wall clock. Saturates for clocks outside the representable range.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This instant and `span` more.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Whether more than `span` has passed since `start`, or the clock ran
    /// backwards so that nobody can tell.
    #[must_use]
    pub fn is_past(self, start: Self, span: Duration) -> bool {
        self < start || self > start.plus(span)
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

/// Where requests go. A simulated target never equals a real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The embedded simulator.
    Simulated,
    /// A region and the endpoint that serves it.
    Service {
        /// AWS region name.
        region: String,
        /// Endpoint URL without a trailing slash.
        endpoint: String,
    },
}

impl Target {
    /// A real target; the endpoint is brought into one spelling so that the
    /// same place gives the same tokens however it was typed.
    #[must_use]
    pub fn service(region: &str, endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/');
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                let scheme = scheme.to_ascii_lowercase();
                let host = host.to_ascii_lowercase();
                let default_port = if scheme == "https" { ":443" } else { ":80" };
                let host = host.strip_suffix(default_port).unwrap_or(&host);
                format!("{scheme}://{host}{path}")
            }
            None => endpoint.to_owned(),
        };
        Self::Service { region: region.to_owned(), endpoint }
    }

    /// The endpoint that AWS would serve `region` from.
    #[must_use]
    pub fn default_endpoint(region: &str) -> String {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://finspace-api.{region}.{suffix}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated => f.write_str("simulated"),
            Self::Service { region, endpoint } => write!(f, "{region} {endpoint}"),
        }
    }
}

/// A batch's name: also the name of its ledger's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchName(String);

impl BatchName {
    /// The name a roster gets by itself: a digest of its user IDs.
    #[must_use]
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(hex(&digest[..8]))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BatchName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if starts && text.len() <= 64 && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a batch name is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit".into())
        }
    }
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The idempotency token of one user's reset.
#[must_use]
pub fn client_token(target: &Target, batch: &BatchName, user_id: &str) -> Uuid {
    // None of the parts can hold a line break, so the joined name is unambiguous.
    let name = format!("{target}\n{batch}\n{user_id}");
    Uuid::new_v5(&TOKEN_NAMESPACE, name.as_bytes())
}

/// Why a user ID can't be sent, if it can't.
///
/// # Errors
/// The API's constraint that the ID breaks, in words.
pub fn check_user_id(id: &str) -> Result<(), String> {
    let length = id.chars().count();
    if id.trim().is_empty() {
        Err("the user ID is blank; the API wants 1 to 26 characters, one of them not blank".into())
    } else if length > MAX_USER_ID {
        Err(format!("the user ID has {length} characters; the API takes at most {MAX_USER_ID}"))
    } else if id.contains(['\n', '\r']) {
        Err("the user ID holds a line break, which the API's pattern does not allow".into())
    } else if id == "." || id == ".." {
        Err("a user ID of . or .. is lost on the way, as part of the URL's path".into())
    } else {
        Ok(())
    }
}

/// What the ledger holds of a user. The numbers are its file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
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
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed, Self::Unknown]
            .into_iter()
            .find(|status| *status as i64 == number)
    }

    /// The word in the output file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What a row stands for. The numbers are the ledger's file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowKind {
    /// A user to reset.
    User = 0,
    /// A user ID that can't be sent.
    Invalid = 1,
    /// The user of an earlier row.
    Duplicate = 2,
    /// A user never to touch.
    Excluded = 3,
}

impl RowKind {
    /// The kind a ledger's number stands for.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::User, Self::Invalid, Self::Duplicate, Self::Excluded].into_iter().find(|kind| *kind as i64 == number)
    }
}

/// A temporary password. Never shown by Debug or Display, erased on drop.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Takes the secret over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The secret, for sealing or for the output file.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A user's number in the ledger, from 0 in the order of first appearance.
pub type UserNumber = u32;

/// What is known of a user before this run touches it.
#[derive(Clone, Debug)]
pub struct Task {
    /// The user's number in the ledger.
    pub number: UserNumber,
    /// The user ID, trimmed and checked.
    pub user_id: String,
    /// Where the user stands in the roster, for messages.
    pub line: u64,
    /// The ledger's newest word on the user.
    pub status: Status,
    /// Tries so far, in all runs.
    pub attempts: u32,
    /// When the first request left that may have reset the user unanswered.
    pub doubtful_since: Option<Millis>,
    /// Whether an earlier retry may have reset the user once more.
    pub again: bool,
}

/// What one user ended as, ready for the ledger.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The user's number in the ledger.
    pub number: UserNumber,
    /// What the user ended as.
    pub status: Status,
    /// When the deciding answer came.
    pub at: Millis,
    /// Tries in all runs; throttled ones don't count.
    pub attempts: u32,
    /// When the first request left that may have reset the user unanswered.
    pub doubtful_since: Option<Millis>,
    /// Whether a retry may have reset the user once more.
    pub again: bool,
    /// The service's ID of the deciding request.
    pub request_id: Option<String>,
    /// The service's error code, or our own word where there was no answer.
    pub error_code: Option<String>,
    /// What the error means.
    pub error_message: Option<String>,
    /// The temporary password of a success.
    pub password: Option<Password>,
}

/// How many of the roster's rows stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Rows of the roster.
    pub rows: u64,
    /// Users reset.
    pub succeeded: u64,
    /// Users surely not reset.
    pub failed: u64,
    /// Users that may have been reset without an answer.
    pub unknown: u64,
    /// Rows whose user ID can't be sent.
    pub invalid: u64,
    /// Rows that name an earlier row's user.
    pub duplicate: u64,
    /// Rows named by `--exclude`.
    pub excluded: u64,
    /// Users not tried yet.
    pub pending: u64,
    /// Users that may have been reset more than once.
    pub reset_again: u64,
}

impl Counts {
    /// The counter of a user's status.
    pub fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Pending => &mut self.pending,
            Status::Succeeded => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::Unknown => &mut self.unknown,
        }
    }

    /// Counts `by` more rows of one kind and standing, as the output has them.
    pub fn add(&mut self, kind: RowKind, status: Status, again: bool, by: u64) {
        self.rows += by;
        match (kind, status) {
            (RowKind::Invalid, _) => self.invalid += by,
            (RowKind::Duplicate, _) => self.duplicate += by,
            (RowKind::Excluded, Status::Pending | Status::Failed) => self.excluded += by,
            (RowKind::User | RowKind::Excluded, status) => *self.of(status) += by,
        }
        if again && matches!(kind, RowKind::User | RowKind::Excluded) {
            self.reset_again += by;
        }
    }

    /// Users that a run would still try.
    #[must_use]
    pub fn to_do(&self) -> u64 {
        self.pending + self.failed + self.unknown
    }
}

/// How a run goes, for the display and the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Users that ended in this run, as far as it is durable …
    pub done: u64,
    /// … reset …
    pub reset: u64,
    /// … surely not reset …
    pub failed: u64,
    /// … or perhaps.
    pub unknown: u64,
    /// Users that this run may have reset once more.
    pub reset_again: u64,
    /// Requests sent in this run.
    pub requests: u64,
    /// Requests sent because an earlier one of the same user failed.
    pub retried: u64,
    /// Requests the service refused for coming too fast.
    pub throttled: u64,
    /// For how long requests were sent.
    pub sending: Duration,
    /// The rate the service was found to take, in requests a second.
    pub rate_found: Option<f64>,
}

/// Something wrong with an input file: a fact with its place, and a remedy.
#[derive(Debug, thiserror::Error)]
#[error("{place} {fact}; {remedy}")]
pub struct InputError {
    place: String,
    fact: String,
    remedy: String,
}

impl InputError {
    /// A fact about the input `name`, and what to do.
    #[must_use]
    pub fn new(name: &str, fact: String, remedy: impl Into<String>) -> Self {
        Self { place: format!("{name}:"), fact, remedy: remedy.into() }
    }

    /// The same, at a line.
    #[must_use]
    pub fn at(mut self, line: u64) -> Self {
        self.place = format!("{}{line}:", self.place);
        self
    }
}

/// SHA-256 of `parts`, each with its length, so that no two lists collide by
/// where one part ends.
#[must_use]
pub fn digest_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
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
    fn a_clock_that_ran_back_counts_as_past() {
        let start = Millis(1_000_000);
        assert!(!Millis(1_000_500).is_past(start, Duration::from_secs(1)));
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
