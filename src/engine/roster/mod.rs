//! The roster: the input CSV, read and checked. Users in input order, with
//! their lines and the other columns.
//!
//! Invariant: the roster is read twice and never held in memory; the second
//! reading must see what the first one saw. Every row comes out as exactly one
//! [`Row`], and no row that is not exactly as wide as the header is ever sent.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use csv::StringRecord;
use sha2::{Digest, Sha256};

use self::dialect::Dialect;
use self::records::Records;
pub(crate) use self::source::Source;
use crate::model::{InputError, USER_COLUMNS};

mod dialect;
mod records;
mod source;

/// How many rows of a kind messages name by line.
const EXAMPLES: usize = 10;

/// Cells' lengths are digits to this base: no cell is so long.
const CELL_BASE: u64 = 0x0100_0000_01b3;

/// How the operator says the file is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--id-column`: a header, or a number from 1 in a file without headers.
    pub id_column: Option<String>,
    /// `--no-headers`.
    pub no_headers: bool,
    /// `--delimiter`.
    pub delimiter: Option<u8>,
    /// An only column without a header that reads as one is all users: right
    /// for a list of users to leave alone, where one too many does no harm.
    pub bare_list: bool,
}

/// One row of the roster.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The line its first cell stands in, from 1.
    pub line: u64,
    /// The row's own cells, as many as the header has; the ID is trimmed.
    pub cells: Vec<String>,
    /// What the row asks for.
    pub request: Request,
}

/// What a row asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Reset this user.
    Reset(String),
    /// The user of an earlier row once more.
    Duplicate {
        /// The user.
        user_id: String,
        /// The earlier row's line.
        of_line: u64,
    },
    /// Nothing that can be sent, and why.
    Invalid(String),
}

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
    /// A digest of the set of user IDs: the same in any order.
    pub users_digest: [u8; 32],
    /// A fingerprint of all cells in order.
    pub fingerprint: u64,
}

/// A checked roster.
#[derive(Debug)]
pub(crate) struct Roster {
    source: Source,
    dialect: Dialect,
    facts: Statistics,
    /// User fingerprints that stand in more than one row.
    repeated: HashSet<u64>,
}

impl Roster {
    /// Reads the input once and checks all of it.
    ///
    /// # Errors
    /// The input can't be read as a roster; nothing of it is usable then.
    pub(crate) fn read(source: Source, options: &Options, reserved: &[&str]) -> Result<Self, InputError> {
        let mut dialect = dialect::find(&source, options)?;
        // What `list-users` wrote is taken as it is; only the name of the
        // account's status gives way to the reset's.
        if dialect.header == USER_COLUMNS {
            dialect.header[4] = "finspace_status".into();
        }
        if let Some(name) = dialect.header.iter().find(|name| reserved.contains(&name.as_str())) {
            return Err(InputError::new(
                source.name(),
                format!("has a column called {name:?}, which the output adds itself"),
                "rename or remove that column",
            )
            .at(dialect.header_line));
        }
        let mut facts = Statistics::default();
        let mut seen: Vec<u64> = Vec::new();
        let mut hash = DefaultHasher::new();
        let mut records = open(&source, &dialect)?;
        while let Some(line) = records.next()? {
            facts.rows += 1;
            add_cells(&mut hash, &records.text);
            match dialect.user_id(&records.text) {
                Ok(id) => {
                    let trimmed = id.trim();
                    if trimmed.len() != id.len() {
                        facts.trimmed += 1;
                        if facts.first_trimmed == 0 {
                            facts.first_trimmed = line;
                        }
                    }
                    seen.push(fingerprint(trimmed));
                }
                Err(text) => {
                    facts.invalid += 1;
                    if facts.invalid_rows.len() < EXAMPLES {
                        facts.invalid_rows.push(RowIssue { line, text });
                    }
                }
            }
        }
        drop(records);
        if facts.rows == 0 {
            return Err(InputError::new(
                source.name(),
                "has a header and nothing else".into(),
                "add a row for each user, or use --no-headers if the first row is a user",
            ));
        }
        facts.fingerprint = hash.finish();
        seen.sort_unstable();
        let repeated = seen.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        let with_duplicates = seen.len();
        seen.dedup();
        facts.users = seen.len() as u64;
        facts.duplicates = (with_duplicates - seen.len()) as u64;
        let mut digest = Sha256::new();
        for user in &seen {
            digest.update(user.to_le_bytes());
        }
        facts.users_digest = digest.finalize().into();
        Ok(Self { source, dialect, facts, repeated })
    }

