//! Asks a service about users: read only, at the pace and by the rules of a run.
//!
//! Invariant: one permit a try; throttlings are fed back to the pacer; tries,
//! waits and the whole have an end. Nothing here is written down, so a stop
//! drops what is in flight.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use super::breaker::{Breaker, Whose};
use super::limits::Bounds;
use super::pacer::{Clock, Pacer, Permit};
use super::retry::{Decision, Tries};
use super::stop::StopReason;
use super::{GRAIN, TICK, now, sleep_until};
use crate::model::{Pause, Tally, UserNumber};
use crate::service::{Cause, Failure, ServiceFacts};

/// A question that is put to the service for each user, and its answers' use.
pub(crate) trait Inquiry {
    /// A question.
    type Question;
    /// An answer.
    type Answer: 'static;
    /// A fault on this side.
    type Error;

    /// Returns the facts of the service that is asked.
    fn facts(&self) -> ServiceFacts;

    /// The next question; none while nothing more is to be asked, which an
    /// answer may change.
    ///
    /// # Errors
    /// It can't be found out.
    fn next(&mut self) -> Result<Option<Self::Question>, Self::Error>;

    /// One request on the wire.
    fn put(&self, question: &Self::Question) -> LocalBoxFuture<'static, Result<Self::Answer, Failure>>;

    /// Takes the last answer to a question.
    ///
    /// # Errors
    /// It ends the inquiry.
    fn answered(&mut self, question: Self::Question, answer: Result<Self::Answer, Failure>) -> Result<(), Self::Error>;
}

/// Asks until nothing more is to be asked, or something says stop.
///
/// # Errors
/// The inquiry's own.
pub(crate) async fn ask<I: Inquiry, C: Clock + Clone>(
    inquiry: &mut I,
    pacer: Pacer<C>,
    bounds: &Bounds,
    show: &mut dyn FnMut(&Tally),
) -> Result<StopReason, I::Error> {
    let mut asker = Asker {
        inquiry,
        pacer,
        bounds,
        breaker: Breaker::new(bounds.throttle_patience),
        tally: Tally::default(),
        next: None,
        count: 0,
        waiting: BTreeMap::new(),
        flying: HashMap::new(),
        answers: FuturesUnordered::new(),
    };
    asker.run(show).await
}

/// A question on its way.
struct Open<Q> {
    number: UserNumber,
    question: Q,
    tries: Tries,
    /// True if the service asked for the wait before the next try.
    asked_to_wait: bool,
}

type Answered<A> = (UserNumber, Permit, Result<A, Failure>);

struct Asker<'a, I: Inquiry, C: Clock> {
    inquiry: &'a mut I,
    pacer: Pacer<C>,
    bounds: &'a Bounds,
    breaker: Breaker,
    tally: Tally,
    /// A question that waits for its first permit.
    next: Option<I::Question>,
    count: UserNumber,
    /// Those that wait for another try, by when that is.
    waiting: BTreeMap<(Instant, UserNumber), Open<I::Question>>,
    flying: HashMap<UserNumber, Open<I::Question>>,
    answers: FuturesUnordered<LocalBoxFuture<'static, Answered<I::Answer>>>,
}

