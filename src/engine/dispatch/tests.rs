//! The dispatcher with a service that plays by a script, a ledger that is a
//! list, and a clock that runs only when nothing else does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use governor::clock::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::limits::{Bounds, Limits};
use super::pacer::{Pacer, Rate};
use super::record::Book;
use super::stop::StopReason;
use super::{Means, run};
use crate::engine::ledger::{Claim, Event, PaceSample};
use crate::model::{IdForm, Millis, Outcome, Password, Status, Tally, Target, Task};
use crate::process::signals::Shutdown;
use crate::service::{Cause, Failure, Repeat, Request, Reset, Service, ServiceFacts};

/// Tokio's clock, which a test holds.
#[derive(Clone)]
struct Held;

impl Clock for Held {
    type Instant = std::time::Instant;

    fn now(&self) -> std::time::Instant {
        super::now()
    }
}

/// The service's reaction to a request.
enum Play {
    Reset,
    Fail(Cause, bool),
    After(Duration, Cause),
    Never,
}

struct Script<F> {
    facts: &'static ServiceFacts,
    play: F,
    /// The requests that it got.
    asked: RefCell<Vec<Asked>>,
    /// The times that its rules were asked for.
    relearnt: Cell<u32>,
}

/// A request: the user, the token and the password.
type Asked = (String, Option<String>, Option<String>);

static TOKENS: ServiceFacts = ServiceFacts {
    name: "tokens",
    ids: IdForm::FinSpace,
    repeat: Repeat::Token { window: Duration::from_mins(10) },
    no_such_user: "Gone",
    user_columns: &[],
    password_life: Duration::from_hours(1),
    refused: "do something",
};

static PASSWORDS: ServiceFacts = ServiceFacts { name: "passwords", repeat: Repeat::SamePassword, ..TOKENS };

impl<F: Fn(&str, usize) -> Play> Service for Script<F> {
    fn facts(&self) -> ServiceFacts {
        *self.facts
    }

    async fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn reset(&self, request: Request<'_>) -> Result<Reset, Failure> {
        let (user, password) =
            (request.user_id.to_owned(), request.password.map(|password| password.expose().to_owned()));
        let nth = self.asked.borrow().iter().filter(|(asked, ..)| *asked == user).count();
        self.asked.borrow_mut().push((user.clone(), request.token.map(str::to_owned), password.clone()));
        let fail = |cause, is_own| {
            let status = (!matches!(cause, Cause::Lost | Cause::Unreachable)).then_some(400);
            Err(Failure { is_own, status, ..Failure::without_answer(cause, "X", "no".into()) })
        };
        match (self.play)(&user, nth) {
            Play::Reset => {
                let password = password.unwrap_or_else(|| format!("{user}-{nth}"));
                Ok(Reset { password: Password::new(password), request_id: None, user_id: None })
            }
            Play::Fail(cause, is_own) => fail(cause, is_own),
            Play::After(wait, cause) => {
                tokio::time::sleep(wait).await;
                fail(cause, false)
            }
            Play::Never => std::future::pending().await,
        }
    }

    async fn relearn(&self, _: &Password) -> Result<(), Failure> {
        self.relearnt.set(self.relearnt.get() + 1);
        Ok(())
    }
}

/// A ledger that is a list.
struct List {
    tasks: RefCell<VecDeque<Task>>,
    events: UnboundedSender<Event>,
    outcomes: RefCell<Vec<Outcome>>,
    claims: Cell<Claim>,
}

impl List {
    fn of(users: usize, make: impl Fn(&mut Task)) -> (Self, UnboundedReceiver<Event>) {
        let (events, inbox) = unbounded_channel();
        let task = |number| {
            let user_id = format!("u{number}");
            let mut task =
                Task { number, user_id, line: 2, attempts: 0, doubtful_since: None, again: false, password: None };
            make(&mut task);
            task
        };
        let tasks = (0..u32::try_from(users).unwrap()).map(task).collect();
        (Self { tasks: RefCell::new(tasks), events, outcomes: RefCell::default(), claims: Cell::new(0) }, inbox)
    }

    fn statuses(&self) -> Vec<(u32, Status)> {
        let mut found: Vec<_> = self.outcomes.borrow().iter().map(|outcome| (outcome.number, outcome.status)).collect();
        found.sort_by_key(|(number, _)| *number);
        found
    }
}

impl Book for List {
    fn claim(&self, users: usize) {
        self.claims.set(self.claims.get() + 1);
        let mut tasks = self.tasks.borrow_mut();
        let claimed = (0..users).map_while(|_| tasks.pop_front()).map(|task| (self.claims.get(), task)).collect();
        let _ = self.events.send(Event::Claimed(claimed));
    }

