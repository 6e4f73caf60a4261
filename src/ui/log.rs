//! The log on standard error.
//!
//! Invariant: it holds this program's own words and no library's: the SDK's and
//! HTTP's traces hold bodies, and bodies hold passwords.

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::Printer;

/// The verbosity that tells every answer.
pub(crate) const EVERY_ANSWER: u8 = 2;

/// Starts the log, in the printer's form: JSON lines or text.
pub(crate) fn start(printer: &Printer, verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let ours = Targets::new().with_target("finspace_reset", level);
    let registry = tracing_subscriber::registry();
    let started = if printer.is_json() {
        registry.with(Objects(printer.clone()).with_filter(ours)).try_init()
    } else {
        let lines = tracing_subscriber::fmt::layer().with_writer(printer.clone());
        registry.with(lines.with_ansi(false).with_target(false).with_filter(ours)).try_init()
    };
    // A second subscriber can only be a caller's own, in a test.
    drop(started);
}

/// Log lines as the printer's JSON objects.
struct Objects(Printer);

impl<S: Subscriber> Layer<S> for Objects {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str().to_lowercase();
        self.0.object(&level, "log", fields.0);
    }
}

/// The fields of an event, by the names that the results' columns have.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            "user" => "user_id",
            "line" => "input_line",
            "code" => "error_code",
            name => name,
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.insert(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }
}
