//! Tells when going on would do more harm than good: an endpoint that is down,
//! refused credentials, too many failed users.
//!
//! Invariant: pure state over an injected clock; whoever asks acts on it. A
//! stop leaves every user who was not sent `pending`.

use std::collections::HashSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::model::UserNumber;

/// `--max-failures`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MaxFailures {
    /// So many users.
    Users(u64),
    /// This share of the users that ended, in percent.
    Percent(f64),
}

/// A percentage says nothing before this many users have ended.
const PERCENT_MINIMUM: u64 = 20;

impl FromStr for MaxFailures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a number of users (10) or a percentage (5%)".to_owned();
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse::<f64>() {
                Ok(percent) if (0.0..100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Users).map_err(|_| wrong()),
        }
    }
}

impl MaxFailures {
    /// Whether `failed` of `ended` users are more than allowed.
    #[must_use]
    pub(crate) fn exceeded(self, failed: u64, ended: u64) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "a share of users needs no 53 bits")]
        match self {
            Self::Users(most) => failed > most,
            Self::Percent(most) => ended >= PERCENT_MINIMUM && failed as f64 * 100.0 > most * ended as f64,
        }
    }
}

/// Watches the endpoint's health.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Failures since the last answer that showed the service at work.
    consecutive: u32,
    users: HashSet<UserNumber>,
    since: Option<Instant>,
    /// Whether one of them was an answer, if only a 5xx.
    answered: bool,
    ever_answered: bool,
}

/// What the breaker thinks of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Requests get answers.
    Good,
    /// Several in a row got none: let those that wait find out, start no one new.
    Suspect,
    /// It is down: stop.
    Down,
}

impl Breaker {
    /// This many failures in a row make an endpoint suspect …
    const SUSPECT: u32 = 10;
    /// … if they hit this many users: one user who always fails is not it …
    const USERS: usize = 5;
    /// … and after this long in a row it is down: shorter is a restart.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// An answer came that shows the service at work.
    pub(crate) fn good(&mut self) {
        if self.consecutive > 0 {
            *self = Self::default();
        }
        self.ever_answered = true;
    }

    /// No answer came, or a 5xx (`answered`).
    pub(crate) fn bad(&mut self, user: UserNumber, answered: bool, now: Instant) {
        self.consecutive = self.consecutive.saturating_add(1);
        if self.users.len() < Self::USERS {
            self.users.insert(user);
        }
        self.since.get_or_insert(now);
        self.answered |= answered;
    }

    /// What to make of it. `exhausted`: a user has just used up all its tries.
    #[must_use]
    pub(crate) fn health(&self, exhausted: bool, now: Instant) -> Health {
        let several = self.consecutive >= Self::SUSPECT && self.users.len() >= Self::USERS;
        // An endpoint that has never said a word is down for a short roster too.
        let silent = self.consecutive > 0 && !self.answered && !self.ever_answered;
        let long = self.since.is_some_and(|since| now.saturating_duration_since(since) >= Self::PATIENCE);
        if several && long || exhausted && (several || silent) {
            Health::Down
        } else if several {
            Health::Suspect
        } else {
            Health::Good
        }
    }
}

/// Watches for a caller who may not reset anybody.
#[derive(Debug, Default)]
pub(crate) struct Permission {
    ever_granted: bool,
    refused_in_a_row: u32,
}

impl Permission {
    /// After the first success, this many refusals in a row mean that the
    /// permission was taken away.
    const REVOKED: u32 = 10;

    /// A request was carried out, or failed for a reason of its own.
    pub(crate) fn granted(&mut self) {
        self.ever_granted = true;
        self.refused_in_a_row = 0;
    }

    /// A 403. Tells whether to stop.
    pub(crate) fn refused(&mut self) -> bool {
        self.refused_in_a_row += 1;
        !self.ever_granted || self.refused_in_a_row >= Self::REVOKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_poisonous_user_never_stops_a_run() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        breaker.good();
        for second in 0..100 {
            breaker.bad(7, true, start + Duration::from_secs(second));
        }
        assert_eq!(breaker.health(true, start + Duration::from_secs(100)), Health::Good);
    }

    #[test]
    fn a_short_outage_is_waited_out_and_a_long_one_stops() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        breaker.good();
        for user in 0..20 {
            breaker.bad(user, false, start);
        }
        assert_eq!(breaker.health(false, start + Duration::from_secs(1)), Health::Suspect);
        assert_eq!(breaker.health(false, start + Duration::from_secs(5)), Health::Down);
        assert_eq!(breaker.health(true, start + Duration::from_secs(1)), Health::Down);
        breaker.good();
        assert_eq!(breaker.health(false, start + Duration::from_secs(9)), Health::Good);
    }

    #[test]
    fn a_silent_endpoint_is_down_for_one_user_too() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        breaker.bad(0, false, start);
        assert_eq!(breaker.health(false, start), Health::Good);
        assert_eq!(breaker.health(true, start), Health::Down);
    }

    #[test]
    fn a_refusal_stops_at_once_before_the_first_success_only() {
        let mut permission = Permission::default();
        assert!(permission.refused());
        let mut permission = Permission::default();
        permission.granted();
        assert!((1..10).all(|_| !permission.refused()));
        assert!(permission.refused());
    }

    #[test]
    fn a_percentage_waits_for_a_sensible_number() {
        let most: MaxFailures = "5%".parse().unwrap();
        assert!(!most.exceeded(1, 1));
        assert!(!most.exceeded(1, 20));
        assert!(most.exceeded(2, 20));
        let most: MaxFailures = "0".parse().unwrap();
        assert!(most.exceeded(1, 1));
        assert!(!most.exceeded(0, 1000));
        for wrong in ["", "-1", "x", "101%", "%"] {
            assert!(wrong.parse::<MaxFailures>().is_err(), "{wrong}");
        }
    }
}
