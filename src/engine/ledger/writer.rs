//! The one writer of a ledger while a run goes on, in a thread of its own.
//!
//! Invariant: [`Event::Claimed`] is sent after the claim is on disk, and
//! [`Event::Recorded`] after the outcomes are. Commits are grouped: outcomes
//! linger for a few milliseconds, a claim does not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::params;
use tokio::sync::mpsc::UnboundedSender;

use super::queue::Queue;
use super::{Ledger, LedgerError, fact};
use crate::model::{Millis, Outcome, Password, Status, Task, UserNumber};
use crate::process::failpoint;
use crate::service::PasswordMaker;

/// Time for which outcomes wait for company before they are committed.
const LINGER: Duration = Duration::from_millis(10);
/// Time for which a claim, which does not wait for company, may go unseen
/// meanwhile.
const NAP: Duration = Duration::from_millis(2);

/// A claim's name: its `seq`.
pub(crate) type Claim = i64;

/// A request of the run to the writer.
enum Command {
    /// Claim up to so many of the next users.
    Claim(usize),
    /// Append an outcome of a claimed user.
    Record(Record),
    /// Make and seal another password of a claimed user.
    Reseal(UserNumber, String),
    /// Keep a sample of the pace.
    Pace(PaceSample),
    /// Note that a signal asked the run to stop.
    Stopping(Millis),
    /// No request is in flight any more: what is claimed and has no outcome
    /// was never sent.
    Finish,
}

/// An outcome on its way to the disk.
struct Record {
    claim: Claim,
    user_id: String,
    outcome: Outcome,
}

/// A message of the writer to the run.
#[derive(Debug)]
pub(crate) enum Event {
    /// These users may be sent now; none means that there are no more.
    Claimed(Vec<(Claim, Task)>),
    /// This user's requests carry another password from now on, which is durable.
    Resealed(UserNumber, Password),
    /// Outcomes of these statuses are durable.
    Recorded(Vec<Status>),
    /// The ledger can't be written; send nothing more. [`Writer::finish`] says why.
    Failed,
}

/// A moment of the run's pace, for the report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceSample {
    /// The time of the sample.
    pub at: Millis,
    /// Requests answered since the sample before.
    pub sent: u64,
    /// The number of them that were throttled.
    pub throttled: u64,
    /// The rate aimed at, in requests a second.
    pub rate: Option<f64>,
}

/// The run's handle on the writer.
pub(crate) struct Writer {
    commands: Sender<Command>,
    thread: thread::JoinHandle<(Ledger, Result<(), LedgerError>)>,
}

