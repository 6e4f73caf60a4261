//! Findings in the rows of a batch: the causes of failures, the rows that were left
//! out, the users reset again, and the times at which passwords expire.
//!
//! Invariant: one walk over the rows, and memory that does not grow with them.

use std::collections::BTreeMap;

use crate::commands::error::Error;
use crate::engine::ledger::{Ledger, LedgerError};
use crate::model::{Millis, visible};

/// Reasons that are told apart at most.
const REASONS: usize = 100;

/// Lines that are listed for one cause at most.
const LINES: usize = 200;

/// Rows that share a reason.
#[derive(Default)]
pub(super) struct Cause {
    pub kind: &'static str,
    pub reason: String,
    pub example: String,
    pub count: u64,
    lines: Vec<u64>,
}

impl Cause {
    /// Rows of which the first lines are known.
    pub(super) fn of_lines(count: u64, lines: &[u64]) -> Self {
        Self { count, lines: lines.to_vec(), ..Self::default() }
    }

    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.lines.len() < LINES {
            self.lines.push(line);
        }
    }

    /// `3–7, 9`, and how many more there are.
    pub(super) fn lines(&self) -> String {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for line in &self.lines {
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == *line => *last = *line,
                _ => spans.push((*line, *line)),
            }
        }
        let told = spans.iter().map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first}–{last}"),
        });
        let mut told = told.collect::<Vec<_>>().join(", ");
        let more = self.count - u64::try_from(self.lines.len()).unwrap_or(self.count);
        if more > 0 {
            told.push_str(&format!(" and {more} more"));
        }
        told
    }
}

/// Findings in the rows.
#[derive(Default)]
pub(super) struct Causes {
    /// Causes of failures and doubts, the most frequent first.
    pub failures: Vec<Cause>,
    /// Causes for which rows were left out.
    pub left_out: Vec<Cause>,
    /// Users that may have been reset more than once.
    pub again: Cause,
    /// The first and the last reset.
    pub reset: Option<(Millis, Millis)>,
}

impl Causes {
    /// Walks over the rows.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(super) fn read(ledger: &Ledger) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut failures: BTreeMap<(&'static str, String), Cause> = BTreeMap::new();
        let mut left_out: BTreeMap<(&'static str, String), Cause> = BTreeMap::new();
        ledger.rows::<LedgerError>(|row| {
            let kind = row.status().word();
            if row.standing.again && row.kind.is_of_user() {
                found.again.add(row.line);
            }
            let (causes, reason, example) = match kind {
                "failed" | "unknown" => {
                    let code = row.error_code.unwrap_or_else(|| "no answer".into());
                    (&mut failures, code, row.error_message.unwrap_or_default())
                }
                "invalid" => (&mut left_out, row.note.unwrap_or_default(), String::new()),
                "duplicate" => (&mut left_out, "the user of an earlier row".into(), String::new()),
                "excluded" => (&mut left_out, "named by --exclude".into(), String::new()),
                "succeeded" => {
                    if let Some(at) = row.at {
                        let (first, last) = found.reset.unwrap_or((at, at));
                        found.reset = Some((first.min(at), last.max(at)));
                    }
                    return Ok(());
                }
                _ => return Ok(()),
            };
            // Reasons may quote the row: a page can't have one for each of a million.
            let mut key = (kind, visible(&reason).into_owned());
            if causes.len() >= REASONS && !causes.contains_key(&key) {
                key.1 = "further reasons".into();
            }
            let (reason, example) = (key.1.clone(), visible(&example).into_owned());
            causes.entry(key).or_insert_with(|| Cause { kind, reason, example, ..Cause::default() }).add(row.line);
            Ok(())
        })?;
        let sorted = |causes: BTreeMap<_, Cause>| {
            let mut causes: Vec<Cause> = causes.into_values().collect();
            causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
            causes
        };
        found.failures = sorted(failures);
        found.left_out = sorted(left_out);
        Ok(found)
    }

    /// Makes up for users in doubt that no row tells of: a run that was killed
    /// left them in flight.
    pub(super) fn add_in_flight(&mut self, unknown: u64) {
        let told: u64 = self.failures.iter().filter(|cause| cause.kind == "unknown").map(|cause| cause.count).sum();
        if unknown > told {
            let (reason, example) = ("no answer".into(), "a run was killed while the request was in flight".into());
            let count = unknown - told;
            self.failures.push(Cause { kind: "unknown", reason, example, count, lines: Vec::new() });
        }
    }
}
