//! The metrics: what arrived and what became of it.
//!
//! Invariant: every API request counts exactly once in `requests.total`; the simulator's own admin
//! requests count nowhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::faults::Fault;

const SECOND: Duration = Duration::from_secs(1);

/// All metrics, as `GET /_simulator/state` tells them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Metrics {
    pub requests: Requests,
    /// Executed, replays apart.
    pub resets: u64,
    /// Resets that changed nothing: a client token again, or the current password again.
    pub replays: u64,
    /// Past the quota.
    pub throttled: u64,
    /// Refused for who asked.
    pub refused: u64,
    pub faults: FaultsMet,
    /// Over any second, all that arrived, refused and throttled ones too.
    pub max_reset_requests_in_one_second: usize,
    #[serde(skip)]
    last_second: VecDeque<Instant>,
}

/// Requests by operation; `total` holds those to no operation, too.
#[derive(Debug, Default, Serialize)]
pub(super) struct Requests {
    pub total: u64,
    pub reset: u64,
    pub get_user: u64,
    /// Those by permission group, too.
    pub list_users: u64,
    pub credentials: u64,
    pub describe_pool: u64,
    pub update_pool: u64,
    pub sign_out: u64,
}

/// Faults that requests met.
#[derive(Debug, Default, Serialize)]
pub(super) struct FaultsMet {
    drop_before: u64,
    drop_after: u64,
    error_before: u64,
    error_after: u64,
    truncate: u64,
    garbage: u64,
    empty: u64,
    hang: u64,
}

impl FaultsMet {
    pub(super) fn count(&mut self, fault: Fault) {
        *match fault {
            Fault::DropBefore => &mut self.drop_before,
            Fault::DropAfter => &mut self.drop_after,
            Fault::ErrorBefore => &mut self.error_before,
            Fault::ErrorAfter => &mut self.error_after,
            Fault::Truncate => &mut self.truncate,
            Fault::Garbage => &mut self.garbage,
            Fault::Empty => &mut self.empty,
            Fault::Hang => &mut self.hang,
        } += 1;
    }
}

impl Metrics {
    /// Counts a reset request that arrived, in the sliding window, too.
    pub(super) fn reset_arrived(&mut self, now: Instant) {
        self.requests.reset += 1;
        let window = &mut self.last_second;
        while window.front().is_some_and(|&at| now.saturating_duration_since(at) >= SECOND) {
            window.pop_front();
        }
        window.push_back(now);
        let busiest = &mut self.max_reset_requests_in_one_second;
        *busiest = window.len().max(*busiest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut metrics = Metrics::default();
        let start = Instant::now();
        for at in [0, 300, 900, 1000, 1299, 1300, 5000] {
            metrics.reset_arrived(start + Duration::from_millis(at));
        }
        assert_eq!(metrics.requests.reset, 7);
        // 300, 900, 1000, 1299: at 1300 the first of them is a second old.
        assert_eq!(metrics.max_reset_requests_in_one_second, 4);
        assert_eq!(metrics.last_second.len(), 1);
    }
}
