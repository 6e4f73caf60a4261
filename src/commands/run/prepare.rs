//! A run's inputs, read and checked: what a preview and the real run share.
//!
//! Invariant: making a job sends nothing and writes nothing.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use super::consent::About;
use crate::commands::error::Error;
use crate::commands::run::inputs::{read_exclusions, read_roster};
use crate::commands::run::settings::RunSettings;
use crate::commands::run::simulate::{self, EmbeddedSimulator};
use crate::engine::ledger::Ledger;
use crate::engine::ledger::state_dir::StateDir;
use crate::engine::plan::{self, Plan, PlanError};
use crate::engine::results::encryption::Encryption;
use crate::engine::roster::Roster;
use crate::model::{BatchName, Millis, Target};
use crate::service::finspace::{self, Client};
use crate::ui::Printer;

/// When a run began, by both clocks.
pub(crate) struct Start {
    /// The wall's.
    pub at: Millis,
    /// The one that never jumps.
    pub clock: Instant,
}

/// One run's inputs, read and checked.
pub(crate) struct Job {
    /// The flags.
    pub settings: RunSettings,
    /// Whom to reset.
    pub roster: Roster,
    /// Whom to leave alone.
    pub excluded: HashSet<String>,
    /// The way to the service.
    pub client: Client,
    /// Where that is.
    pub target: Target,
    /// The batch.
    pub batch: BatchName,
    /// Where its ledger lives.
    pub state: StateDir,
    /// When the run began.
    pub started: Start,
}

impl Job {
    /// Reads the inputs, and works out target and batch.
    ///
    /// # Errors
    /// An input can't be used, or the service's place can't be worked out.
    pub(crate) async fn prepare(settings: RunSettings, printer: &Printer) -> Result<Self, Error> {
        let started = Start { at: Millis::now(), clock: Instant::now() };
        let roster = read_roster(&settings, printer)?;
        let excluded = read_exclusions(&settings)?;
        let rehearsal = if settings.args.simulate { Some(EmbeddedSimulator::start()?) } else { None };
        let (client, target) = connect(&settings, rehearsal.as_ref()).await?;
        let batch = settings.args.batch.clone().unwrap_or_else(|| BatchName::from_digest(roster.facts().users_digest));
        let state = StateDir::locate(settings.args.state.state_dir.as_deref())?;
        let state = if settings.args.simulate { state.simulated() } else { state };
        Ok(Self { settings, roster, excluded, client, target, batch, state, started })
    }

    /// What is to do. In `detail` every row is looked at, for people to read.
    ///
    /// # Errors
    /// Roster or ledger can't be read.
    pub(crate) fn survey(&self, ledger: Option<&Ledger>, detail: bool) -> Result<Plan, PlanError> {
        plan::survey(&self.roster, &self.excluded, ledger, &self.target, &self.batch, self.settings.args.limit, detail)
    }

    /// Whether this batch, or for a rehearsal any rehearsal, wrote a file.
    pub(crate) fn is_ours(&self, ledger: Option<&Ledger>, digest: &str) -> bool {
        let written =
            |ledger: &Ledger| ledger.publications().is_ok_and(|files| files.iter().any(|file| file.digest == digest));
        ledger.is_some_and(written)
            || self.state.previews(&self.batch).iter().any(|preview| preview == digest)
            || self.settings.args.simulate && simulate::wrote(&self.state, digest)
    }

    /// What a preview tells besides the plan.
    pub(crate) fn about(&self, identity: &str, path: Option<&Path>, seal: Option<&Encryption>) -> AboutRun {
        let readers = match (seal, &self.settings.destination) {
            (_, None) => "none is named; add --output FILE to the real run".to_owned(),
            (None, _) => format!("{}, in the clear", output_name(path)),
            (Some(seal), _) => format!("{}, encrypted for {}", output_name(path), seal.readers().join(", ")),
        };
        AboutRun { identity: identity.to_owned(), output: readers }
    }
}

/// What a preview tells besides the plan; it owns its words.
pub(crate) struct AboutRun {
    identity: String,
    output: String,
}

impl AboutRun {
    /// The same, together with the job's own.
    #[must_use]
    pub(crate) fn as_about<'a>(&'a self, job: &'a Job) -> About<'a> {
        About {
            target: &job.target,
            identity: &self.identity,
            batch: &job.batch,
            roster: &job.roster,
            rate: job.settings.args.rate,
            output: &self.output,
        }
    }
}

async fn connect(settings: &RunSettings, rehearsal: Option<&EmbeddedSimulator>) -> Result<(Client, Target), Error> {
    let concurrency = usize::from(settings.args.concurrency);
    match rehearsal {
        Some(rehearsal) => Ok((rehearsal.client(concurrency), Target::Simulated)),
        None => Ok(finspace::connect(&settings.connection, concurrency).await?),
    }
}

/// How messages name the output.
#[must_use]
pub(super) fn output_name(path: Option<&Path>) -> String {
    path.map_or_else(|| "-".into(), |path| path.display().to_string())
}
