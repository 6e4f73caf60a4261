//! The main job, from the flags to the exit code.
//!
//! Invariant: what can fail at the end is tried at the start; nothing is sent
//! before the plan is consented to; and the exit code comes from what the
//! ledger holds.

mod args;
pub(super) mod check_users;
mod consent;
mod inputs;
mod prepare;
mod preview;
pub(super) mod settings;
mod simulate;
mod summary;

pub(super) use args::RunArgs;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::Path;

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::run::prepare::{Job, output_name};
use crate::commands::run::settings::RunSettings;
use crate::commands::run::summary::Summary;
use crate::engine::dispatch;
use crate::engine::dispatch::limits::Limits;
use crate::engine::dispatch::pacer::Pacer;
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::state_dir::{self};
use crate::engine::ledger::{Doubt, Ledger, LedgerPaths, Writer};
use crate::engine::plan::{self, Plan, PlanError};
use crate::engine::results::encryption::Encryption;
use crate::engine::results::{self, PublishError, Table};
use crate::model::{Counts, Millis, Tally};
use crate::process::failpoint;
use crate::process::signals::Shutdown;
use crate::ui::{self, Printer, Progress, Show};
use args::ProgressMode;
use preview::quoted;

/// Runs `finspace-reset run`.
///
/// # Errors
/// Nothing was sent; the error says why.
pub(super) async fn run(args: RunArgs, printer: &Printer) -> Result<Exit, Error> {
    let settings = RunSettings::check(args, std::io::stdout().is_terminal())?;
    let shutdown = Shutdown::listen().map_err(|error| Error::System("no signal handlers", error))?;
    printer.tell(&shutdown);
    let job = Job::prepare(settings, printer).await?;
    if job.settings.args.dry_run {
        return preview::preview(&job, printer, &shutdown).await;
    }
    job.perform(printer, &shutdown).await
}

impl Job {
    /// The real thing.
    async fn perform(&self, printer: &Printer, shutdown: &Shutdown) -> Result<Exit, Error> {
        let args = &self.settings.args;
        let seal = self.settings.seal()?;
        let path = self.settings.output_path()?;
        self.state.prepare()?;
        let _lock = self.state.lock(&self.batch)?;
        state_dir::check_room(&self.state, path.as_deref().and_then(Path::parent), self.roster.facts().rows)?;
        let place = LedgerPaths::new(self.state.folder(), &self.batch);
        let known = if args.simulate {
            crate::commands::run::simulate::forget(&self.state, &place)?;
            None
        } else {
            Ledger::open(&place)?
        };
        let known = known.map(|ledger| self.greet(ledger)).transpose()?;
        let closed = known.as_ref().map(Ledger::closed_at).transpose()?.flatten();
        let asks = !(args.yes || args.simulate || args.confirm.is_some());
        let plan = self.survey(known.as_ref(), asks)?;
        if let (Some(ledger), Some(at)) = (&known, closed) {
            return self.nothing_left(ledger, at, &plan, path.as_deref(), printer);
        }
        if let Some(path) = &path {
            results::check(path, &|digest| self.is_ours(known.as_ref(), digest))?;
        }
        let missing = if args.check_users && plan.to_reset > 0 {
            check_users::check(self, known.as_ref(), printer, shutdown).await?
        } else {
            HashSet::new()
        };
        let identity = if plan.to_reset > 0 { self.client.identity().await? } else { String::new() };
        self.consent(&plan, &identity, path.as_deref(), seal.as_ref(), printer)?;

        let mut ledger = match known {
            Some(ledger) => ledger,
            None => Ledger::create(&place, &self.batch, &self.target)?,
        };
        let in_flight = ledger.begin_run(&identity, args.token_window)?;
        self.import(&mut ledger, printer)?;
        ledger.fail_unasked(&missing)?;
        if in_flight + plan.counts.unknown > 0 {
            self.tell_doubts(&ledger, in_flight, printer)?;
        }
        let (mut ledger, ending, mut tally) = self.send(ledger, &plan, printer, shutdown).await?;
        tally.failed += missing.len() as u64;
        Ok(self.finish(&mut ledger, &ending, tally, identity, path.as_deref(), seal.as_ref(), printer, shutdown))
    }

    /// Checks a ledger that is there against this run.
    fn greet(&self, mut ledger: Ledger) -> Result<Ledger, Error> {
        ledger.expect_target(&self.target)?;
        if !ledger.close_if_due()? {
            ledger.unlock()?;
        }
        Ok(ledger)
    }

