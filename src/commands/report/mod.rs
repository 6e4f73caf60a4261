//! `report`: one page for the incident's file, of what a batch's ledger knows.
//!
//! Invariant: no key is opened, so that no password can be on the page; it
//! needs nothing but itself to be looked at.

use std::collections::BTreeMap;

use std::path::PathBuf;

use askama::Template;
use clap::{Args, ValueHint};

use crate::commands::args::StateArgs;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::output::deliver;
use crate::commands::status::{self, BatchStatus};
use crate::engine::ledger::state_dir::StateDir;
use crate::engine::ledger::{Ledger, LedgerError, LedgerPaths, Publication};
use crate::model::BatchName;
use crate::model::{Counts, Millis};
use crate::ui::Printer;

mod chart;

/// Reasons that are told apart at most.
const REASONS: usize = 100;

/// Lines that are listed for one cause at most.
const LINES: usize = 200;

/// Flags of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The batch
    pub batch: BatchName,
    /// Write the page to FILE, which must not exist; - standard output
    #[arg(short, long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Where the ledgers live
    #[command(flatten)]
    pub state: StateArgs,
}

#[derive(Template)]
#[template(path = "report.html", config = "src/commands/report/askama.toml")]
struct Page<'a> {
    batch: &'a BatchStatus,
    version: &'a str,
    written_at: String,
    counts: Vec<(&'static str, u64)>,
    runs: Vec<RunLine>,
    outcomes: Option<String>,
    requests: Option<String>,
    failures: Vec<Cause>,
    left_out: Vec<Cause>,
    open: Vec<String>,
    files: Vec<Publication>,
}

struct RunLine {
    started: String,
    ended: String,
    identity: String,
    place: String,
    ending: String,
}

/// Rows that share a reason.
#[derive(Default)]
struct Cause {
    kind: &'static str,
    reason: String,
    example: String,
    count: u64,
    lines: Vec<u64>,
}

impl Cause {
    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.lines.len() < LINES {
            self.lines.push(line);
        }
    }

    /// `3–7, 9`, and how many more there are.
    fn lines(&self) -> String {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for line in &self.lines {
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == *line => *last = *line,
                _ => spans.push((*line, *line)),
            }
        }
        let told = spans.iter().map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first}–{last}"),
        });
        let mut told = told.collect::<Vec<_>>().join(", ");
        let more = self.count - u64::try_from(self.lines.len()).unwrap_or(self.count);
        if more > 0 {
            told.push_str(&format!(" and {more} more"));
        }
        told
    }
}

/// Runs `finspace-reset report`.
///
/// # Errors
/// There is no such batch, its ledger can't be read, or the page can't be written.
pub(super) fn run(args: &ReportArgs, printer: &Printer) -> Result<Exit, Error> {
    let state = status::find(args.state.state_dir.as_deref(), &args.batch)?;
    let page = page(&state, args)?;
    deliver(&args.output, page.as_bytes())?;
    if args.output.as_os_str() != "-" {
        printer.note(format!("report: {}", args.output.display()));
    }
    Ok(Exit::Success)
}

fn page(state: &StateDir, args: &ReportArgs) -> Result<String, Error> {
    let ledger = Ledger::read(&LedgerPaths::new(state.folder(), &args.batch))?;
    let batch = BatchStatus::of(&ledger, state, &args.batch)?;
    let (failures, left_out) = causes(&ledger)?;
    let (outcomes, requests) = match ledger.span()? {
        None => (None, None),
        Some((first, last)) => {
            let failed = |what: String| Error::System("the picture can't be drawn", std::io::Error::other(what));
            let starts: Vec<i64> = batch.runs.iter().map(|run| run.started_at).collect();
            let activity = ledger.activity(chart::bar(first, last))?;
            let outcomes = chart::outcomes(&activity, first, last).map_err(failed)?;
            let requests = chart::requests(&ledger.paces()?, &starts, first, last).map_err(failed)?;
            (Some(outcomes), Some(requests))
        }
    };
    let page = Page {
        version: crate::commands::VERSION,
        written_at: Millis::now().to_string(),
        counts: counts(batch.counts),
        runs: runs(&batch),
        outcomes,
        requests,
        failures,
        left_out,
        open: open(&batch),
        files: ledger.publications()?,
        batch: &batch,
    };
    page.render().map_err(|error| Error::System("the page can't be made", std::io::Error::other(error)))
}

