//! `--output` and `--query`: from an answer to the text that is printed.
//!
//! Invariant: a text is made in full before the first byte of it is written.

use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use serde_json::Value;

use super::query::Query;
use super::refusal::Refusal;
use super::yaml;
use crate::awscli::args::{Color, OutputFormat};

mod table;
mod text;

/// The form in which answers are shown.
pub(super) struct Output {
    format: OutputFormat,
    color: Color,
    query: Option<Query>,
}

impl Output {
    /// Answers in this form, as far as the query lets them through.
    pub(super) fn new(format: OutputFormat, color: Color, query: Option<Query>) -> Self {
        Self { format, color, query }
    }

    /// The text for `answer`.
    pub(super) fn show(&self, answer: &Value) -> Result<Zeroizing<String>, Refusal> {
        let found = match &self.query {
            Some(query) => query.search(answer)?,
            None => answer.clone(),
        };
        let nothing = found.as_object().is_some_and(serde_json::Map::is_empty);
        if nothing {
            return Ok(Zeroizing::default());
        }
        let text = match self.format {
            OutputFormat::Json => json(&found),
            OutputFormat::Text => text::of(&found),
            OutputFormat::Table => table::of("ResetUserPassword", &found, self.color).map_err(Refusal::general)?,
            // YAML would end a bare word with dots.
            OutputFormat::Yaml if !found.is_array() && !found.is_object() => json(&found),
            OutputFormat::Yaml => yaml::write(&found).map_err(Refusal::general)?,
            OutputFormat::YamlStream => yaml::write(&Value::Array(vec![found])).map_err(Refusal::general)?,
        };
        Ok(Zeroizing::new(text))
    }
}

/// JSON with an indent of four, and a line's end.
fn json(value: &Value) -> String {
    let mut written = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut written, indent);
    // Neither a value nor a vector can refuse.
    let _ = value.serialize(&mut serializer);
    written.push(b'\n');
    String::from_utf8(written).unwrap_or_default()
}
