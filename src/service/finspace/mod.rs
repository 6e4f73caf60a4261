//! The FinSpace Data API over the AWS SDK.
//!
//! Invariant: one call here is one request on the wire; the SDK's retries are
//! off. No error or debug text holds a response body.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_finspacedata as sdk;
use aws_sdk_finspacedata::operation::RequestId;

use super::aws::credentials::in_one_line;
use super::aws::failure::{OwnError, REQUEST_ID_LIMIT, shorten};
use super::aws::{Connection, ConnectionError};
use super::{Cause, Failure, Repeat, Request, Reset, Service, ServiceFacts};
use crate::model::{Password, TOKEN_WINDOW, USER_COLUMNS};

mod connect;
mod issued;
mod users;

pub(crate) use connect::{connect, connect_simulated};

pub(crate) use users::{Page, UserFacts};

/// The FinSpace Data API.
static FACTS: ServiceFacts = ServiceFacts {
    name: "FinSpace",
    repeat: Repeat::Token { window: TOKEN_WINDOW },
    no_such_user: "ResourceNotFoundException",
    user_columns: &USER_COLUMNS,
};

/// The errors of the API (API reference, 2020-07-13), by the status they come with.
const OWN_ERRORS: &[OwnError] = &[
    (400, "ValidationException", Cause::Invalid),
    (403, "AccessDeniedException", Cause::Denied),
    (404, "ResourceNotFoundException", Cause::NoSuchUser),
    (409, "ConflictException", Cause::Conflict),
    (429, "ThrottlingException", Cause::Throttled),
    (500, "InternalServerException", Cause::Server),
];

/// The longest password that is taken. The API's have 8 to 20 characters.
const PASSWORD_LIMIT: usize = 256;

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
        let sort = |error| Failure::from_sdk(&error, OWN_ERRORS);
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
    Failure::without_answer(Cause::Credentials, "NoCredentials", in_one_line(error))
}

impl Service for Client {
    fn facts(&self) -> &'static ServiceFacts {
        &FACTS
    }

    #[allow(deprecated, reason = "the whole service is; see the README")]
    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure> {
        let generation = self.signer().await?;
        let call =
            self.sdk.reset_user_password().user_id(request.user_id).set_client_token(request.token.map(str::to_owned));
        // On the heap at once: its state is large, and each future around it would copy it.
        let answer = self.within(Box::pin(call.send())).await;
        let answer = self.renewed(generation, answer)?;
        let request_id = answer.request_id().map(|id| shorten(id, REQUEST_ID_LIMIT));
        match answer.temporary_password().map(is_password) {
            Some(true) => {
                let password = Password::new(answer.temporary_password().unwrap_or_default().to_owned());
                Ok(Reset { password, request_id, user_id: answer.user_id().map(str::to_owned) })
            }
            Some(false) => Err(Failure::unreadable("what the answer calls a password can't be one", request_id)),
            None => Err(Failure::unreadable("the answer holds no password", request_id)),
        }
    }
}

/// Returns true if an answer's text can be a password: some characters, not too
/// many, none of them a control character.
fn is_password(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 4 * PASSWORD_LIMIT
        && text.chars().count() <= PASSWORD_LIMIT
        && !text.contains(char::is_control)
}
