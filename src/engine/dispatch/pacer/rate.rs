//! Finds the rate that a service takes, from what it lets through and what it
//! refuses (429).
//!
//! Invariant: the rate is lowered only by refusals of what left since it was last
//! lowered, and raised only after a round of requests that left at it and was let
//! through. Pure arithmetic over times that are passed in, in seconds.
//!
//! The rate follows a curve from refusal to refusal, as TCP's CUBIC does: a little
//! below the capacity after one, back to it within a span, level there, and past
//! it ever faster. All who share a quota are refused together, give way by the same
//! share and return after a like time, so that no one starves. What the capacity
//! is, each refusal tells anew:
//!
//! - It lies between the mean since the refusal before, which a bucket of any room
//!   lets through at least, and the rate that was refused.
//! - Within a second that mean tells little. What was let through in the second
//!   before the request *left* bounds it then: no service that counts seconds lets
//!   more through, and a bucket no more than its room on top.

use super::log::{Log, Mark};

/// Follows a service's rate. See the module.
#[derive(Debug)]
pub(crate) struct RateEstimator {
    ceiling: Option<f64>,
    /// Requests a second aimed at; none while the ceiling alone decides.
    rate: Option<f64>,
    /// Requests a second that the service takes; none until it has refused.
    capacity: Option<f64>,
    log: Log,
    latency: f64,
    curve: Curve,
    /// The time at which the service was last seen without room.
    mark: Mark,
    /// Refusals of what left since then, and of whatever since the curve began.
    refused: u32,
    cost: u32,
    /// Requests let through in the second before it last refused.
    last_second: f64,
    /// The first request that left since the rate was last lowered.
    fresh: u64,
    /// The answers to such: those let through, and refusals as long as none was.
    passed: u32,
    silent: u32,
    /// Nobody is let through: asking now and then.
    waiting: bool,
    /// True if it counts seconds, as far as it has shown: it goes on refusing.
    counts: bool,
    /// The first request at the present rate.
    round: Mark,
}

/// The way from a refusal back to the capacity, and past it.
#[derive(Clone, Copy, Debug)]
struct Curve {
    /// Seconds on the way, and seconds to the capacity.
    at: f64,
    span: f64,
    /// The share of the capacity that it begins below it.
    depth: f64,
}

impl Curve {
    /// The rate there.
    fn rate(&self, capacity: f64) -> f64 {
        let way = self.at / self.span - 1.0;
        let depth = if way < 0.0 { self.depth } else { RateEstimator::PAST };
        capacity * (1.0 + depth * way.powi(3))
    }
}

#[allow(clippy::cast_precision_loss, reason = "numbers of requests")]
impl RateEstimator {
    /// Requests a second to start with, from no knowledge.
    pub(crate) const FIRST: f64 = 10.0;
    /// Never less than one request in so many seconds.
    const SLOWEST: f64 = 1.0 / 30.0;
    /// The share of the capacity that a refusal takes, and the share of the rate
    /// that is left of it at least.
    const YIELD: f64 = 0.08;
    const LEFT: f64 = 0.8;
    /// The share of the capacity that it is past it after a second such span.
    const PAST: f64 = 0.15;
    /// A refusal is paid for by so many requests let through on the way back to the
    /// capacity; more than a few of one curve are not.
    const PAID: f64 = 40.0;
    const COST: u32 = 3;
    /// The way back takes so many seconds at least, and a service's own second if it
    /// counts those.
    const SPAN: f64 = 0.4;
    const SECOND: f64 = 0.75;
    /// The first ways are quick: so many seconds, and requests; each one that leads
    /// past the capacity makes the next so much longer.
    const QUICK: f64 = 0.1;
    const QUICK_REQUESTS: f64 = 1.5;
    const LONGER: f64 = 3.0;
    /// A refusal on the way tells of company, or of an outdated capacity. Then this
    /// over the root of the capacity is enough: the way takes those with little
    /// not much longer than those with much.
    const COMPANY: f64 = 4.0;
    /// A rate so far past the capacity, and past what was let through in the second
    /// before the last refusal, shows that there is another capacity …
    const OUTGROWN: f64 = 1.2;
    /// … and of one that counts seconds, that in so many of them more is let through
    /// than so many times what it allows: the edges of its seconds don't make that up.
    const PROVING: f64 = 2.0;
    const PROOF: f64 = 2.25;
    /// A round's least seconds.
    const ROUND: f64 = 0.05;
    /// So many refusals and nothing else: nobody is let through. The wait between
    /// two requests is then a share of the time waited, and at most so long.
    const SILENT: u32 = 3;
    const WAIT_SHARE: f64 = 0.2;
    const MOST_WAIT: f64 = 5.0;