    /// A closed batch: nothing is left to do, or nothing can be done.
    fn nothing_left(
        &self,
        ledger: &Ledger,
        at: Millis,
        plan: &Plan,
        path: Option<&Path>,
        printer: &Printer,
    ) -> Result<Exit, Error> {
        let (batch, at) = (self.batch.to_string(), at.to_string());
        let left = plan.counts.to_do();
        if left > 0 {
            return Err(PlanError::Closed { batch, at, left }.into());
        }
        let published = ledger.publications()?.into_iter().next().map_or_else(|| "nowhere".into(), |file| file.path);
        let asked = path.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        if asked != published {
            return Err(PlanError::Erased { batch, at, output: asked, published }.into());
        }
        printer.note(format!("batch {batch}: every user was reset before; nothing was sent. The results went to {published}, and the batch was closed at {at}."));
        Ok(Exit::of_run(&StopReason::Finished, &plan.counts, None))
    }

    /// Consent to sending: none is needed where nothing is sent, or all is simulated.
    fn consent(
        &self,
        plan: &Plan,
        identity: &str,
        path: Option<&Path>,
        seal: Option<&Encryption>,
        printer: &Printer,
    ) -> Result<(), Error> {
        let args = &self.settings.args;
        if let Some(typed) = &args.confirm {
            plan.fingerprint.expect(typed)?;
            return Ok(());
        }
        if plan.to_reset == 0 || args.yes || args.simulate {
            return Ok(());
        }
        let input_is_roster = args.input.as_os_str() == "-";
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() || input_is_roster {
            return Err(PlanError::NoConsent(plan.to_reset).into());
        }
        let about = self.about(identity, path, seal);
        printer.note(consent::describe(plan, &about.as_about(self)).trim_end());
        let users = plan.to_reset;
        let question =
            format!("Every one of these {users} users loses the old password at once. Type {users} to go on: ");
        let answer = printer.ask(&question).map_err(Error::Stdout)?;
        if answer == users.to_string() { Ok(()) } else { Err(PlanError::Declined.into()) }
    }

    fn import(&self, ledger: &mut Ledger, printer: &Printer) -> Result<(), Error> {
        let key = plan::import_key(&self.roster, &self.excluded);
        let rows = self.roster.rows()?;
        let rows = rows.map(|row| row.map(|row| plan::new_row(row, &self.excluded)).map_err(Error::from));
        let first = ledger.get("import_key")?.is_none();
        let imported = ledger.import(&key, rows)?;
        if !first && imported.added > 0 {
            printer.note(format!("{} users are new in batch {}", imported.added, self.batch));
        }
        if imported.lost > 0 {
            printer.note(format!(
                "{} users of batch {} are no longer in {}; their history stays in the ledger",
                imported.lost,
                self.batch,
                self.roster.name()
            ));
        }
        Ok(())
    }

    fn tell_doubts(&self, ledger: &Ledger, in_flight: u64, printer: &Printer) -> Result<(), Error> {
        let doubt = ledger.doubt(self.settings.args.token_window)?;
        if in_flight > 0 {
            printer.note(format!("{in_flight} users were in flight when the last run ended"));
        }
        if doubt.users > 0 {
            let until = doubt.until.map(|until| format!(" until {}", Millis(until))).unwrap_or_default();
            printer.note(format!(
                "{} users are in doubt and go first: {} can be settled without a new reset{until}, {} may be reset again",
                doubt.users,
                doubt.can_settle,
                doubt.users - doubt.can_settle
            ));
        }
        Ok(())
    }

    /// Sends what is to do. Gives the ledger back when all is recorded.
    async fn send(
        &self,
        ledger: Ledger,
        plan: &Plan,
        printer: &Printer,
        shutdown: &Shutdown,
    ) -> Result<(Ledger, StopReason, Tally), Error> {
        if plan.to_reset == 0 {
            return Ok((ledger, StopReason::Finished, Tally::default()));
        }
        let args = &self.settings.args;
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let feed = ledger.feed(args.limit)?;
        let writer = Writer::start(ledger, feed, sender).map_err(|error| Error::System("no thread", error))?;
        let rules = Limits {
            concurrency: usize::from(args.concurrency),
            max_attempts: args.max_attempts,
            max_failures: args.max_failures,
            deadline: args.deadline.map(|span| self.started.clock + span),
            token_window: args.token_window,
            target: self.target.clone(),
            batch: self.batch.clone(),
        };
        let pacer = Pacer::start(args.rate);
        let mut progress = Progress::start(printer, self.show(), plan.to_reset);
        let (ending, tally) =
            dispatch::run(&self.client, &writer, &mut events, pacer, &rules, shutdown, &mut |tally| {
                progress.show(tally);
            })
            .await;
        progress.finish();
        let (ledger, written) = writer.finish();
        failpoint::hit("recorded");
        if let Err(error) = written {
            printer.error(error.to_string());
            return Ok((ledger, StopReason::LedgerFailed, tally));
        }
        Ok((ledger, ending, tally))
    }

