//! A client of a user pool, on a connection.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_sdk_cognitoidentityprovider as sdk;
use aws_sdk_cognitoidentityprovider::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_cognitoidentityprovider::operation::RequestId;

use super::FACTS;
use super::failure::OWN_ERRORS;
use super::pool::{PasswordPolicy, Pool};
use super::strict::Strict;
use crate::model::{Password, Target, UserPoolId};
use crate::service::aws::endpoint::{ServiceNames, Variant, by_rules, refuse_isolated_dual_stack};
use crate::service::aws::failure::{REQUEST_ID_LIMIT, shorten};
use crate::service::aws::http::PAGE_LIMIT;
use crate::service::aws::user_agent::UserAgent;
use crate::service::aws::{Connection, ConnectionError, Options};
use crate::service::{Cause, Failure, PasswordMaker, PoolWords, Request, Reset, Service, ServiceFacts};

/// Cognito's names.
const COGNITO: ServiceNames =
    ServiceNames { id: "cognito_identity_provider", variable: "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", endpoint };

/// A user pool, as this program uses it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(super) sdk: sdk::Client,
    pub(super) connection: Connection,
    pub(super) id: UserPoolId,
    known: Arc<Known>,
}

/// The pool by its own latest description.
#[derive(Debug, Default)]
struct Known {
    pool: Mutex<Option<Pool>>,
    /// The turn of whoever reads it again.
    reading: tokio::sync::Mutex<()>,
}

impl Known {
    /// Reads what is known of the pool, once it was asked.
    fn of_pool<T>(&self, read: impl FnOnce(&Pool) -> T) -> Option<T> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    fn policy(&self) -> Option<PasswordPolicy> {
        self.of_pool(|pool| pool.policy)
    }
}

impl PasswordMaker for Known {
    fn make(&self) -> Password {
        self.policy().unwrap_or(PasswordPolicy::STRICT).make(&mut rand::rng())
    }
}

/// Works out the target and a client for it. Nothing is sent.
///
/// # Errors
/// A setting is missing or can't be used.
pub(crate) async fn connect(
    options: &Options,
    id: &UserPoolId,
    concurrency: usize,
) -> Result<(Client, Target), ConnectionError> {
    let connection = Connection::find(options, &COGNITO, concurrency).await?;
    let target = connection.target().clone().in_pool(id);
    Ok((Client::new(connection, id), target))
}

/// A client for an endpoint on this machine with fixed credentials.
#[must_use]
pub(crate) fn connect_simulated(
    endpoint: &str,
    id: &UserPoolId,
    (key, secret): (&str, &str),
    concurrency: usize,
) -> Client {
    let credentials = Credentials::new(key, secret, None, None, "simulator");
    Client::new(Connection::local(endpoint, id.region().to_owned(), credentials, concurrency), id)
}

impl Client {
    fn new(connection: Connection, id: &UserPoolId) -> Self {
        let builder = sdk::config::Builder::from(&connection.sdk_config()).interceptor(UserAgent);
        let builder = if connection.credentials().is_some() { builder } else { builder.allow_no_auth() };
        let sdk = sdk::Client::from_conf(builder.build());
        Self { sdk, connection, id: id.clone(), known: Arc::default() }
    }

    /// Returns the way to the service.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns what the pool said of itself last, if it was asked.
    #[must_use]
    pub(crate) fn pool(&self) -> Option<Pool> {
        self.known.of_pool(Pool::clone)
    }

    /// Asks the pool for its rules.
    ///
    /// # Errors
    /// As for any request.
    pub(crate) async fn read_pool(&self) -> Result<Pool, Failure> {
        let call = self.sdk.describe_user_pool().user_pool_id(self.id.as_str());
        let call = call.customize().config_override(self.long_answers());
        let answer = self.connection.call(Box::pin(call.send()), OWN_ERRORS).await?;
        let Some(described) = answer.user_pool() else {
            return Err(Failure::unreadable("the answer describes no user pool", None));
        };
        if described.id() != Some(self.id.as_str()) {
            return Err(Failure::unreadable("the answer describes no user pool, or another one", None));
        }
        let pool = Pool::of(described);
        *self.known.pool.lock().unwrap_or_else(PoisonError::into_inner) = Some(pool.clone());
        Ok(pool)
    }

