//! Sends what is to do: the roster into the ledger, the users through the
//! dispatcher.
//!
//! Invariant: a request leaves only for a user of a ledger that this run has
//! begun; the ledger comes back when all is recorded.

use std::collections::HashSet;
use std::time::Duration;

use super::ends::SignOuts;
use super::job::Job;
use super::last_words::LastWords;
use super::other_batches;
use super::prepare::Ready;
use super::record;
use crate::commands::error::Error;
use crate::engine::dispatch;
use crate::engine::dispatch::limits::Limits;
use crate::engine::dispatch::pacer::Pacer;
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::state_dir::Lock;
use crate::engine::ledger::{Ledger, LedgerPaths, Unsent, Writer};
use crate::engine::plan::Plan;
use crate::model::{Millis, Tally};
use crate::process::failpoint;
use crate::process::signals::Shutdown;
use crate::service::{AnyService, Service};
use crate::ui::format::{counted, counted_are};
use crate::ui::{Printer, Progress};

/// The result of sending.
pub(super) struct Sent {
    /// The ledger, with all of it recorded.
    pub ledger: Ledger,
    /// The reason for which it ended.
    pub stop: StopReason,
    /// The counts of this run.
    pub tally: Tally,
    /// Users who were reset and not signed out, with `--sign-out`.
    pub sign_outs: Option<SignOuts>,
    /// The hold on the batch.
    pub _lock: Option<Lock>,
}

/// Begins the run in the ledger and sends what is to do.
///
/// # Errors
/// The ledger can't be written; nothing was sent.
pub(super) async fn send(
    ready: Ready,
    printer: &Printer,
    shutdown: &Shutdown,
    words: LastWords,
) -> Result<(Job, Sent), Error> {
    let Ready { job, ledger, plan, missing, lock, .. } = ready;
    let mut ledger = match ledger {
        Some(mut ledger) => {
            ledger.reopen()?;
            ledger
        }
        None => Ledger::create(&LedgerPaths::new(job.state.folder(), &job.batch), &job.batch, &job.target)?,
    };
    let in_flight = ledger.begin_run(&job.identity, job.settings.sending.token_window)?;
    let end = ledger.run_end();
    words.begun(end.clone());
    let begun = Begun { job: &job, ledger, plan: &plan, missing: &missing, in_flight };
    let (ledger, stop, tally, sign_outs) = begun.send(printer, shutdown, words).await.inspect_err(|error| {
        // Who looks later must not take it for a crash.
        if let Err(error) = end.record(error.exit().code(), &error.to_string()) {
            tracing::warn!("{error}");
        }
    })?;
    Ok((job, Sent { ledger, stop, tally, sign_outs, _lock: lock }))
}

/// A run that its ledger knows of.
struct Begun<'a> {
    job: &'a Job,
    ledger: Ledger,
    plan: &'a Plan,
    missing: &'a HashSet<String>,
    /// Users whom the run before left in flight.
    in_flight: u64,
}

impl Begun<'_> {
    /// Brings the roster into the ledger, and sends what is to do.
    async fn send(
        self,
        printer: &Printer,
        shutdown: &Shutdown,
        mut words: LastWords,
    ) -> Result<(Ledger, StopReason, Tally, Option<SignOuts>), Error> {
        let Self { job, mut ledger, plan, missing, in_flight } = self;
        if plan.to_reset > 0 {
            // Only then the service was asked for it.
            ledger.keep_password_life(job.client.facts().password_life)?;
        }
        printer.in_run(ledger.run_number());
        ledger.turn_to(&job.target)?;
        record::record(job, plan, &ledger)?;
        import(job, &mut ledger, &plan.import_key, printer)?;
        if plan.to_reset > 0 {
            other_batches::check_again(job, &ledger)?;
        }
        if job.settings.sending.sign_out {
            // Before anything is sent: a run that dies leaves the wish behind.
            ledger.take_sign_outs()?;
        }
        failpoint::hit("imported");
        let unsent = fail_unsent(job, &mut ledger, missing)?;
        if in_flight + plan.counts.unknown > 0 {
            note_doubts(job, &ledger, in_flight, printer)?;
        }
        let (ledger, stop, mut tally) = if plan.to_reset == 0 {
            (ledger, StopReason::Finished, Tally::default())
        } else {
            let mut progress = Progress::start(printer, job.settings.show, plan.to_reset);
            let orderly = shutdown.orderly();
            let patience =
                job.settings.service.connection.read_timeout.unwrap_or(Duration::MAX).min(job.settings.sending.drain);
            words.sending(job.place(), Some(patience));
            let mut show = |tally: &Tally| {
                words.keep(tally, shutdown.signalled(), printer);
                progress.show(tally);
            };
            let sent = dispatch(job, ledger, &mut show, shutdown).await;
            drop(orderly);
            progress.finish();
            let (ledger, stop, tally, written) = sent?;
            failpoint::hit("recorded");
            if let Err(error) = &written {
                printer.error(error.to_string());
            }
            (ledger, if written.is_err() { StopReason::LedgerFailed } else { stop }, tally)
        };
        words.publishing(job.place());
        let sign_outs = sign_out(job, &ledger, &stop, (printer, shutdown)).await?;
        // Who is who was answered by the service, too.
        if (tally.answered || job.people.is_some())
            && let Err(error) = ledger.bind()
        {
            tracing::warn!("{error}");
        }
        tally.failed += unsent;
        Ok((ledger, stop, tally, sign_outs))
    }
}

