//! The result of a run: for people on standard error, for machines as JSON.
//!
//! Invariant: both say the same, and neither holds a secret.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::ends::{SignOutJson, SignOuts};
use super::job::Job;
use super::other_batches::remarks;
use super::prepare::Ready;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::way_on::{CauseJson, Left, Place, cause};
use crate::engine::dispatch::pacer::rounded;
use crate::engine::ledger::guard::Overlap;
use crate::engine::ledger::{Cause, Doubt};
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, PublishError};
use crate::engine::roster::ListReport;
use crate::model::{Counts, Millis, Tally};
use crate::service::PoolWords;
use crate::ui::format::{counted, human, pace};

/// The form of the summary.
const SCHEMA: &str = "finspace-reset/summary/1";

/// The form of a plan.
const PLAN_SCHEMA: &str = "finspace-reset/plan/1";

/// Causes of failure that are named at most.
const CAUSES: usize = 5;

/// The result of a run.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    /// Its exit.
    pub exit: Exit,
    /// The reason for an early stop, if there was one.
    pub stopped: Option<String>,
    /// The batch.
    pub batch: String,
    /// The words by which commands find it.
    pub place: Place,
    /// The target of its requests.
    pub target: String,
    /// The identity that signed them.
    pub identity: String,
    /// The results' file, if they were written.
    pub output: Option<String>,
    /// The command that opens them.
    pub opening: Option<String>,
    /// The time at which it began.
    pub started_at: Millis,
    /// Its duration.
    pub took: Duration,
    /// The rows by status, as they stand now.
    pub counts: Counts,
    /// This run's own figures.
    pub tally: Tally,
    /// The ceiling, as typed.
    pub rate: String,
    /// Users in doubt.
    pub doubt: Doubt,
    /// Causes of failures and doubts.
    pub causes: Vec<Cause>,
    /// Users whose passwords were erased while they stood in no file.
    pub given_up: u64,
    /// True if the batch is closed.
    pub closed: bool,
    /// The reason why it is still open, if that may surprise.
    pub kept_open: Option<String>,
    /// True if `--limit` held users back.
    pub limited: bool,
    /// The share of each exclude list that the roster knows.
    pub exclude_lists: Vec<ListReport>,
    /// Other batches that had reset users to do.
    pub elsewhere: Vec<Overlap>,
    /// The ends of sessions, with `--sign-out`.
    pub sign_outs: Option<SignOuts>,
    /// The user pool, where the service is one.
    pub pool: Option<PoolWords>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    exit_code: u8,
    meaning: String,
    stopped_because: Option<&'a str>,
    batch: &'a str,
    target: &'a str,
    identity: &'a str,
    output: Option<&'a str>,
    started_at: String,
    ended_at: String,
    seconds: f64,
    counts: Counts,
    this_run: ThisRun,
    rate: RateJson<'a>,
    in_doubt: InDoubt,
    causes: Vec<CauseJson>,
    closed: bool,
    kept_open_because: Option<&'a str>,
    exclude_lists: &'a [ListReport],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reset_elsewhere: &'a [Overlap],
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_out: Option<SignOutJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_pool: Option<&'a PoolWords>,
}

#[derive(Serialize)]
struct ThisRun {
    succeeded: u64,
    failed: u64,
    unknown: u64,
    reset_again: u64,
    requests: u64,
    retried: u64,
    throttled: u64,
}

#[derive(Serialize)]
struct RateJson<'a> {
    ceiling: &'a str,
    achieved: f64,
    found: Option<f64>,
}

#[derive(Serialize)]
struct InDoubt {
    users: u64,
    can_settle: u64,
    until: Option<String>,
}

