//! The ends of sessions, as a run tells of them.
//!
//! Invariant: whoever is left is counted from the ledger.

use serde::Serialize;

use crate::engine::dispatch::stop::StopReason;

/// The result of signing users out.
#[derive(Clone, Debug, Default)]
pub(super) struct SignOuts {
    /// Users who were signed out by this run.
    pub done: u64,
    /// Users who could not be.
    pub failed: u64,
    /// Users who were reset and are not signed out, those who failed among them.
    pub left: u64,
    /// The reason for which it ended early, if it did.
    pub stopped: Option<StopReason>,
}

/// The same for machines.
#[derive(Serialize)]
pub(super) struct SignOutJson {
    signed_out: u64,
    failed: u64,
    left: u64,
}

impl SignOuts {
    /// Returns the line for people.
    pub(super) fn line(&self) -> String {
        let Self { done, failed, left, .. } = self;
        let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
        let left = match left {
            0 => String::new(),
            left => format!(
                "; {left} who are reset are not signed out yet: run the same command again, which resets nobody anew"
            ),
        };
        format!("signed out: {done}{failed}{left}")
    }

    /// Returns the form for machines.
    pub(super) fn json(&self) -> SignOutJson {
        SignOutJson { signed_out: self.done, failed: self.failed, left: self.left }
    }
}
