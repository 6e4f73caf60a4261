//! The plan of a run: where its rows stand, and how many requests it would send.
//!
//! Invariant: making a plan sends nothing and writes nothing.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::dispatch::pacer::Rate;
use crate::engine::fingerprint::FingerprintError;
use crate::engine::ledger::{Ledger, LedgerError, Lookup, NewRow, RowKind};
use crate::engine::roster::{Request, Roster, Row, RowIssue};
use crate::model::{Counts, InputError, Standing, digest_of, hex};

/// Most rows of a kind, and most first users, that a preview names.
const EXAMPLES: usize = 10;
const FIRST_USERS: usize = 5;

/// Users to leave alone, each with the reason.
pub(crate) type Excluded = HashMap<String, &'static str>;

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
    /// Nobody said yes.
    #[error(
        "{0} users would be reset and there is no terminal to ask on; look at it with --dry-run, then run with --confirm PLAN or --yes"
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
    /// The first users it would reset.
    pub first: Vec<String>,
    /// The digest of all that the ledger's rows are made from; see [`import_key`].
    pub import_key: String,
}

/// Returns what a ledger's rows are made from: the roster and who is left out of it.
fn import_key(roster: &Roster, excluded: &Excluded) -> String {
    hex(digest_of(&[roster_key(roster).as_bytes(), exclusion_key(excluded).as_bytes()]))
}

/// Returns a digest of the roster as it was read: its users, cells and header.
pub(crate) fn roster_key(roster: &Roster) -> String {
    let facts = roster.facts();
    let header: Vec<&[u8]> = roster.header().iter().map(String::as_bytes).collect();
    hex(digest_of(&[&facts.users_digest, &facts.rows.to_le_bytes(), &facts.fingerprint, &digest_of(&header)]))
}

/// Returns a digest of the users left out.
pub(crate) fn exclusion_key(excluded: &Excluded) -> String {
    let mut left_out: Vec<&[u8]> = excluded.keys().map(String::as_bytes).collect();
    left_out.sort_unstable();
    hex(digest_of(&left_out))
}

/// A roster's row as the ledger takes it.
#[must_use]
pub(crate) fn new_row(row: Row, excluded: &Excluded) -> NewRow {
    let (kind, user_id, note) = match row.request {
        Request::Invalid(reason) => (RowKind::Invalid, None, Some(reason)),
        Request::Duplicate { user_id, of_line } => {
            (RowKind::Duplicate, Some(user_id), Some(format!("same user as line {of_line}")))
        }
        Request::Reset(user_id) => match excluded.get(&user_id) {
            Some(why) => (RowKind::Excluded, Some(user_id), Some((*why).into())),
            None => (RowKind::User, Some(user_id), None),
        },
    };
    NewRow { line: row.line, kind, user_id, note, cells: row.cells }
}

/// The facts that a plan is made from.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The users.
    pub roster: &'a Roster,
    /// The users left out of it.
    pub excluded: &'a Excluded,
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
        let Scope { roster, excluded, limit } = scope;
        let facts = roster.facts();
        let mut plan = Self {
            import_key: import_key(roster, excluded),
            counts: Counts {
                rows: facts.rows,
                invalid: facts.invalid,
                duplicate: facts.duplicates,
                pending: facts.users,
                ..Counts::default()
            },
            ..Self::default()
        };
        let imported = match ledger {
            Some(ledger) => ledger.get("import_key")?.as_deref() == Some(&plan.import_key),
            None => facts.duplicates == 0 && excluded.is_empty(),
        };
        match ledger {
            // The first reading told all there is to know of a new batch without
            // special rows, and the ledger knows a roster that it has seen.
            Some(ledger) if imported && !detail => plan.counts = ledger.counts()?,
            None if imported => {
                for row in roster.rows()? {
                    plan.first.extend(new_row(row?, excluded).user_id);
                    if plan.first.len() >= FIRST_USERS {
                        break;
                    }
                }
            }
            _ => {
                plan.counts = Counts::default();
                let mut lookup = ledger.map(Ledger::lookup).transpose()?;
                for row in roster.rows()? {
                    plan.take(&new_row(row?, excluded), lookup.as_mut())?;
                }
            }
        }
        plan.to_reset = plan.counts.to_do().min(limit.unwrap_or(u64::MAX));
        Ok(plan)
    }

    fn take(&mut self, row: &NewRow, lookup: Option<&mut Lookup<'_>>) -> Result<(), PlanError> {
        let standing = match (&row.user_id, lookup) {
            (Some(id), Some(lookup)) if row.kind != RowKind::Duplicate => lookup.of(id)?,
            _ => Standing::default(),
        };
        self.counts.add(row.kind, standing);
        let remarks = match row.kind {
            RowKind::Duplicate => &mut self.duplicates,
            RowKind::Excluded => &mut self.excluded,
            RowKind::User | RowKind::Invalid => {
                let to_do = row.kind == RowKind::User && standing.status != crate::model::Status::Succeeded;
                if to_do && self.first.len() < FIRST_USERS {
                    self.first.extend(row.user_id.clone());
                }
                return Ok(());
            }
        };
        if remarks.len() < EXAMPLES {
            let user = row.user_id.clone().unwrap_or_default();
            remarks.push(RowIssue {
                line: row.line,
                text: format!("{user:?}, {}", row.note.as_deref().unwrap_or_default()),
            });
        }
        Ok(())
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
