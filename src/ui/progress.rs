//! Progress of a run: a bar on a terminal, else a line now and then.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::format::{human, pace};
use super::printer::{Printer, may_colour};
use crate::model::{Pause, Tally};

/// How often a line is printed where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How progress is shown.
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
    last_line: Instant,
}

impl Progress {
    /// Starts to show a run of `total` users.
    #[must_use]
    pub(crate) fn start(printer: &Printer, show: Show, total: u64) -> Self {
        if show == Show::Bar {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            let colour = if may_colour() { ".green" } else { "" };
            let template = format!("{{bar:24{colour}}} {{human_pos}}/{{human_len}} {{wide_msg}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            printer.lock().bar = Some(bar);
        }
        let now = Instant::now();
        Self { printer: printer.clone(), show, total, started: now, last_line: now }
    }

    /// Brings the display up to date.
    pub(crate) fn show(&mut self, tally: &Tally) {
        match self.show {
            Show::Nothing => {}
            Show::Bar => {
                if let Some(bar) = &self.printer.lock().bar {
                    bar.set_position(tally.done);
                    bar.set_message(self.words(tally));
                }
            }
            Show::Lines => {
                if self.last_line.elapsed() >= LINE_EVERY {
                    self.last_line = Instant::now();
                    self.printer.note(format!("{}/{} {}", tally.done, self.total, self.words(tally)));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.printer.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn words(&self, tally: &Tally) -> String {
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = tally.done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let eta = if rate > 0.0 && tally.done > 0 {
            #[allow(clippy::cast_precision_loss, reason = "a time for people")]
            let left = self.total.saturating_sub(tally.done) as f64 / rate;
            human(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
        } else {
            "?".into()
        };
        let found = tally.rate_found.map(|rate| format!(" (service takes {})", pace(rate))).unwrap_or_default();
        let pause = match tally.pause {
            // What is over in a moment need not be read.
            Some(Pause::Asked(left)) if left >= Duration::from_secs(2) => {
                format!(" · waiting {} as the service asks (Retry-After)", human(left))
            }
            Some(Pause::BackOff(left)) if left >= Duration::from_secs(2) => {
                format!(" · next try in {}", human(left))
            }
            _ => String::new(),
        };
        format!(
            "{rate:.1}/s{found} eta {eta} · ok {} failed {} unknown {} retried {} throttled {}{pause}",
            tally.reset, tally.failed, tally.unknown, tally.retried, tally.throttled
        )
    }
}