    /// Returns what the pool said of itself last, in words.
    #[must_use]
    pub(crate) fn pool_words(&self) -> Option<PoolWords> {
        self.known.of_pool(|pool| PoolWords {
            id: self.id.to_string(),
            name: pool.name.clone(),
            password_policy: pool.policy.to_string(),
            password_days: pool.password_life.as_secs() / (24 * 3600),
        })
    }

    /// Ends a user's sessions with one request: its tokens are refused from now on.
    ///
    /// # Errors
    /// As for any request.
    pub(crate) async fn sign_out(&self, username: &str) -> Result<(), Failure> {
        let call = self.sdk.admin_user_global_sign_out().user_pool_id(self.id.as_str()).username(username);
        self.connection.call(Box::pin(call.send()), OWN_ERRORS).await.map(drop)
    }

    /// The settings of a request whose answer may be long.
    pub(super) fn long_answers(&self) -> sdk::config::Builder {
        sdk::Config::builder().http_client(self.connection.http().bounded(PAGE_LIMIT))
    }
}

impl Service for Client {
    fn facts(&self) -> ServiceFacts {
        let password_life = self.known.of_pool(|pool| pool.password_life).unwrap_or(FACTS.password_life);
        ServiceFacts { password_life, ..FACTS }
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.connection.ready().await
    }

    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure> {
        let Some(password) = request.password else {
            let message = "no password was made for this user".into();
            return Err(Failure::without_answer(Cause::NotBuilt, "NoPassword", message));
        };
        let call = self.sdk.admin_set_user_password().user_pool_id(self.id.as_str()).username(request.user_id);
        let call = call.password(password.expose()).permanent(false).customize().interceptor(Strict);
        let answer = self.connection.call(Box::pin(call.send()), OWN_ERRORS).await?;
        let request_id = answer.request_id().map(|id| shorten(id, REQUEST_ID_LIMIT));
        Ok(Reset { password: password.clone(), request_id, user_id: None })
    }

    fn maker(&self) -> Option<Arc<dyn PasswordMaker>> {
        Some(self.known.clone())
    }

    async fn relearn(&self, refused: &Password) -> Result<(), Failure> {
        // Many are refused at once where a policy changes: one of them reads it.
        let _turn = self.known.reading.lock().await;
        if self.known.policy().is_some_and(|policy| !policy.allows(refused.expose())) {
            return Ok(());
        }
        self.read_pool().await.map(drop)
    }
}

/// Returns the endpoint of a region by the SDK's own rules.
fn endpoint(region: &str, variant: Variant) -> Result<String, String> {
    refuse_isolated_dual_stack(region, variant)?;
    let parameters =
        Params::builder().region(region.to_owned()).use_fips(variant.fips).use_dual_stack(variant.dual_stack).build();
    let parameters = parameters.map_err(|error| error.to_string())?;
    by_rules(DefaultResolver::new().resolve_endpoint(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_endpoints() {
        let (fips, dual_stack) = (true, true);
        for (region, variant, expected) in [
            ("us-east-1", Variant::default(), "cognito-idp.us-east-1.amazonaws.com"),
            ("us-east-1", Variant { fips, dual_stack: false }, "cognito-idp-fips.us-east-1.amazonaws.com"),
            ("us-east-1", Variant { fips: false, dual_stack }, "cognito-idp.us-east-1.amazonaws.com"),
            ("cn-north-1", Variant::default(), "cognito-idp.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", Variant { fips, dual_stack: false }, "cognito-idp-fips.us-gov-west-1.amazonaws.com"),
        ] {
            assert_eq!(endpoint(region, variant), Ok(format!("https://{expected}")), "{region} {variant:?}");
        }
        assert!(endpoint("us-iso-east-1", Variant { fips: false, dual_stack }).is_err());
    }
}
