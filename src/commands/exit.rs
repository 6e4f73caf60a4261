//! The exit codes.
//!
//! Invariant: one match decides each code, and it is exhaustive.

use crate::engine::dispatch::stop::StopReason;
use crate::model::{Counts, Tally};
use crate::process::signals::Signal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every user of the roster is reset, or a clean dry run.
    Success,
    /// Finished, and at least one user is failed, unknown or invalid.
    SomeFailed,
    /// Usage, input or configuration is wrong; nothing was sent.
    Unusable,
    /// Stopped before the end; run again to continue.
    Stopped,
    /// Results could not be written; the ledger has what was done.
    NotDurable,
    /// The batch is already running.
    Busy,
    /// A signal asked for the end.
    Signalled(Signal),
}

impl Exit {
    /// Returns the exit status of a run from the ledger's counts; with `--limit`
    /// from this run's.
    pub(super) fn of_run(stop: &StopReason, counts: &Counts, limited: Option<Tally>) -> Self {
        match stop {
            StopReason::Finished => {
                let all = counts.failed + counts.unknown + counts.invalid + counts.pending;
                let bad = limited.map_or(all, |tally| tally.failed + tally.unknown);
                if bad == 0 { Self::Success } else { Self::SomeFailed }
            }
            StopReason::Signalled(signal) => Self::Signalled(*signal),
            StopReason::Deadline
            | StopReason::TooManyFailures
            | StopReason::Refused(_)
            | StopReason::EndpointDown(_) => Self::Stopped,
            StopReason::LedgerFailed => Self::NotDurable,
        }
    }

    /// The process's exit code.
    #[must_use]
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::SomeFailed => 1,
            Self::Unusable => 2,
            Self::Stopped => 3,
            Self::NotDurable => 4,
            Self::Busy => 75,
            Self::Signalled(signal) => signal.exit_code(),
        }
    }

    /// What the code means, for the JSON summary.
    #[must_use]
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Success => "every user of the roster is reset",
            Self::SomeFailed => "finished, and at least one user is failed, unknown or invalid",
            Self::Unusable => "usage, input or configuration is wrong; nothing was sent",
            Self::Stopped => "stopped before the end; run again to continue",
            Self::NotDurable => "results could not be written; the ledger has what was done",
            Self::Busy => "this batch is already running",
            Self::Signalled(Signal::Interrupt) => "interrupted; run again to continue",
            Self::Signalled(Signal::Terminate) => "terminated; run again to continue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_contract() {
        let codes = [
            (Exit::Success, 0),
            (Exit::SomeFailed, 1),
            (Exit::Unusable, 2),
            (Exit::Stopped, 3),
            (Exit::NotDurable, 4),
            (Exit::Busy, 75),
            (Exit::Signalled(Signal::Interrupt), 130),
            (Exit::Signalled(Signal::Terminate), 143),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code);
        }
    }
}
