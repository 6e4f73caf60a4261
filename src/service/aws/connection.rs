//! From flags, environment and config files to a connection: region, endpoint,
//! TLS, time-outs, as the AWS CLI means them.
//!
//! Invariant: whatever decides where requests go is decided here, once, and
//! told to the caller, who makes the batch's target of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;

use super::insecure;
use super::profile::Profile;

/// How the operator wants to reach the service; what is left out comes from
/// the environment and the config files.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `--region`.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--endpoint-url`.
    pub endpoint_url: Option<String>,
    /// `--ca-bundle`.
    pub ca_bundle: Option<PathBuf>,
    /// `--no-verify-ssl`.
    pub no_verify_ssl: bool,
    /// `--connect-timeout`; none waits for ever.
    pub connect_timeout: Option<Duration>,
    /// `--read-timeout`; none waits for ever.
    pub read_timeout: Option<Duration>,
    /// `--environment-id`.
    pub environment_id: Option<String>,
    /// Requests are signed; without, no credentials are looked for.
    pub sign: bool,
}

/// A connection that can't be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The profile that was named is not there.
    #[error("the profile {0:?} is in no AWS config file; check --profile and AWS_PROFILE")]
    NoProfile(String),
    /// A config file that can't be read.
    #[error("the AWS config files can't be read: {0}; repair them, or name others with AWS_CONFIG_FILE")]
    BadConfig(String),
    /// No region anywhere.
    #[error("no region is set; name one with --region, AWS_REGION or the profile's «region»")]
    NoRegion,
    /// An endpoint that is no URL.
    #[error("the endpoint {0:?} is not an http:// or https:// URL; check --endpoint-url and AWS_ENDPOINT_URL")]
    BadEndpoint(String),
    /// A CA bundle that can't be used.
    #[error("the CA bundle {0}: {1}; name a PEM file of certificates with --ca-bundle or AWS_CA_BUNDLE")]
    BadBundle(PathBuf, String),
    /// No credentials at the start.
    #[error(
        "no AWS credentials can be had ({0}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile with --profile, or see --simulate"
    )]
    NoCredentials(String),
    /// The source of the credentials failed.
    #[error("the AWS credentials can't be had: {0}; check --profile, AWS_PROFILE and the config files")]
    BadCredentials(String),
}

/// `--region`, else the environment, else the profile. Not the machine's
/// metadata service, as the AWS CLI doesn't ask it either.
pub(crate) async fn region(options: &Options) -> Result<Region, ConnectionError> {
    if let Some(region) = options.region.clone().filter(|region| !region.is_empty()) {
        return Ok(Region::new(region));
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .region()
        .await
        .filter(|region| !region.as_ref().is_empty())
        .ok_or(ConnectionError::NoRegion)
}

pub(crate) fn endpoint(shared: &aws_types::SdkConfig, options: &Options) -> Option<String> {
    if options.endpoint_url.is_some() {
        return options.endpoint_url.clone();
    }
    let key = ServiceConfigKey::builder()
        .service_id("finspace data")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    shared
        .service_config()
        .and_then(|config| config.load_config(key))
        .or_else(|| shared.endpoint_url().map(str::to_owned))
}

pub(crate) fn timeouts(options: &Options) -> TimeoutConfig {
    // The read time-out is ours: one timer around the whole request.
    let mut timeouts = TimeoutConfig::builder();
    timeouts.set_connect_timeout(options.connect_timeout);
    timeouts.build()
}

pub(crate) fn bundle(options: &Options, profile: &Profile) -> Option<PathBuf> {
    let from_environment = || std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let from_profile = || profile.get("ca_bundle").map(PathBuf::from);
    options.ca_bundle.clone().or_else(from_environment).or_else(from_profile)
}

pub(crate) fn http_client(
    options: &Options,
    bundle: Option<&Path>,
    scheme: &str,
    concurrency: usize,
) -> Result<SharedHttpClient, ConnectionError> {
    if scheme == "http" {
        return Ok(HttpBuilder::new().pool_max_idle_per_host(concurrency).build_http());
    }
    if options.no_verify_ssl {
        return Ok(insecure::client());
    }
    let mut builder =
        HttpBuilder::new().pool_max_idle_per_host(concurrency).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    if let Some(path) = bundle {
        let bad = |what: String| ConnectionError::BadBundle(path.to_owned(), what);
        let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        if !pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
            return Err(bad("holds no certificate".into()));
        }
        let trust = TrustStore::empty().with_pem_certificate(pem);
        let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| bad(error.to_string()))?;
        builder = builder.tls_context(context);
    }
    Ok(builder.build_https())
}
