//! Sends the resets: claims users, paces and retries requests, hands outcomes
//! to the ledger, and knows when to stop.
//!
//! Invariant: one dispatcher holds all state; the requests in flight only bring
//! answers back. A request leaves only for a user whose claim is durable. A slot
//! is free when its answer is there; a user counts when its outcome is durable.

use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) mod attempt;
pub(crate) mod breaker;
pub(crate) mod limits;
pub(crate) mod pacer;
pub(crate) mod stop;

use crate::engine::dispatch::attempt::{Attempt, CAP, Waiting, back_off};
use crate::engine::dispatch::breaker::{Breaker, Health, Permission};
use crate::engine::dispatch::limits::Limits;
use crate::engine::dispatch::pacer::{Pacer, Permit};
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Claim, Event, PaceSample, Writer};
use crate::model::{Millis, Outcome, Status, Tally, Task, client_token};
use crate::process::failpoint;
use crate::process::signals::Shutdown;
use crate::service::aws::{Cause, Failure};
use crate::service::finspace::{Client, Reset};

/// A conflict is retried this often.
const CONFLICTS: u32 = 3;
/// Expired credentials are renewed this often for one request.
const RENEWALS: u32 = 3;
/// A throttled user waits no longer than this: the pacer slows everyone down.
const THROTTLED_CAP: Duration = Duration::from_secs(5);
/// A service that asks for more patience than this is asking for another day.
const RETRY_AFTER_CAP: Duration = Duration::from_mins(5);
/// A claim is at most so many users, and at most a second's work.
const CLAIM: usize = 512;
/// Outcomes that may wait for the disk before sending pauses.
const UNRECORDED: u64 = 20_000;
/// How often a sample of the pace is kept.
const SAMPLE: Duration = Duration::from_secs(5);
/// How often the display is brought up to date.
const TICK: Duration = Duration::from_millis(100);

type Answered = (Attempt, Permit, Result<Reset, Failure>);

/// Runs until every user has an outcome or something says stop.
pub(crate) async fn run(
    client: &Client,
    writer: &Writer,
    events: &mut UnboundedReceiver<Event>,
    pacer: Pacer,
    rules: &Limits,
    shutdown: &Shutdown,
    show: &mut dyn FnMut(&Tally),
) -> (StopReason, Tally) {
    let mut dispatcher = Dispatcher {
        client,
        writer,
        pacer,
        rules,
        tally: Tally::default(),
        fresh: VecDeque::new(),
        retries: BinaryHeap::new(),
        in_flight: FuturesUnordered::new(),
        claiming: false,
        exhausted: false,
        unrecorded: 0,
        breaker: Breaker::default(),
        permission: Permission::default(),
        ended: 0,
        failed: 0,
        ending: None,
        sampled: (0, 0),
    };
    let started = Instant::now();
    dispatcher.run(events, shutdown, show).await;
    let Dispatcher { ending, mut tally, .. } = dispatcher;
    tally.sending = started.elapsed();
    (ending.unwrap_or(StopReason::Finished), tally)
}

struct Dispatcher<'a> {
    client: &'a Client,
    writer: &'a Writer,
    pacer: Pacer,
    rules: &'a Limits,
    tally: Tally,
    fresh: VecDeque<(Claim, Task)>,
    retries: BinaryHeap<Waiting>,
    in_flight: FuturesUnordered<LocalBoxFuture<'a, Answered>>,
    claiming: bool,
    exhausted: bool,
    unrecorded: u64,
    breaker: Breaker,
    permission: Permission,
    /// Users that ended in this run, and how many of them without a reset.
    ended: u64,
    failed: u64,
    ending: Option<StopReason>,
    /// Requests and throttlings at the last sample of the pace.
    sampled: (u64, u64),
}

