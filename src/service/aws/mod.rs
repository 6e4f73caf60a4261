//! The needs of every service signed with SigV4: its place, the credentials that
//! sign, and the meaning of the SDK's failures.

mod calls;
mod chain;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod endpoint;
mod environment;
mod error;
pub(crate) mod failure;
pub(crate) mod http;
mod insecure;
mod options;
mod profile;
mod proxy;
mod signable;
pub(crate) mod user_agent;

pub(crate) use connection::Connection;
pub(crate) use credentials::RefreshingCredentials;
pub(crate) use error::ConnectionError;
pub(crate) use options::Options;
pub(crate) use profile::Profile;
pub(crate) use profile::read as profile;
