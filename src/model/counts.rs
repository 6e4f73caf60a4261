//! Counts: rows of a roster, users of a run.

use std::time::Duration;

use super::Status;

/// The kind of a row. The numbers are the ledger's file format.
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
    /// Returns true if the row stands for its user, and is not invalid or a
    /// repetition.
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

/// The state of one user, as the ledger knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The newest outcome's status, `unknown` where a claim is newer.
    pub status: Status,
    /// True if the user may have been reset more than once.
    pub again: bool,
    /// True if the password was erased when the batch closed before.
    pub earlier: bool,
}

/// A row's word in the column `status`: the one list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowStatus {
    /// Reset; the row holds the user's current password.
    Succeeded,
    /// Surely not reset by this batch.
    Failed,
    /// Perhaps reset, and the password is not known.
    Unknown,
    /// A user ID that can't be sent.
    Invalid,
    /// The user of an earlier row.
    Duplicate,
    /// Reset before the batch was closed, which erased the password.
    Earlier,
    /// Named by `--exclude`.
    Excluded,
    /// Not tried yet.
    Pending,
}

impl RowStatus {
    /// Every status, in the order of the documentation.
    pub(crate) const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::Failed,
        Self::Unknown,
        Self::Invalid,
        Self::Duplicate,
        Self::Earlier,
        Self::Excluded,
        Self::Pending,
    ];

    /// Returns the status of a row of this kind whose user stands so. A user who
    /// is excluded now and was reset before still shows as reset.
    pub(crate) fn of(kind: RowKind, standing: Standing) -> Self {
        match (kind, standing.status) {
            (RowKind::Invalid, _) => Self::Invalid,
            (RowKind::Duplicate, _) => Self::Duplicate,
            (RowKind::Excluded, Status::Pending | Status::Failed) => Self::Excluded,
            (RowKind::User | RowKind::Excluded, status) => match status {
                Status::Pending => Self::Pending,
                Status::Succeeded if standing.earlier => Self::Earlier,
                Status::Succeeded => Self::Succeeded,
                Status::Failed => Self::Failed,
                Status::Unknown => Self::Unknown,
            },
        }
    }

    /// Returns the word in the output.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Duplicate => "duplicate",
            Self::Earlier => "earlier",
            Self::Excluded => "excluded",
            Self::Pending => "pending",
        }
    }
}

/// The roster's rows, counted by where they stand.
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
    /// Users reset before the batch was closed, which erased their passwords.
    #[serde(skip_serializing_if = "is_zero")]
    pub earlier: u64,
    /// Rows named by `--exclude`.
    pub excluded: u64,
    /// Users not tried yet.
    pub pending: u64,
    /// Users that may have been reset more than once.
    pub reset_again: u64,
}

impl Counts {
    /// Counts one more row that stands so.
    pub(crate) fn add(&mut self, kind: RowKind, standing: Standing) {
        self.rows += 1;
        *self.of(RowStatus::of(kind, standing)) += 1;
        if standing.again && matches!(kind, RowKind::User | RowKind::Excluded) {
            self.reset_again += 1;
        }
    }

    /// The counter of a status.
    pub(crate) fn of(&mut self, status: RowStatus) -> &mut u64 {
        match status {
            RowStatus::Succeeded => &mut self.succeeded,
            RowStatus::Failed => &mut self.failed,
            RowStatus::Unknown => &mut self.unknown,
            RowStatus::Invalid => &mut self.invalid,
            RowStatus::Duplicate => &mut self.duplicate,
            RowStatus::Earlier => &mut self.earlier,
            RowStatus::Excluded => &mut self.excluded,
            RowStatus::Pending => &mut self.pending,
        }
    }

    /// Users reset by this batch, in this roster's run or an earlier one.
    pub(crate) fn reset(self) -> u64 {
        self.succeeded + self.earlier
    }

    /// Users that a run would still try.
    #[must_use]
    pub(crate) fn to_do(self) -> u64 {
        self.pending + self.failed + self.unknown
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The progress of a run, for the display and the summary.
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
    /// True if a request was ever answered, by whomever.
    pub answered: bool,
    /// Requests that wait for their answers.
    pub in_flight: u64,
    /// Users whose claim is durable and who have no outcome: a process that ends now
    /// leaves them in doubt.
    pub claimed: u64,
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
    /// The reason why nothing leaves just now, if nothing does.
    pub pause: Option<Pause>,
}

/// A reason for which a run sends nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The service asked to wait this long.
    Asked(Duration),
    /// All who are left wait this long for their next try.
    BackOff(Duration),
}
