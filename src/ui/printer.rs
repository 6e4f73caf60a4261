//! The one printer: standard output, standard error, and the bar on it.
//!
//! Invariant: nothing else in the program prints. Off a terminal no control
//! character is written, and on one none that came from outside. A reader that went away is a wish to end, not a panic.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use tracing_subscriber::fmt::MakeWriter;

use crate::model::{visible, visible_lines};
use crate::process::signals::Shutdown;

/// How many warnings a quiet printer keeps.
const KEPT: usize = 100;

/// The printer; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
pub(super) struct Inner {
    quiet: bool,
    /// Warnings that a quiet printer shows only if the command fails.
    kept: Vec<String>,
    pub(super) bar: Option<ProgressBar>,
    shutdown: Option<Shutdown>,
}

impl Printer {
    /// A printer for this process; a quiet one prints errors alone.
    #[must_use]
    pub(crate) fn new(quiet: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { quiet, kept: Vec::new(), bar: None, shutdown: None })) }
    }

    /// Whom to tell that nobody reads any more.
    pub(crate) fn tell(&self, shutdown: &Shutdown) {
        self.lock().shutdown = Some(shutdown.clone());
    }

    /// A line for people, on standard error.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        if !self.lock().quiet {
            self.say(line.as_ref());
        }
    }

    /// A warning. A quiet printer keeps it until the command fails.
    pub(crate) fn warning(&self, text: impl AsRef<str>) {
        let line = format!("warning: {}", text.as_ref());
        let mut inner = self.lock();
        if !inner.quiet {
            drop(inner);
            self.say(&line);
        } else if inner.kept.len() < KEPT {
            inner.kept.push(line);
        }
    }

    /// A line that somebody must see at once, also where quiet was asked for.
    pub(crate) fn alert(&self, line: impl AsRef<str>) {
        self.say(line.as_ref());
    }

    /// The lines that a run comes to; a quiet printer shows those of a failure
    /// alone, with the warnings that led there.
    pub(crate) fn summary(&self, lines: &[String], failed: bool) {
        if failed {
            self.release();
        }
        if failed || !self.lock().quiet {
            self.say(&lines.join("\n"));
        }
    }

    /// Shows the warnings that were kept back.
    fn release(&self) {
        let kept = std::mem::take(&mut self.lock().kept);
        for line in kept {
            self.say(&line);
        }
    }

    /// An error, on standard error, also where quiet was asked for.
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.release();
        self.say(&format!("error: {}", text.as_ref()));
    }

    /// An error in somebody else's words, after a blank line, on standard error.
    pub(crate) fn apart(&self, text: impl AsRef<str>) {
        self.err(&format!("\n{}", text.as_ref()));
    }

    /// Data, on standard output.
    ///
    /// # Errors
    /// It can't be written.
    #[allow(clippy::unused_self, reason = "the printer owns the stream")]
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Asks a question on standard error and reads a line from standard input.
    ///
    /// # Errors
    /// The terminal is gone.
    #[allow(clippy::unused_self, reason = "the printer owns the stream")]
    pub(crate) fn ask(&self, question: &str) -> io::Result<String> {
        {
            // Held no longer: somebody else may have to speak while the answer is awaited.
            let mut stderr = io::stderr().lock();
            write!(stderr, "{}", visible(question))?;
            stderr.flush()?;
        }
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// Prints lines with what can't be seen escaped: file names and a service's
    /// words may hold anything.
    fn say(&self, lines: &str) {
        self.err(&visible_lines(lines));
    }

    fn err(&self, line: &str) {
        let inner = self.lock();
        let print = || writeln!(io::stderr().lock(), "{line}");
        let printed = inner.bar.as_ref().map_or_else(print, |bar| bar.suspend(print));
        inner.heed(&printed);
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
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
pub(crate) struct LogLine(Printer, Vec<u8>);

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
pub(crate) fn can_draw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether standard error may be coloured.
#[must_use]
pub(super) fn may_colour() -> bool {
    can_draw()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("CLICOLOR").is_none_or(|value| value != "0")
}
