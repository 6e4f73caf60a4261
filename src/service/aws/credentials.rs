//! Credentials that renew themselves.
//!
//! Invariant: every request is signed with credentials that were valid a moment
//! ago and that a signature can be made with; after the service refused some as
//! expired they are never used again. Whoever waits for new ones waits for the
//! same renewal, which ends within a bound.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::chain::SignIn;
use super::error::ConnectionError;
use super::signable::signable;

/// Credentials are renewed this long before they expire, and not again before
/// this long has passed.
const MARGIN: Duration = Duration::from_secs(10);

/// The longest wait for a source of credentials: a person may be typing a code.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// A renewal that is on its way. Errors are shared, so that all who waited get the one.
type Renewal = Shared<BoxFuture<'static, Result<Credentials, Arc<CredentialsError>>>>;

/// A credentials provider with a memory of one.
#[derive(Clone)]
pub(crate) struct RefreshingCredentials {
    source: SharedCredentialsProvider,
    state: Arc<Mutex<State>>,
    /// The number of times that credentials were fetched.
    fetched: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    renewal: Option<Renewal>,
}

struct Current {
    credentials: Credentials,
    /// The time at which the source was last asked.
    asked: Instant,
}

impl Current {
    /// Returns true if these need no renewal, or had one so lately that another
    /// would bring the same.
    fn is_settled(&self) -> bool {
        self.left().is_none_or(|left| left > MARGIN) || self.asked.elapsed() < MARGIN
    }

    /// Returns the time for which they live on, if they end.
    fn left(&self) -> Option<Duration> {
        let until = self.credentials.expiry()?;
        Some(until.duration_since(SystemTime::now()).unwrap_or_default())
    }
}

impl RefreshingCredentials {
    /// Credentials from a source, fetched when first needed.
    #[must_use]
    pub(crate) fn new(source: impl ProvideCredentials + 'static) -> Self {
        Self { source: SharedCredentialsProvider::new(source), state: Arc::default(), fetched: Arc::default() }
    }

    /// Returns the current credentials, renewed if they are about to expire.
    /// Dropping the future leaves the renewal to whoever else waits for it.
    ///
    /// # Errors
    /// There are none, or their source failed.
    pub(crate) async fn get(&self) -> Result<Credentials, Arc<CredentialsError>> {
        let renewal = {
            let mut state = self.state();
            if let Some(current) = state.current.as_ref().filter(|current| current.is_settled()) {
                return Ok(current.credentials.clone());
            }
            state.renewal.get_or_insert_with(|| fetch(self.source.clone()).boxed().shared()).clone()
        };
        let given = renewal.clone().await;
        let mut state = self.state();
        let first = state.renewal.as_ref().is_some_and(|known| known.ptr_eq(&renewal));
        if first {
            state.renewal = None;
        }
        match given {
            Ok(credentials) => {
                if first {
                    self.fetched.fetch_add(1, Ordering::SeqCst);
                    state.current = Some(Current { credentials: credentials.clone(), asked: Instant::now() });
                }
                Ok(credentials)
            }
            Err(error) => match state.current.as_mut().filter(|current| current.left() > Some(Duration::ZERO)) {
                // What is still valid serves to its end.
                Some(current) => {
                    tracing::warn!("the credentials can't be renewed yet: {error}");
                    current.asked = Instant::now();
                    Ok(current.credentials.clone())
                }
                None => Err(error),
            },
        }
    }

    /// Returns whose credentials are in use: an access key ID and, where the
    /// source tells, an account. No secret.
    ///
    /// # Errors
    /// There are no credentials.
    pub(crate) async fn identity(&self) -> Result<String, ConnectionError> {
        let credentials = self.get().await.map_err(|error| refusal(&error))?;
        let key = credentials.access_key_id();
        Ok(match credentials.account_id() {
            Some(account) => format!("account {}, access key {key}", account.as_str()),
            None => format!("access key {key}"),
        })
    }

    /// The number of the credentials in use, to tell [`RefreshingCredentials::forget`] by.
    #[must_use]
    pub(crate) fn generation(&self) -> u64 {
        self.fetched.load(Ordering::SeqCst)
    }

    /// Forgets the credentials, unless they were renewed since `generation`.
    pub(crate) fn forget(&self, generation: u64) {
        let mut state = self.state();
        if self.generation() == generation {
            state.current = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the source once, in bounded time, for credentials that can sign.
async fn fetch(source: SharedCredentialsProvider) -> Result<Credentials, Arc<CredentialsError>> {
    let given = match tokio::time::timeout(FETCH_LIMIT, source.provide_credentials()).await {
        Ok(given) => given,
        Err(_) => Err(CredentialsError::provider_timed_out(FETCH_LIMIT)),
    };
    given
        .and_then(|credentials| signable(credentials).map_err(CredentialsError::invalid_configuration))
        .map_err(Arc::new)
}

/// Returns a failed source's meaning for whoever has to mend it.
fn refusal(error: &CredentialsError) -> ConnectionError {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    match causes().find_map(|error| error.downcast_ref()) {
        Some(ConnectionError::HalfAKey) => return ConnectionError::HalfAKey,
        Some(ConnectionError::NotText(name)) => return ConnectionError::NotText(name),
        Some(ConnectionError::Unsignable { what, fault }) => {
            return ConnectionError::Unsignable { what, fault: fault.clone() };
        }
        _ => {}
    }
    let text = in_one_line(error);
    if let Some(sign_in) = causes().find_map(|error| error.downcast_ref::<SignIn>()) {
        return ConnectionError::SignIn(text, sign_in.command.clone());
    }
    // A machine's metadata service that doesn't answer is the chain's way to have none.
    let none = |error: &(dyn Error + 'static)| {
        error.is::<ImdsError>() || matches!(error.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_)))
    };
    if causes().any(none) {
        tracing::debug!("no credentials: {text}");
        ConnectionError::NoCredentials
    } else {
        ConnectionError::BadCredentials(text)
    }
}

/// An error and its causes in one line, each said once. The SDK's own frame,
/// "an error occurred while loading credentials", adds nothing.
pub(super) fn in_one_line(error: &CredentialsError) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source()) {
        if matches!(
            cause.downcast_ref(),
            Some(
                CredentialsError::ProviderError(_)
                    | CredentialsError::InvalidConfiguration(_)
                    | CredentialsError::Unhandled(_)
            )
        ) {
            continue;
        }
        // The chain's own account is a list with a line for each source.
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() && !parts.iter().any(|known| known.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
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
        future::ProvideCredentials::new(async { self.get().await.map_err(CredentialsError::provider_error) })
    }
}
