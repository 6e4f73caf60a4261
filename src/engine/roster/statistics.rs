//! What the first reading of a roster found, for messages and for names.
//!
//! Invariant: it stays small: of each kind of row the count and the first few.

use super::looks::looks_like_no_id;
use crate::model::quoted_cell;

/// How many rows of a kind messages name by line.
const EXAMPLES: usize = 10;

/// A row that deserves a word, by its line.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct RowIssue {
    /// The row's line.
    pub line: u64,
    /// What is the matter.
    pub text: String,
}

/// What the first reading found.
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
    pub spread: u64,
    /// The first of them: first and last line.
    pub spread_lines: Vec<(u64, u64)>,
    /// A digest of the set of user IDs: the same in any order.
    pub users_digest: [u8; 32],
    /// A digest of the input and of how it is read.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the input's own bytes, in hexadecimal.
    pub sha256: String,
}

impl Statistics {
    /// Notes the lines of a record.
    pub(super) fn note_lines(&mut self, first: u64, last: u64) {
        if last == first {
            return;
        }
        self.spread += 1;
        if self.spread_lines.len() < EXAMPLES {
            self.spread_lines.push((first, last));
        }
    }

    /// Notes a user that can be sent, by the cell and the trimmed ID in it.
    pub(super) fn note_user(&mut self, line: u64, cell: &str, id: &str) {
        if id.len() != cell.len() {
            self.trimmed += 1;
            if self.first_trimmed == 0 {
                self.first_trimmed = line;
            }
        }
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