    /// What the first reading found.
    #[must_use]
    pub(crate) fn facts(&self) -> &Statistics {
        &self.facts
    }

    /// How messages name the input.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        self.source.name()
    }

    /// The input's own column names; made up for a file without headers.
    #[must_use]
    pub(crate) fn header(&self) -> &[String] {
        &self.dialect.header
    }

    /// Reads the rows again, in input order.
    ///
    /// # Errors
    /// The input can't be read any more.
    pub(crate) fn rows(&self) -> Result<Rows<'_>, InputError> {
        Ok(Rows {
            roster: self,
            records: open(&self.source, &self.dialect)?,
            first_lines: HashMap::new(),
            hash: DefaultHasher::new(),
            done: false,
        })
    }
}

/// The rows of a roster in input order.
pub(crate) struct Rows<'a> {
    roster: &'a Roster,
    records: Records<'a>,
    /// Where each repeated user stood first.
    first_lines: HashMap<String, u64>,
    hash: DefaultHasher,
    done: bool,
}

impl Rows<'_> {
    fn row(&mut self) -> Result<Option<Row>, InputError> {
        let Some(line) = self.records.next()? else {
            return if self.hash.finish() == self.roster.facts.fingerprint {
                Ok(None)
            } else {
                Err(InputError::new(
                    self.roster.name(),
                    "changed while it was being read".into(),
                    "let no one write to it and run again",
                ))
            };
        };
        let Dialect { header, id_index, .. } = &self.roster.dialect;
        add_cells(&mut self.hash, &self.records.text);
        let mut cells: Vec<String> = self.records.text.iter().map(str::to_owned).collect();
        let request = match self.roster.dialect.user_id(&self.records.text) {
            Err(reason) => Request::Invalid(reason),
            Ok(id) => {
                let user_id = id.trim().to_owned();
                cells[*id_index].clone_from(&user_id);
                self.seen_before(user_id, line)
            }
        };
        cells.resize(header.len(), String::new());
        Ok(Some(Row { line, cells, request }))
    }

    fn seen_before(&mut self, user_id: String, line: u64) -> Request {
        if !self.roster.repeated.contains(&fingerprint(&user_id)) {
            return Request::Reset(user_id);
        }
        match self.first_lines.get(&user_id) {
            Some(&of_line) => Request::Duplicate { user_id, of_line },
            None => {
                self.first_lines.insert(user_id.clone(), line);
                Request::Reset(user_id)
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.row().transpose();
        self.done = !matches!(row, Some(Ok(_)));
        row
    }
}

/// The user IDs of any roster shape, for `--exclude`.
///
/// # Errors
/// As [`Roster::read`]; also a row that names nobody, since a user who was to
/// be left alone could hide behind it.
pub(crate) fn user_ids(source: Source, options: &Options) -> Result<HashSet<String>, InputError> {
    let roster = Roster::read(source, options, &[])?;
    let mut ids = HashSet::new();
    for row in roster.rows()? {
        let row = row?;
        match row.request {
            Request::Reset(id) => {
                ids.insert(id);
            }
            Request::Duplicate { .. } => {}
            Request::Invalid(reason) => {
                return Err(InputError::new(
                    roster.name(),
                    reason,
                    "mend the row: a list of users never to touch must be read whole",
                )
                .at(row.line));
            }
        }
    }
    Ok(ids)
}

/// Adds a record to what tells one roster from another: its text, and where its
/// cells end.
fn add_cells(hash: &mut DefaultHasher, cells: &StringRecord) {
    hash.write(cells.as_slice().as_bytes());
    let ends = cells.iter().fold(0, |ends: u64, cell| ends.wrapping_mul(CELL_BASE).wrapping_add(cell.len() as u64 + 1));
    hash.write_u64(ends);
}

/// A user's fingerprint, the same on every machine; equal ones are compared in
/// full before anything is concluded.
fn fingerprint(user_id: &str) -> u64 {
    let digest = Sha256::digest(user_id.as_bytes());
    digest[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The records behind the header.
fn open<'a>(source: &'a Source, dialect: &Dialect) -> Result<Records<'a>, InputError> {
    let mut records = Records::open(source, dialect.delimiter)?;
    if dialect.has_header {
        records.next()?;
    }
    Ok(records)
}
