//! The one printer: standard output, standard error, and the bar on it.
//!
//! Invariant: nothing else in the program prints. Every line for people goes
//! through [`visible_lines`], so that no word from outside moves a cursor or
//! hides another; where machines read, every line on standard error is a JSON
//! object. A reader that went away is a wish to end, not a panic.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing_subscriber::fmt::MakeWriter;

use super::pen::Pen;
use crate::model::{Millis, visible, visible_lines};
use crate::process::signals::Shutdown;

/// Warnings that a quiet printer keeps at most.
const KEPT: usize = 100;

/// The printer; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    inner: Arc<Mutex<Inner>>,
    pub(super) pen: Pen,
}

#[derive(Debug)]
struct Inner {
    quiet: bool,
    /// True if machines read standard error.
    json: bool,
    /// The run's facts in each JSON line: its batch and number.
    context: Map<String, Value>,
    /// Warnings that a quiet printer shows only if the command fails.
    kept: Vec<String>,
}

/// The kind of a line on standard error, for machines.
#[derive(Clone, Copy)]
struct Kind {
    level: &'static str,
    event: &'static str,
    /// The prefix before it for people.
    prefix: &'static str,
}

const NOTE: Kind = Kind { level: "info", event: "note", prefix: "" };
const ALERT: Kind = Kind { level: "warn", event: "alert", prefix: "" };
const WARNING: Kind = Kind { level: "warn", event: "warning", prefix: "warning: " };
const ERROR: Kind = Kind { level: "error", event: "error", prefix: "error: " };
const APART: Kind = Kind { level: "error", event: "error", prefix: "\n" };
const QUESTION: Kind = Kind { level: "info", event: "question", prefix: "" };

impl Printer {
    /// A printer for this process; a quiet one prints errors alone.
    #[must_use]
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        let inner = Inner { quiet, json, context: Map::new(), kept: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)), pen: Pen::start() }
    }

    /// Asks for the end of the run when nobody reads any more.
    pub(crate) fn on_lost_reader(&self, shutdown: &Shutdown) {
        self.pen.tell(shutdown);
    }

    /// Names the batch in each JSON line from here on.
    pub(crate) fn in_batch(&self, batch: &str) {
        self.lock().context.insert("batch".into(), batch.into());
    }

    /// Names the run's number in each JSON line from here on.
    pub(crate) fn in_run(&self, run: i64) {
        self.lock().context.insert("run".into(), run.into());
    }

    /// Returns true if each line on standard error is a JSON object.
    #[must_use]
    pub(crate) fn is_json(&self) -> bool {
        self.lock().json
    }

    /// Returns true if it is silent on success.
    #[must_use]
    pub(crate) fn is_quiet(&self) -> bool {
        self.lock().quiet
    }

    /// A line for people, on standard error.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        if !self.lock().quiet {
            self.print(NOTE, line.as_ref());
        }
    }

    /// A warning. A quiet printer keeps it until the command fails.
    pub(crate) fn warning(&self, text: impl AsRef<str>) {
        let mut inner = self.lock();
        if !inner.quiet {
            drop(inner);
            self.print(WARNING, text.as_ref());
        } else if inner.kept.len() < KEPT {
            inner.kept.push(text.as_ref().to_owned());
        }
    }

    /// A line that somebody must see at once, also where quiet was asked for.
    pub(crate) fn alert(&self, line: impl AsRef<str>) {
        self.print(ALERT, line.as_ref());
        self.flush();
    }

    /// The lines that a run comes to; a quiet printer shows those of a failure
    /// alone, with the warnings that led there.
    pub(crate) fn summary(&self, lines: &[String], failed: bool) {
        if failed {
            self.release();
        }
        if failed || !self.lock().quiet {
            let level = if failed { "error" } else { "info" };
            self.print(Kind { level, event: "summary", prefix: "" }, &lines.join("\n"));
        }
    }

    /// Shows the warnings that were kept back.
    fn release(&self) {
        let kept = std::mem::take(&mut self.lock().kept);
        for line in kept {
            self.print(WARNING, &line);
        }
    }

    /// An error, on standard error, also where quiet was asked for.
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.release();
        self.print(ERROR, text.as_ref());
        self.flush();
    }

    /// The error with which the process leaves, whatever is still going on in it.
    pub(crate) fn last_error(&self, text: impl AsRef<str>) {
        self.pen.end();
        self.error(text);
    }

    /// An error in somebody else's words, after a blank line, on standard error.
    pub(crate) fn apart(&self, text: impl AsRef<str>) {
        self.print(APART, text.as_ref());
        self.flush();
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

    /// Text for people, on standard output.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn show(&self, text: &str) -> io::Result<()> {
        self.data(&visible_lines(text))
    }

    /// Asks a question on standard error and reads a line from standard input.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn ask(&self, question: &str) -> io::Result<String> {
        if self.is_json() {
            self.print(QUESTION, question);
        } else {
            self.pen.write(visible_lines(question).into_owned());
        }
        self.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// Waits until what was printed is written, if somebody reads it.
    pub(crate) fn flush(&self) {
        self.pen.flush();
    }

    fn print(&self, kind: Kind, text: &str) {
        if self.is_json() {
            self.object(kind.level, kind.event, [("message".to_owned(), Value::from(text))]);
        } else {
            self.pen.write(format!("{}{}\n", kind.prefix, visible_lines(text)));
        }
    }

    /// A line for machines.
    pub(super) fn object(&self, level: &str, event: &str, fields: impl IntoIterator<Item = (String, Value)>) {
        let mut object = Map::new();
        object.insert("time".into(), Millis::now().to_string().into());
        object.insert("level".into(), level.into());
        object.insert("event".into(), event.into());
        object.extend(self.lock().context.clone());
        object.extend(fields);
        let text = Value::Object(object).to_string();
        // JSON lets through what a terminal obeys; inside its strings this is the same text.
        let escape = |c: char| match c {
            c if !c.is_ascii() && !matches!(visible(c.encode_utf8(&mut [0; 4])), std::borrow::Cow::Borrowed(_)) => {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            '\u{7f}' => "\\u007f".to_owned(),
            c => c.to_string(),
        };
        let text = if text.is_ascii() && !text.contains('\u{7f}') { text } else { text.chars().map(escape).collect() };
        self.pen.write(text + "\n");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while printing leaves nothing half-done that matters.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
        let line = String::from_utf8_lossy(&self.1);
        self.0.pen.write(visible_lines(line.trim_end()).into_owned() + "\n");
    }
}

impl<'a> MakeWriter<'a> for Printer {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine(self.clone(), Vec::new())
    }
}
