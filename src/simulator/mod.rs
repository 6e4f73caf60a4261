//! The embedded simulator: an HTTP server that speaks what the Amazon `FinSpace` Data API, or the admin
//! API of Amazon Cognito user pools, has to do with users and their passwords.
//!
//! It is the server of the tests and of every rehearsal, so it must be faithful where the API is
//! documented (signatures, constraints, errors, idempotent client tokens), say which way it went
//! where it is not ([`Replay`]), and misbehave exactly as much as it is told to ([`Faults`],
//! [`Quota`]).
//!
//! Invariants: it knows nothing of the rest of the crate; it never prints; no bytes that arrive can
//! make it panic; the same seed and the same requests in the same order give the same passwords and
//! the same faults.
//!
//! A request passes these stations, in this order: signature (403), quota (429), permission (403),
//! validation (400), existence (404), fault before, execution (409), fault after, latency. The
//! statuses are `FinSpace`'s; Cognito answers 400 to all of them.
//!
//! Under `/_simulator/` it tells, unsigned, what it has seen: see [`Simulator`].

mod accounts;
mod admin;
mod answer;
mod api;
mod cognito;
mod faults;
mod finspace;
mod keys;
mod metrics;
mod operations;
mod pages;
mod population;
mod query;
mod quota;
mod server;
mod sigv4;
mod words;

#[cfg(test)]
use api::Api;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use cognito::{PasswordPolicy, Pool, PoolError, PoolSettings, PoolUser, PoolUserStatus, PoolUsers, PoolUsersError};
pub use faults::{Faults, FaultsError};
pub use population::{ApiAccess, Population, PopulationError, User, UserStatus, UserType, is_valid_identifier};
pub use quota::{Limiter, Quota, QuotaError};

/// The region to configure a client with. The simulator accepts whatever region a request is
/// signed for.
pub const REGION: &str = "us-east-1";
/// The superuser's access key: may do everything.
pub const ACCESS_KEY_ID: &str = "AKIASIMULATEDSUPERUSER";
/// The superuser's secret: obviously fake, and good nowhere else.
pub const SECRET_ACCESS_KEY: &str = "simulated/secret/of/the/superuser/000000";
/// The access key of a signed-in user who is no superuser: every operation on users answers 403
/// `AccessDeniedException`.
pub const PLAIN_ACCESS_KEY_ID: &str = "AKIASIMULATEDPLAINUSER";
/// That user's secret.
pub const PLAIN_SECRET_ACCESS_KEY: &str = "simulated/secret/of/a/plain/user/0000000";

/// Settings of a simulation.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The service that is simulated.
    pub service: Service,
    /// The users that exist in `FinSpace`.
    pub population: Population,
    /// The time for which a client token is idempotent, counted from its execution.
    pub token_ttl: Duration,
    /// Requests a second over all operations together; `None` is unlimited.
    pub quota: Option<Quota>,
    /// Time between a request's execution and its answer.
    pub latency: Duration,
    /// The same of an answer that refuses for the quota; `None` is the same.
    pub refusal_latency: Option<Duration>,
    /// The latency varies by up to this much either way.
    pub jitter: Duration,
    /// Faults of requests that change a user, each with its share.
    pub faults: Faults,
    /// Passwords, request IDs, latencies and faults come from this.
    pub seed: u64,
    /// `false` takes every request for the superuser's, signed or not.
    pub verify_signatures: bool,
    /// Life of issued programmatic credentials; `None` is as asked, 60 minutes by default. The
    /// answer tells whole minutes, so a life below one is told as one.
    pub credential_life: Option<Duration>,
    /// The answer to a replayed client token.
    pub replay: Replay,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            service: Service::FinSpace,
            population: Population::Anyone,
            token_ttl: Duration::from_mins(10),
            quota: None,
            latency: Duration::ZERO,
            refusal_latency: None,
            jitter: Duration::ZERO,
            faults: Faults::default(),
            seed: 0,
            verify_signatures: true,
            credential_life: None,
            replay: Replay::SameAnswer,
        }
    }
}

/// A service that can be simulated.
#[derive(Clone, Debug, Default)]
pub enum Service {
    /// The Amazon `FinSpace` Data API.
    #[default]
    FinSpace,
    /// The admin API of Amazon Cognito, with this one user pool.
    Cognito(Box<Pool>),
}

/// The answer to the same client token for the same user while it is remembered. The API's
/// documentation promises that nothing is done twice, and is silent about the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replay {
    /// The first answer again.
    #[default]
    SameAnswer,
    /// A fresh password, which becomes the current one.
    NewPassword,
}

/// A simulator that is bound to its port and not yet serving.
///
/// Besides the API, it answers three unsigned requests that count in no figure:
///
/// - `GET /_simulator/state`: all metrics, and the password history of every user reset;
/// - `GET /_simulator/state?users=false`: the metrics alone;
/// - `GET /_simulator/user?id=ID`: one user's history.
pub struct Simulator {
    bound: server::Bound,
}

impl Simulator {
    /// Binds the port. Connections queue from here on, and are answered once [`serve`](Self::serve)
    /// runs.
    ///
    /// # Errors
    /// Whatever the system says of the address.
    pub async fn bind(config: Config) -> io::Result<Simulator> {
        let bound = server::Bound::new(config).await?;
        Ok(Simulator { bound })
    }

    /// The address it listens on, with the port the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Returns the URL to give a client as its endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Serves until `stop` is ready, then closes every connection, whatever is going on in it.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        self.bound.serve(stop).await;
    }
}
