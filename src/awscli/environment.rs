//! Settings that the AWS CLI takes from its environment and its config files beside
//! region and credentials: output, retries, time-outs.

use std::time::Duration;

use super::refusal::{Refusal, bad_endpoint};
use crate::awscli::args::{OutputFormat, ResetUserPasswordArgs};
use crate::service::aws::{Options, Profile};

/// Tries in all, unless somebody says otherwise.
const MAX_ATTEMPTS: u32 = 3;

/// Seconds to wait, unless somebody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The settings, from the flags down to the defaults.
pub(super) struct Environment {
    /// Form of the answer.
    pub output: OutputFormat,
    /// Tries in all.
    pub max_attempts: u32,
}

impl Environment {
    /// Reads the environment and the profile.
    pub(super) fn read(args: &ResetUserPasswordArgs, profile: &Profile) -> Result<Self, Refusal> {
        let of = |variable: &str, key: &str| variable_or(variable, profile.get(key));
        let output = match (args.output, of("AWS_DEFAULT_OUTPUT", "output")) {
            (Some(output), _) => output,
            (None, None) => OutputFormat::Json,
            (None, Some(name)) => {
                OutputFormat::named(&name).ok_or_else(|| Refusal::general(format!("Unknown output type: {name}")))?
            }
        };
        if let Some(format) = profile.get("cli_timestamp_format").filter(|format| !["wire", "iso8601"].contains(format))
        {
            let what =
                format!("Unknown cli_timestamp_format value: {format}, valid values are \"wire\" or \"iso8601\"");
            return Err(Refusal::configuration(what));
        }
        if let Some(mode) =
            of("AWS_RETRY_MODE", "retry_mode").filter(|mode| !["standard", "adaptive"].contains(&mode.as_str()))
        {
            let what =
                format!("Invalid value provided to \"mode\": \"{mode}\" must be one of: \"standard\" or \"adaptive\"");
            return Err(Refusal::general(what));
        }
        let max_attempts = match of("AWS_MAX_ATTEMPTS", "max_attempts") {
            None => MAX_ATTEMPTS,
            Some(text) => {
                let number = integer(&text)?;
                u32::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
                    let what = format!(
                        "Value provided to \"max_attempts\": {number} must be an integer greater than or equal to one."
                    );
                    Refusal::general(what)
                })?
            }
        };
        Ok(Self { output, max_attempts })
    }
}

/// Returns the connection's options, as the flags say.
pub(super) fn connection(args: &ResetUserPasswordArgs) -> Result<Options, Refusal> {
    if let Some(endpoint) = args.endpoint_url.as_deref().filter(|endpoint| !has_scheme(endpoint)) {
        return Err(bad_endpoint(endpoint));
    }
    Ok(Options {
        region: args.region.clone(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
        ca_bundle: args.ca_bundle.clone(),
        no_verify_ssl: args.no_verify_ssl,
        connect_timeout: timeout("connect", args.cli_connect_timeout.as_deref())?,
        read_timeout: timeout("read", args.cli_read_timeout.as_deref())?,
        environment_id: None,
        sign: !args.no_sign_request,
        proxy_loopback: true,
    })
}

/// Returns true if a URL begins with a scheme, as Python's `urlparse` sees it.
fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

fn variable_or(name: &str, profile: Option<&str>) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).or_else(|| profile.map(str::to_owned))
}

fn timeout(which: &str, typed: Option<&str>) -> Result<Option<Duration>, Refusal> {
    let Some(typed) = typed else { return Ok(Some(TIMEOUT)) };
    let seconds = integer(typed)?;
    match u64::try_from(seconds) {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(Refusal::general(format!(
            "Attempted to set {which} timeout to {seconds}, but the timeout cannot be set to a value less than or equal to 0."
        ))),
    }
}

fn integer(text: &str) -> Result<i64, Refusal> {
    let wrong = |_| Refusal::general(format!("invalid literal for int() with base 10: '{text}'"));
    text.trim().parse().map_err(wrong)
}
