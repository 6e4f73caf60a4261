//! The request quota: a token bucket, or a count of a second's requests, whose rate follows a
//! schedule.
//!
//! Invariant: over any stretch of time no more requests pass than the schedule's integral over that
//! stretch plus the burst; of a count, no more in one of its seconds than its rate. Time is always passed in,
//! never read here.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A quota: rates and how long each holds, and how they are kept. Written `500`, or
/// `500:10s,100:10s,800,burst=20`; see [`Limiter`] for the words.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Requests a second, for so long; the last one holds for ever. The clock starts with the first
    /// request.
    pub schedule: Vec<(Duration, f64)>,
    /// The manner in which the rates are kept.
    pub limiter: Limiter,
}

/// A way to keep a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiter {
    /// A bucket with room for so many requests, full at the start: `burst=20`; `spacing` is a
    /// bucket of one, `bucket` one with a second's room.
    Bucket(u32),
    /// A count of the requests in each second of the quota's own clock: `counted`.
    Counted,
    /// A count of the requests in the last second: `sliding`.
    Sliding,
}

/// A fault of a quota's text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// The rate is no number, negative or not finite.
    #[error("quota: '{0}' is not a rate; write requests a second, such as 500 or 0.5")]
    Rate(String),
    /// The duration can't be read.
    #[error("quota: '{0}' is not a duration; write one such as 10s, 500ms or 2m")]
    Duration(String),
    /// A step that is not the last does not say how long it holds.
    #[error("quota: '{0}' has no duration and is not the last step; write {0}:10s")]
    Endless(String),
    /// The burst is no whole number of at least one.
    #[error("quota: '{0}' is not a burst; write a whole number of at least 1, such as burst=20")]
    Burst(String),
    /// A count of what can't be counted.
    #[error("quota: counted and sliding take rates of 0 or of at least 1")]
    Counted,
    /// Two ways at once.
    #[error("quota: name one of bucket, burst=N, spacing, counted and sliding")]
    Limiters,
    /// No rate at all.
    #[error("quota: there is no rate; write requests a second, such as 500")]
    Empty,
}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let mut schedule = Vec::new();
        let mut words = Vec::new();
        let mut endless = None;
        for step in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            if step.starts_with("burst=") || ["bucket", "spacing", "counted", "sliding"].contains(&step) {
                words.push(step);
                continue;
            }
            if let Some(earlier) = endless {
                return Err(QuotaError::Endless(earlier));
            }
            let (rate_text, duration) = match step.split_once(':') {
                None => (step, Duration::MAX),
                Some((rate, duration)) => (rate, parse_duration(duration)?),
            };
            let rate = parse_rate(rate_text)?;
            if duration == Duration::MAX {
                endless = Some(rate_text.to_owned());
            }
            schedule.push((duration, rate));
        }
        let &(_, first) = schedule.first().ok_or(QuotaError::Empty)?;
        let limiter = match words[..] {
            [] => Limiter::Bucket(whole(first / 10.0)),
            ["bucket"] => Limiter::Bucket(whole(first)),
            ["spacing"] => Limiter::Bucket(1),
            ["counted"] => Limiter::Counted,
            ["sliding"] => Limiter::Sliding,
            [burst] => {
                let value = burst.trim_start_matches("burst=");
                let size = value.parse().ok().filter(|&n: &u32| n > 0);
                Limiter::Bucket(size.ok_or_else(|| QuotaError::Burst(value.to_owned()))?)
            }
            _ => return Err(QuotaError::Limiters),
        };
        let bucket = matches!(limiter, Limiter::Bucket(_));
        if !bucket && schedule.iter().any(|&(_, rate)| rate > 0.0 && rate < 1.0) {
            return Err(QuotaError::Counted);
        }
        Ok(Quota { schedule, limiter })
    }
}

