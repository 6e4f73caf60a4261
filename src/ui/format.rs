//! Numbers and times as people read them.

use std::time::Duration;

use crate::model::Millis;

/// A rate for people: `512/s`, `4.9/s`, `30.0/m`.
#[must_use]
pub(crate) fn pace(rate: f64) -> String {
    match rate {
        10.0.. => format!("{rate:.0}/s"),
        1.0.. => format!("{rate:.1}/s"),
        _ => format!("{:.1}/m", rate * 60.0),
    }
}

/// A span of time for people: `0.8s`, `12s`, `3m 05s`, `2h 10m`.
#[must_use]
pub(crate) fn human(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=9 => format!("{:.1}s", span.as_secs_f64()),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..=359_999 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns a number with its noun: `1 user`, `2 users`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1 user is`, `2 users are`.
pub(crate) fn counted_are(number: u64, noun: &str) -> String {
    format!("{} {}", counted(number, noun), if number == 1 { "is" } else { "are" })
}

/// A moment in UTC, to the second.
pub(crate) fn moment(at: Millis) -> String {
    let time = jiff::Timestamp::from_millisecond(at.0);
    time.map_or_else(|_| at.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