    fn record(&self, _: Claim, _: Task, outcome: Outcome) {
        let _ = self.events.send(Event::Recorded(vec![outcome.status]));
        self.outcomes.borrow_mut().push(outcome);
    }

    fn reseal(&self, task: &Task) {
        let another = Password::new(format!("another-for-{}", task.user_id));
        let _ = self.events.send(Event::Resealed(task.number, another));
    }

    fn pace(&self, _: PaceSample) {}
}

fn limits() -> Limits {
    Limits {
        bounds: Bounds { concurrency: 4, max_attempts: 3, deadline: None, throttle_patience: Duration::from_mins(10) },
        max_failures: None,
        drain: Duration::from_mins(1),
        token_window: Duration::from_mins(10),
        target: Target::Simulated,
        batch: "b".parse().unwrap(),
    }
}

async fn play<F: Fn(&str, usize) -> Play>(
    facts: &'static ServiceFacts,
    (list, mut events): (List, UnboundedReceiver<Event>),
    limits: &Limits,
    play: F,
) -> (StopReason, Tally, List, Script<F>) {
    let service = Script { facts, play, asked: RefCell::default(), relearnt: Cell::new(0) };
    let shutdown = Shutdown::default();
    let pacer = Pacer::new(Rate::PerSecond(1000.0), Held);
    let means = Means { service: &service, book: &list, pacer, limits, shutdown: &shutdown };
    let (stop, tally) = run(means, &mut events, &mut |_| {}).await;
    (stop, tally, list, service)
}

