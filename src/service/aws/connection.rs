//! From flags, environment and config files to a connection: region, endpoint,
//! proxy, TLS, time-outs and credentials, as the AWS CLI means them.
//!
//! Invariant: whatever decides where requests go, and who signs them, is
//! decided here, once, and told to the caller, who makes the batch's target of
//! it. Nothing is sent. An SDK client that is built on it reads no setting of
//! its own.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::chain::Chain;
use super::credentials::RefreshingCredentials;
use super::endpoint::{Place, ServiceNames};
use super::environment::variable;
use super::error::ConnectionError;
use super::http::{ANSWER_LIMIT, Http, PAGE_LIMIT, Trust};
use super::options::Options;
use super::profile::{self, Profile};
use super::proxy::Proxies;
use crate::model::Target;

/// A way to a service, ready for an SDK client to be built on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    region: Region,
    target: Target,
    endpoint: String,
    http: Http,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    credentials: Option<RefreshingCredentials>,
}

impl Connection {
    /// Works out the way to a service.
    ///
    /// # Errors
    /// A setting is missing or can't be used.
    pub(crate) async fn find(
        options: &Options,
        service: &ServiceNames,
        concurrency: usize,
    ) -> Result<Self, ConnectionError> {
        let profile = profile::read(options.profile.as_deref()).await?;
        let place = Place::find(options, service, &profile)?;
        let target = Target::service(&place.region, &place.endpoint);
        let endpoint = match &target {
            Target::Service { endpoint, .. } => endpoint.clone(),
            Target::Simulated | Target::Pool { .. } => place.endpoint.clone(),
        };
        let trust = trust(options, &profile)?;
        let proxies = Proxies::of_environment();
        let proxy = proxies.for_endpoint(&endpoint, options.proxy_loopback)?;
        let scheme = endpoint.split_once("://").map_or("https", |(scheme, _)| scheme);
        let http = Http::for_endpoint(scheme, &trust, proxy.as_ref(), concurrency)?;
        let region = Region::new(place.region);
        let chain = Chain {
            typed: options.profile.clone(),
            profile,
            region: region.clone(),
            variant: place.variant,
            http: Http::for_credentials(&trust, proxies.for_scheme("https")?)?.bounded(PAGE_LIMIT),
        };
        Ok(Self {
            region,
            target,
            endpoint,
            http,
            connect_timeout: options.connect_timeout,
            read_timeout: options.read_timeout,
            credentials: options.sign.then(|| RefreshingCredentials::new(chain)),
        })
    }

    /// The way to an endpoint on this machine, with fixed credentials.
    #[must_use]
    pub(crate) fn local(
        endpoint: &str,
        region: impl Into<Cow<'static, str>>,
        credentials: Credentials,
        concurrency: usize,
    ) -> Self {
        Self {
            region: Region::new(region),
            target: Target::Simulated,
            endpoint: endpoint.to_owned(),
            http: Http::direct(concurrency),
            connect_timeout: None,
            read_timeout: Some(Duration::from_mins(1)),
            credentials: Some(RefreshingCredentials::new(credentials)),
        }
    }

    /// Returns the same way, signed for with other credentials.
    #[must_use]
    pub(crate) fn signed_by(&self, credentials: RefreshingCredentials) -> Self {
        Self { credentials: Some(credentials), ..self.clone() }
    }

    /// Returns the settings of an SDK client.
    #[must_use]
    pub(crate) fn sdk_config(&self) -> SdkConfig {
        // The read time-out is ours: one timer around the whole request.
        let mut timeouts = TimeoutConfig::builder();
        timeouts.set_connect_timeout(self.connect_timeout);
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .endpoint_url(&self.endpoint)
            .http_client(self.http.bounded(ANSWER_LIMIT))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            // `RefreshingCredentials` remembers; a second memory could not be told to forget.
            .identity_cache(IdentityCache::no_cache())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let provider = self.credentials.clone().map(SharedCredentialsProvider::new);
        builder.set_credentials_provider(provider);
        builder.build()
    }

    /// Returns where requests go.
    #[must_use]
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the pool that requests leave by.
    #[must_use]
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Returns the longest wait for an answer.
    #[must_use]
    pub(crate) fn read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    /// Returns whoever signs; nobody where requests are not signed.
    #[must_use]
    pub(crate) fn credentials(&self) -> Option<&RefreshingCredentials> {
        self.credentials.as_ref()
    }
}

fn trust(options: &Options, profile: &Profile) -> Result<Trust, ConnectionError> {
    if options.no_verify_ssl {
        return Ok(Trust::Anyone);
    }
    let set = match &options.ca_bundle {
        Some(path) => Some(path.clone()),
        None => variable("AWS_CA_BUNDLE")?.map(PathBuf::from),
    };
    let path = set.or_else(|| profile.get("ca_bundle").map(PathBuf::from));
    path.map_or(Ok(Trust::System), Trust::bundle)
}
