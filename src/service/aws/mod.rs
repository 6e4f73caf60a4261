//! What every service signed with SigV4 needs: where it is, whose credentials
//! sign, and what a failure of the SDK means.

pub(crate) mod connection;
pub(crate) mod credentials;
mod failure;
mod insecure;
mod profile;
pub(crate) mod user_agent;

pub(crate) use connection::{ConnectionError, Options};
pub(crate) use credentials::RefreshingCredentials;
pub(crate) use failure::{Cause, Failure};
pub(crate) use profile::Profile;
pub(crate) use profile::read as profile;
