//! The request quota: a token bucket, or a count of each second's requests, whose rate follows a
//! schedule.
//!
//! Invariant: over any stretch of time no more requests pass than the schedule's integral over that
//! stretch plus the burst; of a count, no more in a second than its rate. Time is always passed in,
//! never read here.

use std::str::FromStr;
use std::time::{Duration, Instant};

/// A quota: rates and how long each holds. Written `500`, or `500:10s,100:10s,800,burst=20`; with
/// `counted` in place of a burst for a count of each second's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Requests a second, for so long; the last one holds for ever. The clock starts with the first
    /// request.
    pub schedule: Vec<(Duration, f64)>,
    /// Requests that may come at once: the bucket's size. It starts full.
    pub burst: u32,
    /// Whether each second's requests are counted instead, the seconds of the quota's own clock.
    pub counted: bool,
}

/// Why a quota could not be read.
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
    /// A count of what can't be counted, or with a bucket's size.
    #[error("quota: a counted one takes rates of 0 or of at least 1, and no burst")]
    Counted,
    /// No rate at all.
    #[error("quota: there is no rate; write requests a second, such as 500")]
    Empty,
}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let mut schedule = Vec::new();
        let mut burst = None;
        let mut endless = None;
        let mut counted = false;
        for step in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            if let Some(value) = step.strip_prefix("burst=") {
                let size = value.parse().ok().filter(|&n: &u32| n > 0);
                burst = Some(size.ok_or_else(|| QuotaError::Burst(value.to_owned()))?);
                continue;
            }
            if step == "counted" {
                counted = true;
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
        if counted && (burst.is_some() || schedule.iter().any(|&(_, rate)| rate > 0.0 && rate < 1.0)) {
            return Err(QuotaError::Counted);
        }
        Ok(Quota { burst: burst.unwrap_or_else(|| default_burst(first)), schedule, counted })
    }
}

/// A tenth of a second's worth: clients that pace well never notice, bursts do.
fn default_burst(rate: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and the rate is not negative"
    )]
    let tenth = (rate / 10.0).ceil() as u32;
    tenth.max(1)
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
    /// When the first request came, and how far into the schedule the bucket is filled.
    clock: Option<(Instant, Duration)>,
    /// The second that is counted, and how many of its requests passed.
    second: (u64, f64),
}

impl Bucket {
    pub(super) fn new(quota: Quota) -> Bucket {
        let tokens = f64::from(quota.burst);
        Bucket { quota, tokens, clock: None, second: (0, 0.0) }
    }

    /// Lets one request pass, or not.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let (start, filled) = *self.clock.get_or_insert((now, Duration::ZERO));
        let age = now.saturating_duration_since(start).max(filled);
        self.clock = Some((start, age));
        if self.quota.counted {
            return self.count(age);
        }
        let gained = self.integral(filled, age);
        self.tokens = (self.tokens + gained).min(f64::from(self.quota.burst));
        let pass = self.tokens >= 1.0;
        if pass {
            self.tokens -= 1.0;
        }
        pass
    }

    fn count(&mut self, age: Duration) -> bool {
        let second = age.as_secs();
        if self.second.0 != second {
            self.second = (second, 0.0);
        }
        let from = Duration::from_secs(second);
        let pass = self.second.1 + 1.0 <= self.integral(from, from + Duration::from_secs(1));
        self.second.1 += f64::from(u8::from(pass));
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
        assert_eq!(quota.burst, 50);
        let error = |text: &str| text.parse::<Quota>().unwrap_err().to_string();
        assert!(error("").contains("no rate"));
        assert!(error("fast").contains("'fast' is not a rate"));
        assert!(error("-1").contains("not a rate"));
        assert!(error("5:soon").contains("'soon' is not a duration"));
        assert!(error("5,6").contains("write 5:10s"));
        assert!(error("5,burst=0").contains("at least 1"));
        assert!(error("5,burst=2,counted").contains("no burst"));
        assert!(error("0.5,counted").contains("at least 1"));
    }
}
