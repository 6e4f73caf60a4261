//! THE retry policy: from a failure and the tries so far to what comes next.
//!
//! Invariant: pure. A run, `--check-users` and `list-users` go by it alone.
//! Every wait has an end and every chain of tries too, except for throttling,
//! which says nothing of the user: that ends with the run (see `breaker`).

use std::time::Duration;

use crate::service::{Cause, Failure};

/// Back-off: full jitter below `BASE` doubled per try, up to `CAP`.
const BASE: Duration = Duration::from_millis(200);
/// The longest wait between two tries.
const CAP: Duration = Duration::from_secs(20);
/// The longest wait after throttling: the pacer slows everyone down.
const THROTTLED_CAP: Duration = Duration::from_secs(5);
/// A service that asks for more patience than this is asking for another day.
const RETRY_AFTER_CAP: Duration = Duration::from_mins(5);
/// Retries after a conflict.
const CONFLICTS: u32 = 3;
/// Other passwords after one that the user had before.
const OTHERS: u32 = 2;
/// Renewals of expired credentials for one request.
const RENEWALS: u32 = 3;

/// The tries that one request took so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tries {
    /// Those that count against `--max-attempts`.
    pub counted: u32,
    /// The number of them that met a conflict.
    pub conflicts: u32,
    /// Passwords that the service refused by its policy.
    pub refused: u32,
    /// Passwords that the user had before.
    pub used: u32,
    /// Throttled requests, which are no tries.
    pub throttled: u32,
    /// Times that expired credentials were renewed.
    pub renewals: u32,
}

/// The next step after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Another try, after a wait.
    Again(Wait),
    /// Another try at once, with another password.
    Another,
    /// The reset was done, by an earlier request whose answer was lost.
    Done,
    /// No other try: this was the last answer.
    End,
    /// The caller is refused: no other request would fare better.
    Refused,
}

/// A wait before another try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The end of the range that chance picks from (full jitter).
    pub most: Duration,
    /// The wait that the service asked for, as far as it is heeded: no wait is
    /// shorter.
    pub asked: Duration,
}

impl Wait {
    /// The wait for a throw of the dice between 0 and 1.
    #[must_use]
    pub(crate) fn draw(self, dice: f64) -> Duration {
        self.most.mul_f64(dice.clamp(0.0, 1.0)).max(self.asked)
    }
}

impl Tries {
    /// Counts a request that was answered with what it asked for.
    pub(crate) fn succeeded(&mut self) {
        self.counted += 1;
    }

