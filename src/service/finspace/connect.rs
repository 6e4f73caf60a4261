//! A client of the FinSpace Data API, from a checked connection.
//!
//! Invariant: whatever decides where requests go is decided here, once, and
//! told to the caller, who makes the batch's target of it.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_finspacedata as sdk;
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_types::retry::RetryConfig;
use aws_types::region::Region;

use super::Client;
use crate::model::Target;
use crate::service::aws;
use crate::service::aws::connection::{self, ConnectionError, Options};
use crate::service::aws::credentials::{Origin, RefreshingCredentials};
use crate::service::aws::user_agent::UserAgent;

/// Works out the target and a client for it.
///
/// # Errors
/// Region, profile, endpoint or CA bundle are missing or wrong.
pub(crate) async fn connect(options: &Options, concurrency: usize) -> Result<(Client, Target), ConnectionError> {
    let profile = aws::profile(options.profile.as_deref()).await?;
    let region = connection::region(options).await?;
    let bundle = connection::bundle(options, &profile);
    let bundle = bundle.as_deref();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(RetryConfig::disabled())
        // Loading sends nothing; the default client would read the TLS store.
        .http_client(HttpBuilder::new().build_http())
        .no_credentials();
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &options.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    let shared = loader.load().await;
    let endpoint = connection::endpoint(&shared, options).unwrap_or_else(|| Target::default_endpoint(region.as_ref()));
    let parsed = endpoint.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some());
    let Some(scheme) =
        parsed.and_then(|uri| uri.scheme_str().map(str::to_owned)).filter(|s| s == "http" || s == "https")
    else {
        return Err(ConnectionError::BadEndpoint(endpoint));
    };
    let http = connection::http_client(options, bundle, &scheme, concurrency)?;
    let target = Target::service(region.as_ref(), &endpoint);
    let chain = Origin::Chain {
        profile: options.profile.clone(),
        region: region.clone(),
        // Providers talk HTTPS to AWS whatever our endpoint is; only a private
        // CA or a switched-off check concerns them too.
        http: (options.no_verify_ssl || bundle.is_some())
            .then(|| connection::http_client(options, bundle, "https", concurrency))
            .transpose()?,
    };
    let build = |credentials: RefreshingCredentials| {
        let builder = sdk::config::Builder::from(&shared).endpoint_url(&endpoint).http_client(http.clone());
        let builder = if options.sign { builder.credentials_provider(credentials) } else { builder.allow_no_auth() };
        builder
            // `RefreshingCredentials` remembers; a second memory could not be told to forget.
            .identity_cache(sdk::config::IdentityCache::no_cache())
            .timeout_config(connection::timeouts(options))
            .interceptor(UserAgent)
            .stalled_stream_protection(sdk::config::StalledStreamProtectionConfig::disabled())
            .build()
    };
    let credentials = RefreshingCredentials::new(chain);
    let client = sdk::Client::from_conf(build(credentials.clone()));
    let (client, credentials) = match &options.environment_id {
        None => (client, credentials),
        Some(environment_id) => {
            let issued =
                RefreshingCredentials::new(Origin::FinSpace { client, environment_id: environment_id.clone() });
            (sdk::Client::from_conf(build(issued.clone())), issued)
        }
    };
    Ok((Client::new(client, credentials, options.read_timeout), target))
}

/// A client for an endpoint on this machine with fixed credentials.
#[must_use]
pub(crate) fn connect_simulated(
    endpoint: &str,
    region: &'static str,
    key: &str,
    secret: &str,
    concurrency: usize,
) -> Client {
    let options = Options {
        region: None,
        profile: None,
        endpoint_url: None,
        ca_bundle: None,
        no_verify_ssl: false,
        connect_timeout: None,
        read_timeout: Some(Duration::from_mins(1)),
        environment_id: None,
        sign: true,
    };
    let credentials = RefreshingCredentials::new(Origin::Fixed(aws_credential_types::Credentials::new(
        key,
        secret,
        None,
        None,
        "simulator",
    )));
    let config = sdk::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(region))
        .endpoint_url(endpoint)
        .http_client(HttpBuilder::new().pool_max_idle_per_host(concurrency).build_http())
        .credentials_provider(credentials.clone())
        .identity_cache(sdk::config::IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .timeout_config(connection::timeouts(&options))
        .interceptor(UserAgent)
        .stalled_stream_protection(sdk::config::StalledStreamProtectionConfig::disabled())
        .build();
    Client::new(sdk::Client::from_conf(config), credentials, options.read_timeout)
}
