//! The end of a run: publish, close, sum up.
//!
//! Invariant: the results are published before the batch is closed, and the
//! exit code is decided in one place, [`Exit::of_run`].

use std::path::Path;

use super::job::Job;
use super::prepare::Ready;
use super::send::Sent;
use super::summary::Summary;
use crate::commands::error::Error;
use crate::commands::exit::{End, Exit};
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Doubt, Ledger, LedgerError, fact};
use crate::engine::plan::PlanError;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::publish;
use crate::engine::results::{PublishError, Table};
use crate::model::{Counts, Millis, Tally, Target, shell_word};
use crate::process::failpoint;
use crate::process::signals::Shutdown;
use crate::ui::Printer;
use crate::ui::format::counted_are;

/// Returns the exit of a closed batch, in which nothing is left to do; none for
/// an open one.
///
/// # Errors
/// Users are left that can't be reset any more, or another output is wanted.
pub(super) fn nothing_left(ready: &Ready, printer: &Printer) -> Result<Option<Exit>, Error> {
    let Ready { job, ledger: Some(ledger), closed_at: Some(at), plan, .. } = ready else { return Ok(None) };
    let (batch, at) = (job.batch.to_string(), at.to_string());
    let left = plan.counts.to_do();
    if left > 0 {
        return Err(PlanError::Closed { batch, at, left }.into());
    }
    let life = ledger.password_life()?;
    let expiry = ledger.last_reset_at()?.map(|last| last.plus(life));
    if let Some(expiry) = expiry.filter(|expiry| Millis::now() > *expiry && plan.counts.reset() > 0) {
        return Err(PlanError::Expired { batch, at: expiry.to_string() }.into());
    }
    let published = ledger.publications()?.into_iter().next().map_or_else(|| "nowhere".into(), |file| file.path);
    let asked = job.output_name();
    // A named batch is a standing job, whose output has another name each night.
    if asked != published && job.settings.batch.is_none() {
        return Err(PlanError::Erased { batch, at, output: asked, published }.into());
    }
    if job.settings.sending.sign_out && plan.to_sign_out > 0 {
        return Err(PlanError::SignedIn { batch, at, left: plan.to_sign_out }.into());
    }
    let why = if plan.counts.reset() == 0 { "nobody in it can be reset" } else { "every user was reset before" };
    printer.note(format!(
        "batch {batch}: {why}; nothing was sent. The results went to {published}, and the batch was closed at {at}."
    ));
    let end = End {
        stop: &StopReason::Finished,
        counts: plan.counts,
        limited: None,
        signal: None,
        durable: true,
        signed_in: 0,
    };
    let exit = Exit::of_run(&end);
    let given_up = ledger.given_up()?.len();
    let summary = Summary { closed: true, given_up, ..Summary::new(job, exit, plan.counts) };
    if let Some(line) = summary.left().reset_anew() {
        printer.warning(line);
    }
    if let Some(file) = &job.settings.summary {
        summary.write_json(file)?;
    }
    Ok(Some(exit))
}

/// Publishes, closes, sums up, and returns the exit status.
pub(super) fn finish(job: &Job, sent: Sent, printer: &Printer, shutdown: &Shutdown) -> Exit {
    let Sent { mut ledger, stop, tally, sign_outs, .. } = sent;
    let signed_in = sign_outs.as_ref().map_or(0, |ends| ends.left);
    // What ends the signing out ends the run.
    let stop = sign_outs.as_ref().and_then(|ends| ends.stopped.clone()).unwrap_or(stop);
    let mut errors = Vec::new();
    let published = if has_results(&ledger) { publish(job, &ledger).map(Some) } else { Ok(None) };
    let published = published.unwrap_or_else(|error| {
        errors.push(Error::from(error));
        None
    });
    let is_published = published.is_some();
    let counts = published.unwrap_or_else(|| ledger.counts().unwrap_or_default());
    failpoint::hit("published");
    let closing = match ledger.count_to_sign_out() {
        _ if !is_published => Ok(Closing::Open),
        Ok(0) => close(job, &mut ledger, &stop, counts),
        Ok(left) => Ok(Closing::Kept(kept_for_sign_outs(job, left))),
        Err(error) => Err(error.into()),
    };
    let closing = closing.unwrap_or_else(|error| {
        errors.push(error);
        Closing::Open
    });
    let end = |durable| End {
        stop: &stop,
        counts,
        limited: job.settings.sending.limit.map(|_| tally),
        signal: shutdown.signalled(),
        durable,
        signed_in,
    };
    let mut summary = Summary {
        stopped: stopped_because(job, &stop, &tally),
        output: is_published.then(|| job.output_name()),
        opening: (is_published && counts.succeeded > 0).then(|| opening(job)).flatten(),
        tally,
        doubt: doubt(job, &ledger, counts),
        given_up: ledger.given_up().map_or(0, |users| users.len()),
        causes: if counts.failed + counts.unknown > 0 { ledger.causes().unwrap_or_default() } else { Vec::new() },
        closed: matches!(closing, Closing::Closed),
        kept_open: if let Closing::Kept(why) = closing { Some(why) } else { None },
        sign_outs,
        ..Summary::new(job, Exit::of_run(&end(errors.is_empty())), counts)
    };
    if let Some(file) = &job.settings.summary
        && let Err(error) = summary.write_json(file)
    {
        errors.push(error);
        summary.exit = Exit::of_run(&end(false));
    }
    if let Some(reason) = &summary.stopped
        && let Err(error) = ledger.record_run_facts(&[(fact::STOPPED, reason)])
    {
        tracing::warn!("{error}");
    }
    if let Err(error) = ledger.end_run(summary.exit.code(), &summary.meaning()) {
        tracing::warn!("{error}");
    }
    for error in &errors {
        printer.error(error.to_string());
    }
    let mut lines = summary.lines();
    if let Some(typed) = job.settings.state_dir.as_ref().filter(|typed| typed.is_relative()) {
        lines.push(format!("ledgers: {} (--state-dir {})", job.state.folder().display(), typed.display()));
    }
    printer.summary(&lines, summary.exit != Exit::Success);
    summary.exit
}

