//! `--sign-out`: ends the sessions of users who were reset, after the passwords.
//!
//! Invariant: nothing here resets. A sign-out is recorded when it is answered;
//! one that fails leaves the reset as it is, and the next run tries it again. A
//! fault here never keeps the passwords out of the results.

use futures::future::LocalBoxFuture;

use super::ends::SignOuts;
use super::job::Job;
use crate::commands::error::Error;
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::pacer::Pacer;
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Ledger, LedgerError, SignedIn};
use crate::model::Tally;
use crate::process::signals::Shutdown;
use crate::service::cognito::{Client, remedy};
use crate::service::{Failure, Service, ServiceFacts};
use crate::ui::{Printer, Progress};

/// Most sign-outs that failed and are told by line.
const EXAMPLES: u64 = 10;

/// Signs the users out who were reset and are not yet, at the pace of the run.
///
/// # Errors
/// The ledger can't be read.
pub(super) async fn sign_out(
    job: &Job,
    client: &Client,
    ledger: &Ledger,
    (printer, shutdown): (&Printer, &Shutdown),
) -> Result<SignOuts, Error> {
    let left = ledger.count_signed_in()?;
    if left == 0 {
        return Ok(SignOuts::default());
    }
    let mut progress = Progress::start(printer, job.settings.show, left);
    let mut inquiry = SigningOut { client, ledger, last: None, failures: Vec::new(), found: SignOuts::default() };
    let (bounds, pacer) = (job.bounds(), Pacer::start(job.settings.sending.rate));
    let mut show = |tally: &Tally| progress.show(tally);
    let orderly = shutdown.orderly();
    // What is in flight at a signal is dropped: it harms nobody to be done twice.
    let stop = tokio::select! {
        biased;
        signal = shutdown.requested() => StopReason::Signalled(signal),
        stop = ask(&mut inquiry, pacer, &bounds, &mut show) => stop.unwrap_or_else(|error| {
            printer.error(error.to_string());
            StopReason::LedgerFailed
        }),
    };
    drop(orderly);
    progress.finish();
    let SigningOut { found, failures, .. } = inquiry;
    for failure in failures {
        printer.warning(failure);
    }
    let stopped = Some(stop).filter(|stop| *stop != StopReason::Finished);
    if let Some(why) = stopped.as_ref().and_then(StopReason::reason) {
        printer.warning(format!("stopped signing users out, who stay reset: {why}"));
    }
    let left = ledger.count_signed_in().unwrap_or(left.saturating_sub(found.done));
    Ok(SignOuts { left, stopped, ..found })
}

struct SigningOut<'a> {
    client: &'a Client,
    ledger: &'a Ledger,
    /// The user who was given out last.
    last: Option<SignedIn>,
    failures: Vec<String>,
    found: SignOuts,
}

impl Inquiry for SigningOut<'_> {
    type Question = SignedIn;
    type Answer = ();
    type Error = LedgerError;

    fn facts(&self) -> ServiceFacts {
        ServiceFacts { refused: remedy::SIGN_OUT, ..self.client.facts() }
    }

    fn next(&mut self) -> Result<Option<SignedIn>, LedgerError> {
        let next = self.ledger.next_signed_in(self.last.as_ref())?;
        if next.is_some() {
            self.last.clone_from(&next);
        }
        Ok(next)
    }

    fn put(&self, user: &SignedIn) -> LocalBoxFuture<'static, Result<(), Failure>> {
        let (client, user_id) = (self.client.clone(), user.user_id.clone());
        Box::pin(async move { client.sign_out(&user_id).await })
    }

    fn answered(&mut self, user: SignedIn, answer: Result<(), Failure>) -> Result<(), LedgerError> {
        let Err(failure) = answer else {
            self.found.done += 1;
            return self.ledger.record_sign_out(user.number);
        };
        self.found.failed += 1;
        if self.found.failed <= EXAMPLES {
            let SignedIn { line, user_id, .. } = user;
            self.failures.push(format!("line {line}: {user_id:?} is reset and could not be signed out ({failure})"));
        }
        Ok(())
    }
}
