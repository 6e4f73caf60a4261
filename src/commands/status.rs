//! `status` and `close`: what the ledgers know, and the end of a batch.
//!
//! Invariant: `status` opens no key and sends nothing; both work on a batch
//! whose roster is long gone.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::commands::args::{LogFormat, StateArgs};
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::ledger::state_dir::{StateDir, StateError};
use crate::engine::ledger::{Doubt, HandoverState, Ledger, LedgerError, LedgerPaths, RunRecord};
use crate::model::{BatchName, Counts, Millis, RowStatus, TOKEN_WINDOW};
use crate::ui::Printer;
use crate::ui::format::counted;

/// The JSON form's name.
const SCHEMA: &str = "finspace-reset/status/1";

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Tell about this batch in detail
    pub batch: Option<BatchName>,
    /// Write the users that stand so, as a roster that run takes
    #[arg(long, value_name = "STATUS", value_parser = row_status, requires = "batch")]
    pub list: Option<RowStatus>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub format: LogFormat,
    /// Folder of the ledgers
    #[command(flatten)]
    pub state: StateArgs,
}

/// A batch as its ledger knows it.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the names are those of the JSON form")]
pub(super) struct BatchStatus {
    schema: &'static str,
    pub batch: String,
    pub target: String,
    pub state: &'static str,
    pub created_at: Option<String>,
    pub closed_at: Option<String>,
    pub closed_why: Option<String>,
    pub running: Option<String>,
    running_on: Option<String>,
    pub(super) undelivered: u64,
    /// The life of a temporary password.
    #[serde(skip)]
    pub password_life: Duration,
    /// True if a repeat is safe for ever.
    #[serde(skip)]
    pub repeats_for_ever: bool,
    pub counts: Counts,
    #[serde(serialize_with = "doubt_for_machines")]
    pub in_doubt: Doubt,
    pub doubt_until: Option<String>,
    pub output: Option<String>,
    pub handover: Option<HandoverStatus>,
    written_at: Option<String>,
    last_error: Option<LastError>,
    #[serde(serialize_with = "runs_for_machines")]
    pub runs: Vec<RunRecord>,
}

/// The handed-over part of a batch.
#[derive(Serialize)]
pub(super) struct HandoverStatus {
    files: u64,
    users: u64,
    pub waiting: u64,
    pub waiting_lines: Vec<u64>,
}

#[derive(Serialize)]
struct LastError {
    error_code: String,
    error_message: String,
    #[serde(rename = "input_line")]
    line: u64,
}

fn row_status(word: &str) -> Result<RowStatus, String> {
    let all = RowStatus::ALL.map(RowStatus::word).join(", ");
    RowStatus::ALL.into_iter().find(|status| status.word() == word).ok_or_else(|| format!("choose one of {all}"))
}

/// Writes the users of a batch that stand so.
fn list(args: &StatusArgs, batch: &BatchName, status: RowStatus, printer: &Printer) -> Result<Exit, Error> {
    let state = find(args.state.state_dir.as_deref(), batch)?;
    let ledger = Ledger::read(&LedgerPaths::new(state.folder(), batch))?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::Stdout(error.into());
    csv.write_record(["user_id"]).map_err(failed)?;
    ledger.rows(|row| match &row.user_id {
        Some(user) if row.status() == status => csv.write_record([user]).map_err(failed),
        _ => Ok(()),
    })?;
    let text = csv.into_inner().map_err(|error| Error::Stdout(error.into_error()))?;
    printer.data(&String::from_utf8_lossy(&text)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
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
        })
    }))
}

fn doubt_for_machines<S: serde::Serializer>(doubt: &Doubt, to: S) -> Result<S::Ok, S::Error> {
    let until = doubt.until.map(|until| Millis(until).to_string());
    let Doubt { users, can_settle, in_flight, .. } = doubt;
    json!({ "users": users, "can_settle": can_settle, "until": until, "in_flight": in_flight }).serialize(to)
}

/// Runs `finspace-reset status`.
///
/// # Errors
/// The state folder or a ledger can't be read.
pub(super) fn run(args: &StatusArgs, printer: &Printer) -> Result<Exit, Error> {
    if let (Some(batch), Some(status)) = (&args.batch, args.list) {
        return list(args, batch, status, printer);
    }
    let state = StateDir::locate(args.state.state_dir.as_deref())?;
    let states = [state.clone(), state.simulated()];
    let mut found = Vec::new();
    let mut exit = Exit::Success;
    for state in &states {
        for batch in state.batches()? {
            if args.batch.as_ref().is_some_and(|wanted| *wanted != batch) {
                continue;
            }
            let known = Ledger::read(&LedgerPaths::new(state.folder(), &batch));
            match known.and_then(|ledger| Ok((BatchStatus::of(&ledger, state, &batch)?, ledger.clock_doubt()?))) {
                Ok((known, doubt)) => {
                    found.push(known);
                    if let Some(doubt) = doubt {
                        printer.warning(doubt);
                    }
                }
                // One bad ledger must not hide the others.
                Err(error) => {
                    printer.error(error.to_string());
                    exit = Exit::Unusable;
                }
            }
        }
    }
    if let (Some(batch), true, Exit::Success) = (&args.batch, found.is_empty(), exit) {
        return Err(StateError::NoBatch(batch.to_string(), state.folder().to_owned()).into());
    }
    let text = match (args.format, &args.batch) {
        (LogFormat::Json, _) => serde_json::to_string_pretty(&found).unwrap_or_default() + "\n",
        (LogFormat::Text, Some(_)) => found.iter().map(detail).collect(),
        (LogFormat::Text, None) if found.is_empty() && exit == Exit::Success => "no batches yet\n".into(),
        (LogFormat::Text, None) => table(&found),
    };
    match args.format {
        LogFormat::Json => printer.data(&text),
        LogFormat::Text => printer.show(&text),
    }
    .map_err(Error::Stdout)?;
    Ok(exit)
}

