//! `report`: one page for the incident's file, of what a batch's ledger knows,
//! and an annex of every user's standing.
//!
//! Invariant: no key is opened, so that no password can be on the page; it
//! needs nothing but itself to be looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use askama::Template;
use clap::{Args, ValueEnum, ValueHint};

use crate::commands::args::LedgerArgs;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::output::deliver;
use crate::commands::status::{self, BatchStatus};
use crate::engine::ledger::{HandedFile, Ledger, LedgerPaths, Publication, RunRecord, fact};
use crate::model::{BatchName, Counts, Millis, visible};
use crate::ui::Printer;
use crate::ui::format::moment;
use causes::{Cause, Causes};

mod annex;
mod causes;
mod chart;
mod sentences;

/// Runs that are told of at most, the newest.
const RUNS: usize = 50;

/// Files handed over that are listed at most, the newest.
const HANDED: usize = 500;

/// Flags of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The batch
    pub batch: BatchName,
    /// Write to FILE, which must not exist; - standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// The page, or each user's standing as a table
    #[arg(long, value_enum, default_value_t = Format::Html)]
    pub format: Format,
    /// The ledgers
    #[command(flatten)]
    pub ledgers: LedgerArgs,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A page for people
    Html,
    /// Each user's status, without a password, as CSV
    Csv,
    /// The same as JSON
    Json,
}

#[derive(Template)]
#[template(path = "report.html", config = "src/commands/report/askama.toml")]
struct Page<'a> {
    batch: &'a BatchStatus,
    version: &'a str,
    written_at: String,
    counts: Vec<(&'static str, u64)>,
    standing: Vec<String>,
    open: Vec<String>,
    runs: Vec<RunFacts>,
    outcomes: Option<String>,
    requests: Option<String>,
    failures: Vec<Cause>,
    left_out: Vec<Cause>,
    again: Cause,
    files: Vec<Publication>,
    waiting: Cause,
    handed: Vec<HandedFile>,
    handed_more: usize,
}

/// Facts of one run.
struct RunFacts {
    title: String,
    facts: Vec<Fact>,
}

/// A fact with its name.
struct Fact {
    name: &'static str,
    value: String,
    /// True for words of our own, in which commands stand between backticks.
    is_prose: bool,
}

/// Takes a text of our own apart: its words, and the commands between backticks.
fn parts(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let is_paired = text.matches('`').count().is_multiple_of(2);
    let cut = move |at: char| is_paired && at == '`';
    text.split(cut).enumerate().map(|(at, part)| (at % 2 == 1, part))
}

/// Runs `finspace-reset report`.
///
/// # Errors
/// There is no such batch, its ledger can't be read, or the page can't be written.
pub(super) fn run(args: &ReportArgs, printer: &Printer) -> Result<Exit, Error> {
    let (state, place) = status::find(&args.ledgers, &args.batch, printer)?;
    let ledger = Ledger::read(&LedgerPaths::new(state.folder(), &args.batch))?;
    let batch = BatchStatus::of(&ledger, &state, place)?;
    if let Some(doubt) = ledger.clock_doubt()? {
        printer.warning(doubt);
    }
    match args.format {
        Format::Html => {
            let page = page(&ledger, &batch)?;
            deliver(&args.output, |output, failed| output.write_all(page.as_bytes()).map_err(failed))?;
        }
        format => deliver(&args.output, |output, failed| annex::write(format, &ledger, &batch, output, failed))?,
    }
    if args.output.as_os_str() != "-" {
        printer.note(format!("report: {}", args.output.display()));
    }
    Ok(Exit::Success)
}

fn page(ledger: &Ledger, batch: &BatchStatus) -> Result<String, Error> {
    let mut causes = Causes::read(ledger)?;
    causes.add_in_flight(batch.counts.unknown);
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
    let mut handed = ledger.handovers()?;
    let handed_more = handed.len().saturating_sub(HANDED);
    handed.drain(..handed_more);
    handed.reverse();
    let waiting = batch
        .handover
        .as_ref()
        .map_or_else(Cause::default, |handover| Cause::of_lines(handover.waiting, &handover.waiting_lines));
    let page = Page {
        version: crate::commands::VERSION,
        written_at: Millis::now().to_string(),
        counts: counts(batch.counts),
        standing: sentences::standing(batch, &causes),
        open: sentences::open(batch),
        runs: runs(batch, &ledger.run_facts()?),
        outcomes,
        requests,
        failures: causes.failures,
        left_out: causes.left_out,
        again: causes.again,
        files: ledger.publications()?,
        waiting,
        handed,
        handed_more,
        batch,
    };
    page.render().map_err(|error| Error::System("the page can't be made", std::io::Error::other(error)))
}

fn counts(counts: Counts) -> Vec<(&'static str, u64)> {
    vec![
        ("rows", counts.rows),
        ("succeeded", counts.succeeded),
        ("failed", counts.failed),
        ("unknown", counts.unknown),
        ("pending", counts.pending),
        ("invalid", counts.invalid),
        ("duplicate", counts.duplicate),
        ("earlier", counts.earlier),
        ("excluded", counts.excluded),
        ("reset again", counts.reset_again),
    ]
}

/// Each run, the newest first, with what is known of it.
fn runs(batch: &BatchStatus, facts: &BTreeMap<i64, BTreeMap<String, String>>) -> Vec<RunFacts> {
    let one = |run: &RunRecord| {
        let known = facts.get(&run.run);
        let fact = |key: &str| {
            known
                .and_then(|facts| facts.get(key))
                .map(|value| value.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
        };
        let user = fact(fact::OS_USER).map_or_else(String::new, |user| format!(", user {user}"));
        let encrypted = fact(fact::RECIPIENTS).map(|keys| match keys.as_str() {
            "" => "for nobody: the results are plain text".to_owned(),
            _ => keys,
        });
        let all = [
            ("Started (UTC)", Some(moment(Millis(run.started_at)))),
            ("Ended (UTC)", run.ended_at.map(|at| moment(Millis(at)))),
            ("How it ended", Some(batch.ending(run))),
            ("Stopped because", fact(fact::STOPPED)),
            (
                "AWS identity",
                Some(if run.identity.is_empty() {
                    "nobody was to be reset".into()
                } else {
                    visible(&run.identity).into_owned()
                }),
            ),
            ("On", Some(format!("{}, process {}{user}", visible(&run.host), run.pid))),
            ("Consent", fact(fact::CONSENT)),
            ("Roster", fact(fact::ROSTER)),
            ("Roster's SHA-256", fact(fact::ROSTER_SHA256)),
            ("Command line", fact(fact::COMMAND_LINE)),
            ("Encrypted for", encrypted),
        ];
        let is_prose = |name| matches!(name, "How it ended" | "Stopped because");
        let named = |(name, value): (_, Option<_>)| value.map(|value| Fact { name, value, is_prose: is_prose(name) });
        let facts = all.into_iter().filter_map(named).collect();
        RunFacts { title: format!("Run {}", run.run), facts }
    };
    batch.runs.iter().rev().take(RUNS).map(one).collect()
}