impl Summary {
    /// Returns the summary of a run in which nothing was sent.
    pub(super) fn new(job: &Job, exit: Exit, counts: Counts) -> Self {
        Self {
            exit,
            stopped: None,
            batch: job.batch.to_string(),
            place: job.place(),
            target: job.target.to_string(),
            identity: job.identity.clone(),
            output: None,
            opening: None,
            started_at: job.started.at,
            took: job.started.clock.elapsed(),
            counts,
            tally: Tally::default(),
            rate: job.settings.sending.rate.to_string(),
            doubt: Doubt::default(),
            causes: Vec::new(),
            given_up: 0,
            closed: false,
            kept_open: None,
            limited: job.settings.sending.limit.is_some(),
            exclude_lists: job.exclude_lists.clone(),
            elsewhere: job.elsewhere.clone(),
            sign_outs: None,
            pool: job.client.pool(),
        }
    }

    /// Returns the meaning of the exit code, for people and the ledger.
    pub(crate) fn meaning(&self) -> String {
        let meaning = self.exit.meaning_of_run(&self.counts, self.limited.then_some(&self.tally));
        match &self.sign_outs {
            Some(SignOuts { left: left @ 1.., .. }) => format!("{meaning}; {left} of them are not signed out"),
            _ => meaning,
        }
    }

    fn achieved(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        // The first request leaves at once; the pace is what the others keep.
        let requests = self.tally.requests.saturating_sub(1) as f64;
        requests / self.tally.sending.as_secs_f64().max(0.001)
    }

    /// Writes the JSON form to a file.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn write_json(&self, path: &Path) -> Result<(), Error> {
        let json = Json {
            schema: SCHEMA,
            exit_code: self.exit.code(),
            meaning: self.meaning(),
            stopped_because: self.stopped.as_deref(),
            batch: &self.batch,
            target: &self.target,
            identity: &self.identity,
            output: self.output.as_deref(),
            started_at: self.started_at.to_string(),
            ended_at: self.started_at.plus(self.took).to_string(),
            seconds: self.took.as_secs_f64(),
            counts: self.counts,
            this_run: ThisRun {
                succeeded: self.tally.reset,
                failed: self.tally.failed,
                unknown: self.tally.unknown,
                reset_again: self.tally.reset_again,
                requests: self.tally.requests,
                retried: self.tally.retried,
                throttled: self.tally.throttled,
            },
            rate: RateJson {
                ceiling: &self.rate,
                achieved: rounded(self.achieved()),
                found: self.tally.rate_found.map(rounded),
            },
            in_doubt: InDoubt {
                users: self.doubt.users,
                can_settle: self.doubt.can_settle,
                until: self.doubt.until.map(|until| Millis(until).to_string()),
            },
            causes: self.causes.iter().map(CauseJson::from).collect(),
            closed: self.closed,
            kept_open_because: self.kept_open.as_deref(),
            exclude_lists: &self.exclude_lists,
            reset_elsewhere: &self.elsewhere,
            sign_out: self.sign_outs.as_ref().map(SignOuts::json),
            user_pool: self.pool.as_ref(),
        };
        write(path, &json)
    }

    /// The lines for people.
    #[must_use]
    pub(super) fn lines(&self) -> Vec<String> {
        let Counts { rows, succeeded, failed, unknown, invalid, duplicate, excluded, pending, reset_again, earlier } =
            self.counts;
        let mut parts = vec![format!("{succeeded} reset")];
        for (count, word) in [
            (failed, "failed"),
            (unknown, "unknown"),
            (pending, "pending"),
            (invalid, "invalid"),
            (duplicate, if duplicate == 1 { "duplicate" } else { "duplicates" }),
            (earlier, "earlier"),
            (excluded, "excluded"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let plural = if rows == 1 { "row" } else { "rows" };
        let mut lines = vec![format!("batch {}: {rows} {plural}, {}", self.batch, parts.join(", "))];
        lines.extend(self.causes.iter().take(CAUSES).map(|known| format!("  {}", cause(known))));
        if self.causes.len() > CAUSES {
            lines.push(format!("  and {} more causes; the output names each", self.causes.len() - CAUSES));
        }
        if reset_again > 0 {
            lines.push(format!("reset again: {reset_again} (an answer was lost and its token had expired)"));
        }
        lines.extend(remarks(&self.elsewhere));
        if rows == 0 {
            lines.push("the roster has a header and nobody below it".into());
        }
        if self.tally.requests == 0 {
            lines.push("this run sent no reset".into());
        } else {
            let mut line = format!("{} in {}", counted(self.tally.requests, "request"), human(self.tally.sending));
            // One request has no pace.
            if self.tally.requests > 1 {
                line.push_str(&format!(", {:.1}/s of {}", self.achieved(), self.rate));
            }
            if self.tally.retried > 0 {
                line.push_str(&format!(", {} retried", self.tally.retried));
            }
            if self.tally.throttled > 0 {
                line.push_str(&format!(", {} throttled", self.tally.throttled));
            }
            if let Some(found) = self.tally.rate_found {
                line.push_str(&format!(", limit about {}", pace(found)));
            }
            lines.push(line);
        }
        lines.extend(self.sign_outs.as_ref().map(SignOuts::line));
        if let Some(why) = &self.stopped {
            lines.push(format!("stopped: {why}"));
        }
        if let Some(output) = &self.output {
            lines.push(format!("results: {output}"));
        }
        lines.extend(self.opening.clone());
        if self.place.simulated {
            lines.push("this was a rehearsal: nobody was reset, and no password of it is real".into());
        }
        lines.extend(self.kept_open.clone());
        lines.extend(self.left().steps().into_iter().map(|step| format!("next: {step}")));
        lines
    }

    /// Returns the way on from here.
    pub(super) fn left(&self) -> Left<'_> {
        Left {
            counts: self.counts,
            causes: &self.causes,
            doubt: self.doubt,
            // Its own line tells of them.
            signed_in: 0,
            given_up: self.given_up,
            closed: self.closed,
            place: &self.place,
        }
    }
}

