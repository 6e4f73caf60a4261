//! One call of an SDK client on a connection: whose credentials sign it, how
//! long it may take, and what its failure means.
//!
//! Invariant: credentials are waited for before a call, with their source's own
//! time-out, and after an answer that calls them expired they are never used
//! again.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::connection::Connection;
use super::credentials::in_one_line;
use super::error::ConnectionError;
use super::failure::OwnError;
use crate::service::{Cause, Failure};

impl Connection {
    /// Makes sure that there are credentials, and says whose they are: an
    /// access key ID and, where the source tells, an account. No secret.
    /// Ends within a minute; dropping it does no harm.
    ///
    /// # Errors
    /// There are no credentials.
    pub(crate) async fn identity(&self) -> Result<String, ConnectionError> {
        match self.credentials() {
            Some(credentials) => credentials.identity().await,
            None => Ok("nobody: requests are not signed".into()),
        }
    }

    /// Waits for credentials that the next call can be signed with.
    ///
    /// # Errors
    /// There are none.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        self.signer().await.map(drop)
    }

    /// Makes a call, once there are credentials. `own` are the service's errors.
    ///
    /// # Errors
    /// Everything but the answer that was asked for.
    pub(crate) async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        own: &[OwnError],
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let generation = self.signer().await?;
        let answer = self.within(call).await;
        let answer = answer.and_then(|answer| answer.map_err(|error| Failure::from_sdk(&error, own)));
        if let (Err(Failure { cause: Cause::Expired, .. }), Some(credentials)) = (&answer, self.credentials()) {
            credentials.forget(generation);
        }
        answer
    }

    /// Waits for credentials, and returns which they are. Their source has its
    /// own time-out: its time is none that an answer was waited for.
    async fn signer(&self) -> Result<u64, Failure> {
        let Some(credentials) = self.credentials() else { return Ok(0) };
        credentials.get().await.map_err(|error| no_credentials(&error))?;
        Ok(credentials.generation())
    }

    /// Waits for an answer no longer than the read time-out.
    async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Failure> {
        match self.read_timeout() {
            None => Ok(call.await),
            Some(limit) => tokio::time::timeout(limit, call).await.map_err(|_| Failure::timed_out(limit)),
        }
    }
}

/// A request that was not sent for want of credentials.
fn no_credentials(error: &CredentialsError) -> Failure {
    Failure::without_answer(Cause::Credentials, "NoCredentials", in_one_line(error))
}
