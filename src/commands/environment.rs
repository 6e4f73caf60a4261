//! The program's own environment variables, for what every command line of a site
//! would repeat.
//!
//! Invariant: a flag beats its variable, but the exclude list only ever adds:
//! nobody whom a site protects is reset because a command names another list. An
//! empty variable counts as unset.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::commands::error::SettingsError;
use crate::engine::dispatch::pacer::Rate;

const ENDPOINT_URL: &str = "FINSPACE_RESET_ENDPOINT_URL";
const EXCLUDE: &str = "FINSPACE_RESET_EXCLUDE";
const RATE: &str = "FINSPACE_RESET_RATE";
const RECIPIENTS_FILE: &str = "FINSPACE_RESET_RECIPIENTS_FILE";

/// The rate where nobody says otherwise.
const DEFAULT_RATE: Rate = Rate::PerSecond(5.0);

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &'static str) -> Result<Option<String>, SettingsError> {
    let wrong = |value: OsString| SettingsError::Variable(name, value, "text in UTF-8".into());
    variable(name).map(|value| value.into_string().map_err(wrong)).transpose()
}

/// Returns the endpoint that requests go to, if one is named.
///
/// # Errors
/// The variable holds no text.
pub(crate) fn endpoint_url(given: Option<String>) -> Result<Option<String>, SettingsError> {
    given.map_or_else(|| text(ENDPOINT_URL), |url| Ok(Some(url)))
}

/// Returns the highest rate.
///
/// # Errors
/// The variable holds none.
pub(crate) fn rate(given: Option<Rate>) -> Result<Rate, SettingsError> {
    if let Some(rate) = given {
        return Ok(rate);
    }
    let Some(value) = text(RATE)? else { return Ok(DEFAULT_RATE) };
    value.parse().map_err(|why| SettingsError::Variable(RATE, value.into(), why))
}

/// Adds the site's list to the lists of users never to touch.
pub(crate) fn exclude(mut given: Vec<PathBuf>) -> Vec<PathBuf> {
    given.extend(variable(EXCLUDE).map(PathBuf::from));
    given
}

/// Returns the site's file of recipients.
pub(crate) fn recipients_file() -> Option<PathBuf> {
    variable(RECIPIENTS_FILE).map(PathBuf::from)
}
