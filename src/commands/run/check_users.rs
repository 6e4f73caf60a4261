//! `--check-users`: asks the service about each user before anyone is reset.
//!
//! Invariant: nothing here resets or writes, and nothing is decided about a user
//! who is in doubt. Only users who are missing or superusers are remembered by
//! name; the others are counted.

use std::collections::HashSet;

use futures::future::LocalBoxFuture;

use super::job::Job;
use crate::commands::error::{CheckError, Error};
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::pacer::Pacer;
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Ledger, Lookup};
use crate::engine::roster::{Request, Row};
use crate::model::{InputError, Status};
use crate::service::finspace::{Client, UserFacts};
use crate::service::{Cause, Failure, Service, ServiceFacts};
use crate::ui::format::counted;
use crate::ui::{Printer, Progress};

/// Most users of a kind that are told by line.
const EXAMPLES: u64 = 10;

/// The service's word on the users still to do.
#[derive(Default)]
pub(crate) struct Checked {
    /// Those it does not know.
    pub missing: HashSet<String>,
    /// Those who are superusers, unless they are to be reset as well.
    pub superusers: HashSet<String>,
}

/// Asks about every user still to do, and tells what is odd. `to_ask` is how
/// many there are.
///
/// # Errors
/// The service refuses, something says stop, or roster or ledger can't be read.
pub(crate) async fn check(
    (job, client): (&Job, &Client),
    ledger: Option<&Ledger>,
    to_ask: u64,
    printer: &Printer,
) -> Result<Checked, Error> {
    let sending = &job.settings.sending;
    let mut check = Check {
        job,
        client,
        lookup: ledger.map(Ledger::lookup).transpose()?,
        rows: Box::new(job.roster.rows()?.fuse()),
        left: sending.limit.unwrap_or(u64::MAX),
        include_superusers: sending.include_superusers,
        found: Found::default(),
    };
    let mut progress = Progress::start(printer, job.settings.show, to_ask);
    let stop = ask(&mut check, Pacer::start(sending.rate), &job.bounds(), &mut |tally| progress.show(tally)).await;
    progress.finish();
    match stop? {
        StopReason::Finished => {}
        StopReason::Refused { why, remedy } => return Err(CheckError::Refused { why, remedy }.into()),
        stop => return Err(CheckError::Stopped(stop.reason().unwrap_or_default()).into()),
    }
    let Check { found, .. } = check;
    found.tell(client.facts().name, printer);
    Ok(found.checked)
}

struct Check<'a> {
    job: &'a Job,
    client: &'a Client,
    lookup: Option<Lookup<'a>>,
    rows: Box<dyn Iterator<Item = Result<Row, InputError>> + 'a>,
    /// Users that `--limit` still lets through.
    left: u64,
    include_superusers: bool,
    found: Found,
}

/// A user to ask about.
struct Question {
    user_id: String,
    line: u64,
    /// True if the user may have been reset without an answer.
    in_doubt: bool,
}

impl Inquiry for Check<'_> {
    type Question = Question;
    type Answer = UserFacts;
    type Error = Error;

    fn facts(&self) -> ServiceFacts {
        self.client.facts()
    }

    fn next(&mut self) -> Result<Option<Question>, Error> {
        while self.left > 0
            && let Some(row) = self.rows.next()
        {
            let Row { request: Request::Reset(user_id), line, .. } = row? else { continue };
            if self.job.excluded.contains_key(user_id.as_str()) {
                continue;
            }
            let status = match &mut self.lookup {
                Some(lookup) => lookup.of(&user_id)?.status,
                None => Status::Pending,
            };
            if status != Status::Succeeded {
                self.left -= 1;
                return Ok(Some(Question { user_id, line, in_doubt: status == Status::Unknown }));
            }
        }
        Ok(None)
    }

    fn put(&self, question: &Question) -> LocalBoxFuture<'static, Result<UserFacts, Failure>> {
        let (client, user_id) = (self.client.clone(), question.user_id.clone());
        Box::pin(async move { client.user(&user_id).await })
    }

    fn answered(&mut self, question: Question, answer: Result<UserFacts, Failure>) -> Result<(), Error> {
        let left_out = self.found.take(question, answer, self.include_superusers);
        // Whoever is left out makes room for another.
        self.left = self.left.saturating_add(u64::from(left_out && self.job.settings.sending.limit.is_some()));
        Ok(())
    }
}

/// Findings so far.
#[derive(Default)]
struct Found {
    checked: Checked,
    asked: u64,
    missing: u64,
    disabled: u64,
    superusers: u64,
    unanswered: u64,
    remarks: Vec<(u64, String)>,
}

impl Found {
    /// Takes an answer. Returns whether the user is left out of the run.
    fn take(&mut self, question: Question, answer: Result<UserFacts, Failure>, include_superusers: bool) -> bool {
        let Question { user_id, line, in_doubt } = question;
        self.asked += 1;
        let doubt = "; it is in doubt, so the run settles it all the same";
        match answer {
            Ok(facts) => {
                if facts.status == "DISABLED" {
                    self.disabled += 1;
                    self.remark(self.disabled, line, &user_id, "is disabled");
                }
                if facts.kind != "SUPER_USER" {
                    return false;
                }
                self.superusers += 1;
                if include_superusers || in_doubt {
                    let what = format!("is a superuser{}", if in_doubt { doubt } else { "" });
                    self.remark(self.superusers, line, &user_id, &what);
                    return false;
                }
                let what = "is a superuser and is left out (--include-superusers resets it as well)";
                self.remark(self.superusers, line, &user_id, what);
                self.checked.superusers.insert(user_id);
                true
            }
            // The service's own word, with its code: anybody can say 404.
            Err(failure) if failure.cause == Cause::NoSuchUser => {
                self.missing += 1;
                if in_doubt {
                    self.remark(self.missing, line, &user_id, &format!("does not exist{doubt}"));
                    return false;
                }
                self.remark(self.missing, line, &user_id, "does not exist and will not be reset");
                self.checked.missing.insert(user_id);
                true
            }
            Err(failure) => {
                self.unanswered += 1;
                let what = format!("could not be checked ({failure}) and will be tried all the same");
                self.remark(self.unanswered, line, &user_id, &what);
                false
            }
        }
    }

    fn remark(&mut self, nth: u64, line: u64, user_id: &str, what: &str) {
        if nth <= EXAMPLES {
            self.remarks.push((line, format!("{user_id:?} {what}")));
        }
    }

    fn tell(&self, service: &str, printer: &Printer) {
        let Self { asked, missing, disabled, superusers, unanswered, .. } = self;
        printer.note(format!(
            "checked {} with {service}: {missing} missing, {disabled} disabled, {}, {unanswered} without an answer",
            counted(*asked, "user"),
            counted(*superusers, "superuser")
        ));
        let mut remarks: Vec<_> = self.remarks.iter().collect();
        remarks.sort();
        for (line, text) in remarks {
            printer.note(format!("  line {line}: {text}"));
        }
    }
}
