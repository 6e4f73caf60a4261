//! A batch as its ledger knows it, for people and for machines.
//!
//! Invariant: what a run that goes on has claimed is still to do; what a killed
//! one left is in doubt.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::commands::way_on::{CauseJson, Left, Place};
use crate::engine::ledger::state_dir::StateDir;
use crate::engine::ledger::{Cause, Doubt, HandoverState, Ledger, LedgerError, RunRecord, SignOutState};
use crate::model::{BatchName, Counts, Millis, TOKEN_WINDOW};
use crate::ui::format::counted;

/// The JSON form's name.
const SCHEMA: &str = "finspace-reset/status/1";

/// A batch as its ledger knows it.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the names are those of the JSON form")]
pub(in crate::commands) struct BatchStatus {
    schema: &'static str,
    pub batch: String,
    pub target: String,
    simulated: bool,
    pub state: &'static str,
    pub created_at: Option<String>,
    pub closed_at: Option<String>,
    pub closed_why: Option<String>,
    pub running: Option<String>,
    pub(super) running_on: Option<String>,
    pub undelivered: u64,
    /// The life of a temporary password.
    #[serde(skip)]
    pub password_life: Duration,
    /// True if a repeat is safe for ever.
    #[serde(skip)]
    pub repeats_for_ever: bool,
    /// The words that name it.
    #[serde(skip)]
    pub place: Place,
    pub counts: Counts,
    /// Users whose passwords were erased while they stood in no file.
    pub given_up: u64,
    #[serde(serialize_with = "doubt_for_machines")]
    pub in_doubt: Doubt,
    pub doubt_until: Option<String>,
    #[serde(serialize_with = "causes_for_machines")]
    pub causes: Vec<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_out: Option<SignOutState>,
    pub output: Option<String>,
    pub handover: Option<HandoverStatus>,
    pub(super) written_at: Option<String>,
    pub(super) last_error: Option<LastError>,
    #[serde(serialize_with = "runs_for_machines")]
    pub runs: Vec<RunRecord>,
}

/// The handed-over part of a batch.
#[derive(Serialize)]
pub(in crate::commands) struct HandoverStatus {
    files: u64,
    users: u64,
    pub waiting: u64,
    pub waiting_lines: Vec<u64>,
}

/// The newest error.
#[derive(Serialize)]
pub(super) struct LastError {
    pub error_code: String,
    pub error_message: String,
    #[serde(rename = "input_line")]
    pub line: u64,
}

/// The runs, with times as all others are.
fn runs_for_machines<S: serde::Serializer>(runs: &[RunRecord], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(runs.iter().map(|run| {
        json!({
            "run": run.run,
            "started_at": Millis(run.started_at).to_string(),
            "pid": run.pid,
            "host": run.host,
            "identity": run.identity,
            "ended_at": run.ended_at.map(|at| Millis(at).to_string()),
            "exit_code": run.exit_code,
            "ending": run.ending,
            "stopping_since": run.stopping_since,
        })
    }))
}

fn doubt_for_machines<S: serde::Serializer>(doubt: &Doubt, to: S) -> Result<S::Ok, S::Error> {
    let until = doubt.until.map(|until| Millis(until).to_string());
    let Doubt { users, can_settle, in_flight, .. } = doubt;
    json!({ "users": users, "can_settle": can_settle, "until": until, "in_flight": in_flight }).serialize(to)
}

fn causes_for_machines<S: serde::Serializer>(causes: &[Cause], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(causes.iter().map(CauseJson::from))
}

impl From<HandoverState> for HandoverStatus {
    fn from(state: HandoverState) -> Self {
        let HandoverState { files, users, waiting, lines } = state;
        Self { files, users, waiting, waiting_lines: lines }
    }
}

impl std::fmt::Display for HandoverStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (users, files) = (counted(self.users, "user"), counted(self.files, "file"));
        match self.waiting {
            0 => write!(f, "{users} in {files}; nobody waits"),
            waiting => write!(f, "{users} in {files}; {} still to be handed a password", counted(waiting, "user")),
        }
    }
}

impl BatchStatus {
    /// Reads what `ledger` knows of the batch.
    ///
    /// # Errors
    /// It can't be read.
    pub(in crate::commands) fn of(ledger: &Ledger, state: &StateDir, place: Place) -> Result<Self, LedgerError> {
        let holder = place.batch.parse::<BatchName>().ok().and_then(|batch| state.holder(&batch));
        let closed_at = ledger.closed_at()?;
        let publication = ledger.publications()?.into_iter().next();
        let mut in_doubt = ledger.doubt(TOKEN_WINDOW)?;
        let mut counts = ledger.counts()?;
        if holder.is_some() {
            counts.unknown = counts.unknown.saturating_sub(in_doubt.in_flight);
            counts.pending += in_doubt.in_flight;
            in_doubt.users = in_doubt.users.saturating_sub(in_doubt.in_flight);
            in_doubt.can_settle = in_doubt.can_settle.saturating_sub(in_doubt.in_flight);
        }
        Ok(Self {
            schema: SCHEMA,
            batch: place.batch.clone(),
            target: ledger.target()?,
            simulated: place.simulated,
            state: match closed_at {
                Some(_) if ledger.is_half_erased()? => "half closed",
                Some(_) => "closed",
                None => "open",
            },
            created_at: ledger.get("created_at")?.and_then(|at| at.parse().ok()).map(|at| Millis(at).to_string()),
            closed_at: closed_at.map(|at| at.to_string()),
            closed_why: ledger.get("closed_why")?,
            running: holder.as_ref().map(|holder| holder.process.clone()),
            running_on: holder.map(|holder| holder.host),
            password_life: ledger.password_life()?,
            repeats_for_ever: ledger.makes_passwords(),
            undelivered: ledger.undelivered()?.map_or(0, |left| left.users),
            counts,
            in_doubt,
            doubt_until: in_doubt.until.map(|until| Millis(until).to_string()),
            causes: ledger.causes()?,
            sign_out: ledger.sign_out_state()?,
            output: publication.as_ref().map(|file| file.path.clone()),
            handover: ledger.handover_state()?.map(HandoverStatus::from),
            written_at: publication.map(|file| Millis(file.at).to_string()),
            last_error: ledger.last_error()?.map(|(error_code, error_message, line)| LastError {
                error_code,
                error_message,
                line,
            }),
            given_up: ledger.given_up()?.len(),
            runs: ledger.runs()?,
            place,
        })
    }

    /// Returns what is left of it.
    pub(in crate::commands) fn left(&self) -> Left<'_> {
        let closed = self.closed_at.is_some();
        let signed_in = self.sign_out.map_or(0, |ends| ends.left);
        let Self { counts, causes, in_doubt, given_up, place, .. } = self;
        Left { counts: *counts, causes, doubt: *in_doubt, signed_in, given_up: *given_up, closed, place }
    }

    /// Returns a run's end in words.
    #[must_use]
    pub(in crate::commands) fn ending(&self, run: &RunRecord) -> String {
        let goes_on = self.running.is_some() && self.runs.last().is_some_and(|newest| newest.run == run.run);
        match (&run.ending, run.exit_code, &run.stopping_since) {
            (Some(ending), Some(code), _) => format!("exit {code}, {ending}"),
            (_, _, None) if goes_on => "going on".into(),
            (_, _, Some(since)) if goes_on => format!("stopping since {since}, as a signal asked"),
            (_, _, Some(since)) => {
                format!("crashed or was killed while it was stopping, which a signal had asked for at {since}")
            }
            (_, _, None) => "crashed or was killed".into(),
        }
    }
}
