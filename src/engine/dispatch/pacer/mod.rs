//! Decides when the next request may leave.
//!
//! Invariant: no window of one second holds more than ceiling + burst requests
//! (governor's GCRA holds the ceiling), and below the ceiling the rate follows
//! what the service takes. Time is governor's clock, so that tests inject it
//! and take none.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use governor::clock::Clock;
use governor::clock::{DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

mod log;
mod rate;

pub(crate) use rate::RateEstimator;

/// The most requests a second that an operator allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    /// As many as the service takes.
    Unlimited,
    /// So many a second.
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = String;

    /// `5`, `0.5`, `30/m`, `100/h`, `unlimited`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => 0.0,
        };
        match number.parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 && seconds > 0.0 => {
                let rate = number / seconds;
                if (1.0 / 86_400.0..=1_000_000.0).contains(&rate) {
                    Ok(Self::PerSecond(rate))
                } else {
                    Err("a rate is between one a day and 1000000 a second, or unlimited".into())
                }
            }
            _ => Err("a rate is a number a second (5, 0.5), a minute (30/m), an hour (100/h), or unlimited".into()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::PerSecond(rate) if *rate >= 1.0 => write!(f, "{}/s", rounded(*rate)),
            Self::PerSecond(rate) if *rate >= 1.0 / 60.0 => write!(f, "{}/m", rounded(rate * 60.0)),
            Self::PerSecond(rate) => write!(f, "{}/h", rounded(rate * 3600.0)),
        }
    }
}

/// Returns a number with three digits behind its point at most, as people read them.
#[must_use]
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Late timers are made up for within this time, by the burst.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Below so many requests a second only a usual lateness is made up for, so many
/// times the mean: more would bring two closer together than a bucket of one
/// forgives, less would lose what every timer is late by.
const SLOW: f64 = 200.0;
const USUAL: f64 = 1.5;

/// Requests that may leave at once at a ceiling of `rate` a second: what a
/// timer that is late by `CATCH_UP` leaves to make up, and one.
#[must_use]
pub fn burst(rate: f64) -> u32 {
    // Five a second and less are not late enough to need any.
    if rate <= 5.0 {
        return 1;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates end at a million")]
    let late = (rate * CATCH_UP.as_secs_f64()).ceil() as u32;
    1 + late
}

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Leave for one request; it carries the request's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permit(u64);

/// Gives out permits, one a request.
pub(crate) struct Pacer<C: Clock = DefaultClock> {
    clock: C,
    start: C::Instant,
    ceiling: Option<(Limiter<C>, f64)>,
    finder: RateEstimator,
    /// The slot of the last request and when it left, in seconds from start.
    slot: f64,
    left: f64,
    /// Seconds by which a request leaves after its slot, of late.
    late: f64,
}

impl Pacer {
    /// A pacer on the machine's own clock.
    #[must_use]
    pub(crate) fn start(rate: Rate) -> Self {
        Self::new(rate, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Pacer<C> {
    /// A pacer under a ceiling. With a ceiling it starts there and gives way to
    /// throttling; without one it feels its way up from [`RateEstimator::FIRST`].
    #[must_use]
    pub(crate) fn new(rate: Rate, clock: C) -> Self {
        let ceiling = match rate {
            Rate::Unlimited => None,
            Rate::PerSecond(rate) => {
                Quota::with_period(Duration::from_secs_f64(1.0 / rate)).map(|quota| {
                    let burst = NonZeroU32::new(burst(rate)).unwrap_or(NonZeroU32::MIN);
                    let limiter = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
                    // The burst is there to make up for late timers, not to start with.
                    for _ in 1..burst.get() {
                        let _ = limiter.check();
                    }
                    (limiter, rate)
                })
            }
        };
        let finder = RateEstimator::new(ceiling.as_ref().map(|(_, rate)| *rate));
        Self { start: clock.now(), clock, ceiling, finder, slot: f64::NEG_INFINITY, left: f64::NEG_INFINITY, late: 0.0 }
    }

    /// Takes a permit, or tells how long to wait before trying again.
    ///
    /// # Errors
    /// It is too early by this long.
    pub(crate) fn take(&mut self) -> Result<Permit, Duration> {
        let now = self.seconds();
        let mut slot = now;
        if let Some(rate) = self.finder.rate() {
            // Counted from the last one at the rate of now: a rate that has
            // risen meanwhile does not wait for a slot of the old one.
            let most = CATCH_UP.as_secs_f64();
            let late = if rate > SLOW { most } else { most.min(USUAL * self.late) };
            slot = self.slot.max(self.left - late) + 1.0 / rate;
            if slot > now {
                // Never nothing: whoever waits that long must get on.
                return Err(Duration::from_secs_f64(slot - now).max(Duration::from_nanos(1)));
            }
        }
        self.under_ceiling()?;
        self.late += 0.05 * ((now - slot).min(CATCH_UP.as_secs_f64()) - self.late);
        self.slot = slot;
        self.left = now;
        Ok(Permit(self.finder.sent(now)))
    }

    fn under_ceiling(&self) -> Result<(), Duration> {
        let Some((limiter, _)) = &self.ceiling else {
            return Ok(());
        };
        limiter.check().map_err(|early| early.wait_time_from(self.clock.now()))
    }

    /// Tells the pacer of an answer to what left with `permit`, throttled or not.
    pub(crate) fn answered(&mut self, permit: Permit, throttled: bool) {
        self.finder.answered(self.seconds(), throttled, permit.0);
    }

    /// The rate that is aimed at now, if anything but the concurrency limits it.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<f64> {
        let ceiling = self.ceiling.as_ref().map(|(_, rate)| *rate);
        match (self.finder.rate(), ceiling) {
            (Some(found), Some(ceiling)) => Some(found.min(ceiling)),
            (found, ceiling) => found.or(ceiling),
        }
    }

    /// The rate the service was found to take, once it has throttled.
    #[must_use]
    pub(crate) fn found(&self) -> Option<f64> {
        self.finder.capacity()
    }

    fn seconds(&self) -> f64 {
        let nanos: u64 = self.clock.now().duration_since(self.start).into();
        Duration::from_nanos(nanos).as_secs_f64()
    }
}

#[cfg(test)]
mod rationing;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod tests;
