//! Finds the rate that a service takes, from what it lets through and what it
//! refuses (429).
//!
//! Invariant: the rate is lowered only by refusals of what left since it was
//! last lowered. It is raised only after a stretch that was sent at it and was
//! not refused, or, where nobody was let through for a while, back to what was
//! let through before. Pure arithmetic over times that are passed in, in seconds.
//!
//! A refusal says that there was no room at that instant. Services ration in two
//! ways, and each tells its rate differently:
//!
//! - A *bucket* refills steadily. It was empty at each refusal, so what it let
//!   through between two of them is its rate times the time between.
//! - A *window* counts the requests of a second, and refuses everyone once the
//!   count is full. What it let through in the last second is its rate; between
//!   two refusals it may be anything. It gives itself away by its silence.

use std::collections::VecDeque;

/// Follows a service's rate. See the module.
#[derive(Debug)]
pub(crate) struct RateEstimator {
    /// Requests a second aimed at; none while the ceiling alone decides.
    rate: Option<f64>,
    ceiling: Option<f64>,
    phase: Phase,
    /// The rate at which the service last refused, a second, and true if that
    /// is measured: the first refusal only says that it was too much.
    wall: Option<f64>,
    measured: bool,
    /// The last rate at which it refused nobody for a stretch.
    clean: Option<f64>,
    /// True if it rations by windows, as far as it has shown.
    windowed: bool,
    /// The number of changes of the rate, and the change that last lowered it.
    change: u32,
    lowered: u32,
    delivered: f64,
    recent: Recent,
    /// The time at which the service was last seen without room.
    emptied: Mark,
    stretch: Option<Stretch>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// The wall is not known: multiply.
    Seeking,
    /// The rate was lowered: see whether that was enough.
    Watching,
    /// Nobody is let through since then: ask now and then, and go back to that
    /// rate when somebody is.
    Waiting { since: f64, back_to: f64 },
    /// Clean for a while: raise by this share.
    Probing(f64),
}

/// A moment, and how many requests had been let through by then.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: f64,
    delivered: f64,
}

impl Mark {
    fn rate_until(self, later: Self) -> f64 {
        (later.delivered - self.delivered) / (later.at - self.at).max(1e-6)
    }
}

/// A stretch that is looked at before the rate is changed again.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Mark,
    /// Answers to what left after the rate was last lowered …
    fresh: f64,
    /// … and how many of them were refusals.
    refused: f64,
}

/// The times at which requests were let through, for a second and for some requests at least.
#[derive(Debug, Default)]
struct Recent(VecDeque<f64>);

impl Recent {
    const SPAN: f64 = 1.0;
    const LEAST: usize = 20;
    /// So many since some moment tell how it has gone since then.
    const ENOUGH: f64 = 20.0;

    fn add(&mut self, now: f64) {
        self.0.push_back(now);
        while self.0.len() > Self::LEAST && self.0.front().is_some_and(|&at| at < now - Self::SPAN) {
            self.0.pop_front();
        }
    }

    fn rate(&self, now: f64) -> f64 {
        let span = self.0.front().map_or(Self::SPAN, |first| now - first).max(Self::SPAN);
        #[allow(clippy::cast_precision_loss, reason = "a second's requests")]
        let requests = self.0.len() as f64;
        requests / span
    }
}

impl RateEstimator {
    /// Requests a second to start with, from no knowledge.
    pub(crate) const FIRST: f64 = 100.0;
    /// Never less than one request in so many seconds.
    const SLOWEST: f64 = 1.0 / 30.0;
    /// Answers that make a stretch, and its least seconds …
    const SAMPLES: f64 = 8.0;
    const STRETCH: f64 = 0.08;
    /// … shorter while seeking, where a late look overshoots …
    const SEEKING_STRETCH: f64 = 0.05;
    /// … and ending without its samples after so many.
    const LONGEST: f64 = 2.0;
    /// Fresh answers and the share of refusals among them that show at once
    /// that the rate is still too high …
    const STORM: f64 = 10.0;
    const STORM_SHARE: f64 = 0.2;
    /// … and the share that shows it at a stretch's end.
    const TOLERATED: f64 = 0.05;
    /// While seeking, each clean stretch multiplies the rate by this …
    const SEEKING_STEP: f64 = 4.0;
    /// … or this, where only the count of a whole second shows the wall.
    const WINDOWED_STEP: f64 = 2.0;
    /// The part of the wall that is aimed at, and of the last clean rate.
    const BELOW_WALL: f64 = 0.98;
    const BELOW_CLEAN: f64 = 0.99;
    /// The first probe above that, how much bolder each is than the one before,
    /// and the boldest.
    const FIRST_PROBE: f64 = 0.012;
    const BOLDER: f64 = 4.0;
    const LAST_PROBE: f64 = 2.0;
    /// A refusal this many times above the wall is of another wall.
    const SAME_WALL: f64 = 3.0;
    /// A window lets probes through on what it has left: they go this far above
    /// the wall at most …
    const WINDOWED_PROBE: f64 = 1.3;
    /// … until a second's deliveries exceed it by this.
    const WALL_MOVED: f64 = 1.1;
    /// While nobody is let through: the wait between two requests is a share of
    /// the time waited so far, within these seconds.
    const LEAST_WAIT: f64 = 0.03;
    const MOST_WAIT: f64 = 5.0;
    const WAIT_SHARE: f64 = 0.2;
    /// Refusals in a row of a service that lets nobody through, and what a
    /// bucket would have let through meanwhile.
    const SILENT_REFUSALS: f64 = 3.0;
    const SILENT_WORTH: f64 = 3.0;
    /// A second's count makes no longer silence than this: that is an outage.
    const LONGEST_SILENCE: f64 = 1.3;

