//! The exit codes.
//!
//! Invariant: one match decides each code, and it is exhaustive.

use crate::engine::dispatch::stop::StopReason;
use crate::model::{Counts, Tally};
use crate::process::signals::Signal;

/// The program's end, and the exit code that tells it.
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
    /// Returns the exit status of a run.
    pub(crate) fn of_run(end: &End<'_>) -> Self {
        let End { stop, counts, limited, signal, durable, signed_in } = end;
        if !durable {
            return Self::NotDurable;
        }
        // The signal may have come while the last answers were recorded.
        if let Some(signal) = signal
            && counts.to_do() > 0
        {
            return Self::Signalled(*signal);
        }
        match stop {
            // The time may have been up while the last answers were awaited.
            StopReason::Deadline if counts.to_do() + signed_in > 0 || limited.is_some() => Self::Stopped,
            StopReason::Finished | StopReason::Deadline => {
                let all = counts.failed + counts.unknown + counts.pending;
                let bad = counts.invalid + limited.map_or(all, |tally| tally.failed + tally.unknown);
                if bad + signed_in == 0 { Self::Success } else { Self::SomeFailed }
            }
            StopReason::Signalled(signal) => Self::Signalled(*signal),
            StopReason::TooManyFailures
            | StopReason::Refused { .. }
            | StopReason::PasswordsRefused(_)
            | StopReason::NoCredentials(_)
            | StopReason::EndpointDown(_)
            | StopReason::NotTheApi(_)
            | StopReason::Throttled => Self::Stopped,
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

    /// Returns the meaning of the code where it ends a command that sent nothing.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done",
            Self::SomeFailed => "finished, and not everything is as it should be",
            Self::Unusable => "usage, input or configuration is wrong; nothing was sent",
            Self::Stopped => "stopped before the end; run again to continue",
            Self::NotDurable => "results could not be written; the ledger has what was done",
            Self::Busy => "this batch is already running",
            Self::Signalled(Signal::Interrupt) => "interrupted; run again to continue",
            Self::Signalled(Signal::Terminate) => "terminated; run again to continue",
        }
    }

    /// Returns the meaning of a run's exit: never more than its counts say.
    pub(crate) fn meaning_of_run(self, counts: &Counts, limited: Option<&Tally>) -> String {
        let Counts { earlier, failed, unknown, invalid, pending, .. } = *counts;
        let succeeded = counts.reset();
        let users = succeeded + failed + unknown + pending;
        match (self, limited) {
            (Self::Success, _) if users == 0 => "nobody in the roster was to be reset".into(),
            (Self::Success, Some(tally)) if counts.to_do() > 0 => {
                format!("the {} asked for are reset; {} of {users} are {}", tally.reset, counts.to_do(), left(counts))
            }
            (Self::Success, _) if earlier > 0 => {
                format!("every user of the roster is reset ({succeeded}, {earlier} of them by an earlier run)")
            }
            (Self::Success, _) => format!("every user of the roster is reset ({succeeded})"),
            (Self::SomeFailed, _) => {
                let kinds = [(failed, "failed"), (unknown, "unknown"), (invalid, "invalid"), (pending, "pending")];
                let kinds = kinds.iter().filter(|(count, _)| *count > 0);
                let kinds: Vec<String> = kinds.map(|(count, word)| format!("{count} {word}")).collect();
                let kinds = if kinds.is_empty() { String::new() } else { format!(", {}", kinds.join(", ")) };
                format!("finished: {succeeded} of {users} users are reset{kinds}")
            }
            _ => format!("{} ({succeeded} of {users} users are reset)", self.meaning()),
        }
    }
}

/// Returns the words for users that a limit held back.
fn left(counts: &Counts) -> &'static str {
    if counts.failed + counts.unknown > 0 { "pending, failed or unknown" } else { "pending" }
}

/// All that the exit status of a run follows from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    /// The reason for which sending ended.
    pub stop: &'a StopReason,
    /// The ledger's counts.
    pub counts: Counts,
    /// With `--limit`, the counts of this run: only its users matter.
    pub limited: Option<Tally>,
    /// The signal that asked for the end, if one did.
    pub signal: Option<Signal>,
    /// True if results, summary and ledger could be written.
    pub durable: bool,
    /// Users who were reset and should be signed out, and are not.
    pub signed_in: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_of_a_run_follows_from_its_counts() {
        let counts = |succeeded, failed, invalid, pending| Counts {
            rows: succeeded + failed + invalid + pending,
            succeeded,
            failed,
            invalid,
            pending,
            ..Counts::default()
        };
        let this_run = |reset, failed| Some(Tally { reset, failed, ..Tally::default() });
        let finished = &StopReason::Finished;
        let signal = Some(Signal::Interrupt);
        for (stop, counts, limited, signal, durable, exit, meaning) in [
            (finished, counts(3, 0, 0, 0), None, None, true, Exit::Success, "every user of the roster is reset (3)"),
            (finished, counts(0, 0, 0, 0), None, None, true, Exit::Success, "nobody in the roster was to be reset"),
            (
                finished,
                counts(5, 0, 0, 396),
                this_run(5, 0),
                None,
                true,
                Exit::Success,
                "the 5 asked for are reset; 396 of 401 are pending",
            ),
            (
                finished,
                counts(5, 1, 0, 3),
                this_run(5, 1),
                None,
                true,
                Exit::SomeFailed,
                "finished: 5 of 9 users are reset, 1 failed, 3 pending",
            ),
            (
                finished,
                counts(5, 0, 1, 3),
                this_run(5, 0),
                None,
                true,
                Exit::SomeFailed,
                "finished: 5 of 8 users are reset, 1 invalid, 3 pending",
            ),
            (
                finished,
                counts(5, 0, 0, 3),
                None,
                signal,
                true,
                Exit::Signalled(Signal::Interrupt),
                "interrupted; run again to continue (5 of 8 users are reset)",
            ),
            (finished, counts(5, 0, 0, 0), None, signal, true, Exit::Success, "every user of the roster is reset (5)"),
            (
                &StopReason::Deadline,
                counts(5, 0, 0, 3),
                None,
                None,
                true,
                Exit::Stopped,
                "stopped before the end; run again to continue (5 of 8 users are reset)",
            ),
            (
                finished,
                counts(5, 0, 0, 0),
                None,
                None,
                false,
                Exit::NotDurable,
                "results could not be written; the ledger has what was done (5 of 5 users are reset)",
            ),
        ] {
            let end = End { stop, counts, limited, signal, durable, signed_in: 0 };
            assert_eq!(Exit::of_run(&end), exit, "{end:?}");
            assert_eq!(exit.meaning_of_run(&counts, limited.as_ref()), meaning);
        }
    }

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
