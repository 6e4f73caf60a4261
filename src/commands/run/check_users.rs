//! `--check-users`: asks FinSpace about each user before anyone is reset.
//!
//! Invariant: nothing here resets or writes. Only users who are missing are
//! remembered by name; the others are counted.

use std::collections::HashSet;
use std::time::Duration;

use super::job::Job;
use crate::commands::error::{CheckError, Error};
use crate::engine::dispatch::pacer::{Pacer, Permit};
use crate::engine::ledger::Ledger;
use crate::engine::roster::Request;
use crate::model::Status;
use crate::process::signals::Shutdown;
use crate::service::aws::{Cause, Failure};
use crate::service::finspace::{Client, UserFacts};
use crate::ui::Printer;
use futures::stream::{FuturesUnordered, StreamExt};

/// How many users of a kind are told by line.
const EXAMPLES: u64 = 10;

/// The first wait before a user is asked for again, doubled each time.
const WAIT: Duration = Duration::from_millis(200);

/// Asks about every user still to do, tells what is odd, and gives back those
/// who do not exist.
///
/// # Errors
/// The service refuses, a signal came, or roster or ledger can't be read.
pub(crate) async fn check(
    job: &Job,
    ledger: Option<&Ledger>,
    printer: &Printer,
    shutdown: &Shutdown,
) -> Result<HashSet<String>, Error> {
    let args = &job.settings.sending;
    let mut pacer = Pacer::start(args.rate);
    let mut asking = FuturesUnordered::new();
    let mut found = Found::default();
    let mut left = args.limit.unwrap_or(u64::MAX);
    for row in job.roster.rows()? {
        let row = row?;
        let Request::Reset(user_id) = row.request else { continue };
        let done = match ledger {
            Some(ledger) => ledger.standing(&user_id)?.status == Status::Succeeded,
            None => false,
        };
        if done || job.excluded.contains(&user_id) {
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        while asking.len() >= args.concurrency {
            next(&mut asking, &mut found, &mut pacer, shutdown).await?;
        }
        let permit = permit(&mut pacer, shutdown).await?;
        asking.push(ask(&job.client, user_id, row.line, args.max_attempts, permit));
    }
    while !asking.is_empty() {
        next(&mut asking, &mut found, &mut pacer, shutdown).await?;
    }
    found.tell(printer);
    Ok(found.missing)
}

type Asked = (String, u64, Permit, Result<UserFacts, Failure>);

async fn permit(pacer: &mut Pacer, shutdown: &Shutdown) -> Result<Permit, Error> {
    loop {
        match pacer.take() {
            Ok(permit) => return Ok(permit),
            Err(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                signal = shutdown.requested() => return Err(CheckError::Signalled(signal).into()),
            },
        }
    }
}

/// Asks about one user until there is an answer or no try is left.
async fn ask(client: &Client, user_id: String, line: u64, attempts: u32, permit: Permit) -> Asked {
    let mut tries = 0;
    loop {
        let answer = client.user(&user_id).await;
        tries += 1;
        let again = match &answer {
            Err(failure) => match failure.cause {
                Cause::Throttled => true,
                Cause::Expired | Cause::Server | Cause::Unreachable | Cause::Unreadable => tries < attempts,
                Cause::Credentials | Cause::Denied | Cause::Permanent | Cause::Conflict => false,
            },
            Ok(_) => false,
        };
        if !again {
            return (user_id, line, permit, answer);
        }
        tokio::time::sleep(WAIT * (1 << tries.min(6))).await;
    }
}

async fn next<F: Future<Output = Asked>>(
    asking: &mut FuturesUnordered<F>,
    found: &mut Found,
    pacer: &mut Pacer,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let asked = tokio::select! {
        asked = asking.next() => asked,
        signal = shutdown.requested() => return Err(CheckError::Signalled(signal).into()),
    };
    if let Some((user_id, line, permit, answer)) = asked {
        pacer.answered(permit, false);
        found.take(user_id, line, answer)?;
    }
    Ok(())
}

/// What was found so far.
#[derive(Default)]
struct Found {
    asked: u64,
    missing: HashSet<String>,
    disabled: u64,
    superusers: u64,
    unanswered: u64,
    remarks: Vec<(u64, String)>,
}

impl Found {
    fn take(&mut self, user_id: String, line: u64, answer: Result<UserFacts, Failure>) -> Result<(), CheckError> {
        self.asked += 1;
        match answer {
            Ok(facts) => {
                if facts.status == "DISABLED" {
                    self.disabled += 1;
                    self.remark(self.disabled, line, &user_id, "is disabled");
                }
                if facts.kind == "SUPER_USER" {
                    self.superusers += 1;
                    self.remark(self.superusers, line, &user_id, "is a superuser");
                }
            }
            Err(failure) if failure.status == Some(404) => {
                self.remark(self.missing.len() as u64 + 1, line, &user_id, "does not exist and will not be reset");
                self.missing.insert(user_id);
            }
            Err(failure) if matches!(failure.cause, Cause::Credentials | Cause::Expired | Cause::Denied) => {
                return Err(CheckError::Refused(failure));
            }
            Err(failure) => {
                self.unanswered += 1;
                let what = format!("could not be checked ({failure}) and will be tried all the same");
                self.remark(self.unanswered, line, &user_id, &what);
            }
        }
        Ok(())
    }

    fn remark(&mut self, nth: u64, line: u64, user_id: &str, what: &str) {
        if nth <= EXAMPLES {
            self.remarks.push((line, format!("{user_id:?} {what}")));
        }
    }

    fn tell(&mut self, printer: &Printer) {
        let Self { asked, missing, disabled, superusers, unanswered, .. } = self;
        printer.note(format!(
            "checked {asked} users: {} missing, {disabled} disabled, {superusers} superusers, {unanswered} without an answer",
            missing.len()
        ));
        self.remarks.sort();
        for (line, text) in &self.remarks {
            printer.note(format!("  line {line}: {text}"));
        }
    }
}
