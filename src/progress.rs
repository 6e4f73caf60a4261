//! The one printer: standard output, standard error, and the bar on it.
//!
//! Invariant: nothing else in the program prints. Off a terminal no control
//! character is written. A reader that went away is a wish to end, not a panic.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::outcome::Tally;
use crate::shutdown::Shutdown;

/// How often a line is printed where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A bar.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    Nothing,
}

/// The printer; clones share it.
#[derive(Clone, Debug)]
pub struct Printer {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    quiet: bool,
    bar: Option<ProgressBar>,
    shutdown: Option<Shutdown>,
}

impl Printer {
    /// A printer for this process; a quiet one prints errors alone.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { quiet, bar: None, shutdown: None })) }
    }

    /// Whom to tell that nobody reads any more.
    pub fn tell(&self, shutdown: &Shutdown) {
        self.lock().shutdown = Some(shutdown.clone());
    }

    /// A line for people, on standard error.
    pub fn note(&self, line: impl AsRef<str>) {
        if !self.lock().quiet {
            self.err(line.as_ref());
        }
    }

    /// An error, on standard error, also where quiet was asked for.
    pub fn error(&self, text: impl AsRef<str>) {
        self.err(&format!("error: {}", text.as_ref()));
    }

    /// An error in somebody else's words, after a blank line, on standard error.
    pub fn apart(&self, text: impl AsRef<str>) {
        self.err(&format!("\n{}", text.as_ref()));
    }

    /// Data, on standard output.
    ///
    /// # Errors
    /// It can't be written.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Asks a question on standard error and reads a line from standard input.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn ask(&self, question: &str) -> io::Result<String> {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question}")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    fn err(&self, line: &str) {
        let inner = self.lock();
        let print = || writeln!(io::stderr().lock(), "{line}");
        let printed = inner.bar.as_ref().map_or_else(print, |bar| bar.suspend(print));
        inner.heed(&printed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while printing leaves nothing half-done that matters.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn heed(&self, printed: &io::Result<()>) {
        if let (Err(error), Some(shutdown)) = (printed, &self.shutdown)
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            shutdown.lost_reader();
        }
    }
}

/// Log lines go through the printer, so that they don't tear the bar.
pub struct LogLine(Printer, Vec<u8>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.0.err(String::from_utf8_lossy(&self.1).trim_end());
    }
}

impl<'a> MakeWriter<'a> for Printer {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine(self.clone(), Vec::new())
    }
}

/// Whether a stream is a terminal that can draw.
#[must_use]
pub fn can_draw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether standard error may be coloured.
#[must_use]
pub fn may_colour() -> bool {
    can_draw()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("CLICOLOR").is_none_or(|value| value != "0")
}

/// Progress of a run.
pub struct Progress {
    printer: Printer,
    show: Show,
    total: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Starts to show a run of `total` users.
    #[must_use]
    pub fn start(printer: &Printer, show: Show, total: u64) -> Self {
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
    pub fn show(&mut self, tally: &Tally) {
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
    pub fn finish(self) {
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
        format!(
            "{rate:.1}/s{found} eta {eta} · ok {} failed {} unknown {} retried {} throttled {}",
            tally.reset, tally.failed, tally.unknown, tally.retried, tally.throttled
        )
    }
}

/// A rate for people: `512/s`, `4.9/s`, `30.0/m`.
#[must_use]
pub fn pace(rate: f64) -> String {
    match rate {
        10.0.. => format!("{rate:.0}/s"),
        1.0.. => format!("{rate:.1}/s"),
        _ => format!("{:.1}/m", rate * 60.0),
    }
}

/// A span of time for people: `0.8s`, `12s`, `3m 05s`, `2h 10m`.
#[must_use]
pub fn human(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=9 => format!("{:.1}s", span.as_secs_f64()),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..=359_999 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
