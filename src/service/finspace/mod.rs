//! The FinSpace Data API over the AWS SDK.
//!
//! Invariant: one call here is one request on the wire; the SDK's retries are
//! off. No error or debug text holds a response body.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_finspacedata as sdk;
use aws_sdk_finspacedata::operation::RequestId;

use super::aws::credentials::in_one_line;
use super::aws::{Cause, Connection, ConnectionError, Failure};
use crate::model::Password;

mod connect;
mod issued;
mod users;

pub(crate) use connect::{connect, connect_simulated};

pub(crate) use users::{Page, UserFacts};

/// A reset that was answered.
#[derive(Debug)]
pub(crate) struct Reset {
    /// The user's temporary password, current from now on.
    pub password: Password,
    /// The service's ID of the request.
    pub request_id: Option<String>,
    /// Whose password the answer says it is.
    pub user_id: Option<String>,
}

impl Reset {
    /// This reset, unless it says to be about somebody else.
    ///
    /// # Errors
    /// It says so.
    pub(crate) fn of(self, user_id: &str) -> Result<Self, Failure> {
        if self.user_id.as_deref().is_some_and(|answered| answered != user_id) {
            return Err(Failure::unreadable("the answer is about another user", self.request_id));
        }
        Ok(self)
    }
}

/// The service, as this program uses it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    sdk: sdk::Client,
    connection: Connection,
}

impl Client {
    fn new(sdk: sdk::Client, connection: Connection) -> Self {
        Self { sdk, connection }
    }

    /// Makes sure that there are credentials, and says whose they are: an
    /// access key ID and, where the source tells, an account. No secret.
    /// Ends within a minute; dropping it does no harm.
    ///
    /// # Errors
    /// There are no credentials.
    pub(crate) async fn identity(&self) -> Result<String, ConnectionError> {
        match self.connection.credentials() {
            Some(credentials) => credentials.identity().await,
            None => Ok("nobody: requests are not signed".into()),
        }
    }

    /// Returns the proxy that requests go through, as it may be shown.
    #[must_use]
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.connection.http().through()
    }

    /// Resets one user's password with one request. Cancelling it after it was
    /// polled leaves open whether it was executed.
    ///
    /// # Errors
    /// Everything but a password that can be read.
    #[allow(deprecated, reason = "the whole service is; see the README")]
    pub(crate) async fn reset(&self, user_id: &str, token: &str) -> Result<Reset, Failure> {
        let generation = self.signer().await?;
        // On the heap at once: its state is large, and each future around it would copy it.
        let call = Box::pin(self.sdk.reset_user_password().user_id(user_id).client_token(token).send());
        let answer = self.within(call).await;
        let answer = self.renewed(generation, answer)?;
        let request_id = answer.request_id().map(str::to_owned);
        match answer.temporary_password() {
            Some(password) if !password.is_empty() => {
                let user_id = answer.user_id().map(str::to_owned);
                Ok(Reset { password: Password::new(password.to_owned()), request_id, user_id })
            }
            _ => Err(Failure::unreadable("the answer holds no password", request_id)),
        }
    }

    /// After an answer that says so, no longer uses the credentials it was for.
    fn renewed<T>(&self, generation: u64, answer: Result<T, Failure>) -> Result<T, Failure> {
        if let (Err(Failure { cause: Cause::Expired, .. }), Some(credentials)) =
            (&answer, self.connection.credentials())
        {
            credentials.forget(generation);
        }
        answer
    }

    /// Waits for credentials, and returns which they are. Their source has its
    /// own time-out: its time is none that an answer was waited for.
    async fn signer(&self) -> Result<u64, Failure> {
        let Some(credentials) = self.connection.credentials() else { return Ok(0) };
        credentials.get().await.map_err(|error| no_credentials(&error))?;
        Ok(credentials.generation())
    }

    /// Waits for a call no longer than the read time-out.
    async fn within<T, E>(&self, call: impl Future<Output = Result<T, sdk::error::SdkError<E>>>) -> Result<T, Failure>
    where
        E: sdk::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        let sort = |error| Failure::from_sdk(&error);
        match self.connection.read_timeout() {
            None => call.await.map_err(sort),
            Some(limit) => match tokio::time::timeout(limit, call).await {
                Ok(answer) => answer.map_err(sort),
                Err(_) => Err(Failure::timed_out(limit)),
            },
        }
    }
}

/// A request that was not sent for want of credentials.
fn no_credentials(error: &CredentialsError) -> Failure {
    Failure {
        cause: Cause::Credentials,
        maybe_executed: false,
        code: "NoCredentials".into(),
        message: in_one_line(error),
        request_id: None,
        status: None,
        retry_after: None,
        said: Box::default(),
    }
}
