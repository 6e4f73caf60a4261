//! The requests of the last seconds, as the estimator looks back on them.
//!
//! Invariant: requests are numbered in the order in which they left, and the log
//! holds a run of them up to the newest; it is bounded, however many leave.

use std::collections::VecDeque;

/// A request and the time that it belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub number: u64,
    pub at: f64,
}

/// A request that left.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: f64,
    /// The rate aimed at when it left, requests a second.
    rate: f64,
    /// None until it is answered.
    refused: Option<bool>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The number of the first that is held.
    first: u64,
    sent: VecDeque<Sent>,
}

/// The refusals among some requests.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    /// All of them, and those in a row as one.
    all: f64,
    runs: f64,
}

#[allow(clippy::cast_precision_loss, reason = "numbers of requests")]
impl Log {
    /// A refusal that comes later than so many seconds says nothing any more,
    /// unless few requests have left since.
    const SPAN: f64 = 3.0;
    const FEW: usize = 512;
    const MOST: usize = 16_384;
    /// So many of the newest are compared by their rates …
    const COMPARED: usize = 4_096;
    /// … if each half has so many answers, and the lower one so many refusals.
    const ENOUGH: usize = 10;
    const LEAST: f64 = 3.0;
    /// A share of refusals above this is a limit's, wherever it shows.
    const MOST_SHARE: f64 = 0.4;
    /// By chance refusals come in runs this long at most, on average.
    const IN_A_ROW: f64 = 2.0;
    /// Two counts that differ by more standard deviations than this, and one, are two.
    const DEVIATIONS: f64 = 1.5;
    /// By chance so many are let through in a row in one of so many logs.
    const RARE: f64 = 20.0;

    /// Returns the number that the next request gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// Notes that a request leaves at a rate; returns its number.
    pub(super) fn add(&mut self, now: f64, rate: f64) -> u64 {
        let old = |sent: &Sent| sent.at < now - Self::SPAN;
        while self.sent.len() > Self::FEW && (self.sent.len() >= Self::MOST || self.sent.front().is_some_and(old)) {
            self.sent.pop_front();
            self.first += 1;
        }
        self.sent.push_back(Sent { at: now, rate, refused: None });
        self.next() - 1
    }

    /// Notes an answer; returns the request and when it left, if that is still known.
    pub(super) fn answer(&mut self, number: u64, refused: bool) -> Option<Mark> {
        let place = self.place(number)?;
        self.sent[place].refused = Some(refused);
        Some(Mark { number, at: self.sent[place].at })
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok().filter(|&place| place < self.sent.len())
    }

    /// Requests that were let through, or are not answered, of so many seconds
    /// before one of them left. Refusals come sooner than other answers.
    pub(super) fn passed(&self, before: Mark, seconds: f64) -> f64 {
        let sent = self.sent.range(..self.place(before.number).unwrap_or(0)).rev();
        sent.take_while(|sent| sent.at > before.at - seconds).filter(|sent| sent.refused != Some(true)).count() as f64
    }

    /// Returns true if about as many are refused of what left at the lower rates as
    /// of what left at the higher ones, and all the time: then the rate is not the
    /// reason. Where a limit is, less is refused of less, and in one go while there is
    /// no room. What came before the first refusal may be of another time.
    pub(super) fn refuses_at_any_rate(&self) -> bool {
        let mut answered: Vec<(f64, usize, bool, bool)> = Vec::new();
        let (mut before, mut clean, mut cleanest) = (false, 0, 0);
        let skipped = self.sent.len().saturating_sub(Self::COMPARED);
        for (place, sent) in self.sent.iter().enumerate().skip(skipped) {
            match sent.refused {
                Some(false) if answered.is_empty() => {}
                Some(refused) => {
                    answered.push((sent.rate, place, refused, refused && !before));
                    before = refused;
                    clean = if refused { 0 } else { clean + 1 };
                    cleanest = clean.max(cleanest);
                }
                None => {}
            }
        }
        let (all, refused) = (answered.len() as f64, answered.iter().filter(|one| one.2).count() as f64);
        if f64::from(cleanest) * refused / all > (Self::RARE * refused).ln() {
            return false;
        }
        let half = answered.len() / 2;
        if half < Self::ENOUGH {
            return false;
        }
        answered.select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let refusals = |some: &[(f64, usize, bool, bool)]| Refusals {
            all: some.iter().filter(|one| one.2).count() as f64,
            runs: some.iter().filter(|one| one.3).count() as f64,
        };
        let (low, high) = (refusals(&answered[..half]), refusals(&answered[half..2 * half]));
        let half = half as f64;
        let alike = |low: f64, high: f64| high <= low + 1.0 + Self::DEVIATIONS * low.sqrt();
        low.runs >= Self::LEAST
            && low.all <= Self::MOST_SHARE * half
            && low.all + high.all <= Self::IN_A_ROW * (low.runs + high.runs)
            && alike(low.runs, high.runs)
            && alike(low.all, high.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of requests at rates that rise from 50 to 150 a second, four times,
    /// refused as told from the number and the rate.
    fn log(refused: impl Fn(u64, f64) -> bool) -> Log {
        let mut log = Log::default();
        let mut now = 0.0;
        for step in 0..400_u32 {
            let rate = f64::from(50 + step % 100);
            now += 1.0 / rate;
            let number = log.add(now, rate);
            let _ = log.answer(number, refused(number, rate));
        }
        log
    }

    #[test]
    fn refusals_tell_whether_the_rate_is_their_reason() {
        let any = log(|number, _| number % 10 == 3);
        assert!(any.refuses_at_any_rate(), "one in ten");
        for (name, log) in [
            ("nobody", log(|_, _| false)),
            ("everybody", log(|_, _| true)),
            ("a limit", log(|number, rate| rate > 120.0 && number % 5 == 0)),
            ("in one go", log(|number, _| (200..230).contains(&number))),
            ("two of three", log(|number, _| number % 3 != 0)),
        ] {
            assert!(!log.refuses_at_any_rate(), "{name}");
        }
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest() {
        let mut log = Log::default();
        for _ in 0..40_000 {
            let _ = log.add(0.0, 1e6);
        }
        assert_eq!((log.sent.len(), log.next()), (Log::MOST, 40_000));
        assert!(
            log.answer(0, true).is_none() && log.answer(39_999, true).is_some() && log.answer(40_000, true).is_none()
        );
    }
}
