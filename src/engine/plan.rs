//! What a run would do: the plan, its fingerprint, and the consent to it.
//!
//! Invariant: making a plan sends nothing and writes nothing. Two plans have
//! the same fingerprint only if roster, target, batch and progress agree.

use std::collections::HashSet;
use std::str::FromStr;
use std::time::Duration;

use crate::engine::dispatch::pacer::Rate;
use crate::engine::ledger::{Ledger, LedgerError, NewRow, RowKind};
use crate::engine::roster::{Request, Roster, Row, RowIssue};
use crate::model::{BatchName, Counts, InputError, Target, digest_of, hex};

/// How many rows of a kind, and first users, a preview names.
const EXAMPLES: usize = 10;
const FIRST_USERS: usize = 5;

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
    /// The plan changed.
    #[error(
        "the plan is no longer {theirs}: {what} changed since the preview, it is {ours} now; look at it again with --dry-run"
    )]
    Changed {
        /// The plan given to `--confirm`.
        theirs: String,
        /// The plan as it is.
        ours: String,
        /// Which parts differ.
        what: String,
    },
    /// Not a plan at all.
    #[error("{0:?} is not a plan; copy the one that --dry-run printed to --confirm")]
    NotAPlan(String),
    /// The batch is closed.
    #[error(
        "batch {batch} was closed at {at} and its passwords are erased, while {left} users are still to do; put those users in a roster of their own, or name a new --batch to reset everyone again"
    )]
    Closed {
        /// The batch.
        batch: String,
        /// When it was closed.
        at: String,
        /// Users still to do.
        left: u64,
    },
    /// The batch is closed and another file is wanted.
    #[error(
        "every user of batch {batch} was reset before, and since {at} it is closed and its passwords are erased, so {output} can't be written; the results went to {published}; name a new --batch to reset everyone again"
    )]
    Erased {
        /// The batch.
        batch: String,
        /// When it was closed.
        at: String,
        /// The output asked for.
        output: String,
        /// Where the results went.
        published: String,
    },
}

/// What a run would do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the rows stand before it.
    pub counts: Counts,
    /// Users it would send requests for.
    pub to_reset: u64,
    /// The first duplicates, by line.
    pub duplicates: Vec<RowIssue>,
    /// The first excluded rows, by line.
    pub excluded: Vec<RowIssue>,
    /// The first users it would reset.
    pub first: Vec<String>,
    /// Its name.
    pub fingerprint: Fingerprint,
}

/// A plan's name: a short digest of each thing it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([String; 4]);

const PARTS: [&str; 4] = ["the roster", "the target", "the batch", "the progress"];

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("-"))
    }
}

impl FromStr for Fingerprint {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let parts: Vec<String> = text.trim().split('-').map(str::to_owned).collect();
        let good = |part: &String| part.len() == 6 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        <[String; 4]>::try_from(parts)
            .ok()
            .filter(|parts| parts.iter().all(good))
            .map(Self)
            .ok_or_else(|| PlanError::NotAPlan(text.to_owned()))
    }
}

impl Fingerprint {
    /// Refuses if `typed` is another plan, and says what differs.
    ///
    /// # Errors
    /// The plans differ, or `typed` is none.
    pub(crate) fn expect(&self, typed: &str) -> Result<(), PlanError> {
        let theirs: Self = typed.parse()?;
        let differ = self.0.iter().zip(&theirs.0).zip(PARTS).filter(|((ours, theirs), _)| ours != theirs);
        let what: Vec<&str> = differ.map(|(_, part)| part).collect();
        if what.is_empty() {
            return Ok(());
        }
        Err(PlanError::Changed { theirs: theirs.to_string(), ours: self.to_string(), what: what.join(" and ") })
    }
}

