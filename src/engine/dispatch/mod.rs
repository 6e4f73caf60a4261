//! Sends the resets: claims users, paces and retries requests, hands outcomes
//! to the ledger, and knows when to stop.
//!
//! Invariant: one dispatcher holds all state; the requests in flight only bring
//! answers back. A request leaves only for a user whose claim is durable. A slot
//! is free when its answer is there; a user counts when its outcome is durable.
//! Every wait has an end, also for answers that never come.

use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

pub(crate) mod ask;
pub(crate) mod attempt;
pub(crate) mod breaker;
mod failed;
pub(crate) mod limits;
pub(crate) mod pacer;
pub(crate) mod record;
mod request;
pub(crate) mod retry;
pub(crate) mod stop;
#[cfg(test)]
mod tests;

use crate::engine::dispatch::attempt::{Attempt, Waiting};
use crate::engine::dispatch::breaker::Breaker;
use crate::engine::dispatch::limits::Limits;
use crate::engine::dispatch::pacer::{Clock, Pacer, Permit};
use crate::engine::dispatch::record::{Book, Recorder};
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Claim, Event, PaceSample};
use crate::model::{Millis, Pause, Tally, Task, UserNumber, client_token};
use crate::process::signals::Shutdown;
use crate::service::{Failure, Repeat, Reset, Service, ServiceFacts};

/// A claim is at most so many users, and at most a second's work.
const CLAIM: usize = 512;
/// Outcomes that may wait for the disk before sending pauses.
const UNRECORDED: u64 = 20_000;
/// No wait for a permit is shorter: less than a clock can tell is not waited for.
const GRAIN: Duration = Duration::from_micros(1);
/// Time between two samples of the pace.
const SAMPLE: Duration = Duration::from_secs(5);
/// Time between two updates of the display.
const TICK: Duration = Duration::from_millis(100);

/// The parts that a run sends with.
pub(crate) struct Means<'a, S, B, C: Clock> {
    /// The service that is asked.
    pub service: &'a S,
    /// The source of claims, and the place of outcomes.
    pub book: &'a B,
    /// The pacer of all requests.
    pub pacer: Pacer<C>,
    /// The bounds of the run.
    pub limits: &'a Limits,
    /// The wish to end.
    pub shutdown: &'a Shutdown,
}

/// The answer to a user's request; none of a request that did not leave.
type Answered = (UserNumber, Permit, Option<Result<Reset, Failure>>);

/// Runs until every user has an outcome or something says stop.
pub(crate) async fn run<S: Service, B: Book, C: Clock + Clone>(
    means: Means<'_, S, B, C>,
    events: &mut UnboundedReceiver<Event>,
    show: &mut dyn FnMut(&Tally),
) -> (StopReason, Tally) {
    let Means { service, book, pacer, limits, shutdown } = means;
    let facts = service.facts();
    let mut dispatcher = Dispatcher {
        service,
        facts,
        window: match facts.repeat {
            Repeat::Token { .. } => Some(limits.token_window),
            Repeat::SamePassword => None,
        },
        pacer,
        limits,
        recorder: Recorder::new(book, limits.max_failures),
        fresh: VecDeque::new(),
        retries: BinaryHeap::new(),
        flying: HashMap::new(),
        replacing: HashMap::new(),
        open: Vec::new(),
        answers: FuturesUnordered::new(),
        claiming: false,
        exhausted: false,
        breaker: Breaker::new(limits.bounds.throttle_patience),
        stop: None,
        halt: watch::Sender::new(false),
        drained_at: None,
        sampled: (0, 0),
    };
    let started = now();
    dispatcher.run(events, shutdown, show).await;
    let Dispatcher { stop, recorder, .. } = dispatcher;
    let tally = Tally { sending: now().saturating_duration_since(started), ..recorder.tally };
    (stop.unwrap_or(StopReason::Finished), tally)
}

/// The time by the clock that is never set; a test may hold it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