impl<I: Inquiry, C: Clock + Clone> Asker<'_, I, C> {
    async fn run(&mut self, show: &mut dyn FnMut(&Tally)) -> Result<StopReason, I::Error> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            let wake = self.send()?;
            if self.flying.is_empty() && self.waiting.is_empty() && self.next.is_none() {
                show(&self.tally);
                let stranger = self.breaker.is_a_stranger();
                return Ok(if stranger { StopReason::not_the_api() } else { StopReason::Finished });
            }
            tokio::select! {
                biased;
                Some(answered) = self.answers.next(), if !self.answers.is_empty() => {
                    if let Some(stop) = self.answered(answered)? {
                        return Ok(stop);
                    }
                }
                () = sleep_until(self.bounds.deadline), if self.bounds.deadline.is_some() => {
                    return Ok(StopReason::Deadline);
                }
                () = sleep_until(wake), if wake.is_some() => {}
                _ = tick.tick() => {
                    if self.breaker.is_throttled_out(now()) {
                        return Ok(StopReason::Throttled);
                    }
                    self.show(show);
                }
            }
        }
    }

    /// Asks what may be asked now. Tells when to look again, if time decides.
    fn send(&mut self) -> Result<Option<Instant>, I::Error> {
        while self.flying.len() < self.bounds.concurrency {
            let due = self.waiting.first_key_value().map(|((due, _), _)| *due);
            let retry = due.is_some_and(|due| due <= now());
            // While the endpoint is suspect, those that wait for it find out.
            let nobody_waits = self.waiting.is_empty() && self.flying.is_empty();
            let start_new =
                (nobody_waits || !self.breaker.is_suspect()) && self.waiting.len() <= self.bounds.concurrency;
            if !retry && start_new && self.next.is_none() {
                self.next = self.inquiry.next()?;
            }
            if !retry && (self.next.is_none() || !start_new) {
                return Ok(due);
            }
            let permit = match self.pacer.take() {
                Ok(permit) => permit,
                Err(wait) => return Ok(now().checked_add(wait.max(GRAIN))),
            };
            let open = if retry { self.waiting.pop_first().map(|(_, open)| open) } else { self.start() };
            if let Some(open) = open {
                let (number, request) = (open.number, self.inquiry.put(&open.question));
                self.answers.push(Box::pin(async move { (number, permit, request.await) }));
                self.tally.requests += 1;
                self.flying.insert(number, open);
            }
        }
        Ok(None)
    }

    fn start(&mut self) -> Option<Open<I::Question>> {
        let question = self.next.take()?;
        self.count = self.count.wrapping_add(1);
        Some(Open { number: self.count, question, tries: Tries::default(), asked_to_wait: false })
    }

    /// Takes an answer. Returns why to stop, if it says so.
    fn answered(&mut self, answered: Answered<I::Answer>) -> Result<Option<StopReason>, I::Error> {
        let (number, permit, answer) = answered;
        let Some(mut open) = self.flying.remove(&number) else { return Ok(None) };
        let failure = match answer {
            Ok(answer) => {
                self.pacer.answered(permit, false);
                self.breaker.succeeded();
                self.tally.done += 1;
                self.tally.reset += 1;
                self.inquiry.answered(open.question, Ok(answer))?;
                return Ok(None);
            }
            Err(failure) => failure,
        };
        let throttled = failure.cause == Cause::Throttled;
        // What failed otherwise says nothing of the service's rate.
        if !matches!(failure.cause, Cause::Server | Cause::Unreachable | Cause::Lost) {
            self.pacer.answered(permit, throttled);
        }
        self.tally.throttled += u64::from(throttled);
        let (tries, decision) = open.tries.after(&failure, false, self.bounds.max_attempts);
        open.tries = tries;
        let whose = Whose { user: number, exhausted: decision == Decision::End };
        if let Some(trip) = self.breaker.failed(&failure, whose, now()) {
            return Ok(Some(StopReason::of(trip, &failure, &self.inquiry.facts())));
        }
        match decision {
            Decision::Again(wait) => {
                self.tally.retried += 1;
                open.asked_to_wait = !wait.asked.is_zero();
                self.waiting.insert((now() + wait.draw(rand::random()), number), open);
            }
            Decision::Refused => return Ok(Some(StopReason::refused(&failure, &self.inquiry.facts()))),
            // A question sets no password.
            Decision::End | Decision::Another | Decision::Done => {
                self.tally.done += 1;
                self.tally.failed += 1;
                self.inquiry.answered(open.question, Err(failure))?;
            }
        }
        Ok(None)
    }

    fn show(&mut self, show: &mut dyn FnMut(&Tally)) {
        self.tally.rate_found = self.pacer.found();
        let first = self.waiting.first_key_value().filter(|_| self.flying.is_empty());
        self.tally.pause = first.map(|((due, _), open)| {
            let left = due.saturating_duration_since(now());
            if open.asked_to_wait { Pause::Asked(left) } else { Pause::BackOff(left) }
        });
        show(&self.tally);
    }
}
