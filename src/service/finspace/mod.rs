//! The FinSpace Data API over the AWS SDK.
//!
//! Invariant: one call here is one request on the wire; the SDK's retries are
//! off. No error or debug text holds a response body.

use aws_sdk_finspacedata as sdk;
use aws_sdk_finspacedata::operation::RequestId;

use super::aws::Connection;
use super::aws::failure::{OwnError, REQUEST_ID_LIMIT, shorten};
use super::{Cause, Failure, Repeat, Request, Reset, Service, ServiceFacts};
use crate::model::{IdForm, PASSWORD_LIFE, Password, TOKEN_WINDOW, USER_COLUMNS};

mod connect;
mod issued;
mod users;

pub(crate) use connect::{connect, connect_simulated};

pub(crate) use users::{Page, UserFacts};

/// The FinSpace Data API.
pub(crate) const FACTS: ServiceFacts = ServiceFacts {
    name: "FinSpace",
    ids: IdForm::FinSpace,
    repeat: Repeat::Token { window: TOKEN_WINDOW },
    no_such_user: "ResourceNotFoundException",
    user_columns: &USER_COLUMNS,
    password_life: PASSWORD_LIFE,
    refused: "check the credentials and that they are a superuser's",
};

/// The errors of the API (API reference, 2020-07-13), by the status they come with.
pub(super) const OWN_ERRORS: &[OwnError] = &[
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

    /// Returns the way to the service.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the proxy that requests go through, as it may be shown.
    #[must_use]
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.connection.http().through()
    }
}

impl Service for Client {
    fn facts(&self) -> ServiceFacts {
        FACTS
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.connection.ready().await
    }

    #[allow(deprecated, reason = "the whole service is; see the README")]
    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure> {
        let call =
            self.sdk.reset_user_password().user_id(request.user_id).set_client_token(request.token.map(str::to_owned));
        // On the heap at once: its state is large, and each future around it would copy it.
        let answer = self.connection.call(Box::pin(call.send()), OWN_ERRORS).await?;
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