/// What a ledger's rows are made from: the roster and who is left out of it.
#[must_use]
pub(crate) fn import_key(roster: &Roster, excluded: &HashSet<String>) -> String {
    let mut left_out: Vec<&[u8]> = excluded.iter().map(String::as_bytes).collect();
    left_out.sort_unstable();
    let facts = roster.facts();
    let header: Vec<&[u8]> = roster.header().iter().map(String::as_bytes).collect();
    hex(&digest_of(&[
        &facts.users_digest,
        &facts.rows.to_le_bytes(),
        &facts.fingerprint.to_le_bytes(),
        &digest_of(&header),
        &digest_of(&left_out),
    ]))
}

/// A roster's row as the ledger takes it.
#[must_use]
pub(crate) fn new_row(row: Row, excluded: &HashSet<String>) -> NewRow {
    let (kind, user_id, note) = match row.request {
        Request::Invalid(reason) => (RowKind::Invalid, None, Some(reason)),
        Request::Duplicate { user_id, of_line } => {
            (RowKind::Duplicate, Some(user_id), Some(format!("same user as line {of_line}")))
        }
        Request::Reset(user_id) if excluded.contains(&user_id) => {
            (RowKind::Excluded, Some(user_id), Some("named by --exclude".into()))
        }
        Request::Reset(user_id) => (RowKind::User, Some(user_id), None),
    };
    NewRow { line: row.line, kind, user_id, note, cells: row.cells }
}

/// Works out what a run would do.
///
/// # Errors
/// Roster or ledger can't be read.
pub(crate) fn survey(
    roster: &Roster,
    excluded: &HashSet<String>,
    ledger: Option<&Ledger>,
    target: &Target,
    batch: &BatchName,
    limit: Option<u64>,
    detail: bool,
) -> Result<Plan, PlanError> {
    let facts = roster.facts();
    let key = import_key(roster, excluded);
    let mut plan = Plan {
        counts: Counts {
            rows: facts.rows,
            invalid: facts.invalid,
            duplicate: facts.duplicates,
            pending: facts.users,
            ..Counts::default()
        },
        to_reset: 0,
        duplicates: Vec::new(),
        excluded: Vec::new(),
        first: Vec::new(),
        fingerprint: Fingerprint(Default::default()),
    };
    let imported = match ledger {
        Some(ledger) => ledger.get("import_key")?.as_deref() == Some(&key),
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
            for row in roster.rows()? {
                plan.take(&new_row(row?, excluded), ledger)?;
            }
        }
    }
    plan.to_reset = plan.counts.to_do().min(limit.unwrap_or(u64::MAX));
    let part = |parts: &[&[u8]]| hex(&digest_of(parts)[..3]);
    let progress = serde_json::to_vec(&plan.counts).unwrap_or_default();
    plan.fingerprint = Fingerprint([
        part(&[key.as_bytes()]),
        part(&[target.to_string().as_bytes()]),
        part(&[batch.as_str().as_bytes()]),
        part(&[&progress, &limit.unwrap_or(0).to_le_bytes()]),
    ]);
    Ok(plan)
}

impl Plan {
    fn take(&mut self, row: &NewRow, ledger: Option<&Ledger>) -> Result<(), PlanError> {
        let standing = match (&row.user_id, ledger) {
            (Some(id), Some(ledger)) if row.kind != RowKind::Duplicate => ledger.standing(id)?,
            _ => Default::default(),
        };
        self.counts.add(row.kind, standing.0, standing.1, 1);
        let remarks = match row.kind {
            RowKind::Duplicate => &mut self.duplicates,
            RowKind::Excluded => &mut self.excluded,
            RowKind::User | RowKind::Invalid => {
                let to_do = row.kind == RowKind::User && standing.0 != crate::model::Status::Succeeded;
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

    /// How long it takes at the rate, without failures.
    #[must_use]
    pub(crate) fn duration(&self, rate: Rate) -> Option<Duration> {
        match rate {
            Rate::Unlimited => None,
            #[allow(clippy::cast_precision_loss, reason = "a time for people")]
            Rate::PerSecond(rate) => Duration::try_from_secs_f64(self.to_reset as f64 / rate).ok(),
        }
    }
}
