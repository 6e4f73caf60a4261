//! The AWS credential chain, in the AWS CLI's order.
//!
//! Invariant: it is built anew for each renewal, so that rotated files count;
//! and it never passes over keys that somebody set and that can't be used.

use std::error::Error;
use std::fmt;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;

use super::endpoint::Variant;
use super::environment::variable;
use super::error::ConnectionError;
use super::profile::Profile;
use super::signable::check;

/// The chain, and what its services are reached with.
#[derive(Clone)]
pub(super) struct Chain {
    /// `--profile`.
    pub typed: Option<String>,
    /// The profile in use.
    pub profile: Profile,
    /// The region of STS and SSO calls.
    pub region: Region,
    /// The kind of endpoint of STS and SSO.
    pub variant: Variant,
    /// The client by which providers reach their services.
    pub http: SharedHttpClient,
}

impl Chain {
    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let config = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_use_fips(Some(self.variant.fips))
            .with_use_dual_stack(Some(self.variant.dual_stack))
            .with_http_client(self.http.clone());
        let given = match &self.typed {
            None => {
                keys_of_environment().map_err(CredentialsError::invalid_configuration)?;
                let mut chain = DefaultCredentialsChain::builder().configure(config).region(self.region.clone());
                if let Some(name) = self.profile.named() {
                    chain = chain.profile_name(name);
                }
                chain.build().await.provide_credentials().await
            }
            // A profile that was asked for counts more than the environment's keys.
            Some(name) => {
                let profile = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&config);
                let container = EcsCredentialsProvider::builder().configure(&config).build();
                let machine = ImdsCredentialsProvider::builder().configure(&config).build();
                let chain = CredentialsProviderChain::first_try("Profile", profile.build());
                let chain = chain.or_else("EcsContainer", container).or_else("Ec2InstanceMetadata", machine);
                chain.provide_credentials().await
            }
        };
        given.map_err(|error| self.explained(error))
    }

    /// The error, with the way to sign in where the profile uses SSO.
    fn explained(&self, error: CredentialsError) -> CredentialsError {
        let uses_sso = ["sso_session", "sso_start_url"].iter().any(|key| self.profile.get(key).is_some());
        if !uses_sso {
            return error;
        }
        let profile = self.profile.named().map(|name| format!(" --profile {name}")).unwrap_or_default();
        CredentialsError::provider_error(SignIn { command: format!("aws sso login{profile}"), source: error })
    }
}

/// Refuses keys of the environment that the SDK would trim or pass over.
fn keys_of_environment() -> Result<(), ConnectionError> {
    let of = |name| variable(name)?.map(|value| check(name, &value)).transpose();
    let key = of("AWS_ACCESS_KEY_ID")?;
    let secret = of("AWS_SECRET_ACCESS_KEY")?;
    of("AWS_SESSION_TOKEN")?;
    if key.is_some() && secret.is_none() { Err(ConnectionError::HalfAKey) } else { Ok(()) }
}

/// SSO credentials that can't be had, and the command that mends it.
#[derive(Debug)]
pub(super) struct SignIn {
    pub command: String,
    pub source: CredentialsError,
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the SSO session can't be used")
    }
}

impl Error for SignIn {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(…)")
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}
