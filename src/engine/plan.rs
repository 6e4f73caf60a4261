//! The plan of a run: where its rows stand, and how many requests it would send.
//!
//! Invariant: making a plan sends nothing and writes nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::engine::dispatch::pacer::Rate;
use crate::engine::fingerprint::FingerprintError;
use crate::engine::ledger::{Ledger, LedgerError, Lookup, NewRow, Readiness, RowKind};
use crate::engine::people::{People, PeopleError, Person, Verdict};
use crate::engine::roster::{Request, Roster, Row, RowIssue};
use crate::model::{Counts, InputError, Standing, Status, digest_of, hex};

/// Most rows of a kind, and most first users, that a preview names.
const EXAMPLES: usize = 10;
const FIRST_USERS: usize = 5;

/// Users to leave alone, each with the reason.
pub(crate) type Excluded = HashMap<Box<str>, &'static str>;

/// The reason of a user whom `--exclude` names …
pub(crate) const NAMED: &str = "named by --exclude";
/// … and of one whom `--check-users` found to be a superuser.
pub(crate) const SUPERUSER: &str = "a superuser; --include-superusers resets it as well";

/// A plan that can't be gone by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The roster.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The register of who is who.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// Nobody said yes.
    #[error(
        "{} {} would be reset and there is no terminal to ask on; look at it with --dry-run, then run with --confirm PLAN or --yes",
        .0, if *.0 == 1 { "user" } else { "users" }
    )]
    NoConsent(u64),
    /// The answer was no.
    #[error("not confirmed; nothing was sent")]
    Declined,
    /// It is not the plan that was previewed.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// The batch is closed.
    #[error(
        "batch {batch} was closed at {at} and its passwords are erased, with users still to do ({left}); `--batch {batch}` goes on with them, and a new --batch resets everyone again"
    )]
    Closed {
        /// The batch.
        batch: String,
        /// The time at which it was closed.
        at: String,
        /// Users still to do.
        left: u64,
    },
    /// The batch was closed and would go on, and its output is its only copy.
    #[error(
        "batch {batch} was closed at {at}, and {output} holds the only copy of its passwords, with users still to do ({left}); choose another --output to go on with them"
    )]
    OnlyCopy {
        /// The batch.
        batch: String,
        /// The time at which it was closed.
        at: String,
        /// The output.
        output: String,
        /// Users still to do.
        left: u64,
    },
    /// The batch is closed, and sessions are to be ended.
    #[error(
        "batch {batch} was closed at {at}, and {left} of its users were not signed out by it; end their sessions with `aws cognito-idp admin-user-global-sign-out`, or name a new --batch to reset everyone again"
    )]
    SignedIn {
        /// The batch.
        batch: String,
        /// The time of its closing.
        at: String,
        /// Users who were not signed out.
        left: u64,
    },
    /// Everyone was reset, and nobody can use the passwords any more.
    #[error(
        "every user of batch {batch} was reset before, and those passwords expired at {at}; name a new --batch to reset everyone again"
    )]
    Expired {
        /// The batch.
        batch: String,
        /// The end of the last password's life.
        at: String,
    },
    /// The batch is closed and another file is wanted.
    #[error(
        "every user of batch {batch} was reset before, and since {at} it is closed and its passwords are erased, so {output} can't be written; the results went to {published}; name a new --batch to reset everyone again"
    )]
    Erased {
        /// The batch.
        batch: String,
        /// The time at which it was closed.
        at: String,
        /// The output asked for.
        output: String,
        /// The file of the results.
        published: String,
    },
}

/// A run that would be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The rows by status before it.
    pub counts: Counts,
    /// Users it would send requests for.
    pub to_reset: u64,
    /// The first duplicates, by line.
    pub duplicates: Vec<RowIssue>,
    /// The first excluded rows, by line.
    pub excluded: Vec<RowIssue>,
    /// Users it would send nothing for, as they can't or must not be reset.
    pub left_alone: u64,
    /// The first of them, by line.
    pub left_alone_rows: Vec<RowIssue>,
    /// Users who were reset and are to be signed out.
    pub to_sign_out: u64,
    /// Users whom the batch left alone before and would reset now.
    pub exposed: Option<Exposed>,
    /// Users of whom it is not known yet who they are.
    pub not_asked: u64,
    /// The first users it would reset.
    pub first: Vec<String>,
    /// The digest of all that the ledger's rows are made from; see [`import_key`].
    pub import_key: String,
}

