//! The service that a run asks: one of those that stand here.

use std::sync::Arc;

use super::aws::Connection;
#[cfg(feature = "cognito")]
use super::cognito;
use super::{Failure, PasswordMaker, PoolWords, Request, Reset, Service, ServiceFacts, finspace};
use crate::model::Password;

/// A client of one of the services.
#[derive(Clone, Debug)]
pub(crate) enum AnyService {
    /// The FinSpace Data API.
    FinSpace(finspace::Client),
    /// A Cognito user pool.
    #[cfg(feature = "cognito")]
    Cognito(cognito::Client),
}

impl AnyService {
    /// Returns the way to the service.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::FinSpace(client) => client.connection(),
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.connection(),
        }
    }
}

impl AnyService {
    /// Returns what the user pool said of itself, where the service is one that
    /// was asked.
    #[must_use]
    pub(crate) fn pool(&self) -> Option<PoolWords> {
        match self {
            Self::FinSpace(_) => None,
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.pool_words(),
        }
    }
}

impl Service for AnyService {
    fn facts(&self) -> ServiceFacts {
        match self {
            Self::FinSpace(client) => client.facts(),
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.facts(),
        }
    }

    async fn ready(&self) -> Result<(), Failure> {
        match self {
            Self::FinSpace(client) => client.ready().await,
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.ready().await,
        }
    }

    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure> {
        match self {
            Self::FinSpace(client) => client.reset(request).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.reset(request).await,
        }
    }

    fn maker(&self) -> Option<Arc<dyn PasswordMaker>> {
        match self {
            Self::FinSpace(client) => client.maker(),
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.maker(),
        }
    }

    async fn relearn(&self, refused: &Password) -> Result<(), Failure> {
        match self {
            Self::FinSpace(client) => client.relearn(refused).await,
            #[cfg(feature = "cognito")]
            Self::Cognito(client) => client.relearn(refused).await,
        }
    }
}