/// The state folder that holds the batch: the real one, else that of rehearsals.
///
/// # Errors
/// Neither does.
pub(super) fn find(named: Option<&Path>, batch: &BatchName) -> Result<StateDir, StateError> {
    let state = StateDir::locate(named)?;
    let holds = |state: &StateDir| LedgerPaths::new(state.folder(), batch).ledger.exists();
    let missing = StateError::NoBatch(batch.to_string(), state.folder().to_owned());
    [state.clone(), state.simulated()].into_iter().find(holds).ok_or(missing)
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
    pub(super) fn of(ledger: &Ledger, state: &StateDir, batch: &BatchName) -> Result<Self, LedgerError> {
        let holder = state.holder(batch);
        let closed_at = ledger.closed_at()?;
        let publication = ledger.publications()?.into_iter().next();
        let mut in_doubt = ledger.doubt(TOKEN_WINDOW)?;
        let mut counts = ledger.counts()?;
        if holder.is_some() {
            // What the run has claimed is still to do; a killed run's is in doubt.
            counts.unknown = counts.unknown.saturating_sub(in_doubt.in_flight);
            counts.pending += in_doubt.in_flight;
            in_doubt.users = in_doubt.users.saturating_sub(in_doubt.in_flight);
            in_doubt.can_settle = in_doubt.can_settle.saturating_sub(in_doubt.in_flight);
        }
        Ok(Self {
            schema: SCHEMA,
            batch: batch.to_string(),
            target: ledger.target()?,
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
            output: publication.as_ref().map(|file| file.path.clone()),
            handover: ledger.handover_state()?.map(HandoverStatus::from),
            written_at: publication.map(|file| Millis(file.at).to_string()),
            last_error: ledger.last_error()?.map(|(error_code, error_message, line)| LastError {
                error_code,
                error_message,
                line,
            }),
            runs: ledger.runs()?,
        })
    }
}

/// Returns a run's end in words.
#[must_use]
pub(super) fn ending(run: &RunRecord, going_on: bool) -> String {
    match (&run.ending, run.exit_code) {
        (Some(ending), Some(code)) => format!("exit {code}, {ending}"),
        _ if going_on => "going on".into(),
        _ => "crashed or was killed".into(),
    }
}

fn table(batches: &[BatchStatus]) -> String {
    let mut rows =
        vec![["BATCH", "STATE", "ROWS", "RESET", "FAILED", "UNKNOWN", "PENDING", "TARGET"].map(str::to_owned)];
    for batch in batches {
        let Counts { rows: all, succeeded, failed, unknown, pending, .. } = batch.counts;
        let state = if batch.running.is_some() { "running" } else { batch.state };
        rows.push([
            batch.batch.clone(),
            state.into(),
            all.to_string(),
            succeeded.to_string(),
            failed.to_string(),
            unknown.to_string(),
            pending.to_string(),
            batch.target.clone(),
        ]);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    table.lines().fold(String::new(), |text, line| text + line.trim() + "\n")
}

fn detail(batch: &BatchStatus) -> String {
    let counts = batch.counts;
    let mut lines = vec![
        ("batch", batch.batch.clone()),
        ("target", batch.target.clone()),
        (
            "state",
            match (&batch.running, &batch.closed_at) {
                (Some(process), _) => {
                    format!("running, process {process} on {}", batch.running_on.as_deref().unwrap_or("?"))
                }
                (None, Some(at)) => format!("closed at {at}: {}", batch.closed_why.as_deref().unwrap_or_default()),
                (None, None) => "open".into(),
            },
        ),
        ("rows", counts.rows.to_string()),
        ("reset", counts.succeeded.to_string()),
        ("failed", counts.failed.to_string()),
        ("unknown", counts.unknown.to_string()),
        ("pending", counts.pending.to_string()),
        ("invalid", counts.invalid.to_string()),
        ("duplicates", counts.duplicate.to_string()),
        ("excluded", counts.excluded.to_string()),
        ("reset again", counts.reset_again.to_string()),
    ];
    if batch.in_doubt.in_flight > 0 {
        let what =
            if batch.running.is_some() { "claimed by the run" } else { "left by a run that was stopped; run again" };
        lines.push(("in flight", format!("{}, {what}", batch.in_doubt.in_flight)));
    }
    if batch.repeats_for_ever && batch.in_doubt.users > 0 {
        let what = "are settled without a new reset by the same command";
        lines.push(("in doubt", format!("{} {what}", batch.in_doubt.users)));
    }
    if let Some(until) = &batch.doubt_until {
        lines.push((
            "in doubt",
            format!("{} can be settled without a new reset until {until}", batch.in_doubt.can_settle),
        ));
    }
    if batch.undelivered > 0 {
        lines.push((
            "undelivered",
            format!("{} passwords stand in no file; run the same command again", batch.undelivered),
        ));
    }
    if let Some(output) = &batch.output {
        lines.push(("output", format!("{output}, written at {}", batch.written_at.as_deref().unwrap_or("?"))));
    }
    if let Some(handover) = &batch.handover {
        lines.push(("handed over", handover.to_string()));
    }
    if let Some(LastError { error_code, error_message, line }) = &batch.last_error {
        lines.push(("last error", format!("line {line}: {error_code}: {error_message}")));
    }
    for run in &batch.runs {
        let end = ending(run, batch.running.is_some());
        lines.push(("run", format!("{} by {} on {}: {end}", Millis(run.started_at), run.identity, run.host)));
    }
    lines.iter().map(|(name, value)| format!("{name:<13}{value}\n")).collect()
}