    /// With a ceiling it starts there and gives way to refusals; without one it
    /// feels its way up from [`RateEstimator::FIRST`].
    #[must_use]
    pub(crate) fn new(ceiling: Option<f64>) -> Self {
        Self {
            rate: if ceiling.is_some() { None } else { Some(Self::FIRST) },
            ceiling,
            phase: Phase::Seeking,
            wall: None,
            measured: false,
            clean: None,
            windowed: false,
            change: 0,
            lowered: 0,
            delivered: 0.0,
            recent: Recent::default(),
            emptied: Mark::default(),
            stretch: None,
        }
    }

    /// The rate aimed at; none while the ceiling alone decides.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The rate that the service was found to take, once it has refused: its
    /// wall, or what it takes since the wall moved away.
    #[must_use]
    pub(crate) fn wall(&self) -> Option<f64> {
        let wall = self.wall.filter(|_| self.measured)?;
        // A probe gets somewhat further than the wall on what a bucket has left.
        Some(self.clean.filter(|&clean| !self.windowed && clean > 1.5 * wall).unwrap_or(wall))
    }

    /// Returns the number that tells requests that leave now from those that left at other rates.
    #[must_use]
    pub(crate) fn change(&self) -> u32 {
        self.change
    }

    /// An answer to what left under `change`.
    pub(crate) fn answered(&mut self, now: f64, throttled: bool, change: u32) {
        // A refusal of what left before the rate was lowered says nothing of it.
        let fresh = change >= self.lowered;
        if !throttled {
            self.delivered += 1.0;
            self.recent.add(now);
        }
        let here = Mark { at: now, delivered: self.delivered };
        let Some(mut stretch) = self.stretch else {
            // The first answer to what left at the new rate starts the stretch.
            if throttled && fresh {
                self.refused(here);
            } else if change == self.change {
                self.look_from(here);
            }
            return;
        };
        if fresh {
            stretch.fresh += 1.0;
            stretch.refused += f64::from(u8::from(throttled));
            self.stretch = Some(stretch);
        }
        match self.phase {
            Phase::Seeking | Phase::Probing(_) => {
                if throttled && fresh {
                    self.refused(here);
                } else if self.is_whole(&stretch, here) {
                    self.look_from(here);
                    self.go_on(here, stretch.start.rate_until(here));
                }
            }
            Phase::Watching => self.watch(&stretch, here, throttled),
            Phase::Waiting { since, back_to } if fresh => {
                if throttled {
                    let wait = (Self::WAIT_SHARE * (now - since)).clamp(Self::LEAST_WAIT, Self::MOST_WAIT);
                    let wait = wait.max(1.0 / back_to.max(Self::SLOWEST));
                    self.rate = Some((1.0 / wait).min(self.before()).max(Self::SLOWEST));
                } else {
                    self.resume(&stretch, here, now - since, back_to);
                }
            }
            Phase::Waiting { .. } => {}
        }
    }

    fn look_from(&mut self, start: Mark) {
        self.stretch = Some(Stretch { start, fresh: 0.0, refused: 0.0 });
    }

    fn is_whole(&self, stretch: &Stretch, here: Mark) -> bool {
        let elapsed = here.at - stretch.start.at;
        let least = if self.phase == Phase::Seeking { Self::SEEKING_STRETCH } else { Self::STRETCH };
        elapsed >= least && stretch.fresh >= Self::SAMPLES || elapsed >= Self::LONGEST
    }

    /// The rate at which things were sent until now.
    fn before(&self) -> f64 {
        self.rate.or(self.ceiling).unwrap_or(Self::FIRST)
    }

    fn set(&mut self, rate: f64) {
        self.rate = Some(rate.max(Self::SLOWEST));
        self.change += 1;
    }

    /// Sets a rate of which nothing that left before speaks.
    fn set_anew(&mut self, rate: f64) {
        self.set(rate);
        self.lowered = self.change;
    }

