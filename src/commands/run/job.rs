//! One run's inputs, checked against each other, and what follows from them.
//!
//! Invariant: making a job sends nothing and writes nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::inputs::{self, Users};
use super::settings::{RunSettings, Service};
use super::simulate::{self, EmbeddedSimulator};
use crate::commands::error::Error;
use crate::commands::way_on::Place;
use crate::engine::dispatch::limits::Bounds;
use crate::engine::fingerprint::{Binding, Fingerprint};
use crate::engine::ledger::guard::Overlap;
use crate::engine::ledger::state_dir::{self, Lock, StateDir};
use crate::engine::ledger::{Due, Ledger, LedgerPaths, Whose};
use crate::engine::people::People;
use crate::engine::plan::{Excluded, Plan, Scope, Selection, exclusion_key, roster_key};
use crate::engine::results::Destination;
use crate::engine::results::encryption::Encryption;
use crate::engine::roster::{ListReport, Roster};
use crate::model::{BatchName, Millis, Target, UserPoolId, digest_of};
#[cfg(feature = "cognito")]
use crate::service::cognito;
use crate::service::{AnyService, finspace};
use crate::ui::Printer;

/// The start of a run, by both clocks.
pub(crate) struct Start {
    /// The wall's.
    pub at: Millis,
    /// The one that never jumps.
    pub clock: Instant,
}

/// A run, ready but for consent.
pub(crate) struct Job {
    /// The flags.
    pub settings: RunSettings,
    /// The users.
    pub roster: Roster,
    /// The users left out of it.
    pub excluded: Excluded,
    /// The register of who is who, where the service knows its users by several names.
    pub people: Option<People>,
    /// The share of each exclude list that the roster knows.
    pub exclude_lists: Vec<ListReport>,
    /// The way to the service.
    pub client: AnyService,
    /// The target that the session leads to.
    pub target: Target,
    /// The batch.
    pub batch: BatchName,
    /// The folder of its ledger.
    pub state: StateDir,
    /// The beginning of the run.
    pub started: Start,
    /// The encryption of the results, if any.
    pub encryption: Option<Encryption>,
    /// The absolute path of the results file, if it is one.
    pub output: Option<PathBuf>,
    /// The identity that signs; empty where nothing is to be sent.
    pub identity: String,
    /// Other batches that have reset users to do, of a batch that resets them again.
    pub elsewhere: Vec<Overlap>,
}

impl Job {
    /// Reads the inputs, and works out target and batch.
    pub(super) async fn new(settings: RunSettings, printer: &Printer) -> Result<Self, Error> {
        let started = Start { at: Millis::now(), clock: Instant::now() };
        let Users { roster, excluded, exclude_lists } =
            inputs::read(&settings.inputs, settings.sending.sign_out, printer)?;
        let encryption = settings.output.encryption()?;
        if let Some(remark) = encryption.as_ref().and_then(Encryption::remark) {
            printer.warning(remark);
        }
        let output = settings.output.path()?;
        let (client, target) = connect(&settings.service, settings.sending.concurrency).await?;
        let batch = settings.batch.clone().unwrap_or_else(|| name(&roster, settings.service.pool.as_ref()));
        let state = StateDir::locate(settings.state_dir.as_deref())?;
        let state = if settings.service.simulate { state.simulated() } else { state };
        let identity = String::new();
        Ok(Self {
            settings,
            roster,
            excluded,
            people: None,
            exclude_lists,
            client,
            target,
            batch,
            state,
            started,
            encryption,
            output,
            identity,
            elsewhere: Vec::new(),
        })
    }

    /// Takes the batch for this process and makes sure of its room on the disk;
    /// a preview takes nothing.
    pub(super) fn reserve(&self) -> Result<Option<Lock>, Error> {
        if self.settings.dry_run {
            return Ok(None);
        }
        self.state.prepare()?;
        let lock = self.state.lock(&self.batch)?;
        let folder = self.output.as_deref().and_then(Path::parent);
        state_dir::check_room(&self.state, folder, self.roster.facts().rows)?;
        Ok(Some(lock))
    }

    /// Opens the batch's ledger, if there is one, and checks it against this run.
    pub(super) fn ledger(&self, paths: &LedgerPaths, printer: &Printer) -> Result<Option<Ledger>, Error> {
        if self.settings.service.simulate {
            if !self.settings.dry_run {
                simulate::forget(&self.state, paths)?;
            }
            return Ok(None);
        }
        if self.settings.dry_run {
            let ledger = paths.ledger.exists().then(|| Ledger::read(paths)).transpose()?;
            if let Some(ledger) = &ledger {
                ledger.expect_target(&self.target)?;
                if let Some(doubt) = ledger.clock_doubt()? {
                    printer.warning(doubt);
                }
            }
            return Ok(ledger);
        }
        let Some(mut ledger) = Ledger::open(paths)? else { return Ok(None) };
        ledger.expect_target(&self.target)?;
        match ledger.close_if_due()? {
            Due::Closed => return Ok(Some(ledger)),
            Due::Kept(why) => printer.note(why),
            Due::Open => {}
        }
        ledger.unlock()?;
        Ok(Some(ledger))
    }