/// Returns the reason for an early stop, with what else is known of it.
fn stopped_because(job: &Job, stop: &StopReason, tally: &Tally) -> Option<String> {
    let why = stop.reason()?;
    Some(match stop {
        StopReason::EndpointDown(_) if job.target.has_ended() => format!("{why}; {}", Target::ENDED),
        // Whoever ran out of time before an endpoint was found dead was about to be told so.
        StopReason::Deadline | StopReason::Signalled(_) if tally.requests > 0 && !tally.answered => {
            format!("{why}; nothing has answered so far: check --endpoint-url, --region and the network")
        }
        _ => why,
    })
}

/// Returns true if there is something to publish: results of which none was ever
/// given would only stand in the way of the next run. Whoever is in doubt is one.
fn has_results(ledger: &Ledger) -> bool {
    // A ledger that can't be read says so where its rows are published.
    ledger.is_bound().unwrap_or(true) || ledger.counts().map_or(true, |known| known.unknown > 0 || known.to_do() == 0)
}

/// The batch's state after the run.
enum Closing {
    /// It is closed and erased.
    Closed,
    /// It is open, as it should be.
    Open,
    /// It is open, and why that may surprise.
    Kept(String),
}

/// Closes the batch if nobody is left to do, or if it was asked for and nobody
/// is pending or unknown; never while a password stands in no file.
fn close(job: &Job, ledger: &mut Ledger, stop: &StopReason, counts: Counts) -> Result<Closing, Error> {
    let why = match counts.to_do() {
        _ if *stop == StopReason::LedgerFailed => return Ok(Closing::Open),
        // Nothing is sealed yet, and the same roster may want another output.
        0 if counts.succeeded == 0 => return Ok(Closing::Open),
        0 => "every user was reset and the results were written",
        _ if !job.settings.close => return Ok(Closing::Open),
        _ if *stop != StopReason::Finished || counts.pending + counts.unknown > 0 => {
            return Ok(Closing::Kept(format!(
                "not closed, in spite of --close: {} pending and {} unknown",
                counted_are(counts.pending, "user"),
                counts.unknown
            )));
        }
        _ => "--close",
    };
    match ledger.close(why) {
        Ok(()) => Ok(Closing::Closed),
        Err(LedgerError::Undelivered { batch, left }) if job.writes_to_stdout() => Ok(Closing::Kept(format!(
            "batch {batch} stays open: standard output is no file that can be synced, so {} kept; once you have the file, close it with: {}",
            counted_are(left.users, "password"),
            job.place().command("close", "--discard-passwords")
        ))),
        Err(LedgerError::Undelivered { batch, left }) => Ok(Closing::Kept(format!(
            "batch {batch} stays open: in no file yet {} of users who are not in this roster; run it with a roster that names them",
            if left.users == 1 { "is 1 password".into() } else { format!("are {} passwords", left.users) }
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Returns why a batch is kept whose users are reset and not all signed out.
fn kept_for_sign_outs(job: &Job, left: u64) -> String {
    let batch = &job.batch;
    let spite = if job.settings.close { ", in spite of --close" } else { "" };
    if job.settings.sending.sign_out {
        return format!("batch {batch} stays open{spite}: {left} who are reset are not signed out");
    }
    format!(
        "batch {batch} stays open{spite}: an earlier run was to sign its users out, and {left} are not; add --sign-out, or let them be with: {}",
        job.place().command("close", "")
    )
}

fn doubt(job: &Job, ledger: &Ledger, counts: Counts) -> Doubt {
    match counts.unknown {
        0 => Doubt::default(),
        _ => ledger.doubt(job.settings.sending.token_window).unwrap_or_default(),
    }
}

fn publish(job: &Job, ledger: &Ledger) -> Result<Counts, PublishError> {
    let table = Table {
        header: job.roster.header(),
        target: &job.target,
        batch: &job.batch,
        password_life: ledger.password_life()?,
        tells_sign_outs: job.settings.sending.sign_out,
        name: job.output.as_deref().unwrap_or(Path::new("standard output")),
    };
    let seal = job.encryption.as_ref();
    match &job.output {
        Some(path) => {
            let replaces = Replaces::Batch(&|digest| job.whose(Some(ledger), digest));
            publish::to_file(ledger, &table, path, seal, replaces)
        }
        None => publish::to_stdout(ledger, &table, seal),
    }
}

/// Returns how the results are opened.
fn opening(job: &Job) -> Option<String> {
    let path = job.output.as_deref()?;
    Some(match job.encryption {
        None if job.place().simulated => return None,
        None => "the passwords in it are in the clear: hand it over safely, then delete it".to_owned(),
        Some(_) if job.settings.output.has_passphrase() => {
            format!("open it with: finspace-reset decrypt {}", shell_word(path.as_os_str()))
        }
        Some(_) => format!("open it with: finspace-reset decrypt {} -i IDENTITY", shell_word(path.as_os_str())),
    })
}
