//! Amazon Cognito user pools over the AWS SDK.
//!
//! Invariant: one call of [`Client::reset`](crate::service::Service::reset) is
//! one request on the wire; the SDK's retries are off. A password is set as a
//! temporary one and never as a permanent one. No error or debug text holds a
//! response body or a password.

use std::time::Duration;

use super::{Repeat, ServiceFacts};
use crate::model::{IdForm, POOL_COLUMNS};

mod client;
mod failure;
mod password;
mod pool;
mod strict;
mod users;

pub(crate) use client::{Client, connect, connect_simulated};
pub(super) use failure::OWN_ERRORS;
pub(crate) use pool::Pool;

/// The way out where the service refuses the caller an operation.
macro_rules! refused {
    ($operation:literal) => {
        concat!("check --user-pool-id, --region and the credentials, and that they may use cognito-idp:", $operation)
    };
}

/// The ways out of the operations beside the reset itself.
pub(crate) mod remedy {
    pub(crate) const DESCRIBE: &str = refused!("DescribeUserPool");
    pub(crate) const LIST: &str = refused!("ListUsers");
    pub(crate) const SIGN_OUT: &str = refused!("AdminUserGlobalSignOut");
}

/// Cognito user pools; the password's life is the pool's own where it is known.
pub(crate) const FACTS: ServiceFacts = ServiceFacts {
    name: "Cognito",
    ids: IdForm::UserName,
    repeat: Repeat::SamePassword,
    no_such_user: failure::NO_SUCH_USER,
    user_columns: &POOL_COLUMNS,
    password_life: Duration::from_hours(7 * 24),
    refused: refused!("AdminSetUserPassword"),
};
