//! The way on after a failed request, as the retry policy decides it.
//!
//! Invariant: an attempt goes to exactly one place: another try, another
//! password, its end, or to those whom only the endpoint's nature settles.

use super::attempt::{Attempt, Waiting};
use super::breaker::Whose;
use super::pacer::{Clock, Permit};
use super::record::Book;
use super::retry::{Decision, Wait};
use super::stop::StopReason;
use super::{Dispatcher, now};
use crate::service::{Cause, Failure, Reset, Service};

impl<S: Service, B: Book, C: Clock + Clone> Dispatcher<'_, S, B, C> {
    /// Takes note of a failed request, and does what the retry policy says.
    pub(super) fn failed(&mut self, mut attempt: Attempt, permit: Permit, failure: Failure) {
        tracing::debug!(
            user = attempt.task.user_id,
            line = attempt.task.line,
            code = failure.code,
            status = failure.status,
            request_id = failure.request_id,
            "{}",
            failure.message
        );
        // What failed otherwise says nothing of the service's rate.
        if !matches!(failure.cause, Cause::Server | Cause::Unreachable | Cause::Lost) {
            self.pacer.answered(permit, failure.cause == Cause::Throttled);
        }
        self.recorder.tally.throttled += u64::from(failure.cause == Cause::Throttled);
        attempt.learn(&failure, self.window);
        let in_doubt = attempt.doubtful_since.is_some();
        let (tries, decision) = attempt.tries.after(&failure, in_doubt, self.limits.bounds.max_attempts);
        attempt.tries = tries;
        let whose = Whose { user: attempt.task.number, exhausted: decision == Decision::End };
        if let Some(trip) = self.breaker.failed(&failure, whose, now()) {
            self.stop(StopReason::of(trip, &failure, &self.facts));
        }
        match decision {
            Decision::Refused => {
                self.stop(StopReason::refused(&failure, &self.facts));
                self.end(attempt, failure);
            }
            Decision::End => self.end(attempt, failure),
            Decision::Done => match attempt.task.password.clone() {
                Some(password) => {
                    self.recorder.succeed(attempt, Reset { password, request_id: failure.request_id, user_id: None });
                }
                None => self.end(attempt, failure),
            },
            Decision::Again(_) | Decision::Another if self.stop.is_some() => self.open.push((attempt, Some(failure))),
            Decision::Again(wait) => self.retry(attempt, wait, &failure),
            Decision::Another => {
                self.recorder.tally.retried += 1;
                self.recorder.book.reseal(&attempt.task);
                self.replacing.insert(attempt.task.number, attempt);
            }
        }
    }

    /// The user's last try of this run has failed. Whom the endpoint did not
    /// settle, and who is not in doubt, is as before the run.
    fn end(&mut self, attempt: Attempt, failure: Failure) {
        let down = matches!(self.stop, Some(StopReason::EndpointDown(_)));
        let never_sent = match failure.cause {
            Cause::Unreachable => down,
            // Without an answer it is this side that had none.
            Cause::Credentials => failure.status.is_none(),
            _ => false,
        };
        let foreign = !failure.is_own && !self.breaker.has_met_the_api() && failure.status.is_some();
        if never_sent || foreign {
            self.open.push((attempt, Some(failure)));
        } else {
            self.recorder.fail(attempt, failure);
        }
    }

    fn retry(&mut self, attempt: Attempt, wait: Wait, failure: &Failure) {
        self.recorder.tally.retried += 1;
        let wait_for = wait.draw(rand::random());
        if !wait.asked.is_zero() {
            tracing::info!(
                user = attempt.task.user_id,
                line = attempt.task.line,
                "the service asks to wait {:?} (Retry-After): waiting {:?}",
                failure.retry_after.unwrap_or_default(),
                wait.asked
            );
        }
        // A wait is some minutes at most: it never leaves the clock's range.
        self.retries.push(Waiting { due: now() + wait_for, asked: !wait.asked.is_zero(), attempt });
    }
}
