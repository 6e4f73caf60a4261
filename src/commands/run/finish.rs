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
use crate::engine::ledger::{Doubt, Ledger};
use crate::engine::plan::PlanError;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, PublishError, Table};
use crate::model::{Counts, Millis, shell_word};
use crate::process::failpoint;
use crate::process::signals::Shutdown;
use crate::ui::Printer;

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
    let published = ledger.publications()?.into_iter().next().map_or_else(|| "nowhere".into(), |file| file.path);
    let asked = job.output_name();
    if asked != published {
        return Err(PlanError::Erased { batch, at, output: asked, published }.into());
    }
    let why = if plan.counts.succeeded == 0 { "nobody in it can be reset" } else { "every user was reset before" };
    printer.note(format!(
        "batch {batch}: {why}; nothing was sent. The results went to {published}, and the batch was closed at {at}."
    ));
    let end = End { stop: &StopReason::Finished, counts: plan.counts, limited: None, signal: None, durable: true };
    Ok(Some(Exit::of_run(&end)))
}

/// Publishes, closes, sums up, and returns the exit status.
pub(super) fn finish(job: &Job, sent: Sent, printer: &Printer, shutdown: &Shutdown) -> Exit {
    let Sent { mut ledger, stop, tally, .. } = sent;
    let mut errors = Vec::new();
    let published = publish(job, &ledger);
    let is_published = published.is_ok();
    let counts = published.unwrap_or_else(|error| {
        errors.push(Error::from(error));
        // A ledger that can't be read now has been told of already.
        ledger.counts().unwrap_or_default()
    });
    failpoint::hit("published");
    let closed = is_published
        && close(job, &mut ledger, &stop, counts).unwrap_or_else(|error| {
            errors.push(error);
            false
        });
    let end = |durable| End {
        stop: &stop,
        counts,
        limited: job.settings.sending.limit.map(|_| tally),
        signal: shutdown.signalled(),
        durable,
    };
    let mut summary = Summary {
        exit: Exit::of_run(&end(errors.is_empty())),
        stopped: stop.reason(),
        batch: job.batch.to_string(),
        target: job.target.to_string(),
        identity: job.identity.clone(),
        output: is_published.then(|| job.output_name()),
        opening: (is_published && counts.succeeded > 0).then(|| opening(job)).flatten(),
        started_at: job.started.at,
        took: job.started.clock.elapsed(),
        counts,
        tally,
        rate: job.settings.sending.rate.to_string(),
        doubt: doubt(job, &ledger, counts),
        causes: if counts.failed + counts.unknown > 0 { ledger.causes().unwrap_or_default() } else { Vec::new() },
        closed,
        limited: job.settings.sending.limit.is_some(),
        exclude_lists: job.exclude_lists.clone(),
    };
    if let Some(file) = &job.settings.summary
        && let Err(error) = summary.write_json(file)
    {
        errors.push(error);
        summary.exit = Exit::of_run(&end(false));
    }
    if let Err(error) = ledger.end_run(summary.exit.code(), &summary.meaning()) {
        tracing::warn!("{error}");
    }
    for error in &errors {
        printer.error(error.to_string());
    }
    printer.summary(&summary.lines(), summary.exit != Exit::Success);
    summary.exit
}

/// Closes the batch if nobody is left to do, or if it was asked for; returns
/// whether it is closed.
fn close(job: &Job, ledger: &mut Ledger, stop: &StopReason, counts: Counts) -> Result<bool, Error> {
    let why = match counts.to_do() {
        _ if *stop == StopReason::LedgerFailed => return Ok(false),
        // Nothing is sealed yet, and the same roster may want another output.
        0 if counts.succeeded == 0 => return Ok(false),
        0 => "every user was reset and the results were written",
        _ if job.settings.close => "--close",
        _ => return Ok(false),
    };
    ledger.close(why)?;
    Ok(true)
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
        name: job.output.as_deref().unwrap_or(Path::new("standard output")),
    };
    let mut counts = Counts::default();
    let fill = |output: &mut dyn std::io::Write| -> Result<(), PublishError> {
        counts = results::write_rows(ledger, &table, output)?;
        Ok(())
    };
    let seal = job.encryption.as_ref();
    match &job.output {
        Some(path) => results::replace(
            path,
            seal,
            Replaces::Known(&|digest| job.is_ours(Some(ledger), digest)),
            fill,
            |digest| Ok(ledger.record_publication(&path.display().to_string(), digest)?),
        )?,
        None => {
            results::stream(&mut std::io::stdout().lock(), seal, fill)?;
            ledger.record_publication("-", &format!("stream of {}", Millis::now()))?;
        }
    }
    Ok(counts)
}

/// Returns how the results are opened.
fn opening(job: &Job) -> Option<String> {
    let path = job.output.as_deref()?;
    Some(match job.encryption {
        None => "the passwords in it are in the clear: hand it over safely, then delete it".to_owned(),
        Some(_) if job.settings.output.has_passphrase() => {
            format!("open it with: finspace-reset decrypt {}", shell_word(path.as_os_str()))
        }
        Some(_) => format!("open it with: finspace-reset decrypt {} -i IDENTITY", shell_word(path.as_os_str())),
    })
}
