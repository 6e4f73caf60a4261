//! Credentials that renew themselves.
//!
//! Invariant: every request is signed with credentials that were valid a moment
//! ago; after the service refused some as expired they are never used again.
//! The AWS chain is built anew for each renewal, so that rotated files count.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_finspacedata as sdk;
use aws_types::region::Region;
use tokio::sync::Mutex;

use super::failure::Failure;

/// Credentials are renewed this long before they expire.
const MARGIN: Duration = Duration::from_secs(10);

/// Where credentials come from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// The AWS credential chain.
    Chain {
        /// `--profile`.
        profile: Option<String>,
        /// The region of STS and SSO calls.
        region: Region,
        /// How providers reach their services.
        http: Option<aws_smithy_runtime_api::client::http::SharedHttpClient>,
    },
    /// FinSpace itself, asked with credentials of the chain.
    FinSpace {
        /// A client that signs with the chain's credentials.
        client: sdk::Client,
        /// `--environment-id`.
        environment_id: String,
    },
    /// Fixed ones: the simulator's.
    Fixed(Credentials),
}

/// A credentials provider with a memory of one.
#[derive(Clone)]
pub(crate) struct RefreshingCredentials {
    origin: Arc<Origin>,
    current: Arc<Mutex<Option<Credentials>>>,
    /// How often credentials were fetched.
    fetched: Arc<AtomicU64>,
}

impl RefreshingCredentials {
    /// Credentials from `origin`, fetched when first needed.
    #[must_use]
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin: Arc::new(origin), current: Arc::default(), fetched: Arc::default() }
    }

    /// The current credentials, renewed if they are about to expire.
    ///
    /// # Errors
    /// There are none, or their source failed.
    pub(crate) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let mut current = self.current.lock().await;
        if let Some(credentials) = current.as_ref().filter(|credentials| is_fresh(credentials)) {
            return Ok(credentials.clone());
        }
        let fetched = self.fetch().await?;
        *current = Some(fetched.clone());
        self.fetched.fetch_add(1, Ordering::SeqCst);
        Ok(fetched)
    }

    /// Which credentials are in use, to tell [`RefreshingCredentials::forget`] by.
    #[must_use]
    pub(crate) fn generation(&self) -> u64 {
        self.fetched.load(Ordering::SeqCst)
    }

    /// Forgets the credentials, unless they were renewed since `generation`.
    pub(crate) async fn forget(&self, generation: u64) {
        let mut current = self.current.lock().await;
        if self.generation() == generation {
            *current = None;
        }
    }

    async fn fetch(&self) -> Result<Credentials, CredentialsError> {
        match &*self.origin {
            Origin::Fixed(credentials) => Ok(credentials.clone()),
            Origin::Chain { profile, region, http } => {
                let mut config = ProviderConfig::without_region().with_region(Some(region.clone()));
                if let Some(http) = http {
                    config = config.with_http_client(http.clone());
                }
                match profile {
                    None => {
                        let chain = DefaultCredentialsChain::builder().configure(config).region(region.clone());
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
                }
            }
            Origin::FinSpace { client, environment_id } => from_finspace(client, environment_id).await,
        }
    }
}

#[allow(deprecated, reason = "the whole service is; see the README")]
async fn from_finspace(client: &sdk::Client, environment_id: &str) -> Result<Credentials, CredentialsError> {
    let answer = client
        .get_programmatic_access_credentials()
        .environment_id(environment_id)
        .send()
        .await
        .map_err(|error| CredentialsError::provider_error(Failure::from_sdk(&error)))?;
    let minutes = answer.duration_in_minutes().and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(0);
    let granted = answer.credentials();
    let part = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let parts = granted.and_then(|granted| {
        Some((part(granted.access_key_id())?, part(granted.secret_access_key())?, part(granted.session_token())))
    });
    let Some((key, secret, token)) = parts else {
        return Err(CredentialsError::unhandled("FinSpace answered without credentials"));
    };
    let until = SystemTime::now() + Duration::from_secs(minutes.max(1) * 60);
    Ok(Credentials::new(key, secret, token, Some(until), "FinSpace"))
}

fn is_fresh(credentials: &Credentials) -> bool {
    credentials.expiry().is_none_or(|until| until.duration_since(SystemTime::now()).is_ok_and(|left| left > MARGIN))
}

impl fmt::Debug for RefreshingCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshingCredentials(…)")
    }
}

impl ProvideCredentials for RefreshingCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}
