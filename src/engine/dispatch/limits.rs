//! The bounds of sending.

use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::model::{BatchName, Target};

/// Bounds of everything that is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests in flight at most.
    pub concurrency: usize,
    /// Tries for one user; throttled ones don't count.
    pub max_attempts: u32,
    /// The time at which sending ends.
    pub deadline: Option<Instant>,
    /// Time for which nothing but throttling is borne.
    pub throttle_patience: Duration,
}

/// Time for which nothing but throttling is borne by default.
pub(crate) const THROTTLE_PATIENCE: Duration = Duration::from_mins(10);

/// The bounds of a run.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// As all that is sent.
    pub bounds: Bounds,
    /// Failed users to stop past.
    pub max_failures: Option<MaxFailures>,
    /// Time for which a run that stops waits for the answers in flight, whatever
    /// the read time-out. Whoever has none by then is in doubt.
    pub drain: Duration,
    /// Time for which the service remembers a client token.
    pub token_window: Duration,
    /// The names that make the client tokens.
    pub target: Target,
    /// The batch.
    pub batch: BatchName,
}

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
        let wrong = || "a number of users (10) or a percentage below 100 (5%)".to_owned();
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
    /// Returns true if `failed` of `ended` users are more than allowed.
    #[must_use]
    pub(crate) fn exceeded(self, failed: u64, ended: u64) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "a share of users needs no 53 bits")]
        match self {
            Self::Users(most) => failed > most,
            Self::Percent(most) => ended >= PERCENT_MINIMUM && failed as f64 * 100.0 > most * ended as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