/// A bucket's room: a tenth of a second's worth unless said otherwise, which clients that pace
/// well never notice.
fn whole(room: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and the rate is not negative"
    )]
    let room = room.ceil() as u32;
    room.max(1)
}

fn parse_rate(text: &str) -> Result<f64, QuotaError> {
    let rate = text.trim().parse::<f64>().ok();
    rate.filter(|rate| rate.is_finite() && *rate >= 0.0).ok_or_else(|| QuotaError::Rate(text.to_owned()))
}

fn parse_duration(text: &str) -> Result<Duration, QuotaError> {
    let signed = text.trim().parse::<jiff::SignedDuration>().ok();
    signed.and_then(|signed| Duration::try_from(signed).ok()).ok_or_else(|| QuotaError::Duration(text.to_owned()))
}

/// The quota at work.
#[derive(Debug)]
pub(super) struct Bucket {
    quota: Quota,
    tokens: f64,
    /// The time of the first request, and the point of the schedule up to which the
    /// bucket is filled.
    clock: Option<(Instant, Duration)>,
    /// The times at which the requests that are counted passed.
    passed: VecDeque<Duration>,
}

impl Bucket {
    pub(super) fn new(quota: Quota) -> Bucket {
        let tokens = match quota.limiter {
            Limiter::Bucket(burst) => f64::from(burst),
            Limiter::Counted | Limiter::Sliding => 0.0,
        };
        Bucket { quota, tokens, clock: None, passed: VecDeque::new() }
    }