/// Users who were left alone before, and are not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// Their number.
    pub users: u64,
    /// The line of the first of them.
    pub first_line: u64,
}

/// Returns what a ledger's rows are made from: the roster, who is left out of
/// it, and who is who.
fn import_key(scope: Scope<'_>) -> Result<String, PlanError> {
    let Selection { excluded, people } = scope.selection;
    let (roster, exclusions) = (roster_key(scope.roster), exclusion_key(excluded));
    let people = people.map(People::digest).transpose()?;
    let mut parts: Vec<&[u8]> = vec![roster.as_bytes(), exclusions.as_bytes()];
    parts.extend(people.as_ref().map(<[u8; 32]>::as_slice));
    Ok(hex(digest_of(&parts)))
}

/// Returns a digest of the roster as it was read: its users, cells and header.
pub(crate) fn roster_key(roster: &Roster) -> String {
    let facts = roster.facts();
    let header: Vec<&[u8]> = roster.header().iter().map(String::as_bytes).collect();
    hex(digest_of(&[&facts.users_digest, &facts.rows.to_le_bytes(), &facts.fingerprint, &digest_of(&header)]))
}

/// Returns a digest of the users left out.
pub(crate) fn exclusion_key(excluded: &Excluded) -> String {
    let mut left_out: Vec<&[u8]> = excluded.keys().map(|user_id| user_id.as_bytes()).collect();
    left_out.sort_unstable();
    hex(digest_of(&left_out))
}

/// The users of a roster who are to be reset, and by which name.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// The users left out of it, as they were named.
    pub excluded: &'a Excluded,
    /// The users behind its names, where the service knows its users by several names.
    pub people: Option<&'a People>,
}

impl Selection<'_> {
    /// Returns a roster's row as the ledger takes it.
    ///
    /// # Errors
    /// The register of who is who can't be read.
    pub(crate) fn row(self, row: Row) -> Result<NewRow, PeopleError> {
        let Row { line, cells, request } = row;
        let new = |kind, user_id, note| NewRow {
            line,
            kind,
            user_id,
            note,
            cells,
            spelling: None,
            readiness: Readiness::Ready,
        };
        let (spelling, of_line) = match request {
            Request::Invalid(reason) => return Ok(new(RowKind::Invalid, None, Some(reason))),
            Request::Duplicate { user_id, of_line } => (user_id, Some(of_line)),
            Request::Reset(user_id) => (user_id, None),
        };
        let verdict = self.people.map(|people| people.verdict(&spelling)).transpose()?;
        let person = match verdict {
            Some(Verdict::Person(person)) => person,
            // Everybody is called as the roster does, or it is not known better.
            verdict => {
                let listed = self.excluded.get(spelling.as_str()).map(|why| (*why).to_owned());
                let (kind, note) = kind(of_line, listed);
                let readiness = match verdict {
                    Some(Verdict::Nobody(refusal)) => Readiness::LeftAlone(refusal.message()),
                    Some(Verdict::NotAsked) => Readiness::NotAsked,
                    _ => Readiness::Ready,
                };
                return Ok(NewRow { readiness, ..new(kind, Some(spelling), note) });
            }
        };
        let Person { username, first_line, excluded_as, refusal } = person;
        let listed = excluded_as.map(|name| match self.excluded.get(spelling.as_str()) {
            Some(why) => (*why).to_owned(),
            None => format!("{NAMED} as {name:?}"),
        });
        let (kind, note) = kind((first_line != line).then_some(first_line), listed);
        Ok(NewRow {
            spelling: (spelling != username).then_some(spelling),
            readiness: refusal.map_or(Readiness::Ready, |refusal| Readiness::LeftAlone(refusal.message())),
            ..new(kind, Some(username), note)
        })
    }
}

/// Returns the kind of a row that names a user, and why: `of_line` is an earlier
/// row of the user, `listed` why the user is left out.
fn kind(of_line: Option<u64>, listed: Option<String>) -> (RowKind, Option<String>) {
    match (of_line, listed) {
        (Some(line), _) => (RowKind::Duplicate, Some(format!("same user as line {line}"))),
        (None, Some(why)) => (RowKind::Excluded, Some(why)),
        (None, None) => (RowKind::User, None),
    }
}

/// The facts that a plan is made from.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The users.
    pub roster: &'a Roster,
    /// Those of them to be reset.
    pub selection: Selection<'a>,
    /// The most users to reset.
    pub limit: Option<u64>,
}

