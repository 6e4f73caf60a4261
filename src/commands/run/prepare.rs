//! A run made ready: inputs, service, ledger, plan. A preview and the real run
//! share all of it, so that what can fail at the end is tried at the start in
//! one place.
//!
//! Invariant: nothing is sent to reset anybody. A preview writes nothing here;
//! a real run makes the state folder and takes the batch's lock.

use std::collections::HashSet;

use super::job::Job;
use super::settings::{Consent, RunSettings};
#[cfg(feature = "cognito")]
use super::who::Asked;
use super::{check_users, exposed, other_batches};
use crate::commands::error::Error;
#[cfg(feature = "cognito")]
use crate::engine::dispatch::pacer::Rate;
use crate::engine::ledger::state_dir::Lock;
use crate::engine::ledger::{Ledger, LedgerPaths};
use crate::engine::plan::{self, Plan, PlanError};
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, PublishError};
use crate::model::{Millis, Target, visible_path};
use crate::service::AnyService;
use crate::ui::Printer;

/// A job, its ledger if there is one, and the plan that follows from both.
pub(crate) struct Ready {
    /// The inputs and the way to the service.
    pub job: Job,
    /// The batch's ledger, unless it is new.
    pub ledger: Option<Ledger>,
    /// The moment at which the batch was closed, if that is its end.
    pub closed_at: Option<Millis>,
    /// The plan.
    pub plan: Plan,
    /// The users that the service does not know, if it was asked.
    pub missing: HashSet<String>,
    /// The hold on the batch; none for a preview.
    pub lock: Option<Lock>,
}

/// Returns whose credentials are in use, unless the deadline comes first.
async fn identity(job: &Job) -> Result<String, Error> {
    let asked = job.client.connection().identity();
    let Some(deadline) = job.settings.sending.deadline else { return Ok(asked.await?) };
    let left = deadline.saturating_sub(job.started.clock.elapsed());
    Ok(tokio::time::timeout(left, asked).await.map_err(|_| Error::Deadline)??)
}

/// Makes a run ready.
///
/// # Errors
/// Something that the run needs is missing or wrong; nothing was sent.
pub(crate) async fn prepare(settings: RunSettings, printer: &Printer) -> Result<Ready, Error> {
    let mut job = Job::new(settings, printer).await?;
    if job.target.has_ended() {
        printer.warning(Target::ENDED);
    }
    let lock = job.reserve()?;
    let paths = LedgerPaths::new(job.state.folder(), &job.batch);
    let ledger = job.ledger(&paths, printer)?;
    #[cfg(feature = "cognito")]
    if job.settings.service.pool.is_some() {
        job.people = Some(super::who::gather(&job, ledger.as_ref())?);
    }
    let detail = job.settings.dry_run || job.settings.consent == Consent::Ask;
    let mut plan = Plan::build(job.scope(), ledger.as_ref(), detail)?;
    let to_sign_out = match &ledger {
        Some(ledger) if job.settings.sending.sign_out => ledger.count_signed_in()?,
        _ => 0,
    };
    plan.to_sign_out = to_sign_out;
    let ended_at = ledger.as_ref().map(Ledger::closed_at).transpose()?.flatten();
    // A closed batch that was named goes on with users that it has not reset.
    let closed_at = ended_at.filter(|_| job.settings.batch.is_none() || plan.to_reset == 0);
    let mut missing = HashSet::new();
    if closed_at.is_none() {
        // Before the output: where both are in the way, this is the one that matters.
        // The users of a pool are known by their names once it was asked.
        if plan.to_reset > 0 && job.people.is_none() {
            job.elsewhere = other_batches::check(&job, ledger.as_ref(), printer)?;
        }
        if let Some(path) = &job.output {
            let free = results::check(path, Replaces::Batch(&|digest| job.whose(ledger.as_ref(), digest)));
            free.map_err(|error| in_the_way(error, &job, ended_at, &plan))?;
        }
    }
    if plan.to_sign_out > 0 && plan.to_reset == 0 && closed_at.is_none() {
        job.identity = identity(&job).await?;
    }
    if plan.to_reset > 0 && closed_at.is_none() {
        job.identity = identity(&job).await?;
        #[cfg(feature = "cognito")]
        if let AnyService::Cognito(client) = job.client.clone() {
            super::pool::read(&job, &client).await?;
            if let Some(pool) = client.pool() {
                let asked = Asked { directory: &client, naming: &pool.naming, users: pool.estimated_users };
                super::who::find_out(&mut job, asked, ledger.as_ref(), printer).await?;
            }
            plan = Plan { to_sign_out, ..Plan::build(job.scope(), ledger.as_ref(), detail)? };
            if plan.to_reset > 0 {
                warn_of_the_quota(&job, printer);
                job.elsewhere = other_batches::check(&job, ledger.as_ref(), printer)?;
            }
        }
        // A user pool's users are asked for by the page instead.
        if job.settings.sending.check_users
            && let AnyService::FinSpace(client) = &job.client
        {
            let checked = check_users::check((&job, client), ledger.as_ref(), plan.to_reset, printer).await?;
            missing = checked.missing;
            if !checked.superusers.is_empty() {
                job.excluded.extend(checked.superusers.into_iter().map(|user_id| (user_id.into(), plan::SUPERUSER)));
                plan = Plan::build(job.scope(), ledger.as_ref(), detail)?;
            }
            plan.leave_alone(&missing, job.settings.sending.limit);
        }
    }
    if closed_at.is_none() {
        plan.exposed = exposed::warn(&job, (&plan, &missing), ledger.as_ref(), printer)?;
    }
    Ok(Ready { job, ledger, closed_at, plan, missing, lock })
}

/// The pace above which a pool's own users may feel the run.
#[cfg(feature = "cognito")]
const CONSIDERATE: f64 = 15.0;

/// Warns of a pace that leaves the pool's own users little of their shared quota.
#[cfg(feature = "cognito")]
fn warn_of_the_quota(job: &Job, printer: &Printer) {
    let rate = job.settings.sending.rate;
    if matches!(rate, Rate::PerSecond(rate) if rate <= CONSIDERATE) {
        return;
    }
    printer.warning(format!(
        "--rate {rate} may take most of 30/s, which this account shares in a region with its users' own recoveries and password changes; 15/s leaves them half"
    ));
}

/// Returns the error of an output that is in the way: of a batch that was closed
/// it says that the file is its only copy.
fn in_the_way(error: PublishError, job: &Job, ended_at: Option<Millis>, plan: &Plan) -> Error {
    match (error, ended_at) {
        (PublishError::SoleCopy(output), Some(at)) => PlanError::OnlyCopy {
            batch: job.batch.to_string(),
            at: at.to_string(),
            output: visible_path(&output),
            left: plan.counts.to_do(),
        }
        .into(),
        (error, _) => error.into(),
    }
}