    fn lower(&mut self, aim: f64) {
        self.set_anew(aim.min(self.before()));
    }

    /// The first refusal after a clean stretch.
    fn refused(&mut self, here: Mark) {
        if self.windowed {
            return self.wait(here);
        }
        let before = self.before();
        let same_wall = self.phase != Phase::Seeking && self.wall.is_some_and(|wall| before <= Self::SAME_WALL * wall);
        if same_wall && here.delivered - self.emptied.delivered < 1.0 {
            return self.wait(here);
        }
        self.phase = Phase::Watching;
        if same_wall {
            self.settle(self.emptied.rate_until(here), here);
        } else {
            // Nothing tells yet how far down the wall is: at half of that rate
            // the next refusals will, or there are none.
            self.wall = Some(before);
            self.emptied = here;
            self.lower(before / 2.0);
            self.look_from(here);
        }
    }

    /// A bucket's wall stands at so many requests a second, as far as seen here.
    fn settle(&mut self, wall: f64, here: Mark) {
        // A bucket without room lets half through just above its rate: the rate
        // that was clean before counts, until a second look agrees.
        let clean = self.clean.take().map_or(0.0, |clean| Self::BELOW_CLEAN * clean);
        self.wall = Some(wall.max(clean));
        self.measured = true;
        self.emptied = here;
        self.lower((Self::BELOW_WALL * wall).max(clean));
        self.look_from(here);
    }

    fn watch(&mut self, stretch: &Stretch, here: Mark, throttled: bool) {
        let Stretch { start, fresh, refused } = *stretch;
        let whole = self.is_whole(stretch, here);
        let storm = fresh >= Self::STORM && refused > Self::STORM_SHARE * fresh
            || whole && (refused >= 2.0 || refused >= fresh) && refused > Self::TOLERATED * fresh
            || self.windowed && refused > 0.0;
        if storm && throttled {
            if self.windowed || here.delivered - start.delivered < 1.0 {
                return self.wait(here);
            }
            self.settle(start.rate_until(here), here);
        } else if whole && !storm && fresh > 0.0 {
            if refused < 1.0 && start.rate_until(here) >= 0.8 * self.before() {
                self.clean = self.rate;
            }
            self.phase = Phase::Probing(Self::FIRST_PROBE);
            self.look_from(here);
        }
    }

    /// Nobody is let through.
    fn wait(&mut self, here: Mark) {
        let recent = self.recent.rate(here.at);
        // Next to nothing was let through since the last refusal: what is recent
        // may reach back over a silence, and speaks of that.
        let few = here.delivered - self.emptied.delivered < Recent::ENOUGH;
        let known = self.wall.filter(|_| few || recent == 0.0).unwrap_or(0.0);
        let least = if recent > 0.0 { known / 2.0 } else { known.max(self.before()) / 2.0 };
        self.phase = Phase::Waiting { since: here.at, back_to: recent.max(least) };
        self.lower(1.0 / Self::LEAST_WAIT);
        self.look_from(here);
    }

    /// Somebody is let through again.
    fn resume(&mut self, stretch: &Stretch, here: Mark, waited: f64, back_to: f64) {
        if stretch.refused >= Self::SILENT_REFUSALS && back_to * waited > Self::SILENT_WORTH {
            self.windowed = waited < Self::LONGEST_SILENCE;
        }
        self.wall = Some(back_to);
        self.measured = true;
        self.clean = None;
        self.emptied = here;
        self.phase = Phase::Watching;
        self.set_anew(Self::BELOW_WALL * back_to);
        self.look_from(here);
    }

    /// A stretch without a refusal, in which so many a second were let through.
    fn go_on(&mut self, here: Mark, delivered: f64) {
        let Some(rate) = self.rate else {
            return;
        };
        // Where something else than the pace is the limit, a higher pace would
        // be a guess that nothing has tested.
        if delivered < 0.8 * rate {
            return;
        }
        self.clean = Some(rate);
        let wall = self.wall.filter(|_| self.windowed);
        let higher = match self.phase {
            Phase::Probing(_) if wall.is_some_and(|wall| self.recent.rate(here.at) > Self::WALL_MOVED * wall) => {
                self.phase = Phase::Seeking;
                rate * Self::WINDOWED_STEP
            }
            Phase::Probing(step) => {
                self.phase = Phase::Probing((step * Self::BOLDER).min(Self::LAST_PROBE));
                (rate * (1.0 + step)).min(wall.map_or(f64::MAX, |wall| (Self::WINDOWED_PROBE * wall).max(rate)))
            }
            _ => rate * if self.windowed { Self::WINDOWED_STEP } else { Self::SEEKING_STEP },
        };
        self.set(higher);
        self.stretch = None;
        if self.ceiling.is_some_and(|ceiling| higher >= ceiling) {
            // Back at the ceiling, which governor holds from here.
            self.rate = None;
        }
    }
}
