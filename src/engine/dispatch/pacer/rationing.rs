//! A service that rations, and clients with pacers, on a clock that is moved by hand.
//!
//! A service decides when a request leaves; its answer takes the latency, a
//! refusal half of it, each and up to half as much again. Timers are late by up
//! to a millisecond, unless it is said otherwise.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use governor::clock::FakeRelativeClock;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// The way in which a service rations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limiter {
    /// A token bucket with room for so many requests …
    Bucket(f64),
    /// … or for so many seconds' worth.
    BucketOfSeconds(f64),
    /// So many in each second of its clock.
    Counted,
    /// So many in any second.
    Sliding,
}

/// A service whose quota moves: rates, and how many seconds each holds.
struct Service {
    schedule: Vec<(f64, f64)>,
    limiter: Limiter,
    tokens: f64,
    at: f64,
    passed: VecDeque<f64>,
    /// The start of its whole seconds.
    phase: f64,
}

impl Service {
    fn new(schedule: &[(f64, f64)], limiter: Limiter, phase: f64) -> Self {
        Self { schedule: schedule.to_vec(), limiter, tokens: f64::MAX, at: 0.0, passed: VecDeque::new(), phase }
    }

    fn rate(&self, now: f64) -> f64 {
        let mut end = 0.0;
        for &(seconds, rate) in &self.schedule {
            end += seconds;
            if now < end {
                return rate;
            }
        }
        self.schedule.last().map_or(0.0, |&(_, rate)| rate)
    }

    fn takes(&mut self, now: f64) -> bool {
        let rate = self.rate(now);
        let since = match self.limiter {
            Limiter::Bucket(room) => return self.has_token(now, room),
            Limiter::BucketOfSeconds(seconds) => return self.has_token(now, (seconds * rate).max(1.0)),
            Limiter::Counted => (now + self.phase).floor() - self.phase,
            Limiter::Sliding => now - 1.0,
        };
        while self.passed.front().is_some_and(|&at| at < since) {
            self.passed.pop_front();
        }
        #[allow(clippy::cast_precision_loss, reason = "a second's requests")]
        let room = (self.passed.len() as f64) < rate;
        if room {
            self.passed.push_back(now);
        }
        room
    }

    fn has_token(&mut self, now: f64, room: f64) -> bool {
        self.tokens = (self.tokens + (now - self.at) * self.rate(self.at)).min(room);
        self.at = now;
        let has = self.tokens >= 1.0 && self.rate(now) > 0.0;
        self.tokens -= f64::from(u8::from(has));
        has
    }
}

/// One case of the survey.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub limiter: Limiter,
    pub schedule: Vec<(f64, f64)>,
    pub latency: f64,
    pub in_flight: usize,
    pub ceiling: Rate,
    /// The time at which each client starts.
    pub clients: Vec<f64>,
    /// The share of requests that is refused whatever the rate.
    pub at_random: f64,
    /// The most seconds by which a timer is late.
    pub late: f64,
    /// The seed of the dice: jitter, and the phase of the service's clock.
    pub seed: u64,
}

impl Cell {
    /// A minute at a quota, for one client without a ceiling.
    pub(super) fn new(limiter: Limiter, quota: f64, latency: f64, in_flight: usize) -> Self {
        let (schedule, clients) = (vec![(60.0, quota)], vec![0.0]);
        Self {
            limiter,
            schedule,
            latency,
            in_flight,
            ceiling: Rate::Unlimited,
            clients,
            at_random: 0.0,
            late: 0.001,
            seed: 7,
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.schedule.iter().map(|(seconds, _)| seconds).sum()
    }

    /// The most that a client can get between two moments: the quota, or as much as
    /// its requests in flight bring through.
    pub(super) fn allowed(&self, from: f64, to: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a few")]
        let most = self.in_flight as f64 / (1.25 * self.latency);
        let (mut begin, mut allowed) = (0.0, 0.0);
        for &(seconds, rate) in &self.schedule {
            let end = begin + seconds;
            allowed += rate.min(most) * (to.min(end) - from.max(begin)).max(0.0);
            begin = end;
        }
        allowed
    }
}

/// The view of one client: when each request left, and whether it was let through.
#[derive(Default)]
pub(super) struct Seen {
    sent: Vec<(f64, bool)>,
    pub found: Option<f64>,
}

impl Seen {
    pub(super) fn passed(&self, from: f64, to: f64) -> f64 {
        self.count(from, to, true)
    }

