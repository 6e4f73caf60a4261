//! Credentials that FinSpace issues in exchange for AWS ones.
//!
//! Invariant: an answer never panics, whatever life it grants.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_finspacedata as sdk;

use super::OWN_ERRORS;
use crate::service::aws::RefreshingCredentials;
use crate::service::{Cause, Failure};

/// The longest life that is believed: FinSpace grants 60 minutes at most.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// FinSpace, asked for credentials in an environment.
pub(super) struct Issued {
    /// A client that signs with the chain's credentials.
    pub client: sdk::Client,
    /// The chain.
    pub chain: RefreshingCredentials,
    /// `--environment-id`.
    pub environment_id: String,
}

impl Issued {
    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let generation = self.chain.generation();
        match self.ask().await {
            Err(Failure { cause: Cause::Expired, .. }) => {
                self.chain.forget(generation);
                self.ask().await
            }
            answer => answer,
        }
        .map_err(CredentialsError::provider_error)
        .and_then(|credentials| {
            credentials.ok_or_else(|| CredentialsError::unhandled("FinSpace answered without credentials"))
        })
    }

    #[allow(deprecated, reason = "the whole service is; see the README")]
    async fn ask(&self) -> Result<Option<Credentials>, Failure> {
        let request = self.client.get_programmatic_access_credentials().environment_id(&self.environment_id);
        let answer = request.send().await.map_err(|error| Failure::from_sdk(&error, OWN_ERRORS))?;
        let part = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let parts = answer.credentials().and_then(|granted| {
            Some((part(granted.access_key_id())?, part(granted.secret_access_key())?, part(granted.session_token())))
        });
        let until = SystemTime::now() + life(answer.duration_in_minutes());
        Ok(parts.map(|(key, secret, token)| Credentials::new(key, secret, token, Some(until), "FinSpace")))
    }
}

/// The life of credentials that were granted so many minutes.
fn life(minutes: Option<i64>) -> Duration {
    let minutes = minutes.and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(0).max(1);
    Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_LIFE)
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issued(…)")
    }
}

impl ProvideCredentials for Issued {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_life_is_absurd() {
        for (granted, minutes) in [
            (None, 1),
            (Some(i64::MIN), 1),
            (Some(-5), 1),
            (Some(0), 1),
            (Some(15), 15),
            (Some(60), 60),
            (Some(i64::MAX), 60),
        ] {
            assert_eq!(life(granted), Duration::from_secs(minutes * 60), "{granted:?}");
        }
    }
}