struct Dispatcher<'a, S, B, C: Clock> {
    service: &'a S,
    facts: ServiceFacts,
    /// Time for which a repeat is safe; for ever where there is none.
    window: Option<Duration>,
    pacer: Pacer<C>,
    limits: &'a Limits,
    recorder: Recorder<'a, B>,
    fresh: VecDeque<(Claim, Task)>,
    retries: BinaryHeap<Waiting>,
    /// Those whose request is in flight.
    flying: HashMap<UserNumber, Attempt>,
    /// Those whose next password is on its way to the disk.
    replacing: HashMap<UserNumber, Attempt>,
    /// Those whose last answer proves less or more by what the endpoint turns
    /// out to be.
    open: Vec<(Attempt, Option<Failure>)>,
    answers: FuturesUnordered<LocalBoxFuture<'a, Answered>>,
    claiming: bool,
    exhausted: bool,
    breaker: Breaker,
    stop: Option<StopReason>,
    /// Tells requests that are not ready to leave that they shall not.
    halt: watch::Sender<bool>,
    /// The time at which the answers in flight are no longer waited for.
    drained_at: Option<Instant>,
    /// Requests and throttlings at the last sample of the pace.
    sampled: (u64, u64),
}

impl<S: Service, B: Book, C: Clock + Clone> Dispatcher<'_, S, B, C> {
    async fn run(&mut self, events: &mut UnboundedReceiver<Event>, shutdown: &Shutdown, show: &mut dyn FnMut(&Tally)) {
        let mut tick = tokio::time::interval(TICK);
        let mut sample = tokio::time::interval(SAMPLE);
        sample.tick().await;
        loop {
            let wake = self.send();
            if self.flying.is_empty() && (self.stop.is_some() || self.all_done()) {
                break;
            }
            tokio::select! {
                biased;
                Some(answered) = self.answers.next(), if !self.answers.is_empty() => self.answered(answered),
                event = events.recv() => match event {
                    Some(event) => self.event(event),
                    // The writer is gone without a word: nothing is durable any more.
                    None => self.stop(StopReason::LedgerFailed),
                },
                signal = shutdown.requested(), if self.stop.is_none() => self.stop(StopReason::Signalled(signal)),
                () = sleep_until(self.limits.bounds.deadline), if self.stop.is_none() && self.limits.bounds.deadline.is_some() => {
                    self.stop(StopReason::Deadline);
                }
                () = sleep_until(self.drained_at), if self.drained_at.is_some() => self.abandon(),
                () = sleep_until(wake), if wake.is_some() => {}
                _ = tick.tick() => {
                    if self.breaker.is_throttled_out(now()) {
                        self.stop(StopReason::Throttled);
                    }
                    self.show(show);
                }
                _ = sample.tick() => self.sample(),
            }
        }
        if self.stop.is_none() && self.breaker.is_a_stranger() {
            self.stop(StopReason::not_the_api());
        }
        let left = self.retries.drain().map(|waiting| waiting.attempt);
        self.open.extend(left.chain(self.replacing.drain().map(|(_, attempt)| attempt)).map(|attempt| (attempt, None)));
        for (attempt, failure) in std::mem::take(&mut self.open) {
            self.recorder.leave(attempt, self.breaker.has_met_the_api(), failure);
        }
        self.fresh.clear();
        self.sample();
        // What is recorded is counted before this returns, unless the disk failed.
        while self.recorder.unrecorded > 0 && self.stop != Some(StopReason::LedgerFailed) {
            match events.recv().await {
                Some(event) => self.event(event),
                None => break,
            }
        }
        self.show(show);
    }

    fn all_done(&self) -> bool {
        self.exhausted && self.fresh.is_empty() && self.retries.is_empty() && self.replacing.is_empty()
    }

    /// Sends what may be sent now. Tells when to look again, if time decides.
    fn send(&mut self) -> Option<Instant> {
        if self.stop.is_some() {
            return None;
        }
        self.ask_for_more();
        while self.flying.len() < self.limits.bounds.concurrency && self.recorder.unrecorded < UNRECORDED {
            let now = now();
            let retry_due = self.retries.peek().map(|waiting| waiting.due);
            let retry = retry_due.is_some_and(|due| due <= now);
            // While the endpoint is suspect, those that wait for it find out.
            let nobody_waits = self.retries.is_empty() && self.flying.is_empty();
            let start_new = (nobody_waits || !self.breaker.is_suspect())
                && self.retries.len() < 4 * self.limits.bounds.concurrency + 1000;
            if !retry && (self.fresh.is_empty() || !start_new) {
                return retry_due;
            }
            let permit = match self.pacer.take() {
                Ok(permit) => permit,
                Err(wait) => return now.checked_add(wait.max(GRAIN)),
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
            self.recorder.book.claim(claim);
        }
    }

    fn launch(&mut self, mut attempt: Attempt, permit: Permit) {
        attempt.send();
        self.recorder.tally.requests += 1;
        let service = self.service;
        let number = attempt.task.number;
        let user_id = attempt.task.user_id.clone();
        let password = attempt.task.password.clone();
        let token = self.window.map(|_| client_token(&self.limits.target, &self.limits.batch, &user_id));
        let halt = self.halt.subscribe();
        self.answers.push(Box::pin(async move {
            (number, permit, request::reset(service, &user_id, token, password.as_ref(), halt).await)
        }));
        self.flying.insert(number, attempt);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Claimed(tasks) => {
                self.claiming = false;
                self.exhausted = tasks.is_empty();
                self.fresh.extend(tasks);
            }
            Event::Resealed(number, password) => {
                if let Some(mut attempt) = self.replacing.remove(&number) {
                    attempt.task.password = Some(password);
                    self.retries.push(Waiting { due: now(), asked: false, attempt });
                }
            }
            Event::Recorded(outcomes) => self.recorder.durable(&outcomes),
            Event::Failed => self.stop(StopReason::LedgerFailed),
        }
    }

    /// The first reason to stop is the one that is told, but for a ledger that
    /// can't be written, which outweighs the others.
    fn stop(&mut self, reason: StopReason) {
        if self.stop.is_none() || reason == StopReason::LedgerFailed {
            self.stop = Some(reason);
        }
        self.halt.send_replace(true);
        if self.drained_at.is_none() {
            self.drained_at = now().checked_add(self.limits.drain);
        }
    }

    /// Waits no longer for the answers in flight: their users are in doubt.
    fn abandon(&mut self) {
        self.drained_at = None;
        self.answers.clear();
        for (_, mut attempt) in std::mem::take(&mut self.flying) {
            attempt.abandon(self.window);
            self.open.push((attempt, None));
        }
    }

    fn answered(&mut self, (number, permit, answer): Answered) {
        let Some(mut attempt) = self.flying.remove(&number) else { return };
        let Some(answer) = answer else {
            self.recorder.tally.requests -= 1;
            self.open.push((attempt, None));
            return;
        };
        self.recorder.tally.answered |= answer.as_ref().map_or_else(|failure| failure.status.is_some(), |_| true);
        match answer {
            Ok(reset) => {
                self.pacer.answered(permit, false);
                self.breaker.succeeded();
                attempt.tries.succeeded();
                attempt.late(self.window);
                self.recorder.succeed(attempt, reset);
            }
            Err(failure) => self.failed(attempt, permit, failure),
        }
        if self.recorder.too_many_failed() {
            self.stop(StopReason::TooManyFailures);
        }
    }

    fn show(&mut self, show: &mut dyn FnMut(&Tally)) {
        let tally = &mut self.recorder.tally;
        tally.rate_found = self.pacer.found();
        tally.in_flight = self.flying.len() as u64;
        let waiting = self.fresh.len() + self.retries.len() + self.replacing.len() + self.open.len();
        tally.claimed = (self.flying.len() + waiting) as u64;
        tally.pause = match (&self.stop, self.retries.peek()) {
            (None, Some(waiting)) if self.flying.is_empty() => {
                let left = waiting.due.saturating_duration_since(now());
                if waiting.asked { Some(Pause::Asked(left)) } else { Some(Pause::BackOff(left)) }
            }
            _ => None,
        };
        show(tally);
    }

    fn sample(&mut self) {
        let (requests, throttled) = (self.recorder.tally.requests, self.recorder.tally.throttled);
        self.recorder.book.pace(PaceSample {
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
