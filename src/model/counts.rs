//! How many stand where: rows of a roster, users of a run.

use std::time::Duration;

use super::Status;

/// What a row stands for. The numbers are the ledger's file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RowKind {
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
    /// Whether the row stands for its user, and is not invalid or a repetition.
    #[must_use]
    pub(crate) fn is_of_user(self) -> bool {
        matches!(self, Self::User | Self::Excluded)
    }

    /// The kind a ledger's number stands for.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::User, Self::Invalid, Self::Duplicate, Self::Excluded].into_iter().find(|kind| *kind as i64 == number)
    }
}

/// How many of the roster's rows stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
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
    pub(crate) fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Pending => &mut self.pending,
            Status::Succeeded => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::Unknown => &mut self.unknown,
        }
    }

    /// Counts `by` more rows of one kind and standing, as the output has them.
    pub(crate) fn add(&mut self, kind: RowKind, status: Status, again: bool, by: u64) {
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
    pub(crate) fn to_do(self) -> u64 {
        self.pending + self.failed + self.unknown
    }
}

/// How a run goes, for the display and the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
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
    /// Requests that wait for their answers.
    pub in_flight: u64,
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