    /// Publishes, closes, sums up.
    #[allow(clippy::too_many_arguments, reason = "the last step takes what all the others made")]
    fn finish(
        &self,
        ledger: &mut Ledger,
        ending: &StopReason,
        tally: Tally,
        identity: String,
        path: Option<&Path>,
        seal: Option<&Encryption>,
        printer: &Printer,
        shutdown: &Shutdown,
    ) -> Exit {
        let args = &self.settings.args;
        let published = self.publish(ledger, path, seal);
        let mut failed = None;
        let counts = match published {
            Ok(counts) => counts,
            Err(error) => {
                failed = Some(error);
                // A ledger that can't be read now has been told of already.
                ledger.counts().unwrap_or_default()
            }
        };
        failpoint::hit("published");
        let mut exit = Exit::of_run(ending, &counts, args.limit.map(|_| tally));
        // The signal may have come while the last answers were recorded.
        if let (Some(signal), true) = (shutdown.signalled(), counts.to_do() > 0) {
            exit = Exit::Signalled(signal);
        }
        let mut closed = false;
        if let Some(error) = &failed {
            printer.error(error.to_string());
            exit = Exit::NotDurable;
        } else if *ending != StopReason::LedgerFailed && (counts.to_do() == 0 || args.close) {
            let why = if counts.to_do() == 0 { "every user was reset and the results were written" } else { "--close" };
            match ledger.close(why) {
                Ok(()) => closed = true,
                Err(error) => {
                    printer.error(error.to_string());
                    exit = Exit::NotDurable;
                }
            }
        }
        let summary = Summary {
            exit,
            stopped: ending.reason(),
            batch: self.batch.to_string(),
            target: self.target.to_string(),
            identity,
            output: failed.is_none().then(|| output_name(path)),
            opening: failed.is_none().then(|| self.opening(path, seal)).flatten(),
            started_at: self.started.at,
            took: self.started.clock.elapsed(),
            counts,
            tally,
            rate: args.rate.to_string(),
            doubt: if counts.unknown > 0 {
                ledger.doubt(args.token_window).unwrap_or_default()
            } else {
                Doubt::default()
            },
            causes: if counts.failed + counts.unknown > 0 { ledger.causes().unwrap_or_default() } else { Vec::new() },
            closed,
            limited: args.limit.is_some(),
        };
        if let Some(file) = &args.summary
            && let Err(error) = summary.write_json(file)
        {
            printer.error(error.to_string());
            exit = Exit::NotDurable;
        }
        if let Err(error) = ledger.end_run(exit.code(), exit.meaning()) {
            tracing::warn!("{error}");
        }
        for line in summary.lines() {
            printer.note(line);
        }
        exit
    }

    fn publish(&self, ledger: &Ledger, path: Option<&Path>, seal: Option<&Encryption>) -> Result<Counts, PublishError> {
        let table = Table {
            header: self.roster.header(),
            target: &self.target,
            batch: &self.batch,
            name: path.unwrap_or(Path::new("standard output")),
        };
        let mut counts = Counts::default();
        let fill = |output: &mut dyn std::io::Write| -> Result<(), PublishError> {
            counts = results::write_rows(ledger, &table, output)?;
            Ok(())
        };
        match path {
            Some(path) => results::replace(path, seal, &|digest| self.is_ours(Some(ledger), digest), fill, |digest| {
                Ok(ledger.record_publication(&path.display().to_string(), digest)?)
            })?,
            None => {
                results::stream(&mut std::io::stdout().lock(), seal, fill)?;
                ledger.record_publication("-", &format!("stream of {}", Millis::now()))?;
            }
        }
        Ok(counts)
    }

    fn show(&self) -> Show {
        let args = &self.settings.args;
        match args.progress {
            _ if args.quiet => Show::Nothing,
            ProgressMode::Auto if ui::can_draw() => Show::Bar,
            ProgressMode::Auto | ProgressMode::Log => Show::Lines,
            ProgressMode::Bar => Show::Bar,
            ProgressMode::None => Show::Nothing,
        }
    }

    fn opening(&self, path: Option<&Path>, seal: Option<&Encryption>) -> Option<String> {
        let path = path?;
        Some(match seal {
            None => "the passwords in it are in the clear: hand it over safely, then delete it".to_owned(),
            Some(_) if self.settings.args.passphrase || self.settings.args.passphrase_file.is_some() => {
                format!("open it with: finspace-reset decrypt {}", quoted(path))
            }
            Some(_) => format!("open it with: finspace-reset decrypt {} -i IDENTITY", quoted(path)),
        })
    }
}