    /// With a ceiling it starts there and gives way to refusals; without one it
    /// feels its way up from [`RateEstimator::FIRST`].
    #[must_use]
    pub(crate) fn new(ceiling: Option<f64>) -> Self {
        Self {
            ceiling,
            rate: if ceiling.is_some() { None } else { Some(Self::FIRST) },
            capacity: None,
            log: Log::default(),
            latency: 0.0,
            curve: Curve { at: 0.0, span: Self::QUICK, depth: 0.0 },
            mark: Mark::default(),
            refused: 0,
            cost: 0,
            last_second: 0.0,
            fresh: 0,
            passed: 0,
            silent: 0,
            waiting: false,
            counts: false,
            round: Mark::default(),
        }
    }

    /// The rate aimed at; none while the ceiling alone decides.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The rate that the service was found to take, once it has refused.
    #[must_use]
    pub(crate) fn capacity(&self) -> Option<f64> {
        // Half of the rate has been let through while it doubles.
        self.capacity.map(|capacity| capacity.max(self.rate.map_or(0.0, |rate| rate / 2.0)))
    }

    /// Notes that a request leaves; returns its number.
    pub(crate) fn sent(&mut self, now: f64) -> u64 {
        let rate = self.before();
        self.log.add(now, rate)
    }

    /// Notes the answer to a request, a refusal or another.
    pub(crate) fn answered(&mut self, now: f64, refused: bool, number: u64) {
        let Some(request) = self.log.answer(number, refused) else {
            return;
        };
        if refused && number >= self.fresh && self.log.refuses_at_any_rate() {
            return;
        }
        if refused {
            self.cost += 1;
            self.refused += u32::from(number > self.mark.number);
        } else {
            self.latency += 0.1 * (now - request.at - self.latency);
        }
        if number < self.fresh {
            return;
        }
        if self.passed + self.silent == 0 && !self.waiting {
            self.counts = refused;
        }
        match (refused, self.capacity) {
            (false, Some(capacity)) if self.waiting => {
                // Somebody is let through again.
                self.mark = request;
                self.refused = 0;
                self.lower(now, (1.0 - Self::YIELD) * capacity);
                self.passed = 1;
            }
            (false, _) => {
                self.passed += 1;
                self.go_on(request, now);
            }
            (true, Some(capacity)) if self.passed == 0 => self.wait(request, now, capacity),
            (true, known) => {
                let (capacity, span) = known.map_or_else(|| self.first(request), |known| self.judge(request, known));
                self.last_second = self.log.passed(request, 1.0);
                self.capacity = Some(capacity);
                self.curve.span = span;
                self.mark = request;
                (self.refused, self.cost) = (0, 0);
                self.lower(now, (1.0 - Self::YIELD) * capacity.min(self.before()));
            }
        }
    }

    /// The rate at which things were sent until now.
    fn before(&self) -> f64 {
        self.rate.or(self.ceiling).unwrap_or(Self::FIRST)
    }

    /// Returns the number let through since the mark, up to a request.
    fn delivered(&self, until: Mark) -> f64 {
        until.number.saturating_sub(self.mark.number).saturating_sub(self.refused.into()) as f64
    }

