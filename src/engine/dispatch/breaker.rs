//! Tells when going on would do more harm than good: an endpoint that is down
//! or is not the API, a caller who may not, throttling without end.
//!
//! Invariant: pure state over an injected clock; whoever asks acts on it. A
//! stop leaves every user who was not sent `pending`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::model::UserNumber;
use crate::service::{Cause, Failure};

/// The reason for which the breaker stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    /// The endpoint gives no answers.
    Down,
    /// The endpoint answers, and not as the API does.
    NotTheApi,
    /// The caller may not do this.
    Denied,
    /// The service lets nothing through.
    Throttled,
}

/// A user whose request failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose {
    /// The user.
    pub user: UserNumber,
    /// True if that was its last try.
    pub exhausted: bool,
}

/// Watches the answers of an endpoint.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// True if an answer came that only the API can have given.
    met_the_api: bool,
    down: Row,
    /// True if one of those failures was an answer, if only a 5xx.
    answered: bool,
    ever_answered: bool,
    foreign: Row,
    granted: bool,
    denied: u32,
    throttled: Row,
    throttle_patience: Duration,
}

/// Failures of one kind in a row.
#[derive(Debug, Default)]
struct Row {
    length: u32,
    users: HashSet<UserNumber>,
    since: Option<Instant>,
}

impl Row {
    fn add(&mut self, user: UserNumber, now: Instant) {
        self.length = self.length.saturating_add(1);
        if self.users.len() < Breaker::USERS {
            self.users.insert(user);
        }
        self.since.get_or_insert(now);
    }

    fn lasts(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn end(&mut self) {
        if self.length > 0 {
            *self = Self::default();
        }
    }
}

impl Breaker {
    /// This many failures in a row make an endpoint suspect …
    const SUSPECT: u32 = 10;
    /// … if they hit this many users: one user who always fails is not it …
    const USERS: usize = 5;
    /// … and after this long in a row it is down: shorter is a restart.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// Foreign answers before the first of the API's own …
    const HANDFUL: u32 = 5;
    /// … and later, if they are about more than one user.
    const FOREIGN: u32 = 10;
    /// After the first success, this many refusals in a row mean that the
    /// permission was taken away.
    const REVOKED: u32 = 10;
    /// Fewer throttlings in a row are no end of patience.
    const THROTTLED: u32 = 3;

    /// A breaker that bears nothing but throttling for so long.
    #[must_use]
    pub(crate) fn new(throttle_patience: Duration) -> Self {
        Self {
            met_the_api: false,
            down: Row::default(),
            answered: false,
            ever_answered: false,
            foreign: Row::default(),
            granted: false,
            denied: 0,
            throttled: Row::default(),
            throttle_patience,
        }
    }

    /// Returns true if an answer came that only the API can have given.
    #[must_use]
    pub(crate) fn has_met_the_api(&self) -> bool {
        self.met_the_api
    }

    /// Returns true if foreign answers came, and none of the API's own yet.
    #[must_use]
    pub(crate) fn is_a_stranger(&self) -> bool {
        !self.met_the_api && self.foreign.length > 0
    }

    /// Returns true if those that wait for the endpoint should find out before
    /// anyone new is sent.
    #[must_use]
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_a_stranger() || self.several_in_a_row()
    }

    /// A request was answered with what it asked for.
    pub(crate) fn succeeded(&mut self) {
        self.works();
        self.met_the_api = true;
        self.foreign.end();
        self.granted();
    }

    /// A request failed. Tells whether that was the one too many.
    pub(crate) fn failed(&mut self, failure: &Failure, whose: Whose, now: Instant) -> Option<Trip> {
        if failure.is_own {
            self.met_the_api = true;
            self.foreign.end();
        }
        if failure.cause == Cause::Throttled {
            self.works();
            self.throttled.add(whose.user, now);
            return self.is_throttled_out(now).then_some(Trip::Throttled);
        }
        match failure.cause {
            Cause::Server | Cause::Unreachable | Cause::Lost => {
                self.down.add(whose.user, now);
                self.answered |= failure.status.is_some();
                self.is_down(whose.exhausted, now).then_some(Trip::Down)
            }
            Cause::Foreign | Cause::Unreadable => {
                self.works();
                self.foreign.add(whose.user, now);
                self.is_foreign().then_some(Trip::NotTheApi)
            }
            Cause::Denied => {
                self.works();
                self.denied += 1;
                (!self.granted || self.denied >= Self::REVOKED).then_some(Trip::Denied)
            }
            Cause::NoSuchUser | Cause::Invalid | Cause::Unfit | Cause::PasswordRefused | Cause::PasswordUsed => {
                self.works();
                self.granted();
                None
            }
            Cause::Conflict => {
                self.works();
                None
            }
            Cause::Throttled | Cause::Expired | Cause::Credentials | Cause::Barred | Cause::NotBuilt => None,
        }
    }

    /// Returns true if nothing but throttling came for too long. Time alone may
    /// tell: the slower the pace, the later the next answer.
    #[must_use]
    pub(crate) fn is_throttled_out(&self, now: Instant) -> bool {
        // At a low rate two of them may lie far apart.
        self.throttled.length >= Self::THROTTLED && self.throttled.lasts(now) >= self.throttle_patience
    }

    /// An answer came, so the endpoint is up.
    fn works(&mut self) {
        self.down.end();
        self.answered = false;
        self.ever_answered = true;
    }

    /// The service let a request through: it was carried out, or failed for a
    /// reason of its own.
    fn granted(&mut self) {
        self.granted = true;
        self.denied = 0;
        self.throttled.end();
    }