#[tokio::test(start_paused = true)]
async fn each_user_is_asked_for_until_an_answer_settles_it() {
    let script = |user: &str, nth| match (user, nth) {
        ("u1", 0) => Play::Fail(Cause::Lost, false),
        ("u2", _) => Play::Fail(Cause::NoSuchUser, true),
        ("u3", _) => Play::Fail(Cause::Server, true),
        _ => Play::Reset,
    };
    let (stop, tally, list, service) = play(&TOKENS, List::of(5, |_| {}), &limits(), script).await;
    assert_eq!(stop, StopReason::Finished);
    let ends: Vec<Status> = list.statuses().into_iter().map(|(_, status)| status).collect();
    assert_eq!(ends, [Status::Succeeded, Status::Succeeded, Status::Failed, Status::Unknown, Status::Succeeded]);
    assert_eq!((tally.requests, tally.retried, tally.done), (1 + 2 + 1 + 3 + 1, 3, 5));
    let tokens = |user| {
        let asked = service.asked.borrow();
        asked.iter().filter(|(asked, ..)| asked == user).map(|(_, token, _)| token.clone()).collect::<Vec<_>>()
    };
    assert!(tokens("u1")[0].is_some() && tokens("u1")[0] == tokens("u1")[1]);
    assert_ne!(tokens("u1")[0], tokens("u3")[0]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_for_longer_than_the_token_lives_is_counted_as_a_second_reset() {
    let script = |_: &str, nth| match nth {
        0 => Play::After(Duration::from_mins(11), Cause::Lost),
        _ => Play::Reset,
    };
    let (_, tally, list, _) = play(&TOKENS, List::of(1, |_| {}), &limits(), script).await;
    assert!(list.outcomes.borrow()[0].again);
    assert_eq!((list.statuses(), tally.reset_again), (vec![(0, Status::Succeeded)], 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_of_the_callers_own_passwords_gets_the_same_one_each_time_and_is_never_late() {
    let script = |_: &str, nth| match nth {
        0 => Play::After(Duration::from_mins(30), Cause::Lost),
        _ => Play::Reset,
    };
    let users = List::of(2, |task| {
        task.password = Some(Password::new(format!("made-for-{}", task.user_id)));
        task.doubtful_since = Some(Millis(0));
    });
    let (stop, tally, list, service) = play(&PASSWORDS, users, &limits(), script).await;
    assert_eq!((stop, tally.reset_again), (StopReason::Finished, 0));
    for outcome in list.outcomes.borrow().iter() {
        let password = outcome.password.as_ref().map(Password::expose);
        assert_eq!(password, Some(format!("made-for-u{}", outcome.number).as_str()));
        assert!(!outcome.again);
    }
    for (user, token, password) in service.asked.borrow().iter() {
        assert_eq!((token, password.as_deref()), (&None, Some(format!("made-for-{user}").as_str())));
    }
}

/// Users whose passwords are made here; `doubtful` are in doubt from before.
fn with_passwords(users: usize, doubtful: bool) -> (List, UnboundedReceiver<Event>) {
    List::of(users, |task| {
        task.password = Some(Password::new(format!("made-for-{}", task.user_id)));
        task.doubtful_since = doubtful.then_some(Millis(0));
    })
}

#[tokio::test(start_paused = true)]
async fn a_password_that_the_user_had_before_is_a_lost_reset_in_doubt_and_else_chance() {
    let script = |_: &str, _| Play::Fail(Cause::PasswordUsed, true);
    let (_, _, list, service) = play(&PASSWORDS, with_passwords(1, true), &limits(), script).await;
    let outcome = list.outcomes.borrow()[0].clone();
    assert_eq!((outcome.status, outcome.doubtful_since), (Status::Succeeded, None));
    assert_eq!(outcome.password.as_ref().map(Password::expose), Some("made-for-u0"));
    assert_eq!(service.asked.borrow().len(), 1);
    // Nobody's lost request: another password, twice, and then the user has failed.
    let (stop, _, list, service) = play(&PASSWORDS, with_passwords(1, false), &limits(), script).await;
    assert_eq!((stop, list.statuses()), (StopReason::Finished, vec![(0, Status::Failed)]));
    let sent: Vec<_> = service.asked.borrow().iter().map(|(_, _, password)| password.clone().unwrap()).collect();
    assert_eq!(sent, ["made-for-u0", "another-for-u0", "another-for-u0"]);
    let script = |_: &str, nth| if nth == 0 { Play::Fail(Cause::PasswordUsed, true) } else { Play::Reset };
    let (_, _, list, _) = play(&PASSWORDS, with_passwords(1, false), &limits(), script).await;
    let outcome = list.outcomes.borrow()[0].clone();
    assert_eq!(outcome.password.as_ref().map(Password::expose), Some("another-for-u0"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_changed_is_read_again_and_one_that_refuses_what_it_asks_for_stops_the_run() {
    let script = |_: &str, nth| if nth == 0 { Play::Fail(Cause::PasswordRefused, true) } else { Play::Reset };
    let (stop, _, list, service) = play(&PASSWORDS, with_passwords(3, false), &limits(), script).await;
    assert_eq!((stop, service.relearnt.get()), (StopReason::Finished, 3));
    assert!(list.statuses().iter().all(|(_, status)| *status == Status::Succeeded));
    let script = |_: &str, _| Play::Fail(Cause::PasswordRefused, true);
    let mut one = limits();
    one.bounds.concurrency = 1;
    let (stop, _, list, _) = play(&PASSWORDS, with_passwords(9, false), &one, script).await;
    assert!(matches!(stop, StopReason::PasswordsRefused(_)), "{stop:?}");
    assert_eq!(list.statuses().len(), 1, "everyone else stays pending: {:?}", list.statuses());
}

#[tokio::test(start_paused = true)]
async fn a_user_in_doubt_whom_the_service_refuses_for_another_reason_stays_in_doubt() {
    for (cause, status) in [(Cause::Unfit, Status::Unknown), (Cause::NoSuchUser, Status::Failed)] {
        let (_, _, list, _) =
            play(&PASSWORDS, with_passwords(1, true), &limits(), |_, _| Play::Fail(cause, true)).await;
        assert_eq!(list.statuses(), [(0, status)], "{cause:?}");
        let (_, _, list, _) =
            play(&PASSWORDS, with_passwords(1, false), &limits(), |_, _| Play::Fail(cause, true)).await;
        assert_eq!(list.statuses(), [(0, Status::Failed)], "{cause:?}");
    }
    // A pool that is not there is nobody's fault.
    let mut one = limits();
    one.bounds.concurrency = 1;
    let barred = |_: &str, _| Play::Fail(Cause::Barred, true);
    let (stop, _, list, _) = play(&PASSWORDS, with_passwords(9, false), &one, barred).await;
    assert!(matches!(stop, StopReason::Refused { .. }), "{stop:?}");
    assert_eq!(list.statuses(), [(0, Status::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_waits_for_answers_as_long_as_the_drain_and_not_for_ever() {
    let script = |user: &str, _| match user {
        "u0" => Play::Never,
        "u1" => Play::After(Duration::from_secs(40), Cause::NoSuchUser),
        _ => Play::Reset,
    };
    let start = super::now();
    let mut limits = limits();
    limits.bounds.deadline = Some(start + Duration::from_secs(5));
    let (stop, tally, list, _) = play(&TOKENS, List::of(3, |_| {}), &limits, script).await;
    assert_eq!(stop, StopReason::Deadline);
    assert_eq!(list.statuses()[0], (0, Status::Unknown));
    assert_eq!(super::now().duration_since(start).as_secs(), 65);
    assert_eq!(tally.done, 3);
}

#[tokio::test(start_paused = true)]
async fn foreign_refusals_leave_everyone_pending_unless_the_api_is_behind_them() {
    let foreign = |_: &str, _| Play::Fail(Cause::Foreign, false);
    let (stop, tally, list, _) = play(&TOKENS, List::of(100, |_| {}), &limits(), foreign).await;
    assert!(matches!(stop, StopReason::NotTheApi(_)), "{stop:?}");
    assert_eq!(list.statuses(), []);
    assert!(tally.requests <= 5 + 4, "{}", tally.requests);
    // Two users are too few for a handful of answers, and none was the API's.
    let mut few = limits();
    few.bounds.max_attempts = 1;
    let (stop, _, list, _) = play(&TOKENS, List::of(2, |_| {}), &few, foreign).await;
    assert!(matches!(stop, StopReason::NotTheApi(_)), "{stop:?}");
    assert_eq!(list.statuses(), []);
    // Where the API is met, the same refusal may hide a reset.
    let script = |user: &str, _| if user == "u0" { Play::Fail(Cause::Foreign, false) } else { Play::Reset };
    let (stop, _, list, _) = play(&TOKENS, List::of(3, |_| {}), &limits(), script).await;
    assert_eq!(stop, StopReason::Finished);
    assert_eq!(list.statuses(), [(0, Status::Unknown), (1, Status::Succeeded), (2, Status::Succeeded)]);
    // Also where it is met only later.
    let script = |user: &str, _| if user == "u0" { Play::Fail(Cause::Foreign, false) } else { Play::Reset };
    let mut slow = limits();
    slow.bounds.concurrency = 1;
    let (_, _, list, _) = play(&TOKENS, List::of(2, |_| {}), &slow, script).await;
    assert_eq!(list.statuses(), [(0, Status::Unknown), (1, Status::Succeeded)]);
    // And whoever was in doubt before stays so.
    let users = List::of(1, |task| task.doubtful_since = Some(Millis::now()));
    let (_, _, list, _) = play(&TOKENS, users, &limits(), foreign).await;
    assert_eq!(list.statuses(), [(0, Status::Unknown)]);
}

#[tokio::test(start_paused = true)]
async fn throttling_without_end_stops_with_everyone_pending() {
    let start = super::now();
    let script = |_: &str, _| Play::Fail(Cause::Throttled, true);
    let (stop, _, list, _) = play(&TOKENS, List::of(8, |_| {}), &limits(), script).await;
    assert_eq!((stop, list.statuses()), (StopReason::Throttled, vec![]));
    let took = super::now().duration_since(start).as_secs();
    assert!((600..660).contains(&took), "{took}");
}

/// A service whose credentials end after some requests.
struct Uncredentialed {
    /// Requests that are ready at once.
    good: Cell<u32>,
    /// True if getting ready for another one fails; else it never ends.
    fails: bool,
    asked: Cell<u32>,
}

impl Service for Uncredentialed {
    fn facts(&self) -> ServiceFacts {
        TOKENS
    }

    async fn ready(&self) -> Result<(), Failure> {
        match self.good.get().checked_sub(1) {
            Some(left) => self.good.set(left),
            None if self.fails => return Err(Failure::without_answer(Cause::Credentials, "X", "over".into())),
            None => std::future::pending().await,
        }
        Ok(())
    }

    async fn reset(&self, _: Request<'_>) -> Result<Reset, Failure> {
        self.asked.set(self.asked.get() + 1);
        Ok(Reset { password: Password::new("a-password".into()), request_id: None, user_id: None })
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_end_in_mid_run_fail_nobody_and_hold_up_no_stop() {
    for fails in [true, false] {
        let (list, mut events) = List::of(9, |task| {
            task.doubtful_since = (task.number == 5).then(Millis::now);
        });
        let service = Uncredentialed { good: Cell::new(3), fails, asked: Cell::new(0) };
        let (start, shutdown) = (super::now(), Shutdown::default());
        let mut limits = limits();
        limits.bounds.deadline = Some(start + Duration::from_secs(5));
        let pacer = Pacer::new(Rate::PerSecond(1000.0), Held);
        let means = Means { service: &service, book: &list, pacer, limits: &limits, shutdown: &shutdown };
        let (stop, tally) = run(means, &mut events, &mut |_| {}).await;
        let expected = if fails { StopReason::NoCredentials("over".into()) } else { StopReason::Deadline };
        assert_eq!(stop, expected);
        assert_eq!(service.asked.get(), 3);
        let unsettled: Vec<_> =
            list.statuses().into_iter().filter(|(_, status)| *status != Status::Succeeded).collect();
        // One who was in doubt stays so, wherever it was met; nobody has failed.
        assert!(unsettled.is_empty() || unsettled == [(5, Status::Unknown)], "{unsettled:?}");
        assert_eq!(tally.done, 3 + unsettled.len() as u64);
        let took = super::now().duration_since(start);
        assert_eq!(took.as_secs(), if fails { 0 } else { 5 }, "{took:?}");
    }
}