    /// The capacity, as far as the first refusal shows it, and the way to it.
    fn first(&self, request: Mark) -> (f64, f64) {
        let before = self.before();
        let capacity = self.log.passed(request, 1.0).clamp(before / 4.0, before / 2.0);
        (capacity, Self::QUICK.max(Self::QUICK_REQUESTS / capacity))
    }

    /// The capacity that a refusal after others shows, and the way back to it.
    fn judge(&self, request: Mark, known: f64) -> (f64, f64) {
        let before = self.before();
        let span = request.at - self.mark.at;
        let last_second = self.log.passed(request, 1.0) + 1.0;
        let capacity = if span >= 1.0 {
            let mean = self.delivered(request) / span;
            f64::midpoint(mean, before.min(1.5 * mean)).max(Self::LEFT * before)
        } else if last_second < before {
            last_second.max(Self::LEFT * before)
        } else {
            // What left at a higher rate has taken the room.
            known.min(last_second)
        };
        let paid = Self::PAID * f64::from(self.cost.min(Self::COST)) / capacity;
        let longest = paid.max(if self.counts { Self::SECOND } else { Self::SPAN });
        let led_past = before > 0.995 * known;
        // Refused while it doubled: near, but not known.
        if before > 1.5 * known.max(self.last_second) {
            return (capacity, Self::QUICK.max(Self::QUICK_REQUESTS / capacity));
        }
        let way = if led_past { Self::LONGER * self.curve.span } else { Self::COMPANY / capacity.sqrt() };
        (capacity, way.min(longest))
    }

    /// Begins the curve anew, at a rate.
    fn lower(&mut self, now: f64, rate: f64) {
        let rate = rate.max(Self::SLOWEST);
        self.rate = Some(rate);
        self.curve.at = 0.0;
        self.curve.depth = 1.0 - rate / self.capacity.unwrap_or(rate).max(rate);
        self.fresh = self.log.next();
        (self.passed, self.silent, self.waiting) = (0, 0, false);
        self.round = Mark { number: self.fresh, at: now };
    }

    /// A refusal, and nothing was let through since the mark.
    fn wait(&mut self, request: Mark, now: f64, capacity: f64) {
        self.silent += 1;
        // Others are answered a latency late.
        if self.silent < Self::SILENT || now - self.round.at < 1.5 * self.latency {
            return;
        }
        if !self.waiting {
            self.waiting = true;
            self.capacity = Some(self.log.passed(request, 1.0).clamp(capacity / 2.0, capacity));
        }
        let wait = (Self::WAIT_SHARE * (now - self.mark.at)).clamp(1e-3, Self::MOST_WAIT);
        self.rate = Some(capacity.min(1.0 / wait).max(Self::SLOWEST));
    }

    /// A request was let through: the rate goes along its curve at a round's end.
    fn go_on(&mut self, request: Mark, now: f64) {
        let Some(rate) = self.rate else {
            return;
        };
        let most = self.capacity.map(|capacity| capacity.max(self.last_second));
        let proven = |most| self.log.passed(request, Self::PROVING) > Self::PROOF * most;
        let outgrown = most.is_none_or(|most| rate > Self::OUTGROWN * most && (!self.counts || proven(most)));
        let sent = (request.number + 1).saturating_sub(self.round.number) as f64;
        let seconds = request.at - self.round.at;
        if seconds < Self::ROUND || sent < if outgrown { 2.0 } else { 1.0 } {
            return;
        }
        // Where something else than the pace is the limit, a higher pace would
        // be a guess that nothing has tested.
        if sent >= 0.8 * rate * seconds {
            let higher = if let (Some(capacity), Some(most), false) = (self.capacity, most, outgrown) {
                self.curve.at += seconds;
                self.curve.rate(capacity).min(1.5 * most).clamp(rate, 1.5 * rate)
            } else {
                2.0 * rate
            };
            // Back at the ceiling, governor holds it from here.
            self.rate = Some(higher).filter(|_| self.ceiling.is_none_or(|ceiling| higher < ceiling));
        }
        self.round = Mark { number: self.log.next(), at: now };
    }
}
