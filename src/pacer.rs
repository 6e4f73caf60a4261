//! Decides when the next request may leave.
//!
//! Invariant: no window of one second holds more than ceiling + burst requests
//! (governor's GCRA holds the ceiling), and below the ceiling the rate follows
//! what the service delivers. Time is governor's clock, so that tests inject it
//! and take none.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The most requests a second that an operator allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
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
            Self::PerSecond(rate) if *rate >= 1.0 => write!(f, "{rate}/s"),
            Self::PerSecond(rate) => write!(f, "{}/m", rate * 60.0),
        }
    }
}

/// Late timers are made up for within this time, by the burst.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Requests that may leave at once at a ceiling of `rate` a second: what a
/// timer that is late by [`CATCH_UP`] leaves to make up, and one.
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

/// Leave for one request; it remembers under which rate it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit(u32);

/// Gives out permits, one a request.
pub struct Pacer<C: Clock = DefaultClock> {
    clock: C,
    start: C::Instant,
    ceiling: Option<(Limiter<C>, f64)>,
    finder: Finder,
    /// When the finder's rate lets the next request go, in seconds from start.
    slot: f64,
}

impl Pacer {
    /// A pacer on the machine's own clock.
    #[must_use]
    pub fn start(rate: Rate) -> Self {
        Self::new(rate, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Pacer<C> {
    /// A pacer under a ceiling. With a ceiling it starts there and gives way to
    /// throttling; without one it feels its way up from [`Finder::FIRST`].
    #[must_use]
    pub fn new(rate: Rate, clock: C) -> Self {
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
        let finder = Finder::new(ceiling.as_ref().map(|(_, rate)| *rate));
        Self { start: clock.now(), clock, ceiling, finder, slot: 0.0 }
    }

    /// Takes a permit, or tells how long to wait before trying again.
    ///
    /// # Errors
    /// It is too early by this long.
    pub fn take(&mut self) -> Result<Permit, Duration> {
        let permit = Permit(self.finder.epoch);
        let now = self.seconds();
        if let Some(rate) = self.finder.rate() {
            let slot = self.slot.max(now - CATCH_UP.as_secs_f64());
            if slot > now {
                return Err(Duration::from_secs_f64(slot - now));
            }
            self.under_ceiling()?;
            self.slot = slot + 1.0 / rate;
            return Ok(permit);
        }
        self.under_ceiling().map(|()| permit)
    }

    fn under_ceiling(&self) -> Result<(), Duration> {
        let Some((limiter, _)) = &self.ceiling else {
            return Ok(());
        };
        limiter.check().map_err(|early| early.wait_time_from(self.clock.now()))
    }

    /// Tells the pacer of an answer to what left with `permit`, throttled or not.
    pub fn answered(&mut self, permit: Permit, throttled: bool) {
        let now = self.seconds();
        self.finder.answered(now, throttled, permit.0);
        let pause = std::mem::take(&mut self.finder.pause);
        if pause > 0.0 {
            self.slot = self.slot.max(now + pause);
        }
    }

    /// The rate that is aimed at now, if anything but the concurrency limits it.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let ceiling = self.ceiling.as_ref().map(|(_, rate)| *rate);
        match (self.finder.rate(), ceiling) {
            (Some(found), Some(ceiling)) => Some(found.min(ceiling)),
            (found, ceiling) => found.or(ceiling),
        }
    }

    /// The rate the service was found to take, once it has throttled.
    #[must_use]
    pub fn found(&self) -> Option<f64> {
        self.finder.wall
    }

    fn seconds(&self) -> f64 {
        let nanos: u64 = self.clock.now().duration_since(self.start).into();
        Duration::from_nanos(nanos).as_secs_f64()
    }
}

/// Finds the rate a service takes from what it delivers, as congestion control
/// by delivery rate does: throttled answers say where the wall is, the rate of
/// the others says how far away.
#[derive(Debug)]
pub struct Finder {
    /// Aimed at; none while nothing has throttled and a ceiling stands.
    rate: Option<f64>,
    ceiling: Option<f64>,
    phase: Phase,
    window: Window,
    /// Deliveries a second when the service last throttled.
    wall: Option<f64>,
    /// The last rate that was not throttled.
    clean: Option<f64>,
    /// How often the rate was lowered.
    epoch: u32,
    /// Windows in a row in which nothing was delivered …
    silent: u32,
    /// … and for how long to send nothing on their account, in seconds.
    pause: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// No throttling seen yet: multiply.
    Seeking,
    /// Just throttled: stay for so many windows.
    Holding(u32),
    /// Clean for a while: raise by this share.
    Probing(f64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: Option<f64>,
    delivered: f64,
    throttled: f64,
}

impl Finder {
    /// Requests a second to start with, from no knowledge.
    pub const FIRST: f64 = 100.0;
    /// Never less than one request in so many seconds.
    const SLOWEST: f64 = 1.0 / 30.0;
    /// A window is this long at least, in seconds …
    const WINDOW: f64 = 0.1;
    /// … shorter while seeking, where a late look overshoots …
    const SEEKING_WINDOW: f64 = 0.05;
    /// … and ends without its samples after this long.
    const LONGEST: f64 = 2.0;
    /// While seeking, each clean window multiplies the rate by this. A window
    /// is short then, so that an overshoot costs some tens of requests.
    const SEEKING_STEP: f64 = 4.0;
    /// Answers that make a window.
    const SAMPLES: f64 = 8.0;
    /// Answers that show a storm.
    const STORM: f64 = 10.0;
    /// Windows to stay after throttling.
    const HOLD: u32 = 1;
    /// Each probe is so much bolder than the one before.
    const BOLDER: f64 = 3.0;
    /// Back behind the last clean rate, or what was delivered.
    const STEP_BACK: f64 = 0.99;
    /// The first probe above what was held.
    const FIRST_PROBE: f64 = 0.015;
    /// The largest.
    const LAST_PROBE: f64 = 1.0;

    fn new(ceiling: Option<f64>) -> Self {
        Self {
            rate: if ceiling.is_some() { None } else { Some(Self::FIRST) },
            ceiling,
            phase: Phase::Seeking,
            window: Window::default(),
            wall: None,
            clean: None,
            epoch: 0,
            silent: 0,
            pause: 0.0,
        }
    }

    fn rate(&self) -> Option<f64> {
        self.rate
    }

    fn answered(&mut self, now: f64, throttled: bool, epoch: u32) {
        // What left before the last change says nothing about it.
        if epoch != self.epoch {
            return;
        }
        // The first answer starts the window and is not of it.
        let Some(start) = self.window.start else {
            self.window.start = Some(now);
            self.window.throttled += f64::from(u8::from(throttled));
            return;
        };
        if throttled {
            self.window.throttled += 1.0;
        } else {
            self.window.delivered += 1.0;
        }
        let Window { delivered, throttled, .. } = self.window;
        let samples = delivered + throttled;
        let elapsed = now - start;
        let least = if self.phase == Phase::Seeking { Self::SEEKING_WINDOW } else { Self::WINDOW };
        let full = elapsed >= least && samples >= Self::SAMPLES || elapsed >= Self::LONGEST;
        // A storm is not watched to the end of the window.
        let storm = samples >= Self::STORM && throttled > 0.3 * samples;
        if !(full || storm) || elapsed <= 0.0 {
            return;
        }
        self.window = Window::default();
        if throttled > 0.0 {
            self.back_off(delivered / elapsed, throttled / samples);
            self.epoch += 1;
        } else {
            self.window.start = Some(now);
            self.go_on(delivered / elapsed);
        }
    }

    fn back_off(&mut self, delivered: f64, share: f64) {
        let before = self.rate.or(self.ceiling).unwrap_or(Self::FIRST);
        // A bucket without room lets half through just above its rate, so what
        // was delivered tells nothing of the wall until a second look agrees.
        let clean = self.clean.take().map_or(0.0, |clean| Self::STEP_BACK * clean);
        let factor = if share > 0.15 { 0.95 } else { Self::STEP_BACK };
        let aim = if delivered > 0.0 {
            self.silent = 0;
            (factor * delivered).max(clean).min(before)
        } else {
            // Nothing delivered says only that it is not now: wait, twice as
            // long each time, before the rate is blamed.
            self.silent += 1;
            self.pause = (Self::WINDOW * f64::from(1 << self.silent.min(5)) / 2.0).min(1.0);
            if self.silent > 3 { before / 2.0 } else { clean.max(before * Self::STEP_BACK) }
        };
        self.rate = Some(aim.max(Self::SLOWEST));
        self.wall = Some(aim);
        self.phase = Phase::Holding(Self::HOLD);
    }

    fn go_on(&mut self, delivered: f64) {
        let Some(rate) = self.rate else {
            return;
        };
        // Where something else than the pace is the limit, a higher pace would
        // be a guess that nothing has tested.
        if delivered < 0.8 * rate {
            return;
        }
        self.clean = Some(rate);
        let higher = match self.phase {
            Phase::Seeking => rate * Self::SEEKING_STEP,
            Phase::Holding(left) => {
                self.phase = if left == 0 { Phase::Probing(Self::FIRST_PROBE) } else { Phase::Holding(left - 1) };
                return;
            }
            Phase::Probing(step) => {
                self.phase = Phase::Probing((step * Self::BOLDER).min(Self::LAST_PROBE));
                rate * (1.0 + step)
            }
        };
        self.rate = Some(higher);
        if self.ceiling.is_some_and(|ceiling| higher >= ceiling) {
            // Back at the ceiling, which governor holds from here.
            self.rate = None;
            self.phase = Phase::Seeking;
        }
    }
}

#[cfg(test)]
mod tests;
