//! The pacer's laws, on a clock that is moved by hand.

use std::collections::VecDeque;

use governor::clock::FakeRelativeClock;

use super::rationing::{Cell, Limiter, run};
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

struct Finding {
    /// Of what the quota allowed; a bucket's room comes on top.
    kept: f64,
    throttled: f64,
    found: f64,
}

/// Runs without a ceiling against a quota, 64 in flight at most.
fn find(schedule: &[(f64, f64)], limiter: Limiter, latency: f64) -> Finding {
    find_below(Rate::Unlimited, schedule, limiter, latency)
}

/// The same below a ceiling.
fn find_below(ceiling: Rate, schedule: &[(f64, f64)], limiter: Limiter, latency: f64) -> Finding {
    let cell = Cell { ceiling, schedule: schedule.to_vec(), ..Cell::new(limiter, 0.0, latency, 64) };
    let end = schedule.iter().map(|(seconds, _)| seconds).sum();
    let seen = run(&cell).remove(0);
    let allowed: f64 = schedule.iter().map(|(seconds, rate)| seconds * rate).sum();
    Finding {
        kept: seen.passed(0.0, end) / allowed,
        throttled: seen.refused(0.0, end),
        found: seen.found.unwrap_or(0.0),
    }
}

const MOVING: [(f64, f64); 3] = [(10.0, 500.0), (10.0, 100.0), (10.0, 800.0)];

#[test]
fn a_hidden_bucket_that_moves_is_followed_with_few_throttled() {
    for latency in [0.002, 0.01, 0.02] {
        for limiter in [
            Limiter::Bucket(5.0),
            Limiter::Bucket(20.0),
            Limiter::Bucket(50.0),
            Limiter::BucketOfSeconds(0.1),
            Limiter::BucketOfSeconds(1.0),
            Limiter::BucketOfSeconds(2.0),
        ] {
            let Finding { kept, throttled, .. } = find(&MOVING, limiter, latency);
            assert!(kept >= 0.88, "{limiter:?}, latency {latency}: {kept} of the quota");
            assert!(throttled <= 0.06, "{limiter:?}, latency {latency}: {throttled} throttled");
        }
    }
}

#[test]
fn a_service_that_counts_seconds_is_followed_nearly_as_well() {
    for latency in [0.002, 0.01] {
        for limiter in [Limiter::Counted, Limiter::Sliding] {
            let Finding { kept, throttled, .. } = find(&MOVING, limiter, latency);
            assert!(kept >= 0.82, "{limiter:?}, latency {latency}: {kept} of the quota");
            assert!(throttled <= 0.23, "{limiter:?}, latency {latency}: {throttled} throttled");
        }
    }
}

#[test]
fn a_steady_quota_is_found() {
    for rate in [3.0, 40.0, 500.0, 2000.0] {
        let Finding { kept, throttled, found } = find(&[(60.0, rate)], Limiter::Bucket(5.0), 0.01);
        assert!(kept >= 0.94, "{rate}: {kept} of the quota, the start included");
        // The one overshoot at the start weighs more the fewer requests follow.
        let most = 0.05 + 40.0 / (60.0 * rate);
        assert!(throttled <= most, "{rate}: {throttled} throttled");
        assert!((0.9..=1.1).contains(&(found / rate)), "{rate} was found as {found}");
    }
}

#[test]
fn a_quota_below_the_ceiling_is_found_and_remembered() {
    for (ceiling, quota, room, least) in [(500.0, 400.0, 5.0, 0.95), (500.0, 100.0, 5.0, 0.95), (5.0, 4.0, 1.0, 0.85)] {
        let seconds = if ceiling < 10.0 { 300.0 } else { 30.0 };
        let limiter = Limiter::Bucket(room);
        let Finding { kept, throttled, .. } = find_below(Rate::PerSecond(ceiling), &[(seconds, quota)], limiter, 0.01);
        assert!(kept >= least, "{quota} below {ceiling}: {kept} of the quota");
        assert!(throttled <= 0.06, "{quota} below {ceiling}: {throttled} throttled");
    }
}

#[test]
fn what_is_told_of_the_service_follows_it_up_before_it_refuses_again() {
    let Finding { found, .. } = find(&[(5.0, 100.0), (5.0, 1_000_000.0)], Limiter::BucketOfSeconds(0.1), 0.01);
    assert!(found > 1000.0, "{found}");
}

#[test]
fn a_service_that_takes_nothing_for_a_while_is_asked_now_and_then() {
    // Ten seconds at 200, a minute at nothing, ten seconds at 200.
    let Finding { kept, throttled, .. } =
        find(&[(10.0, 200.0), (60.0, 0.0), (10.0, 200.0)], Limiter::BucketOfSeconds(0.1), 0.01);
    // The longest wait is five seconds: half of the last ten at least is used.
    assert!(kept >= 0.6, "{kept} of the quota");
    assert!(throttled <= 0.06, "{throttled} throttled");
}

#[test]
fn throttling_lowers_the_rate_for_everyone_and_recovery_is_gradual() {
    let clock = FakeRelativeClock::default();
    let mut pacer = Pacer::new(Rate::PerSecond(100.0), clock.clone());
    assert_eq!(pacer.rate(), Some(100.0));
    let mut step = |throttled: bool| {
        clock.advance(Duration::from_secs(1));
        for _ in 0..40 {
            let permit = loop {
                match pacer.take() {
                    Ok(permit) => break permit,
                    Err(wait) => clock.advance(wait),
                }
            };
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
    assert!(rates.len() >= 2 && rates.windows(2).all(|two| two[1] >= two[0]), "{rates:?}");
}

#[test]
fn the_first_refusal_slows_everyone_down_at_once() {
    for rate in [Rate::PerSecond(5.0), Rate::PerSecond(500.0), Rate::Unlimited] {
        let clock = FakeRelativeClock::default();
        let mut pacer = Pacer::new(rate, clock.clone());
        let permit = pacer.take().expect("the first one is free");
        let before = pacer.rate().unwrap_or(f64::MAX);
        clock.advance(Duration::from_millis(1));
        pacer.answered(permit, true);
        assert!(pacer.rate().is_some_and(|after| after <= before / 2.0), "{rate} became {:?}", pacer.rate());
    }
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
