//! How the values of flags are read.
//!
//! Invariant: what can't be read is told by what could be.

use std::time::Duration;

use crate::outcome::Millis;

/// A span of time: 90s, 45m, 2h, 500ms.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration like 500ms, 90s, 45m or 2h".to_owned();
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// A day (its start in UTC) or a moment.
pub(super) fn date(text: &str) -> Result<Millis, String> {
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    moment
        .map(|at| Millis(at.as_millisecond()))
        .map_err(|_| "a date like 2026-01-31 or a time like 2026-01-31T08:00:00Z".into())
}

/// Seconds, with a fraction where wanted.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds, 0 or more".into())
}

/// A field delimiter: one ASCII character, or `\\t`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err("one ASCII character, or \\t for a tab".into()),
    }
}