    /// Counts a failed request, and decides what comes next.
    /// `in_doubt`: an earlier request may have reset the user.
    #[must_use]
    pub(crate) fn after(self, failure: &Failure, in_doubt: bool, max_attempts: u32) -> (Self, Decision) {
        let mut tries = self;
        match failure.cause {
            Cause::Throttled => tries.throttled += 1,
            Cause::Expired if self.renewals < RENEWALS => tries.renewals += 1,
            cause => {
                tries.counted += 1;
                tries.conflicts += u32::from(cause == Cause::Conflict);
                tries.refused += u32::from(cause == Cause::PasswordRefused);
                tries.used += u32::from(cause == Cause::PasswordUsed);
            }
        }
        let again = |tries: u32, cap: Duration| {
            let most = BASE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(cap);
            Decision::Again(Wait { most, asked: failure.retry_after.unwrap_or_default().min(RETRY_AFTER_CAP) })
        };
        let decision = match failure.cause {
            Cause::Throttled => again(tries.throttled, THROTTLED_CAP),
            Cause::Expired if tries.renewals > self.renewals => Decision::Again(Wait::default()),
            Cause::Expired | Cause::Credentials | Cause::Barred => Decision::Refused,
            // Only this user's own lost request can have set that password before.
            Cause::PasswordUsed if in_doubt => Decision::Done,
            Cause::PasswordUsed if tries.used <= OTHERS => Decision::Another,
            // One that was made by the policy as it is now: no other would fare better.
            Cause::PasswordRefused if tries.refused > 1 => Decision::Refused,
            Cause::PasswordRefused => Decision::Another,
            cause if cause.is_lasting() => Decision::End,
            Cause::PasswordUsed | Cause::Denied => Decision::End,
            Cause::Conflict if tries.conflicts > CONFLICTS => Decision::End,
            _ if tries.counted >= max_attempts => Decision::End,
            _ => again(tries.counted, CAP),
        };
        (tries, decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause, retry_after: Option<u64>) -> Failure {
        let failure = Failure::without_answer(cause, "X", String::new());
        Failure { retry_after: retry_after.map(Duration::from_secs), ..failure }
    }

    /// The tries after each of `times` failures of a cause, and the last decision.
    fn run(cause: Cause, times: u32, max_attempts: u32) -> (Tries, Decision) {
        let mut last = (Tries::default(), Decision::End);
        for _ in 0..times {
            last = last.0.after(&failure(cause, None), false, max_attempts);
        }
        last
    }

    #[test]
    fn every_cause_has_its_decision() {
        use Cause::*;
        let wait = |millis: u64| Decision::Again(Wait { most: Duration::from_millis(millis), asked: Duration::ZERO });
        let at_once = Decision::Again(Wait::default());
        // A cause; the decision at the first, the third and the eighth failure of eight.
        for (cause, first, third, eighth) in [
            (Throttled, wait(200), wait(800), wait(5000)),
            (Expired, at_once, at_once, Decision::Refused),
            (Credentials, Decision::Refused, Decision::Refused, Decision::Refused),
            (Denied, Decision::End, Decision::End, Decision::End),
            (NoSuchUser, Decision::End, Decision::End, Decision::End),
            (Invalid, Decision::End, Decision::End, Decision::End),
            (Unfit, Decision::End, Decision::End, Decision::End),
            (Barred, Decision::Refused, Decision::Refused, Decision::Refused),
            (PasswordRefused, Decision::Another, Decision::Refused, Decision::Refused),
            (PasswordUsed, Decision::Another, Decision::End, Decision::End),
            (NotBuilt, Decision::End, Decision::End, Decision::End),
            (Conflict, wait(200), wait(800), Decision::End),
            (Server, wait(200), wait(800), Decision::End),
            (Unreachable, wait(200), wait(800), Decision::End),
            (Lost, wait(200), wait(800), Decision::End),
            (Unreadable, wait(200), wait(800), Decision::End),
            (Foreign, wait(200), wait(800), Decision::End),
        ] {
            let decisions = [1, 3, 8].map(|times| run(cause, times, 8).1);
            assert_eq!(decisions, [first, third, eighth], "{cause:?}");
        }
    }

    #[test]
    fn a_password_that_the_user_had_before_proves_a_lost_reset_only_in_doubt() {
        let used = failure(Cause::PasswordUsed, None);
        assert_eq!(Tries::default().after(&used, true, 1).1, Decision::Done);
        assert_eq!(run(Cause::PasswordUsed, 2, 1).1, Decision::Another);
        assert_eq!(run(Cause::PasswordUsed, 2, 1).0.after(&used, true, 1).1, Decision::Done);
        assert_eq!(run(Cause::PasswordUsed, 3, 1).1, Decision::End);
        assert_eq!(run(Cause::PasswordRefused, 1, 1).1, Decision::Another);
        let refused = failure(Cause::PasswordRefused, None);
        assert_eq!(run(Cause::PasswordRefused, 1, 8).0.after(&refused, true, 8).1, Decision::Refused);
    }

    #[test]
    fn throttling_uses_up_no_tries_and_a_conflict_only_a_few() {
        assert_eq!(run(Cause::Throttled, 1000, 1).0.counted, 0);
        assert!(matches!(run(Cause::Throttled, 1000, 1).1, Decision::Again(_)));
        assert_eq!(run(Cause::Conflict, 4, 100).1, Decision::End);
        assert_eq!(run(Cause::Expired, 3, 1).0, Tries { renewals: 3, ..Tries::default() });
        assert_eq!(run(Cause::Lost, 1, 1).1, Decision::End);
    }

    #[test]
    fn no_wait_is_without_end_and_none_shorter_than_was_asked() {
        let (_, decision) = Tries::default().after(&failure(Cause::Server, Some(30)), false, 8);
        let Decision::Again(wait) = decision else { panic!("{decision:?}") };
        assert_eq!((wait.draw(0.0), wait.draw(1.0)), (Duration::from_secs(30), Duration::from_secs(30)));
        let (_, decision) = Tries::default().after(&failure(Cause::Throttled, Some(u64::MAX)), false, 8);
        let Decision::Again(wait) = decision else { panic!("{decision:?}") };
        assert_eq!(wait.draw(1.0), RETRY_AFTER_CAP);
        let Decision::Again(wait) = run(Cause::Lost, 500, 1000).1 else { panic!() };
        assert_eq!((wait.draw(1.0), wait.draw(0.5)), (CAP, CAP / 2));
    }
}