impl Writer {
    /// Hands the ledger to its thread, which gives out the users of `feed`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        ledger: Ledger,
        feed: Queue,
        maker: Option<Arc<dyn PasswordMaker>>,
        events: UnboundedSender<Event>,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let work =
            Work { ledger, events, feed, maker, open_claims: HashMap::new(), unwritten: Vec::new(), failed: None };
        let thread = thread::Builder::new().name("ledger".into()).spawn(move || work.serve(&inbox))?;
        Ok(Self { commands, thread })
    }

    // A writer that is gone has told so in an event: nothing to report here.

    /// Asks for up to `users` of the next users.
    pub(crate) fn claim(&self, users: usize) {
        let _ = self.commands.send(Command::Claim(users));
    }

    /// Hands an outcome over; it counts when [`Event::Recorded`] says so.
    pub(crate) fn record(&self, claim: Claim, task: Task, outcome: Outcome) {
        let record = Record { claim, user_id: task.user_id, outcome };
        let _ = self.commands.send(Command::Record(record));
    }

    /// Asks for another password of a claimed user.
    pub(crate) fn reseal(&self, task: &Task) {
        let _ = self.commands.send(Command::Reseal(task.number, task.user_id.clone()));
    }

    /// Keeps a sample of the pace.
    pub(crate) fn pace(&self, sample: PaceSample) {
        let _ = self.commands.send(Command::Pace(sample));
    }

    /// Notes that a signal has asked the run to stop just now: whoever finds it
    /// without an end knows then that it was about to.
    pub(crate) fn stopping(&self) {
        let _ = self.commands.send(Command::Stopping(Millis::now()));
    }

    /// Records what is left, releases the claims that were never sent, and
    /// gives the ledger back. The error is the first write that failed, even if
    /// its outcomes could be written in the end.
    ///
    /// # Panics
    /// If the writer's thread panicked.
    pub(crate) fn finish(self) -> (Ledger, Result<(), LedgerError>) {
        let _ = self.commands.send(Command::Finish);
        drop(self.commands);
        match self.thread.join() {
            Ok(back) => back,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Work {
    ledger: Ledger,
    events: UnboundedSender<Event>,
    feed: Queue,
    /// The maker of passwords, where this program makes them.
    maker: Option<Arc<dyn PasswordMaker>>,
    /// The number of users of each claim without an outcome yet.
    open_claims: HashMap<Claim, u32>,
    /// Outcomes that a failed commit left behind.
    unwritten: Vec<Record>,
    failed: Option<LedgerError>,
}

impl Work {
    fn serve(mut self, inbox: &Receiver<Command>) -> (Ledger, Result<(), LedgerError>) {
        while let Ok(first) = inbox.recv() {
            if self.failed.is_none()
                && let Err(error) = self.ledger.check_in_place()
            {
                self.fail(error);
            }
            if self.failed.is_some() {
                if !self.salvage(first) {
                    break;
                }
                continue;
            }
            match self.group(first, inbox) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let error = self.ledger.error(error);
                    let _ = self.ledger.db.execute_batch("ROLLBACK");
                    self.fail(error);
                }
            }
        }
        let result = self.failed.map_or(Ok(()), Err);
        (self.ledger, result)
    }

    fn fail(&mut self, error: LedgerError) {
        let _ = self.events.send(Event::Failed);
        self.failed = Some(error);
    }

    /// One transaction: commands until the linger is over or a claim wants out.
    fn group(&mut self, first: Command, inbox: &Receiver<Command>) -> rusqlite::Result<bool> {
        let until = Instant::now() + LINGER;
        let mut events = Vec::new();
        let mut recorded = Vec::new();
        let mut next = Some(first);
        let mut urgent = false;
        let mut open = true;
        self.ledger.db.execute_batch("BEGIN IMMEDIATE")?;
        while let Some(command) = next.take() {
            match command {
                Command::Claim(users) => {
                    events.push(Event::Claimed(self.claim(users)?));
                    urgent = true;
                }
                Command::Record(record) => {
                    recorded.push(record.outcome.status);
                    let written = self.record(&record);
                    // Kept until the commit, so that a failure loses nothing.
                    self.unwritten.push(record);
                    written?;
                }
                Command::Reseal(number, user_id) => {
                    if let Some(maker) = &self.maker {
                        let password = self.ledger.seal_another(number, &user_id, &**maker)?;
                        events.push(Event::Resealed(number, password));
                    }
                    urgent = true;
                }
                Command::Pace(sample) => self.keep(sample)?,
                Command::Stopping(since) => {
                    self.ledger.put_run_fact(fact::STOPPING, &since.to_string())?;
                    urgent = true;
                }
                Command::Finish => {
                    self.ledger.db.execute("DELETE FROM claims", [])?;
                    open = false;
                    break;
                }
            }
            // Asleep, and not waiting for the next command: being woken for each
            // would cost both threads more than the command itself.
            next = loop {
                match inbox.try_recv() {
                    Ok(command) => break Some(command),
                    Err(TryRecvError::Empty) if !urgent && Instant::now() < until => thread::sleep(NAP),
                    Err(TryRecvError::Empty) => break None,
                    Err(TryRecvError::Disconnected) => {
                        open = false;
                        break None;
                    }
                }
            };
        }
        let claimed = events.iter().any(|event| matches!(event, Event::Claimed(tasks) if !tasks.is_empty()));
        if !recorded.is_empty() {
            failpoint::hit("before-outcome");
        }
        self.ledger.db.execute_batch("COMMIT")?;
        if claimed {
            failpoint::hit("claimed");
        }
        if !recorded.is_empty() {
            failpoint::hit("outcome");
        }
        self.unwritten.clear();
        if !recorded.is_empty() {
            events.push(Event::Recorded(recorded));
        }
        for event in events {
            let _ = self.events.send(event);
        }
        Ok(open)
    }

    /// After a failed commit: keeps outcomes, and at the end tries once more.
    fn salvage(&mut self, command: Command) -> bool {
        match command {
            Command::Record(record) => self.unwritten.push(record),
            Command::Finish => {
                let again = std::mem::take(&mut self.unwritten);
                let mut write = || -> rusqlite::Result<()> {
                    self.ledger.db.execute_batch("BEGIN IMMEDIATE")?;
                    for record in &again {
                        self.record(record)?;
                    }
                    // Only now is it known that the claims' users have outcomes.
                    self.ledger.db.execute_batch("DELETE FROM claims; COMMIT")
                };
                if write().is_ok() {
                    let recorded = again.iter().map(|record| record.outcome.status).collect();
                    let _ = self.events.send(Event::Recorded(recorded));
                } else {
                    let _ = self.ledger.db.execute_batch("ROLLBACK");
                }
                return false;
            }
            Command::Claim(_) | Command::Reseal(..) | Command::Pace(_) | Command::Stopping(_) => {}
        }
        true
    }

    fn claim(&mut self, users: usize) -> rusqlite::Result<Vec<(Claim, Task)>> {
        let mut tasks = self.feed.next(&self.ledger, users)?;
        if let Some(maker) = &self.maker {
            self.ledger.give_passwords(&mut tasks, &**maker)?;
        }
        let at = Millis::now();
        let mut claimed: Vec<(Claim, Task)> = Vec::with_capacity(tasks.len());
        let mut rest = tasks.into_iter().peekable();
        // A claim is a range of users without a gap; a gap starts another.
        while let Some(first) = rest.next() {
            self.ledger.next_seq += 1;
            let claim = self.ledger.next_seq;
            let start = first.number;
            let mut last = start;
            claimed.push((claim, first));
            while let Some(task) = rest.next_if(|task| task.number == last + 1) {
                last = task.number;
                claimed.push((claim, task));
            }
            self.ledger
                .db
                .prepare_cached("INSERT INTO claims (seq, first, last, at) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![claim, start, last, at.0])?;
            self.open_claims.insert(claim, last - start + 1);
        }
        Ok(claimed)
    }

    fn record(&mut self, record: &Record) -> rusqlite::Result<()> {
        let Record { claim, user_id, outcome, .. } = record;
        // A password that was made here was sealed with the claim.
        let sealed = match (&outcome.password, &self.ledger.vault) {
            (Some(password), Some(vault)) if self.maker.is_none() => {
                let sealed = vault.seal(user_id, password);
                Some(sealed.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?)
            }
            _ => None,
        };
        self.ledger.append(outcome, sealed.as_deref())?;
        if let Some(left) = self.open_claims.get_mut(claim) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.open_claims.remove(claim);
                self.ledger.db.prepare_cached("DELETE FROM claims WHERE seq = ?1")?.execute([claim])?;
            }
        }
        Ok(())
    }

    fn keep(&self, sample: PaceSample) -> rusqlite::Result<()> {
        self.ledger
            .db
            .prepare_cached(
                "INSERT OR REPLACE INTO paces (at, run, sent, throttled, rate) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                sample.at.0,
                self.ledger.run,
                i64::try_from(sample.sent).unwrap_or(i64::MAX),
                i64::try_from(sample.throttled).unwrap_or(i64::MAX),
                sample.rate,
            ])
            .map(drop)
    }
}