/// Signs users out where it was asked for. What stopped the resets stops this, too:
/// the users are left to the next run.
#[cfg_attr(not(feature = "cognito"), allow(clippy::unused_async, reason = "nobody is signed out without pools"))]
async fn sign_out(
    job: &Job,
    ledger: &Ledger,
    stop: &StopReason,
    told: (&Printer, &Shutdown),
) -> Result<Option<SignOuts>, Error> {
    if !job.settings.sending.sign_out {
        return Ok(None);
    }
    #[cfg(feature = "cognito")]
    if let (StopReason::Finished, AnyService::Cognito(client)) = (stop, &job.client) {
        return super::sign_out::sign_out(job, client, ledger, told).await.map(Some);
    }
    let _ = (stop, told);
    Ok(Some(SignOuts { left: ledger.count_signed_in()?, ..SignOuts::default() }))
}

type Dispatched = (Ledger, StopReason, Tally, Result<(), crate::engine::ledger::LedgerError>);

async fn dispatch(
    job: &Job,
    ledger: Ledger,
    show: &mut dyn FnMut(&Tally),
    shutdown: &Shutdown,
) -> Result<Dispatched, Error> {
    let sending = &job.settings.sending;
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let queue = ledger.queue(sending.limit)?;
    let writer =
        Writer::start(ledger, queue, job.client.maker(), sender).map_err(|error| Error::System("no thread", error))?;
    let limits = Limits {
        bounds: job.bounds(),
        max_failures: sending.max_failures,
        drain: sending.drain,
        token_window: sending.token_window,
        target: job.target.clone(),
        batch: job.batch.clone(),
    };
    let pacer = Pacer::start(sending.rate);
    let mut noted = false;
    let mut show = |tally: &Tally| {
        if !noted && shutdown.signalled().is_some() {
            noted = true;
            writer.stopping();
        }
        show(tally);
    };
    let means = dispatch::Means { service: &job.client, book: &writer, pacer, limits: &limits, shutdown };
    let (stop, tally) = dispatch::run(means, &mut events, &mut show).await;
    let (ledger, written) = writer.finish();
    Ok((ledger, stop, tally, written))
}

/// Records who fails without a request: those whom the service does not know,
/// and those who are left alone. Returns how many they are.
fn fail_unsent(job: &Job, ledger: &mut Ledger, missing: &HashSet<String>) -> Result<u64, Error> {
    let no_such_user = job.client.facts().no_such_user;
    ledger.fail_unsent(|fail| {
        for user_id in missing {
            let message = "the service does not know this user (--check-users); no reset was sent";
            fail(Unsent { user_id, code: no_such_user, message })?;
        }
        let Some(people) = &job.people else { return Ok(()) };
        people.refused(|user_id, refusal| {
            fail(Unsent { user_id, code: refusal.code(no_such_user), message: &refusal.message() })
        })
    })
}

/// Brings the roster's rows into the ledger, and notes what that changed.
fn import(job: &Job, ledger: &mut Ledger, key: &str, printer: &Printer) -> Result<(), Error> {
    let rows = job.roster.rows()?;
    if job.people.is_some() {
        ledger.take_spellings()?;
    }
    let rows = rows.map(|row| Ok::<_, Error>(job.selection().row(row?)?));
    let first = ledger.get("import_key")?.is_none();
    let imported = ledger.import(key, rows)?;
    if !first && imported.added > 0 {
        printer.note(format!("{} new in batch {}", counted_are(imported.added, "user"), job.batch));
    }
    if imported.lost > 0 {
        printer.note(format!(
            "{} of batch {} {} no longer in {}; their history stays in the ledger",
            counted(imported.lost, "user"),
            job.batch,
            if imported.lost == 1 { "is" } else { "are" },
            job.roster.name()
        ));
    }
    Ok(())
}

fn note_doubts(job: &Job, ledger: &Ledger, in_flight: u64, printer: &Printer) -> Result<(), Error> {
    let doubt = ledger.doubt(job.settings.sending.token_window)?;
    if in_flight > 0 {
        let were = if in_flight == 1 { "was" } else { "were" };
        printer.note(format!("{} {were} in flight when the last run ended", counted(in_flight, "user")));
    }
    if doubt.users > 0 {
        let until = doubt.until.map(|until| format!(" until {}", Millis(until))).unwrap_or_default();
        printer.note(format!(
            "{} in doubt and {} first: {} can be settled without a new reset{until}, {} may be reset again",
            counted_are(doubt.users, "user"),
            if doubt.users == 1 { "goes" } else { "go" },
            doubt.can_settle,
            doubt.users - doubt.can_settle
        ));
    }
    Ok(())
}