/// To the second, for people.
fn moment(at: Millis) -> String {
    let time = jiff::Timestamp::from_millisecond(at.0);
    time.map_or_else(|_| at.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn counts(counts: Counts) -> Vec<(&'static str, u64)> {
    vec![
        ("rows", counts.rows),
        ("reset", counts.succeeded),
        ("failed", counts.failed),
        ("unknown", counts.unknown),
        ("pending", counts.pending),
        ("invalid", counts.invalid),
        ("duplicates", counts.duplicate),
        ("excluded", counts.excluded),
        ("reset again", counts.reset_again),
    ]
}

fn runs(batch: &BatchStatus) -> Vec<RunLine> {
    let line = |run: &crate::engine::ledger::RunRecord| RunLine {
        started: moment(Millis(run.started_at)),
        ended: run.ended_at.map(|at| moment(Millis(at))).unwrap_or_default(),
        identity: if run.identity.is_empty() { "nobody was to be reset".into() } else { run.identity.clone() },
        place: format!("{}, process {}", run.host, run.pid),
        ending: status::ending(run, batch.running.is_some()),
    };
    batch.runs.iter().map(line).collect()
}

/// Why users failed or are in doubt, and why rows were left out.
fn causes(ledger: &Ledger) -> Result<(Vec<Cause>, Vec<Cause>), Error> {
    let mut failures: BTreeMap<(&'static str, String), Cause> = BTreeMap::new();
    let mut left_out: BTreeMap<(&'static str, String), Cause> = BTreeMap::new();
    ledger.rows::<LedgerError>(|row| {
        let kind = row.status().word();
        let (causes, reason, example) = match kind {
            "failed" | "unknown" => {
                let code = row.error_code.unwrap_or_else(|| "no answer".into());
                (&mut failures, code, row.error_message.unwrap_or_default())
            }
            "invalid" => (&mut left_out, row.note.unwrap_or_default(), String::new()),
            "duplicate" => (&mut left_out, "the user of an earlier row".into(), String::new()),
            "excluded" => (&mut left_out, "named by --exclude".into(), String::new()),
            _ => return Ok(()),
        };
        // Reasons may quote the row: a page can't have one for each of a million.
        let mut key = (kind, reason);
        if causes.len() >= REASONS && !causes.contains_key(&key) {
            key.1 = "further reasons".into();
        }
        let reason = key.1.clone();
        causes.entry(key).or_insert_with(|| Cause { kind, reason, example, ..Cause::default() }).add(row.line);
        Ok(())
    })?;
    let sorted = |causes: BTreeMap<_, Cause>| {
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        causes
    };
    Ok((sorted(failures), sorted(left_out)))
}

/// What somebody still has to do.
fn open(batch: &BatchStatus) -> Vec<String> {
    let counts = batch.counts;
    let mut open = Vec::new();
    if let Some(process) = &batch.running {
        open.push(format!("A run is going on: process {process}."));
    }
    if counts.pending > 0 {
        open.push(format!("{} users are not reset yet; the same command again resets them.", counts.pending));
    }
    if counts.unknown > 0 {
        let until = batch.doubt_until.as_ref().map_or_else(
            || "the same command again resets them once more, to be sure".to_owned(),
            |until| format!("{} of them can be settled without a new reset until {until}", batch.in_doubt.can_settle),
        );
        open.push(format!("{} users may or may not be reset; {until}.", counts.unknown));
    }
    if counts.failed > 0 {
        open.push(format!("{} users failed; the same command again tries them again.", counts.failed));
    }
    if batch.closed_at.is_none() && counts.succeeded > 0 {
        open.push(format!(
            "The ledger still holds sealed passwords; «finspace-reset close {}» erases them.",
            batch.batch
        ));
    }
    if counts.succeeded > 0 && batch.output.is_none() {
        open.push("No file with the passwords has been written.".into());
    }
    open
}