impl Dispatcher<'_> {
    async fn run(&mut self, events: &mut UnboundedReceiver<Event>, shutdown: &Shutdown, show: &mut dyn FnMut(&Tally)) {
        let mut tick = tokio::time::interval(TICK);
        let mut sample = tokio::time::interval(SAMPLE);
        sample.tick().await;
        loop {
            let wake = self.send();
            if self.in_flight.is_empty() && (self.ending.is_some() || self.all_done()) {
                break;
            }
            tokio::select! {
                biased;
                Some(answered) = self.in_flight.next(), if !self.in_flight.is_empty() => self.answered(answered),
                event = events.recv() => match event {
                    Some(event) => self.event(event),
                    // The writer is gone without a word: nothing is durable any more.
                    None => self.stop(StopReason::LedgerFailed),
                },
                signal = shutdown.requested(), if self.ending.is_none() => self.stop(StopReason::Signalled(signal)),
                () = sleep_until(self.rules.deadline), if self.ending.is_none() && self.rules.deadline.is_some() => {
                    self.stop(StopReason::Deadline);
                }
                () = sleep_until(wake), if wake.is_some() => {}
                _ = tick.tick() => {
                    self.tally.rate_found = self.pacer.found();
                    self.tally.in_flight = self.in_flight.len() as u64;
                    show(&self.tally);
                }
                _ = sample.tick() => self.sample(),
            }
        }
        for Waiting { attempt, .. } in std::mem::take(&mut self.retries) {
            self.leave(attempt);
        }
        self.fresh.clear();
        self.sample();
        // What is recorded is counted before this returns, unless the disk failed.
        while self.unrecorded > 0 && self.ending != Some(StopReason::LedgerFailed) {
            match events.recv().await {
                Some(event) => self.event(event),
                None => break,
            }
        }
        self.tally.rate_found = self.pacer.found();
        show(&self.tally);
    }

    fn all_done(&self) -> bool {
        self.exhausted && self.fresh.is_empty() && self.retries.is_empty()
    }

    /// Sends what may be sent now. Tells when to look again, if time decides.
    fn send(&mut self) -> Option<Instant> {
        if self.ending.is_some() {
            return None;
        }
        self.ask_for_more();
        while self.in_flight.len() < self.rules.concurrency && self.unrecorded < UNRECORDED {
            let now = Instant::now();
            let retry_due = self.retries.peek().map(|waiting| waiting.due);
            let retry = retry_due.is_some_and(|due| due <= now);
            // While the endpoint is suspect, those that wait for it find out.
            let start_new = self.breaker.health(false, now) == Health::Good
                && self.retries.len() < 4 * self.rules.concurrency + 1000;
            if !retry && (self.fresh.is_empty() || !start_new) {
                return retry_due;
            }
            let permit = match self.pacer.take() {
                Ok(permit) => permit,
                Err(wait) => return Some(now + wait),
            };
            let attempt = if retry {
                self.retries.pop().map(|waiting| waiting.attempt)
            } else {
                self.fresh.pop_front().map(|(claim, task)| Attempt::new(claim, task))
            };
            if let Some(attempt) = attempt {
                self.launch(attempt, permit);
            }
            self.ask_for_more();
        }
        None
    }

    fn ask_for_more(&mut self) {
        // At a low rate a claim is no more than a second's work, so that a crash
        // leaves no one needlessly in doubt.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let second = self.pacer.rate().map_or(CLAIM, |rate| rate.clamp(1.0, 1e6) as usize);
        let claim = second.min(CLAIM);
        if !self.claiming && !self.exhausted && self.fresh.len() <= claim / 2 {
            self.claiming = true;
            self.writer.claim(claim);
        }
    }

    fn launch(&mut self, mut attempt: Attempt, permit: Permit) {
        let client = self.client;
        let token = client_token(&self.rules.target, &self.rules.batch, &attempt.task.user_id).hyphenated().to_string();
        attempt.send();
        self.tally.requests += 1;
        self.in_flight.push(Box::pin(async move {
            failpoint::hit("sending");
            let user_id = &attempt.task.user_id;
            let answer = client.reset(user_id, &token).await.and_then(|reset| reset.of(user_id));
            failpoint::hit("answered");
            (attempt, permit, answer)
        }));
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Claimed(tasks) => {
                self.claiming = false;
                self.exhausted = tasks.is_empty();
                self.fresh.extend(tasks);
            }
            Event::Recorded(outcomes) => {
                for recorded in outcomes {
                    self.unrecorded = self.unrecorded.saturating_sub(1);
                    self.tally.done += 1;
                    match recorded {
                        Status::Succeeded => self.tally.reset += 1,
                        Status::Failed => self.tally.failed += 1,
                        Status::Unknown => self.tally.unknown += 1,
                        Status::Pending => {}
                    }
                }
            }
            Event::Failed => self.stop(StopReason::LedgerFailed),
        }
    }

    /// The first reason to stop is the one that is told, but for a ledger that
    /// can't be written, which outweighs the others.
    fn stop(&mut self, ending: StopReason) {
        if self.ending.is_none() || ending == StopReason::LedgerFailed {
            self.ending = Some(ending);
        }
    }

    fn answered(&mut self, (mut attempt, permit, answer): Answered) {
        let now = Instant::now();
        let failure = match answer {
            Ok(reset) => {
                self.pacer.answered(permit, false);
                self.breaker.good();
                self.permission.granted();
                attempt.tries += 1;
                return self.succeed(attempt, reset);
            }
            Err(failure) => failure,
        };
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
        if !matches!(failure.cause, Cause::Server | Cause::Unreachable) {
            self.pacer.answered(permit, failure.cause == Cause::Throttled);
        }
        if failure.maybe_executed {
            attempt.doubt(self.rules.token_window);
        }
        match failure.cause {
            Cause::Throttled => {
                self.breaker.good();
                self.tally.throttled += 1;
                attempt.throttles += 1;
                let wait = back_off(attempt.throttles, THROTTLED_CAP);
                self.retry(attempt, &failure, wait);
            }
            Cause::Expired if attempt.renewals < RENEWALS => {
                attempt.renewals += 1;
                self.retry(attempt, &failure, Duration::ZERO);
            }
            Cause::Expired | Cause::Credentials => {
                attempt.tries += 1;
                self.stop(StopReason::Refused(failure.to_string()));
                self.fail(attempt, failure);
            }
            Cause::Denied => {
                self.breaker.good();
                attempt.tries += 1;
                if self.permission.refused() {
                    self.stop(StopReason::Refused(failure.to_string()));
                }
                self.fail(attempt, failure);
            }
            Cause::Permanent => {
                self.breaker.good();
                self.permission.granted();
                attempt.tries += 1;
                // Whoever does not exist, or can't be asked for, was not reset
                // by an earlier request either.
                attempt.doubtful_since = None;
                self.fail(attempt, failure);
            }
            Cause::Conflict => {
                self.breaker.good();
                attempt.tries += 1;
                attempt.conflicts += 1;
                if attempt.conflicts > CONFLICTS || attempt.tries >= self.rules.max_attempts {
                    self.fail(attempt, failure);
                } else {
                    let wait = back_off(attempt.tries, CAP);
                    self.retry(attempt, &failure, wait);
                }
            }
            Cause::Server | Cause::Unreachable | Cause::Unreadable => {
                attempt.tries += 1;
                let exhausted = attempt.tries >= self.rules.max_attempts;
                if failure.cause == Cause::Unreadable {
                    self.breaker.good();
                } else {
                    self.breaker.bad(attempt.task.number, failure.status.is_some(), now);
                }
                if self.breaker.health(exhausted, now) == Health::Down {
                    self.stop(StopReason::EndpointDown(failure.to_string()));
                    self.leave_with(attempt, &failure);
                } else if exhausted {
                    self.fail(attempt, failure);
                } else {
                    let wait = back_off(attempt.tries, CAP);
                    self.retry(attempt, &failure, wait);
                }
            }
        }
    }

    fn retry(&mut self, attempt: Attempt, failure: &Failure, wait: Duration) {
        if self.ending.is_some() {
            return self.leave_with(attempt, failure);
        }
        self.tally.retried += 1;
        let asked = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_CAP);
        self.retries.push(Waiting { due: Instant::now() + wait.max(asked), attempt });
    }

    fn succeed(&mut self, mut attempt: Attempt, reset: Reset) {
        attempt.late(self.rules.token_window);
        tracing::debug!(user = attempt.task.user_id, line = attempt.task.line, request_id = reset.request_id, "reset");
        self.record(attempt, Status::Succeeded, |outcome| {
            outcome.doubtful_since = None;
            outcome.request_id = reset.request_id;
            outcome.password = Some(reset.password);
        });
    }

    /// The user's last answer of this run was a failure.
    fn fail(&mut self, attempt: Attempt, failure: Failure) {
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
    /// before the run.
    fn leave(&mut self, attempt: Attempt) {
        if attempt.doubtful_since.is_some() {
            self.record(attempt, Status::Unknown, |outcome| {
                outcome.error_code = Some("Interrupted".into());
                outcome.error_message = Some("the run stopped before an answer settled this user; run again".into());
            });
        }
    }

    fn leave_with(&mut self, attempt: Attempt, failure: &Failure) {
        if attempt.doubtful_since.is_some() {
            self.fail(attempt, failure.clone());
        }
    }

    fn record(&mut self, attempt: Attempt, status: Status, fill: impl FnOnce(&mut Outcome)) {
        let mut outcome = Outcome {
            number: attempt.task.number,
            status,
            at: Millis::now(),
            attempts: attempt.task.attempts + attempt.tries,
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
        if status != Status::Succeeded {
            self.failed += 1;
            if self.rules.max_failures.is_some_and(|most| most.exceeded(self.failed, self.ended)) {
                self.stop(StopReason::TooManyFailures);
            }
        }
        self.unrecorded += 1;
        self.writer.record(attempt.claim, attempt.task, outcome);
    }

    fn sample(&mut self) {
        let (requests, throttled) = (self.tally.requests, self.tally.throttled);
        self.writer.pace(PaceSample {
            at: Millis::now(),
            sent: requests - self.sampled.0,
            throttled: throttled - self.sampled.1,
            rate: self.pacer.rate(),
        });
        self.sampled = (requests, throttled);
    }
}

/// Waits until `at`; for ever where there is none.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