impl Plan {
    /// Works out what a run would do. In `detail` every row is looked at, for
    /// people to read.
    ///
    /// # Errors
    /// Roster or ledger can't be read.
    pub(crate) fn build(scope: Scope<'_>, ledger: Option<&Ledger>, detail: bool) -> Result<Self, PlanError> {
        let Scope { roster, selection, limit } = scope;
        let facts = roster.facts();
        let mut plan = Self {
            import_key: import_key(scope)?,
            counts: Counts {
                rows: facts.rows,
                invalid: facts.invalid,
                duplicate: facts.duplicates,
                pending: facts.users,
                ..Counts::default()
            },
            ..Self::default()
        };
        // Who is left alone now is told by no earlier import.
        let detail = detail || selection.people.is_some();
        let imported = match ledger {
            Some(ledger) => ledger.get("import_key")?.as_deref() == Some(&plan.import_key),
            None => facts.duplicates == 0 && selection.excluded.is_empty() && selection.people.is_none(),
        };
        match ledger {
            // The first reading told all there is to know of a new batch without
            // special rows, and the ledger knows a roster that it has seen.
            Some(ledger) if imported && !detail => plan.counts = ledger.counts()?,
            None if imported => {
                for row in roster.rows()? {
                    plan.first.extend(selection.row(row?)?.user_id);
                    if plan.first.len() >= FIRST_USERS {
                        break;
                    }
                }
            }
            _ => {
                plan.counts = Counts::default();
                let mut lookup = ledger.map(Ledger::lookup).transpose()?;
                for row in roster.rows()? {
                    plan.take(&selection.row(row?)?, lookup.as_mut())?;
                }
            }
        }
        plan.count_to_reset(limit);
        Ok(plan)
    }

    /// Takes out users whom the service does not know.
    pub(crate) fn leave_alone(&mut self, missing: &HashSet<String>, limit: Option<u64>) {
        self.left_alone += missing.len() as u64;
        self.first.retain(|user| !missing.contains(user));
        self.count_to_reset(limit);
    }

    fn count_to_reset(&mut self, limit: Option<u64>) {
        self.to_reset = self.counts.to_do().saturating_sub(self.left_alone).min(limit.unwrap_or(u64::MAX));
    }

    fn take(&mut self, row: &NewRow, lookup: Option<&mut Lookup<'_>>) -> Result<(), PlanError> {
        let standing = match (&row.user_id, lookup) {
            (Some(id), Some(lookup)) if row.kind != RowKind::Duplicate => lookup.of(id)?,
            _ => Standing::default(),
        };
        self.counts.add(row.kind, standing);
        let user = || row.user_id.clone().unwrap_or_default();
        let (remarks, text) = match (row.kind, &row.readiness) {
            (RowKind::Duplicate, _) => (&mut self.duplicates, format!("{:?}, {}", user(), row.note())),
            (RowKind::Excluded, _) => (&mut self.excluded, format!("{:?}, {}", user(), row.note())),
            (RowKind::Invalid, _) => return Ok(()),
            // Whoever was reset, or may have been, goes on as before.
            (RowKind::User, Readiness::LeftAlone(why)) if standing.status.is_surely_not_reset() => {
                self.left_alone += 1;
                (&mut self.left_alone_rows, format!("{:?} {why}", user()))
            }
            (RowKind::User, readiness) => {
                let to_do = standing.status != Status::Succeeded;
                self.not_asked += u64::from(to_do && *readiness == Readiness::NotAsked);
                if to_do && self.first.len() < FIRST_USERS {
                    self.first.extend(row.user_id.clone());
                }
                return Ok(());
            }
        };
        if remarks.len() < EXAMPLES {
            remarks.push(RowIssue { line: row.line, text });
        }
        Ok(())
    }

    /// Returns the number of users to do who are known to be there to be sent to.
    #[must_use]
    pub(crate) fn ready(&self) -> u64 {
        self.counts.to_do() - self.left_alone - self.not_asked
    }

    /// Returns its duration at the rate, without failures.
    #[must_use]
    pub(crate) fn duration(&self, rate: Rate) -> Option<Duration> {
        match rate {
            Rate::Unlimited => None,
            #[allow(clippy::cast_precision_loss, reason = "a time for people")]
            Rate::PerSecond(rate) => Duration::try_from_secs_f64(self.to_reset as f64 / rate).ok(),
        }
    }
}

#[cfg(test)]
mod tests;