    /// Returns what all that this job sends keeps to.
    pub(crate) fn bounds(&self) -> Bounds {
        let sending = &self.settings.sending;
        Bounds {
            concurrency: sending.concurrency,
            max_attempts: sending.max_attempts,
            deadline: sending.deadline.and_then(|span| self.started.clock.checked_add(span)),
            throttle_patience: sending.throttle_patience,
        }
    }

    /// Returns what a plan is made from.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { roster: &self.roster, selection: self.selection(), limit: self.settings.sending.limit }
    }

    /// Returns who of the roster is to be reset, and by which name.
    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection { excluded: &self.excluded, people: self.people.as_ref() }
    }

    /// Tells whose a file is: this batch's, a preview of any, or for a rehearsal any rehearsal's.
    pub(crate) fn whose(&self, ledger: Option<&Ledger>, digest: &str) -> Whose {
        let written = ledger.and_then(|ledger| ledger.whose(digest).ok()).unwrap_or(Whose::Foreign);
        let known = || {
            self.state.previews().iter().any(|preview| preview == digest)
                || self.settings.service.simulate && simulate::wrote(&self.state, digest)
        };
        if written == Whose::Foreign && known() { Whose::Ours } else { written }
    }

    /// Returns all that a plan of this job is bound to.
    pub(crate) fn binding(&self, plan: &Plan) -> Binding {
        let sending = &self.settings.sending;
        let environment = self.settings.service.connection.environment_id.as_deref().unwrap_or_default();
        Binding {
            roster: format!("{} {}", roster_key(&self.roster), self.roster.facts().sha256),
            exclusions: exclusion_key(&self.excluded),
            target: self.target.to_string(),
            batch: self.batch.to_string(),
            caller: lasting(&self.identity).to_owned(),
            output: match &self.settings.output.destination {
                None => String::new(),
                Some(_) => self.output_name(),
            },
            readers: self.encryption.as_ref().map(|to| to.readers().join("\n")).unwrap_or_default(),
            flags: format!(
                "check users {}, superusers {}, environment {environment}{}{}{}",
                sending.check_users,
                sending.include_superusers,
                if sending.sign_out { ", sign out" } else { "" },
                if self.settings.close { ", close" } else { "" },
                if self.settings.service.connection.no_verify_ssl { ", any certificate" } else { "" },
            ),
            progress: self.progress(plan),
        }
    }

    /// Returns where the users stand: here, and in the batches that reset them before.
    fn progress(&self, plan: &Plan) -> String {
        let counts = serde_json::to_string(&plan.counts).unwrap_or_default();
        let elsewhere = self.elsewhere.iter().map(|overlap| format!(", {} by {}", overlap.users, overlap.batch));
        // Who is who may change between a preview and its run.
        let people = self.people.as_ref().map_or_else(String::new, |_| format!(", {}", plan.import_key));
        let limit = self.settings.sending.limit.unwrap_or(0);
        format!("{counts}, limit {limit}{}{people}", elsewhere.collect::<String>())
    }

    /// Returns the name of a plan of this job.
    pub(crate) fn fingerprint(&self, plan: &Plan) -> Fingerprint {
        Fingerprint::of(&self.binding(plan))
    }

    /// Returns the words by which a command finds the batch.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.batch, self.settings.state_dir.as_deref(), self.settings.service.simulate)
    }

    /// Returns the words that messages have for the output.
    pub(crate) fn output_name(&self) -> String {
        self.output.as_deref().map_or_else(|| "-".into(), |path| path.display().to_string())
    }

    /// Returns true if the results go to standard output.
    pub(crate) fn writes_to_stdout(&self) -> bool {
        self.settings.output.destination == Some(Destination::Stdout)
    }
}

/// Returns the part of an identity that is the same in the next run: the
/// account, or a key that does not expire. Temporary keys begin with ASIA.
fn lasting(identity: &str) -> &str {
    match identity.split_once(", access key ") {
        Some((account, _)) => account,
        None if identity.contains("ASIA") => "",
        None => identity,
    }
}

/// Returns the name that a roster gets by itself. The same users of another
/// pool are another batch.
fn name(roster: &Roster, pool: Option<&UserPoolId>) -> BatchName {
    let users = roster.facts().users_digest;
    BatchName::from_digest(match pool {
        None => users,
        Some(pool) => digest_of(&[pool.as_str().as_bytes(), &users]),
    })
}

/// Works out the way to the service, and picks the service.
async fn connect(service: &Service, concurrency: usize) -> Result<(AnyService, Target), Error> {
    if service.simulate {
        let pool = service.pool.as_ref();
        return Ok(EmbeddedSimulator::start(pool)?.client(pool, concurrency));
    }
    #[cfg(feature = "cognito")]
    if let Some(pool) = &service.pool {
        let (client, target) = cognito::connect(&service.connection, pool, concurrency).await?;
        return Ok((AnyService::Cognito(client), target));
    }
    let (client, target) = finspace::connect(&service.connection, concurrency).await?;
    Ok((AnyService::FinSpace(client), target))
}
