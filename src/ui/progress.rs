//! Progress of a run: a bar on a terminal, else a line now and then.
//!
//! Invariant: whatever the width, a field is shown whole or not at all, and bad
//! news goes before all else.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::format::{human, pace};
use super::printer::Printer;
use crate::model::{Pause, Tally};

/// Time between two lines where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Least time between two drawings of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// The shortest wait that is told.
const WORTH_TELLING: Duration = Duration::from_secs(2);

/// The lengths a bar may have, the longest first; where none fits there is none.
const BARS: [usize; 4] = [24, 16, 8, 0];

/// The width taken for a terminal that does not tell its own.
const UNKNOWN_WIDTH: usize = 160;

/// The style of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A bar.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    Nothing,
}

/// Progress of a run.
pub(crate) struct Progress {
    printer: Printer,
    show: Show,
    total: u64,
    started: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// Starts to show a run of `total` users.
    #[must_use]
    pub(crate) fn start(printer: &Printer, show: Show, total: u64) -> Self {
        let show = if show == Show::Bar && printer.is_json() { Show::Lines } else { show };
        let now = Instant::now();
        // The first line comes when there is something to tell; the bar at once.
        Self { printer: printer.clone(), show, total, started: now, last: (show == Show::Lines).then_some(now) }
    }

    /// Brings the display up to date.
    pub(crate) fn show(&mut self, tally: &Tally) {
        let every = match self.show {
            Show::Nothing => return,
            Show::Bar => DRAW_EVERY,
            Show::Lines => LINE_EVERY,
        };
        if self.last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last = Some(Instant::now());
        let words = Words::new(tally, self.total, self.started.elapsed());
        if self.show == Show::Bar {
            let (bar, text) = words.fit(width());
            self.printer.pen.draw(bar, text);
        } else if self.printer.is_json() {
            self.printer.object("info", "progress", words.object());
        } else {
            self.printer.note(words.all());
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if self.show == Show::Bar {
            self.printer.pen.erase();
        }
    }
}

/// The terminal's width in columns.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stderr().as_fd()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => UNKNOWN_WIDTH,
    }
}

/// A field of the progress.
struct Field {
    text: String,
    /// The same in fewer words, where there are such.
    short: Option<String>,
    /// The lower, the more it is wanted; none has the same as another.
    rank: u8,
}

impl Field {
    fn new(text: String, rank: u8) -> Self {
        Self { text, short: None, rank }
    }

    /// The forms, the longest first.
    fn forms(&self) -> impl Iterator<Item = &str> {
        [Some(self.text.as_str()), self.short.as_deref()].into_iter().flatten()
    }
}

/// The rank up to which a field goes before the bar.
const URGENT: u8 = 5;

/// The words on how far a run has come.
struct Words<'a> {
    tally: &'a Tally,
    total: u64,
    rate: f64,
    eta: Option<Duration>,
}

