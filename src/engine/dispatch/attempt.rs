//! One user's attempt: the tries it takes, the doubts they leave, the waits
//! between them.
//!
//! Invariant: the first request that may have been executed unanswered stays
//! the start of the doubt until an answer settles it, or until the service may
//! have forgotten its token, which is counted.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use rand::Rng;

use crate::engine::ledger::Claim;
use crate::model::{Millis, Task};

/// Back-off: full jitter below `BASE` doubled per try, up to `CAP`.
const BASE: Duration = Duration::from_millis(200);
/// The longest wait between two tries.
pub(crate) const CAP: Duration = Duration::from_secs(20);

/// A user on its way.
pub(crate) struct Attempt {
    /// The claim that covers the user.
    pub claim: Claim,
    /// The user.
    pub task: Task,
    /// Tries in this run.
    pub tries: u32,
    /// How many of them met a conflict.
    pub conflicts: u32,
    /// Throttled requests, which are no tries.
    pub throttles: u32,
    /// Times that expired credentials were renewed for it.
    pub renewals: u32,
    /// When the first request left that may have been executed unanswered.
    pub doubtful_since: Option<Millis>,
    /// Whether a retry may have reset the user once more.
    pub again: bool,
    /// When the newest request left.
    sent_at: Millis,
    /// The same by the clock that is never set, and when the doubt began by it.
    sent: Instant,
    doubted: Option<Instant>,
}

/// An attempt that waits for its next try.
pub(crate) struct Waiting {
    /// When that is.
    pub due: Instant,
    /// The attempt.
    pub attempt: Attempt,
}

impl Attempt {
    /// A claimed user sets out.
    #[must_use]
    pub(crate) fn new(claim: Claim, task: Task) -> Self {
        Self {
            claim,
            tries: 0,
            conflicts: 0,
            throttles: 0,
            renewals: 0,
            doubtful_since: task.doubtful_since,
            again: task.again,
            sent_at: Millis::now(),
            sent: Instant::now(),
            doubted: None,
            task,
        }
    }

    /// A request leaves.
    pub(crate) fn send(&mut self) {
        self.sent_at = Millis::now();
        self.sent = Instant::now();
    }

    /// The request just answered may have been executed.
    pub(crate) fn doubt(&mut self, window: Duration) {
        self.late(window);
        self.doubtful_since.get_or_insert(self.sent_at);
        self.doubted.get_or_insert(self.sent);
    }

    /// If the service may have forgotten the token before the request just
    /// answered reached it, that request may have reset the user once more.
    pub(crate) fn late(&mut self, window: Duration) {
        // Either clock may tell: the wall's is set, the other knows only this run.
        let past = self.doubtful_since.is_some_and(|since| Millis::now().is_past(since, window));
        if past || self.doubted.is_some_and(|at| at.elapsed() >= window) {
            self.again = true;
            self.doubtful_since = Some(self.sent_at);
            self.doubted = Some(self.sent);
        }
    }
}

/// Full jitter: anything up to the base doubled per try.
#[must_use]
pub(crate) fn back_off(tries: u32, cap: Duration) -> Duration {
    let most = BASE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(cap);
    most.mul_f64(rand::rng().random::<f64>())
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    /// The earliest is the greatest: `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_back_hides_no_second_reset() {
        let task = Task { number: 0, user_id: "ann".into(), line: 2, attempts: 0, doubtful_since: None, again: false };
        let window = Duration::from_secs(1);
        let mut attempt = Attempt::new(1, task);
        attempt.doubt(window);
        attempt.late(window);
        assert!(!attempt.again);
        // The window is over, and the wall's clock says that it just began.
        attempt.doubted = attempt.sent.checked_sub(window);
        attempt.doubtful_since = Some(Millis::now());
        attempt.late(window);
        assert!(attempt.again);
    }
}
