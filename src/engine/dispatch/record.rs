//! Outcomes: from the last answer of an attempt to an entry in the ledger.
//!
//! Invariant: a user ends once in a run; one who may have been reset unanswered
//! never ends as `failed`; a user counts when its outcome is durable.

use crate::engine::dispatch::attempt::Attempt;
use crate::engine::dispatch::limits::MaxFailures;
use crate::engine::ledger::{Claim, PaceSample, Writer};
use crate::model::{Millis, Outcome, Status, Tally, Task};
use crate::service::{Failure, Reset};

/// The source of claims and the place of outcomes: the ledger's writer.
pub(crate) trait Book {
    /// Asks for up to `users` of the next users.
    fn claim(&self, users: usize);
    /// Hands an outcome over.
    fn record(&self, claim: Claim, task: Task, outcome: Outcome);
    /// Asks for another password of a user, sealed before it comes back.
    fn reseal(&self, task: &Task);
    /// Keeps a sample of the pace.
    fn pace(&self, sample: PaceSample);
}

impl Book for Writer {
    fn claim(&self, users: usize) {
        Writer::claim(self, users);
    }

    fn record(&self, claim: Claim, task: Task, outcome: Outcome) {
        Writer::record(self, claim, task, outcome);
    }

    fn reseal(&self, task: &Task) {
        Writer::reseal(self, task);
    }

    fn pace(&self, sample: PaceSample) {
        Writer::pace(self, sample);
    }
}

/// Records how users end, and counts.
pub(super) struct Recorder<'a, B> {
    pub book: &'a B,
    pub tally: Tally,
    /// Outcomes that are not durable yet.
    pub unrecorded: u64,
    max_failures: Option<MaxFailures>,
    /// Users that ended in this run, and how many of them without a reset.
    ended: u64,
    failed: u64,
}

impl<'a, B: Book> Recorder<'a, B> {
    pub(super) fn new(book: &'a B, max_failures: Option<MaxFailures>) -> Self {
        Self { book, tally: Tally::default(), unrecorded: 0, max_failures, ended: 0, failed: 0 }
    }

    /// Returns true if more users failed than `--max-failures` allows.
    pub(super) fn too_many_failed(&self) -> bool {
        self.max_failures.is_some_and(|most| most.exceeded(self.failed, self.ended))
    }

    /// Outcomes have become durable.
    pub(super) fn durable(&mut self, outcomes: &[Status]) {
        for status in outcomes {
            self.unrecorded = self.unrecorded.saturating_sub(1);
            self.tally.done += 1;
            match status {
                Status::Succeeded => self.tally.reset += 1,
                Status::Failed => self.tally.failed += 1,
                Status::Unknown => self.tally.unknown += 1,
                Status::Pending => {}
            }
        }
    }

    /// The user was reset.
    pub(super) fn succeed(&mut self, mut attempt: Attempt, reset: Reset) {
        attempt.settle();
        tracing::debug!(user = attempt.task.user_id, line = attempt.task.line, request_id = reset.request_id, "reset");
        self.record(attempt, Status::Succeeded, |outcome| {
            outcome.request_id = reset.request_id;
            outcome.password = Some(reset.password);
        });
    }

    /// The user's last answer of this run was a failure.
    pub(super) fn fail(&mut self, attempt: Attempt, failure: Failure) {
        let status = if attempt.doubtful_since.is_some() { Status::Unknown } else { Status::Failed };
        tracing::warn!(
            user = attempt.task.user_id,
            line = attempt.task.line,
            code = failure.code,
            "{}: {}",
            status.word(),
            failure.message
        );
        self.record(attempt, status, |outcome| {
            outcome.request_id = failure.request_id;
            outcome.error_code = Some(failure.code);
            outcome.error_message = Some(failure.message);
        });
    }

    /// The run stops before the user's last try: in doubt if it is, else as
    /// before the run. `failure` is what it met last, if it is known.
    pub(super) fn leave(&mut self, attempt: Attempt, met_the_api: bool, failure: Option<Failure>) {
        if !attempt.is_in_doubt(met_the_api) {
            return;
        }
        match failure {
            Some(failure) => self.fail(attempt, failure),
            None => self.record(attempt, Status::Unknown, |outcome| {
                outcome.error_code = Some("Interrupted".into());
                outcome.error_message = Some("the run stopped before an answer settled this user; run again".into());
            }),
        }
    }

    fn record(&mut self, attempt: Attempt, status: Status, fill: impl FnOnce(&mut Outcome)) {
        let mut outcome = Outcome {
            number: attempt.task.number,
            status,
            at: Millis::now(),
            attempts: attempt.task.attempts.saturating_add(attempt.tries.counted),
            doubtful_since: attempt.doubtful_since,
            again: attempt.again,
            request_id: None,
            error_code: None,
            error_message: None,
            password: None,
        };
        fill(&mut outcome);
        if outcome.again && !attempt.task.again {
            self.tally.reset_again += 1;
        }
        self.ended += 1;
        self.failed += u64::from(status != Status::Succeeded);
        self.unrecorded += 1;
        self.book.record(attempt.claim, attempt.task, outcome);
    }
}
