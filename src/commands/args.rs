//! Flags that several commands share, and how the values of flags are read.
//!
//! Invariant: nothing here looks at the world; a value that can't be read is
//! answered with the forms that can.

#![allow(clippy::doc_markdown, reason = "the docs of flags are the help, and people read no backticks there")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::commands::error::SettingsError;
use crate::commands::way_on::Place;
use crate::model::{BatchName, Millis, UserPoolId};
use crate::service::aws;

/// Folder of the ledgers.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    /// Folder of the ledgers [env: FINSPACE_RESET_STATE_DIR] [default: $XDG_STATE_HOME/finspace-reset]
    #[arg(long, value_name = "DIR", help_heading = "Display", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
}

/// The ledgers that a command looks into.
#[derive(Clone, Debug, Args)]
pub(crate) struct LedgerArgs {
    /// The rehearsal of that name, which run --simulate made
    #[arg(long)]
    pub simulate: bool,
    /// Folder of the ledgers
    #[command(flatten)]
    pub state: StateArgs,
}

impl LedgerArgs {
    /// Returns the words that name a batch in these ledgers.
    pub(super) fn place(&self, batch: &BatchName, simulated: bool) -> Place {
        Place::new(batch, self.state.state_dir.as_deref(), simulated)
    }
}

/// Ways to reach the service, as the AWS CLI means them.
#[derive(Clone, Debug, Args)]
pub(crate) struct AwsArgs {
    /// Exchange AWS credentials for those that FinSpace issues in this environment, and renew them in time
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    pub environment_id: Option<String>,
    /// AWS region
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub region: Option<String>,
    /// Profile of the AWS config files
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub profile: Option<String>,
    /// Endpoint that speaks the API [env: FINSPACE_RESET_ENDPOINT_URL, then the AWS CLI's]
    #[arg(long, value_name = "URL", help_heading = "AWS", value_hint = ValueHint::Url)]
    pub endpoint_url: Option<String>,
    /// PEM file of the certificate authorities to trust
    #[arg(long, value_name = "FILE", help_heading = "AWS", value_hint = ValueHint::FilePath)]
    pub ca_bundle: Option<PathBuf>,
    /// Don't verify the server's certificate
    #[arg(long, help_heading = "AWS")]
    pub no_verify_ssl: bool,
    /// Seconds to wait for a connection; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, allow_negative_numbers = true, help_heading = "AWS")]
    pub connect_timeout: Duration,
    /// Seconds to wait for an answer; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, allow_negative_numbers = true, help_heading = "AWS")]
    pub read_timeout: Duration,
}

/// The user pool, where the service is Amazon Cognito.
#[derive(Clone, Debug, Args)]
pub(crate) struct PoolArgs {
    /// Amazon Cognito user pool, whose ID names the region
    #[arg(long, value_name = "ID", help_heading = "AWS", conflicts_with = "environment_id")]
    pub user_pool_id: Option<UserPoolId>,
}

impl PoolArgs {
    /// Returns the way to the pool's region, which its ID names; without a pool
    /// the way that was typed.
    ///
    /// # Errors
    /// Another region was typed, or this build knows no pools.
    pub(crate) fn connection(&self, connection: aws::Options) -> Result<aws::Options, SettingsError> {
        let Some(pool) = &self.user_pool_id else { return Ok(connection) };
        if !cfg!(feature = "cognito") {
            return Err(SettingsError::NoCognito);
        }
        let region = pool.region_beside(connection.region.as_deref());
        let typed = connection.region.clone().unwrap_or_default();
        let region = region.map_err(|()| SettingsError::OtherRegion { pool: pool.to_string(), typed })?;
        Ok(aws::Options { region: Some(region), ..connection })
    }
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// A whole number within bounds.
pub(crate) fn whole<T: TryFrom<u64>, const LEAST: u64, const MOST: u64>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match MOST {
        u64::MAX => format!("a whole number, {LEAST} or more"),
        _ => format!("a whole number from {LEAST} to {MOST}"),
    })
}

/// A span of time: 90s, 45m, 2h, 500ms.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration like 500ms, 90s, 45m or 2h".to_owned();
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// A day (its start in UTC) or a moment.
pub(crate) fn date(text: &str) -> Result<Millis, String> {
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    moment
        .map(|at| Millis(at.as_millisecond()))
        .map_err(|_| "a date like 2026-01-31 or a time like 2026-01-31T08:00:00Z".into())
}

/// Seconds, with a fraction where wanted.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds, 0 or more".into())
}

/// A field delimiter: one ASCII character, or `\\t`.
pub(crate) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err("one ASCII character, or \\t for a tab".into()),
    }
}

/// The connection flags; a time-out of 0 is none.
#[must_use]
pub(crate) fn connection(aws: &AwsArgs) -> aws::Options {
    let limit = |time: Duration| (!time.is_zero()).then_some(time);
    aws::Options {
        region: aws.region.clone(),
        profile: aws.profile.clone(),
        endpoint_url: aws.endpoint_url.clone(),
        ca_bundle: aws.ca_bundle.clone(),
        no_verify_ssl: aws.no_verify_ssl,
        connect_timeout: limit(aws.connect_timeout),
        read_timeout: limit(aws.read_timeout),
        environment_id: aws.environment_id.clone(),
        sign: true,
        proxy_loopback: false,
    }
}