    /// The share of what left between two moments that was refused.
    pub(super) fn refused(&self, from: f64, to: f64) -> f64 {
        let refused = self.count(from, to, false);
        refused / (refused + self.passed(from, to)).max(1.0)
    }

    #[allow(clippy::cast_precision_loss, reason = "requests of a minute")]
    fn count(&self, from: f64, to: f64, passed: bool) -> f64 {
        self.sent.iter().filter(|(at, ok)| (from..to).contains(at) && *ok == passed).count() as f64
    }
}

struct Client {
    pacer: Pacer<FakeRelativeClock>,
    permits: Vec<Permit>,
    seen: Seen,
    in_flight: usize,
    wake: f64,
}

/// Runs a cell; returns what each client saw.
pub(super) fn run(cell: &Cell) -> Vec<Seen> {
    let clock = FakeRelativeClock::default();
    let mut dice = StdRng::seed_from_u64(cell.seed);
    let mut service = Service::new(&cell.schedule, cell.limiter, dice.random());
    let mut clients: Vec<Client> = (cell.clients.iter())
        .map(|&wake| Client {
            pacer: Pacer::new(cell.ceiling, clock.clone()),
            permits: Vec::new(),
            seen: Seen::default(),
            in_flight: 0,
            wake,
        })
        .collect();
    // Due in nanoseconds, of which client, its number there.
    let mut answers: BinaryHeap<Reverse<(u64, usize, usize)>> = BinaryHeap::new();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a minute in nanoseconds")]
    let nanos = |seconds: f64| (seconds * 1e9) as u64;
    let (mut now, mut clock_at) = (0.0, 0);
    while now < cell.seconds() {
        while let Some(&Reverse((_, who, number))) = answers.peek().filter(|answer| answer.0.0 <= nanos(now)) {
            answers.pop();
            let client = &mut clients[who];
            client.in_flight -= 1;
            client.pacer.answered(client.permits[number], !client.seen.sent[number].1);
            client.wake = client.wake.min(now);
        }
        for (who, client) in clients.iter_mut().enumerate().filter(|(_, client)| client.wake <= now) {
            client.wake = f64::MAX;
            while client.in_flight < cell.in_flight {
                match client.pacer.take() {
                    Ok(permit) => {
                        let passed = !dice.random_bool(cell.at_random) && service.takes(now);
                        let latency = cell.latency * if passed { 1.0 } else { 0.5 } * dice.random_range(1.0..1.5);
                        answers.push(Reverse((nanos(now + latency), who, client.seen.sent.len())));
                        client.seen.sent.push((now, passed));
                        client.permits.push(permit);
                        client.in_flight += 1;
                    }
                    Err(wait) => {
                        client.wake = now + wait.as_secs_f64() + cell.late * dice.random_range(0.0..1.0);
                        break;
                    }
                }
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "a minute in nanoseconds")]
        let due = answers.peek().map_or(f64::MAX, |answer| (answer.0.0 + 1) as f64 * 1e-9);
        now = clients.iter().map(|client| client.wake).fold(due, f64::min).max(now + 1e-7);
        clock.advance(Duration::from_nanos(nanos(now) - clock_at));
        clock_at = nanos(now);
    }
    (clients.into_iter()).map(|client| Seen { found: client.pacer.found(), ..client.seen }).collect()
}
