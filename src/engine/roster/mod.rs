//! The roster: the input CSV, read and checked. Users in input order, with
//! their lines and the other columns.
//!
//! Invariant: the roster is read twice and never held in memory; the second
//! reading must see the bytes that the first one saw. Every row comes out as exactly one
//! [`Row`], and no row that is not exactly as wide as the header is ever sent.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use self::dialect::Dialect;
pub(crate) use self::dialect::{plain, reads_as};
pub(crate) use self::exclusions::{Exclusions, ListReport};
use self::records::Records;
pub(crate) use self::role::Role;
pub(crate) use self::source::Source;
pub(crate) use self::statistics::{RowIssue, SpreadRows, Statistics};
use crate::model::{IdForm, InputError, digest_of, is_hidden, quoted_cell, trim_user_id};

mod dialect;
mod exclusions;
mod format;
mod looks;
mod raw;
mod records;
mod role;
mod source;
mod statistics;

/// The operator's word on how the file is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--id-column`: a header, or a number from 1 in a file without headers.
    pub id_column: Option<String>,
    /// `--no-headers`.
    pub no_headers: bool,
    /// `--delimiter`.
    pub delimiter: Option<u8>,
    /// The form of the user IDs.
    pub ids: IdForm,
}

/// One row of the roster.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The line its first cell stands in, from 1.
    pub line: u64,
    /// The row's own cells, as many as the header has; the ID is trimmed.
    pub cells: Vec<String>,
    /// The row's request.
    pub request: Request,
}

/// The request of a row.
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

/// A checked roster.
#[derive(Debug)]
pub(crate) struct Roster {
    source: Source,
    dialect: Dialect,
    facts: Statistics,
    /// SHA-256 of the text, which every reading must see again.
    text_digest: [u8; 32],
    /// User fingerprints that stand in more than one row.
    repeated: HashSet<u64>,
}

impl Roster {
    /// Reads the input once and checks all of it; `meet` sees every user ID that
    /// can be sent.
    ///
    /// # Errors
    /// The input can't be read as a roster; nothing of it is usable then.
    pub(crate) fn read(
        source: Source,
        options: &Options,
        reserved: &[&str],
        meet: &mut dyn FnMut(&str),
    ) -> Result<Self, InputError> {
        let mut dialect = dialect::find(&source, options, Role::Roster)?;
        // What `list-users` wrote is taken as it is; only the name of the
        // account's status gives way to the reset's.
        let (listed, account_status) = options.ids.listed();
        if dialect.header == listed
            && let Some(status) = dialect.header.iter_mut().find(|name| *name == "status")
        {
            account_status.clone_into(status);
        }
        refuse_reserved(&source, &dialect, reserved)?;
        let mut facts = Statistics::default();
        let mut seen: Vec<u64> = Vec::new();
        let mut records = dialect.open(&source)?;
        if dialect.has_header {
            facts.spread.note(dialect.header_line, records.last_line());
        }
        while let Some(line) = records.next()? {
            facts.rows += 1;
            facts.spread.note(line, records.last_line());
            match dialect.user_id(&records.text) {
                Ok(cell) => {
                    let id = trim_user_id(cell);
                    facts.note_user(line, cell, id);
                    // A user pool is asked for each of them before anything is sent.
                    if options.ids == IdForm::FinSpace {
                        facts.note_looks(line, id);
                    }
                    meet(id);
                    seen.push(fingerprint(id));
                }
                Err(text) => facts.note_invalid(line, text),
            }
        }
        let text_digest = records.digest();
        drop(records);
        facts.sha256 = source.sha256(&text_digest);
        facts.fingerprint = dialect.fingerprint(&text_digest);
        seen.sort_unstable();
        let repeated = seen.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        let with_duplicates = seen.len();
        seen.dedup();
        facts.users = seen.len() as u64;
        facts.duplicates = (with_duplicates - seen.len()) as u64;
        facts.users_digest = digest_of_users(&seen, &text_digest);
        Ok(Self { source, dialect, facts, text_digest, repeated })
    }

    /// Returns the findings of the first reading.
    #[must_use]
    pub(crate) fn facts(&self) -> &Statistics {
        &self.facts
    }

    /// Returns the input's name in messages.
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
        Ok(Rows { roster: self, records: self.dialect.open(&self.source)?, first_lines: HashMap::new(), done: false })
    }
}

/// The rows of a roster in input order.
pub(crate) struct Rows<'a> {
    roster: &'a Roster,
    records: Records<'a>,
    /// The line on which each repeated user stood first.
    first_lines: HashMap<String, u64>,
    done: bool,
}

impl Rows<'_> {
    fn row(&mut self) -> Result<Option<Row>, InputError> {
        let Some(line) = self.records.next()? else {
            return if self.records.digest() == self.roster.text_digest {
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
        let mut cells: Vec<String> = self.records.text.iter().map(str::to_owned).collect();
        let request = match self.roster.dialect.user_id(&self.records.text) {
            Err(reason) => Request::Invalid(reason),
            Ok(id) => {
                let user_id = trim_user_id(id).to_owned();
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

/// Refuses a column that the output adds itself, in any case: many programs tell
/// no `Status` from `status`.
fn refuse_reserved(source: &Source, dialect: &Dialect, reserved: &[&str]) -> Result<(), InputError> {
    let seen = |name: &str| name.chars().filter(|&c| !is_hidden(c)).collect::<String>();
    let taken = |name: &&String| reserved.iter().any(|ours| ours.eq_ignore_ascii_case(seen(name).trim()));
    match dialect.header.iter().find(taken) {
        None => Ok(()),
        Some(name) => Err(InputError::new(
            source.name(),
            format!("has a column called {}, which the output adds itself", quoted_cell(name)),
            "rename or remove that column",
        )
        .at(dialect.header_line)),
    }
}

/// The digest that names a batch: of the users in any order, or of the whole
/// text where it holds no user.
fn digest_of_users(users: &[u64], text: &[u8; 32]) -> [u8; 32] {
    if users.is_empty() {
        return digest_of(&[b"no users", text]);
    }
    let mut digest = Sha256::new();
    for user in users {
        digest.update(user.to_le_bytes());
    }
    digest.finalize().into()
}

/// A user's fingerprint, the same on every machine; equal ones are compared in
/// full before anything is concluded.
fn fingerprint(user_id: &str) -> u64 {
    let digest = Sha256::digest(user_id.as_bytes());
    digest[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