    fn several_in_a_row(&self) -> bool {
        self.down.length >= Self::SUSPECT && self.down.users.len() >= Self::USERS
    }

    fn is_down(&self, exhausted: bool, now: Instant) -> bool {
        let several = self.several_in_a_row();
        // An endpoint that has never said a word is down for a short roster too.
        let silent = !self.answered && !self.ever_answered;
        let long = self.down.lasts(now) >= Self::PATIENCE;
        several && long || exhausted && (several || silent)
    }

    fn is_foreign(&self) -> bool {
        if self.met_the_api {
            self.foreign.length >= Self::FOREIGN && self.foreign.users.len() > 1
        } else {
            self.foreign.length >= Self::HANDFUL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause, status: Option<u16>, is_own: bool) -> Failure {
        Failure { is_own, status, ..Failure::without_answer(cause, "X", String::new()) }
    }

    fn whose(user: UserNumber, exhausted: bool) -> Whose {
        Whose { user, exhausted }
    }

    fn breaker() -> Breaker {
        Breaker::new(Duration::from_mins(10))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_poisonous_user_never_stops_a_run() {
        let mut breaker = breaker();
        let start = Instant::now();
        breaker.succeeded();
        for cause in [Cause::Server, Cause::Foreign, Cause::Unreadable] {
            for second in 0..100 {
                let answer = failure(cause, Some(500), false);
                assert_eq!(breaker.failed(&answer, whose(7, second == 99), start + seconds(second)), None);
            }
            assert!(!breaker.is_suspect());
        }
    }

    #[test]
    fn a_short_outage_is_waited_out_and_a_long_one_stops() {
        let start = Instant::now();
        let lost = failure(Cause::Lost, None, false);
        let outage = || {
            let mut breaker = breaker();
            breaker.succeeded();
            for user in 0..20 {
                assert_eq!(breaker.failed(&lost, whose(user, false), start + seconds(1)), None);
            }
            assert!(breaker.is_suspect());
            breaker
        };
        assert_eq!(outage().failed(&lost, whose(3, false), start + seconds(6)), Some(Trip::Down));
        assert_eq!(outage().failed(&lost, whose(3, true), start + seconds(1)), Some(Trip::Down));
        let mut over = outage();
        over.succeeded();
        assert!(!over.is_suspect());
        assert_eq!(over.failed(&lost, whose(3, true), start + seconds(9)), None);
    }

    #[test]
    fn a_silent_endpoint_is_down_for_one_user_too() {
        let mut breaker = breaker();
        let silence = failure(Cause::Unreachable, None, false);
        assert_eq!(breaker.failed(&silence, whose(0, false), Instant::now()), None);
        assert_eq!(breaker.failed(&silence, whose(0, true), Instant::now()), Some(Trip::Down));
    }

    #[test]
    fn a_handful_of_foreign_answers_stop_a_run_that_has_not_met_the_api() {
        for cause in [Cause::Foreign, Cause::Unreadable] {
            let mut breaker = breaker();
            let foreign = failure(cause, Some(404), false);
            for _ in 0..4 {
                assert_eq!(breaker.failed(&foreign, whose(0, false), Instant::now()), None);
                assert!(breaker.is_suspect() && breaker.is_a_stranger());
            }
            assert_eq!(breaker.failed(&foreign, whose(0, false), Instant::now()), Some(Trip::NotTheApi));
        }
    }

    #[test]
    fn ten_foreign_answers_in_a_row_stop_a_run_that_has() {
        for own in [failure(Cause::NoSuchUser, Some(404), true), failure(Cause::Server, Some(500), true)] {
            let mut breaker = breaker();
            let foreign = failure(Cause::Foreign, Some(302), false);
            assert_eq!(breaker.failed(&own, whose(0, false), Instant::now()), None);
            assert!((1..10).all(|user| breaker.failed(&foreign, whose(user, false), Instant::now()).is_none()));
            assert_eq!(breaker.failed(&own, whose(0, false), Instant::now()), None);
            assert!((1..10).all(|user| breaker.failed(&foreign, whose(user, false), Instant::now()).is_none()));
            assert_eq!(breaker.failed(&foreign, whose(1, false), Instant::now()), Some(Trip::NotTheApi));
        }
    }

    #[test]
    fn a_refusal_stops_at_once_before_the_first_success_only() {
        let denied = failure(Cause::Denied, Some(403), true);
        assert_eq!(breaker().failed(&denied, whose(0, true), Instant::now()), Some(Trip::Denied));
        let mut breaker = breaker();
        breaker.succeeded();
        assert!((1..10).all(|user| breaker.failed(&denied, whose(user, true), Instant::now()).is_none()));
        assert_eq!(breaker.failed(&denied, whose(0, true), Instant::now()), Some(Trip::Denied));
    }

    #[test]
    fn throttling_stops_a_run_when_nothing_else_came_for_long() {
        let mut breaker = breaker();
        let start = Instant::now();
        let throttled = failure(Cause::Throttled, Some(429), true);
        assert_eq!(breaker.failed(&throttled, whose(0, false), start), None);
        assert_eq!(breaker.failed(&throttled, whose(1, false), start + seconds(599)), None);
        breaker.succeeded();
        assert_eq!(breaker.failed(&throttled, whose(0, false), start + seconds(600)), None);
        // What is lost or refused was not let through.
        let lost = failure(Cause::Lost, None, false);
        assert_eq!(breaker.failed(&lost, whose(0, false), start + seconds(700)), None);
        assert_eq!(breaker.failed(&throttled, whose(1, false), start + seconds(1199)), None);
        assert_eq!(breaker.failed(&throttled, whose(1, false), start + seconds(1200)), Some(Trip::Throttled));
    }
}
