//! Findings of the first reading of a roster, for messages and for names.
//!
//! Invariant: it stays small: of each kind of row the count and the first few.

use super::looks::looks_like_no_id;
use crate::model::quoted_cell;

/// Rows of a kind that messages name by line at most.
const EXAMPLES: usize = 10;

/// A row that deserves a word, by its line.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct RowIssue {
    /// The row's line.
    pub line: u64,
    /// The finding.
    pub text: String,
}

/// Records that quoted cells spread over several lines: where a quote is
/// misplaced, rows are hidden in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpreadRows {
    count: usize,
    /// First and last line of the first of them.
    lines: Vec<(u64, u64)>,
}

impl SpreadRows {
    /// Notes the lines of a record.
    pub(super) fn note(&mut self, first: u64, last: u64) {
        if last > first {
            self.count += 1;
            if self.lines.len() < EXAMPLES {
                self.lines.push((first, last));
            }
        }
    }

    /// Returns a remark on them, if there are any, about the input `name`.
    #[must_use]
    pub(crate) fn remark(&self, name: &str) -> Option<String> {
        let lines: Vec<String> = self.lines.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        let more = match self.count - lines.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (self.count > 0).then(|| {
            format!(
                "{name}: quoted cells spread these rows over several lines: {}{more}; what stands inside the quotes is no row",
                lines.join(", ")
            )
        })
    }
}

/// Findings of the first reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    /// Rows, the header apart.
    pub rows: u64,
    /// Different users that can be sent.
    pub users: u64,
    /// Rows that can't be sent.
    pub invalid: u64,
    /// The first of them.
    pub invalid_rows: Vec<RowIssue>,
    /// Rows that repeat an earlier row's user.
    pub duplicates: u64,
    /// IDs that had white space around them.
    pub trimmed: u64,
    /// The line of the first of them.
    pub first_trimmed: u64,
    /// IDs that look like something else.
    pub odd: u64,
    /// The first of them.
    pub odd_rows: Vec<RowIssue>,
    /// Rows that a quoted cell spreads over lines.
    pub spread: SpreadRows,
    /// A digest of the set of user IDs: the same in any order.
    pub users_digest: [u8; 32],
    /// A digest of the input and of how it is read.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the input's own bytes, in hexadecimal.
    pub sha256: String,
}

impl Statistics {
    /// Notes a user that can be sent, by the cell and the trimmed ID in it.
    pub(super) fn note_user(&mut self, line: u64, cell: &str, id: &str) {
        if id.len() != cell.len() {
            self.trimmed += 1;
            if self.first_trimmed == 0 {
                self.first_trimmed = line;
            }
        }
    }

    /// Notes an ID that looks like something else.
    pub(super) fn note_looks(&mut self, line: u64, id: &str) {
        if looks_like_no_id(id) {
            self.odd += 1;
            if self.odd_rows.len() < EXAMPLES {
                self.odd_rows.push(RowIssue { line, text: quoted_cell(id) });
            }
        }
    }

    /// Notes a row that can't be sent, and why.
    pub(super) fn note_invalid(&mut self, line: u64, text: String) {
        self.invalid += 1;
        if self.invalid_rows.len() < EXAMPLES {
            self.invalid_rows.push(RowIssue { line, text });
        }
    }
}
