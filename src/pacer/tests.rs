//! The pacer's laws, on a clock that is moved by hand.

use std::collections::VecDeque;

use governor::clock::FakeRelativeClock;

use super::*;

/// Sends as fast as the pacer allows for `seconds`, waking up late by up to a
/// millisecond like a real timer. Tells when each request left.
fn departures(rate: Rate, seconds: f64) -> Vec<f64> {
    let clock = FakeRelativeClock::default();
    let mut pacer = Pacer::new(rate, clock.clone());
    let (mut now, mut left) = (0.0, Vec::new());
    let mut late = 0_u64;
    while now < seconds {
        match pacer.take() {
            Ok(_) => left.push(now),
            Err(wait) => {
                late = (late * 7919 + 12_347) % 1_000_000;
                let wait = wait + Duration::from_nanos(late);
                clock.advance(wait);
                now += wait.as_secs_f64();
            }
        }
    }
    left
}

fn most_in_a_second(times: &[f64]) -> usize {
    let mut window = VecDeque::new();
    let mut most = 0;
    for &time in times {
        window.push_back(time);
        while window.front().is_some_and(|&first| first <= time - 1.0) {
            window.pop_front();
        }
        most = most.max(window.len());
    }
    most
}

#[test]
fn a_ceiling_is_reached_and_no_second_exceeds_it_by_more_than_the_burst() {
    for rate in [0.5, 5.0, 50.0, 500.0, 1000.0] {
        let seconds = if rate < 10.0 { 600.0 } else { 60.0 };
        let left = departures(Rate::PerSecond(rate), seconds);
        #[allow(clippy::cast_precision_loss)]
        let achieved = left.len() as f64 / seconds;
        assert!(achieved >= 0.99 * rate, "{achieved} of {rate}");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let most = rate.ceil() as usize + burst(rate) as usize;
        assert!(most_in_a_second(&left) <= most, "{} in a second at {rate}", most_in_a_second(&left));
    }
}

#[test]
fn rates_are_read_in_every_spelling() {
    for (text, rate) in [("5", 5.0), ("0.5", 0.5), ("30/m", 0.5), ("36/h", 0.01), ("2/s", 2.0)] {
        assert_eq!(text.parse(), Ok(Rate::PerSecond(rate)), "{text}");
    }
    assert_eq!("unlimited".parse(), Ok(Rate::Unlimited));
    for wrong in ["", "0", "-1", "x", "5/d", "inf", "NaN", "1e99", "/m"] {
        assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
    }
}

/// A service with a token bucket whose rate moves, behind some latency.
struct Service {
    schedule: Vec<(f64, f64)>,
    burst: f64,
    tokens: f64,
    at: f64,
}

impl Service {
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
        self.tokens = (self.tokens + (now - self.at) * self.rate(self.at)).min(self.burst);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

struct Finding {
    delivered: f64,
    allowed: f64,
    throttled_share: f64,
    found: Option<f64>,
}

/// Runs without a ceiling against a quota, 64 in flight at most.
fn find(schedule: &[(f64, f64)], burst: f64, latency: f64) -> Finding {
    let clock = FakeRelativeClock::default();
    let mut pacer = Pacer::new(Rate::Unlimited, clock.clone());
    let mut service = Service { schedule: schedule.to_vec(), burst, tokens: burst, at: 0.0 };
    let seconds: f64 = schedule.iter().map(|(seconds, _)| seconds).sum();
    let (mut now, mut delivered, mut throttled) = (0.0, 0.0, 0.0);
    let mut answers: VecDeque<(f64, bool, Permit)> = VecDeque::new();
    while now < seconds {
        while answers.front().is_some_and(|&(due, ..)| due <= now) {
            if let Some((_, ok, permit)) = answers.pop_front() {
                if ok {
                    delivered += 1.0;
                } else {
                    throttled += 1.0;
                }
                pacer.answered(permit, !ok);
            }
        }
        let mut next = answers.front().map_or(f64::MAX, |&(due, ..)| due);
        if answers.len() < 64 {
            match pacer.take() {
                Ok(permit) => {
                    let ok = service.takes(now);
                    answers.push_back((now + latency, ok, permit));
                    next = now;
                }
                Err(wait) => next = next.min(now + wait.as_secs_f64()),
            }
        }
        let step = Duration::from_secs_f64((next - now).max(0.000_001));
        clock.advance(step);
        now += step.as_secs_f64();
    }
    let allowed = schedule.iter().map(|(seconds, rate)| seconds * rate).sum();
    Finding { delivered, allowed, throttled_share: throttled / (delivered + throttled), found: pacer.found() }
}

#[test]
fn a_hidden_quota_that_moves_is_followed_with_few_throttled() {
    for latency in [0.002, 0.02] {
        for burst in [5.0, 10.0, 50.0] {
            let Finding { delivered, allowed, throttled_share, .. } =
                find(&[(10.0, 500.0), (10.0, 100.0), (10.0, 800.0)], burst, latency);
            assert!(delivered >= 0.95 * allowed, "latency {latency} burst {burst}: {delivered} of {allowed}");
            assert!(throttled_share <= 0.05, "latency {latency} burst {burst}: {throttled_share} throttled");
        }
    }
}

#[test]
fn a_steady_quota_is_found() {
    for rate in [3.0, 40.0, 500.0, 2000.0] {
        let Finding { delivered, allowed, throttled_share, found } = find(&[(60.0, rate)], 5.0, 0.01);
        assert!(delivered >= 0.95 * allowed, "{rate}: {delivered} of {allowed}");
        // The one overshoot at the start weighs more the fewer requests follow.
        let most = 0.05 + 40.0 / allowed;
        assert!(throttled_share <= most, "{rate}: {throttled_share} throttled");
        let found = found.unwrap_or(0.0);
        assert!((0.8..=1.25).contains(&(found / rate)), "{rate} was found as {found}");
    }
}

#[test]
fn throttling_lowers_the_rate_for_everyone_and_recovery_is_gradual() {
    let clock = FakeRelativeClock::default();
    let mut pacer = Pacer::new(Rate::PerSecond(100.0), clock.clone());
    assert_eq!(pacer.rate(), Some(100.0));
    let mut step = |throttled: bool| {
        clock.advance(Duration::from_secs(1));
        let permit = pacer.take().expect("a second is always long enough");
        for _ in 0..40 {
            clock.advance(Duration::from_millis(5));
            pacer.answered(permit, throttled);
        }
        pacer.rate()
    };
    let lowered = step(true).unwrap_or(100.0);
    assert!(lowered < 100.0, "{lowered}");
    let mut rates = vec![lowered];
    while rates.last().is_some_and(|&rate| rate < 100.0) && rates.len() < 100 {
        rates.extend(step(false));
    }
    assert_eq!(rates.last(), Some(&100.0));
    assert!(rates.len() > 2 && rates.windows(2).all(|two| two[1] >= two[0]), "{rates:?}");
}

#[test]
fn answers_from_before_a_change_say_nothing_about_it() {
    let clock = FakeRelativeClock::default();
    let mut pacer = Pacer::new(Rate::Unlimited, clock.clone());
    let old = pacer.take().expect("the first one is free");
    let storm = |pacer: &mut Pacer<FakeRelativeClock>, permit| {
        for _ in 0..40 {
            clock.advance(Duration::from_millis(5));
            pacer.answered(permit, true);
        }
    };
    storm(&mut pacer, old);
    let lowered = pacer.rate();
    storm(&mut pacer, old);
    assert_eq!(pacer.rate(), lowered);
}