impl<'a> Words<'a> {
    fn new(tally: &'a Tally, total: u64, elapsed: Duration) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = tally.done as f64 / elapsed.as_secs_f64().max(0.001);
        #[allow(clippy::cast_precision_loss, reason = "a time for people")]
        let left = total.saturating_sub(tally.done) as f64 / rate;
        let eta = (rate > 0.0).then(|| Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        Self { tally, total, rate, eta }
    }

    /// The fields in the order in which they stand.
    fn fields(&self) -> Vec<Field> {
        let Tally { reset, failed, unknown, retried, throttled, rate_found, .. } = *self.tally;
        let bad = |count: u64, word: &str, rank, idle| {
            Field::new(format!("{word} {count}"), if count > 0 { rank } else { idle })
        };
        let eta = self.eta.map_or_else(|| "?".to_owned(), human);
        let mut fields = vec![
            Field::new(format!("{}/{}", self.tally.done, self.total), 3),
            bad(failed, "failed", 0, 8),
            bad(unknown, "unknown", 1, 9),
            bad(throttled, "throttled", 2, 10),
            Field::new(format!("ok {reset}"), 6),
            Field::new(format!("eta {eta}"), 5),
            Field::new(format!("{:.1}/s", self.rate), 7),
            Field::new(format!("retried {retried}"), 11),
        ];
        let pause = match self.tally.pause {
            // What is over in a moment need not be read.
            Some(Pause::Asked(left)) if left >= WORTH_TELLING => {
                let short = format!("· waiting {}", human(left));
                Some((format!("{short} as the service asks (Retry-After)"), Some(short)))
            }
            Some(Pause::BackOff(left)) if left >= WORTH_TELLING => {
                Some((format!("· next try in {}", human(left)), None))
            }
            _ => None,
        };
        fields.extend(pause.map(|(text, short)| Field { text, short, rank: 4 }));
        if let Some(found) = rate_found {
            fields.push(Field::new(format!("limit about {}", pace(found)), 12));
        }
        fields
    }

    /// The bar and the words that fit into so many columns.
    fn fit(&self, width: usize) -> (String, String) {
        // The last column makes some terminals break the line.
        let width = width.saturating_sub(1);
        let fields = self.fields();
        let length = |form: &str| form.chars().count() + 1;
        let shortest = |field: &Field| field.forms().map(length).min().unwrap_or(0);
        let urgent: usize = fields.iter().filter(|field| field.rank <= URGENT).map(shortest).sum();
        // The first word has no blank before it, and the bar one behind it.
        let fits = |bar: &&usize| **bar + urgent <= width && **bar * 4 <= width;
        let bar = BARS.iter().find(fits).copied().unwrap_or(0);
        let mut room = if bar > 0 { width - bar } else { width + 1 };
        let mut wanted: Vec<usize> = (0..fields.len()).collect();
        wanted.sort_unstable_by_key(|at| fields[*at].rank);
        let mut shown = vec![""; fields.len()];
        for at in wanted {
            // Nothing less wanted takes the place of what does not fit.
            let Some(form) = fields[at].forms().find(|form| length(form) <= room) else { break };
            room -= length(form);
            shown[at] = form;
        }
        shown.retain(|form| !form.is_empty());
        (self.bar(bar), shown.join(" "))
    }

    /// The bar, and a blank behind it.
    fn bar(&self, length: usize) -> String {
        if length == 0 {
            return String::new();
        }
        let length = length as u64;
        let done = (self.tally.done.min(self.total) * length).checked_div(self.total).unwrap_or(length);
        (0..length)
            .map(|at| match at {
                _ if at < done => '━',
                _ if at == done => '╸',
                _ => '─',
            })
            .chain([' '])
            .collect()
    }

    /// Everything, in a line.
    fn all(&self) -> String {
        self.fields().into_iter().map(|field| field.text).collect::<Vec<_>>().join(" ")
    }

    /// Everything, for machines.
    fn object(&self) -> Vec<(String, Value)> {
        let tally = self.tally;
        let numbers = [
            ("users", self.total),
            ("done", tally.done),
            ("succeeded", tally.reset),
            ("failed", tally.failed),
            ("unknown", tally.unknown),
            ("requests", tally.requests),
            ("retried", tally.retried),
            ("throttled", tally.throttled),
        ];
        let mut fields = vec![("message".to_owned(), self.all().into())];
        fields.extend(numbers.map(|(name, number)| (name.to_owned(), number.into())));
        fields.push(("users_per_second".into(), self.rate.into()));
        fields.push(("seconds_left".into(), self.eta.map(|left| left.as_secs()).into()));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Tally = Tally {
        answered: true,
        done: 12_345,
        reset: 12_000,
        failed: 345,
        unknown: 12,
        reset_again: 0,
        in_flight: 16,
        claimed: 18,
        requests: 20_000,
        retried: 4_000,
        throttled: 3_999,
        sending: Duration::ZERO,
        rate_found: Some(512.0),
        pause: None,
    };

    fn shown(tally: &Tally, width: usize) -> String {
        let (bar, words) = Words::new(tally, 1_000_000, Duration::from_secs(100)).fit(width);
        let line = bar + &words;
        assert!(line.chars().count() < width.max(20), "{width}: {line}");
        line
    }

    #[test]
    fn bad_news_is_whole_at_every_width() {
        for width in [60, 80, 120, 200] {
            let line = shown(&BAD, width);
            for part in ["12345/1000000", "failed 345", "unknown 12", "throttled 3999"] {
                assert!(line.contains(part), "{width}: {line}");
            }
        }
        for width in [80, 120] {
            assert!(shown(&BAD, width).contains("eta 2h 13m"), "{}", shown(&BAD, width));
        }
        assert!(shown(&BAD, 200).contains("ok 12000") && shown(&BAD, 200).contains("limit about 512/s"));
    }

    #[test]
    fn no_field_is_ever_cut() {
        let whole = Words::new(&BAD, 1_000_000, Duration::from_secs(100)).all();
        for width in 20..200 {
            let line = shown(&BAD, width);
            let words = line.trim_start_matches(['━', '╸', '─', ' ']);
            for word in words.split(' ') {
                assert!(whole.split(' ').any(|known| known == word), "{width}: {line}");
            }
        }
    }

    #[test]
    fn good_news_has_the_room_that_no_bad_news_takes() {
        let good = Tally { failed: 0, unknown: 0, throttled: 0, ..BAD };
        let line = shown(&good, 60);
        assert!(line.contains("ok 12000") && line.contains("eta") && line.contains(['━', '╸', '─']), "{line}");
        assert!(shown(&good, 120).contains("failed 0 unknown 0"), "{}", shown(&good, 120));
    }
    #[test]
    fn much_bad_news_goes_before_the_place_and_the_wait() {
        let storm = Tally { done: 123_456, failed: 123_456, unknown: 12_345, throttled: 1_234_567, ..BAD };
        let asked = Some(Pause::Asked(Duration::from_secs(12)));
        for pause in [None, asked, Some(Pause::BackOff(Duration::from_secs(20)))] {
            let line = shown(&Tally { pause, ..storm }, 60);
            for part in ["failed 123456", "unknown 12345", "throttled 1234567"] {
                assert!(line.contains(part), "{line}");
            }
            let line = shown(&Tally { pause, ..storm }, 80);
            assert!(line.contains("123456/1000000"), "{line}");
        }
        let line = shown(&Tally { pause: asked, ..BAD }, 80);
        assert!(line.contains("· waiting 12s"), "{line}");
        let line = shown(&Tally { pause: asked, ..BAD }, 200);
        assert!(line.contains("as the service asks (Retry-After)"), "{line}");
    }

    #[test]
    fn a_wait_never_makes_the_line_too_long() {
        for pause in [Pause::Asked(Duration::from_secs(290)), Pause::BackOff(Duration::from_secs(20))] {
            for width in 20..200 {
                shown(&Tally { pause: Some(pause), ..BAD }, width);
                shown(&Tally { pause: Some(pause), failed: 0, unknown: 0, ..BAD }, width);
            }
        }
    }
}
