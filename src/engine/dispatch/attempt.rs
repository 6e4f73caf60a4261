//! One user's attempt: the tries it takes, the doubts they leave, the waits
//! between them.
//!
//! Invariant: the first request that may have been carried out unanswered stays
//! the start of the doubt until an answer settles it, or until the service may
//! have forgotten its token, which is counted and never forgotten.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use crate::engine::dispatch::retry::Tries;
use crate::engine::ledger::Claim;
use crate::model::{Millis, Task};
use crate::service::{Cause, Failure, Proof};

/// A user on its way.
pub(crate) struct Attempt {
    /// The claim that covers the user.
    pub claim: Claim,
    /// The user.
    pub task: Task,
    /// Tries in this run.
    pub tries: Tries,
    /// The time at which the first request left that may have been carried out
    /// unanswered.
    pub doubtful_since: Option<Millis>,
    /// True if a retry may have reset the user once more.
    pub again: bool,
    /// True if nothing but foreign refusals made the doubt. From an endpoint that
    /// turns out not to be the API at all they prove that nothing left.
    only_foreign: bool,
    /// The time at which the newest request left.
    sent: Moment,
    /// The start of the doubt by the clock that is never set.
    doubted: Option<Instant>,
}

/// An instant by both clocks: the wall's may be set, the other knows only this run.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: Millis,
    clock: Instant,
}

impl Moment {
    fn now() -> Self {
        Self { wall: Millis::now(), clock: super::now() }
    }
}

/// An attempt that waits for its next try.
pub(crate) struct Waiting {
    /// The time at which it may be sent.
    pub due: Instant,
    /// True if the service asked for the wait.
    pub asked: bool,
    /// The attempt.
    pub attempt: Attempt,
}

impl Attempt {
    /// A claimed user sets out.
    #[must_use]
    pub(crate) fn new(claim: Claim, task: Task) -> Self {
        Self {
            claim,
            tries: Tries::default(),
            doubtful_since: task.doubtful_since,
            again: task.again,
            only_foreign: task.doubtful_since.is_none(),
            sent: Moment::now(),
            doubted: None,
            task,
        }
    }

    /// A request leaves.
    pub(crate) fn send(&mut self) {
        self.sent = Moment::now();
    }

    /// Takes note of a failure: of what it proves, and of what it leaves open.
    /// A repeat is safe for `window`; for ever where there is none.
    pub(crate) fn learn(&mut self, failure: &Failure, window: Option<Duration>) {
        let proof = failure.proof();
        if !proof.in_doubt(self.doubtful_since.is_some()) {
            self.settle();
        } else if proof == Proof::Nothing {
            let refusal = !matches!(failure.cause, Cause::Server | Cause::Lost | Cause::Unreadable);
            self.only_foreign &= refusal;
            self.doubt(window);
        }
    }

    /// Returns true if the user may have been reset unanswered. `met_the_api`: the
    /// endpoint has shown itself to be the API.
    #[must_use]
    pub(crate) fn is_in_doubt(&self, met_the_api: bool) -> bool {
        self.doubtful_since.is_some() && (met_the_api || !self.only_foreign)
    }

    /// The request in flight got no answer that could be waited for.
    pub(crate) fn abandon(&mut self, window: Option<Duration>) {
        self.only_foreign = false;
        self.doubt(window);
    }

    /// Nothing is open any more; what was counted stays so.
    pub(crate) fn settle(&mut self) {
        self.doubtful_since = None;
        self.doubted = None;
        self.only_foreign = true;
    }

    /// The request just answered may have been carried out.
    fn doubt(&mut self, window: Option<Duration>) {
        self.late(window);
        self.doubtful_since.get_or_insert(self.sent.wall);
        self.doubted.get_or_insert(self.sent.clock);
    }

    /// If the service may have forgotten the token before the request just
    /// answered reached it, that request may have reset the user once more.
    pub(crate) fn late(&mut self, window: Option<Duration>) {
        let Some(window) = window else { return };
        // Either clock may tell.
        let now = Moment::now();
        let past = self.doubtful_since.is_some_and(|since| now.wall.is_past(since, window));
        if past || self.doubted.is_some_and(|at| now.clock.saturating_duration_since(at) >= window) {
            self.again = true;
            self.doubtful_since = Some(self.sent.wall);
            self.doubted = Some(self.sent.clock);
        }
    }
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

    fn attempt(doubtful_since: Option<Millis>) -> Attempt {
        let task = Task {
            number: 0,
            user_id: "ann".into(),
            line: 2,
            attempts: 0,
            doubtful_since,
            again: false,
            password: None,
        };
        Attempt::new(1, task)
    }

    #[test]
    fn a_wall_clock_that_was_set_back_hides_no_second_reset() {
        let window = Some(Duration::from_secs(1));
        let mut attempt = attempt(None);
        attempt.doubt(window);
        attempt.late(window);
        assert!(!attempt.again);
        // The window is over, and the wall's clock says that it just began.
        attempt.doubted = attempt.sent.clock.checked_sub(Duration::from_secs(1));
        attempt.doubtful_since = Some(Millis::now());
        attempt.late(window);
        assert!(attempt.again);
    }

    #[test]
    fn a_service_without_a_window_is_never_late() {
        let mut attempt = attempt(Some(Millis(0)));
        attempt.late(None);
        attempt.doubt(None);
        assert!(!attempt.again);
        assert_eq!(attempt.doubtful_since, Some(Millis(0)));
    }

    #[test]
    fn a_doubt_ends_with_the_services_own_word_alone_and_what_was_counted_stays() {
        use Cause::*;
        let failure = |cause, status: Option<u16>, is_own| Failure {
            is_own,
            status,
            ..Failure::without_answer(cause, "X", String::new())
        };
        // The answer; whether a user is in doubt behind it who was not, and who
        // was; and whether a user is who was not, of an endpoint never known.
        for (cause, status, is_own, fresh, earlier, stranger) in [
            (NoSuchUser, Some(404), true, false, false, false),
            (Invalid, Some(400), true, false, false, false),
            (Conflict, Some(409), true, false, true, false),
            (Denied, Some(403), true, false, true, false),
            (Denied, Some(403), false, true, true, false),
            (Credentials, Some(403), true, false, true, false),
            (Credentials, Some(401), false, true, true, false),
            (Credentials, None, false, false, true, false),
            (Expired, Some(403), true, false, true, false),
            (Throttled, Some(429), true, false, true, false),
            (Throttled, Some(429), false, false, true, false),
            (Server, Some(500), true, true, true, true),
            (Server, Some(502), false, true, true, true),
            (Unreachable, None, false, false, true, false),
            (Lost, None, false, true, true, true),
            (Unreadable, Some(200), false, true, true, true),
            (Foreign, Some(404), false, true, true, false),
            (Foreign, Some(302), false, true, true, false),
            (Foreign, Some(101), false, true, true, false),
            (NotBuilt, None, false, false, true, false),
        ] {
            let answer = failure(cause, status, is_own);
            let window = Some(Duration::from_mins(10));
            let mut user = attempt(None);
            user.learn(&answer, window);
            assert_eq!(user.is_in_doubt(true), fresh, "{cause:?} {status:?}");
            assert_eq!(user.is_in_doubt(false), stranger, "{cause:?} {status:?}");
            let mut user = attempt(Some(Millis::now()));
            user.again = true;
            user.learn(&answer, window);
            assert_eq!(user.is_in_doubt(true), earlier, "{cause:?} {status:?}");
            assert_eq!(user.is_in_doubt(false), earlier, "{cause:?} {status:?}");
            assert!(user.again, "{cause:?} {status:?}");
        }
    }
}
