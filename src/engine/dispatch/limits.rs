//! What a run keeps to while it sends.

use std::time::{Duration, Instant};

use crate::engine::dispatch::breaker::MaxFailures;
use crate::model::{BatchName, Target};

/// What a run keeps to.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Requests in flight at most.
    pub concurrency: usize,
    /// Tries for one user; throttled ones don't count.
    pub max_attempts: u32,
    /// Failed users to stop past.
    pub max_failures: Option<MaxFailures>,
    /// When to stop.
    pub deadline: Option<Instant>,
    /// How long the service remembers a client token.
    pub token_window: Duration,
    /// The names that make the client tokens.
    pub target: Target,
    /// The batch.
    pub batch: BatchName,
}