    /// Lets one request pass, or not.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let (start, filled) = *self.clock.get_or_insert((now, Duration::ZERO));
        let age = now.saturating_duration_since(start).max(filled);
        self.clock = Some((start, age));
        let second = Duration::from_secs(1);
        let burst = match self.quota.limiter {
            Limiter::Bucket(burst) => f64::from(burst),
            Limiter::Counted => {
                let from = Duration::from_secs(age.as_secs());
                return self.count(age, |passed| passed < from, self.integral(from, from + second));
            }
            Limiter::Sliding => {
                return self.count(age, |passed| passed + second <= age, self.integral(age, age + second));
            }
        };
        let gained = self.integral(filled, age);
        self.tokens = (self.tokens + gained).min(burst);
        let pass = self.tokens >= 1.0;
        if pass {
            self.tokens -= 1.0;
        }
        pass
    }

    /// Forgets what passed too long ago, and lets one more pass if there are not `most` yet.
    fn count(&mut self, age: Duration, over: impl Fn(Duration) -> bool, most: f64) -> bool {
        while self.passed.front().is_some_and(|&passed| over(passed)) {
            self.passed.pop_front();
        }
        #[expect(clippy::cast_precision_loss, reason = "a second's requests")]
        let pass = (self.passed.len() + 1) as f64 <= most;
        if pass {
            self.passed.push_back(age);
        }
        pass
    }

    /// Requests that the schedule grants between two ages.
    fn integral(&self, from: Duration, to: Duration) -> f64 {
        let last = self.quota.schedule.len().saturating_sub(1);
        let mut begin = Duration::ZERO;
        let mut granted = 0.0;
        for (step, &(length, rate)) in self.quota.schedule.iter().enumerate() {
            let end = if step == last { Duration::MAX } else { begin.saturating_add(length) };
            let overlap = to.min(end).saturating_sub(from.max(begin));
            granted += rate * overlap.as_secs_f64();
            begin = end;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests passed when `tries` come evenly over `seconds`.
    fn passed(bucket: &mut Bucket, start: Instant, seconds: u32, tries: u32) -> u32 {
        let step = Duration::from_secs(u64::from(seconds)) / tries;
        (0..tries).map(|i| u32::from(bucket.take(start + step * i))).sum()
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new("10,burst=5".parse().unwrap());
        let start = Instant::now();
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 5);
        assert!(!bucket.take(start + Duration::from_millis(99)));
        assert!(bucket.take(start + Duration::from_millis(101)));
        // A long rest fills it to the burst and no further.
        let later = start + Duration::from_hours(1);
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 5);
    }

    #[test]
    fn the_schedule_starts_with_the_first_request_and_its_last_rate_holds() {
        let mut bucket = Bucket::new("500:10s,100:10s,800,burst=2".parse().unwrap());
        let start = Instant::now() + Duration::from_secs(77);
        for (from, expected) in [(0, 5000), (10, 1000), (20, 8000), (30, 8000)] {
            let from = start + Duration::from_secs(from);
            let n = passed(&mut bucket, from, 10, 100_000);
            assert!(n.abs_diff(expected) <= 2, "{n} passed, not {expected}");
        }
    }

    #[test]
    fn a_rest_across_a_step_is_filled_by_both_rates() {
        let mut bucket = Bucket::new("10:1s,1,burst=100".parse().unwrap());
        let start = Instant::now();
        assert_eq!((0..200).filter(|_| bucket.take(start)).count(), 100);
        // Half a second at 10 and five at 1.
        let later = start + Duration::from_secs(6);
        assert_eq!((0..200).filter(|_| bucket.take(later)).count(), 15);
    }

    #[test]
    fn a_count_begins_anew_with_each_second() {
        let mut bucket = Bucket::new("10:2s,3,counted".parse().unwrap());
        let start = Instant::now();
        for (millis, expected) in [(0, 10), (999, 0), (1000, 10), (1500, 0), (2000, 3), (9999, 3)] {
            let now = start + Duration::from_millis(millis);
            assert_eq!((0..20).filter(|_| bucket.take(now)).count(), expected, "after {millis} ms");
        }
    }

    #[test]
    fn a_sliding_count_forgets_each_request_a_second_later() {
        let mut bucket = Bucket::new("10,sliding".parse().unwrap());
        let start = Instant::now();
        for (millis, tries, expected) in
            [(0, 4, 4), (500, 20, 6), (999, 20, 0), (1000, 20, 4), (1499, 20, 0), (1500, 20, 6)]
        {
            let now = start + Duration::from_millis(millis);
            assert_eq!((0..tries).filter(|_| bucket.take(now)).count(), expected, "after {millis} ms");
        }
    }

    #[test]
    fn time_that_runs_backwards_grants_nothing() {
        let mut bucket = Bucket::new("1,burst=1".parse().unwrap());
        let earlier = Instant::now();
        let start = earlier + Duration::from_secs(5);
        assert!(bucket.take(start));
        assert!(!bucket.take(earlier));
        assert!(!bucket.take(start));
    }

    #[test]
    fn a_quota_reads_as_it_is_written() {
        let quota: Quota = " 500:10s, 0.5 ".parse().unwrap();
        assert_eq!(quota.schedule[0], (Duration::from_secs(10), 500.0));
        assert_eq!(quota.schedule[1], (Duration::MAX, 0.5));
        assert_eq!(quota.limiter, Limiter::Bucket(50));
        let limiter = |text: &str| text.parse::<Quota>().unwrap().limiter;
        assert_eq!(limiter("500,bucket"), Limiter::Bucket(500));
        assert_eq!(limiter("0.5,bucket"), Limiter::Bucket(1));
        assert_eq!(limiter("500,spacing"), Limiter::Bucket(1));
        assert_eq!(limiter("500,sliding"), Limiter::Sliding);
        let error = |text: &str| text.parse::<Quota>().unwrap_err().to_string();
        assert!(error("").contains("no rate"));
        assert!(error("fast").contains("'fast' is not a rate"));
        assert!(error("-1").contains("not a rate"));
        assert!(error("5:soon").contains("'soon' is not a duration"));
        assert!(error("5,6").contains("write 5:10s"));
        assert!(error("5,burst=0").contains("at least 1"));
        assert!(error("5,burst=2,counted").contains("one of bucket, "));
        assert!(error("0.5,counted").contains("at least 1"));
    }
}
