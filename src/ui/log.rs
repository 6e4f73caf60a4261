//! The log on standard error.
//!
//! Invariant: it holds this program's own words and no library's: the SDK's and
//! HTTP's traces hold bodies, and bodies hold passwords.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::Printer;
use super::printer::may_colour;

/// The verbosity that tells every answer.
pub(crate) const EVERY_ANSWER: u8 = 2;

/// Starts the log, as JSON lines or as text.
pub(crate) fn start(printer: &Printer, verbose: u8, json: bool) {
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let ours = Targets::new().with_target("finspace_reset", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(printer.clone());
    let registry = tracing_subscriber::registry();
    let started = if json {
        registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init()
    } else {
        registry.with(lines.with_ansi(may_colour()).with_target(false).with_filter(ours)).try_init()
    };
    // A second subscriber can only be a caller's own, in a test.
    drop(started);
}