/// Writes the summary of a run that ended before it had any counts.
///
/// # Errors
/// It can't be written.
pub(super) fn write_end(path: &Path, exit: Exit, text: &str) -> Result<(), Error> {
    let json = serde_json::json!({
        "schema": SCHEMA,
        "exit_code": exit.code(),
        "meaning": exit.meaning(),
        "error": text,
        "ended_at": Millis::now().to_string(),
    });
    write(path, &json)
}

/// Writes the plan of a preview.
///
/// # Errors
/// It can't be written.
pub(super) fn write_plan(path: &Path, ready: &Ready, exit: Exit) -> Result<(), Error> {
    let Ready { job, plan, missing, .. } = ready;
    let mut json = serde_json::json!({
        "schema": PLAN_SCHEMA,
        "exit_code": exit.code(),
        "plan": job.fingerprint(plan).to_string(),
        "batch": job.batch.to_string(),
        "target": job.target.to_string(),
        "identity": job.identity,
        "output": job.settings.output.destination.as_ref().map(|_| job.output_name()),
        "encrypted_for": job.encryption.as_ref().map(|to| to.readers().to_vec()).unwrap_or_default(),
        "to_reset": plan.to_reset,
        "missing": missing.len(),
        "counts": plan.counts,
        "exclude_lists": job.exclude_lists,
        "rate": job.settings.sending.rate.to_string(),
        "seconds": plan.duration(job.settings.sending.rate).map(|time| time.as_secs_f64().round()),
        "made_at": Millis::now().to_string(),
    });
    if let Some(pool) = job.client.pool() {
        json["user_pool"] = serde_json::json!(pool);
        json["left_alone"] = plan.left_alone.into();
        json["sign_out"] = job.settings.sending.sign_out.into();
    }
    if !job.elsewhere.is_empty() {
        json["reset_elsewhere"] = serde_json::json!(job.elsewhere);
    }
    write(path, &json)
}

/// Writes a JSON file in the place of an earlier one.
fn write(path: &Path, json: &impl Serialize) -> Result<(), Error> {
    let path = results::Destination::resolve(path)?;
    let failed = |error| PublishError::Write(path.clone(), error);
    results::replace(
        &path,
        None,
        Replaces::Summary,
        |output| {
            serde_json::to_writer_pretty(&mut *output, json).map_err(|error| failed(error.into()))?;
            writeln!(output).map_err(failed)?;
            Ok(())
        },
        |_| Ok(()),
    )
}
