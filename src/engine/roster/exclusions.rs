//! Lists of users never to touch, and whom of a roster they name.
//!
//! Invariant: a list is read whole or not at all, and its entries are compared
//! exactly. An entry that no user could have is no error: it protects nobody,
//! and that is counted and told.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::dialect::{self, Dialect};
use super::{Options, Role, RowIssue, Source, SpreadRows};
use crate::model::{InputError, quoted_cell, trim_user_id};

/// Most entries naming nobody that are told.
const EXAMPLES: usize = 5;

/// The lists of a run.
#[derive(Debug, Default)]
pub(crate) struct Exclusions(Vec<List>);

#[derive(Debug)]
struct List {
    file: String,
    entries: HashMap<Box<str>, Entry>,
    spread: SpreadRows,
}

#[derive(Debug)]
struct Entry {
    line: u64,
    /// True if the roster has this user.
    met: bool,
}

/// The share of a list that the roster knows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ListReport {
    /// The list's name in messages.
    pub file: String,
    /// Its different entries.
    pub entries: u64,
    /// Those that name nobody in the roster.
    pub unmatched: u64,
    /// The first of them.
    #[serde(skip)]
    pub examples: Vec<RowIssue>,
    /// Rows that a quoted cell spreads over lines.
    #[serde(skip)]
    pub spread: SpreadRows,
    /// All that name nobody as they are spelt, where a user has several names.
    #[serde(skip)]
    strangers: Vec<RowIssue>,
}

impl Exclusions {
    /// Reads one more list: of its own shape, or of the roster's.
    ///
    /// # Errors
    /// A row can't be read or names nobody: a user who was to be left alone
    /// could hide behind it.
    pub(crate) fn add(&mut self, source: &Source, roster: &Options) -> Result<(), InputError> {
        let mend = |fact: String, line: u64| {
            let remedy = "mend the row: a list of users never to touch must be read whole";
            InputError::new(source.name(), fact, remedy).at(line)
        };
        let dialect = shape(source, roster)?;
        let mut records = dialect.open(source)?;
        let mut entries = HashMap::new();
        let mut spread = SpreadRows::default();
        if dialect.has_header {
            spread.note(dialect.header_line, records.last_line());
        }
        while let Some(line) = records.next()? {
            spread.note(line, records.last_line());
            let cell = dialect.id_cell(&records.text).map_err(|fact| mend(fact, line))?;
            let id = trim_user_id(cell);
            if id.is_empty() {
                return Err(mend("the row names nobody: its user ID is blank".into(), line));
            }
            if !dialect.repeats_header(id) {
                entries.entry(id.into()).or_insert(Entry { line, met: false });
            }
        }
        self.0.push(List { file: source.name().to_owned(), entries, spread });
        Ok(())
    }

    /// Takes note of a user of the roster.
    pub(crate) fn meet(&mut self, id: &str) {
        for list in &mut self.0 {
            if let Some(entry) = list.entries.get_mut(id) {
                entry.met = true;
            }
        }
    }

    /// Everyone to be left alone, and a report on each list, which can be counted
    /// anew where users have `several_names`.
    #[must_use]
    pub(crate) fn finish(self, several_names: bool) -> (HashSet<Box<str>>, Vec<ListReport>) {
        let reports = self.0.iter().map(|list| list.report(several_names)).collect();
        let mut excluded = HashSet::with_capacity(self.0.iter().map(|list| list.entries.len()).sum());
        excluded.extend(self.0.into_iter().flat_map(|list| list.entries.into_keys()));
        (excluded, reports)
    }
}

impl List {
    fn report(&self, several_names: bool) -> ListReport {
        let mut strangers: Vec<_> = self.entries.iter().filter(|(_, entry)| !entry.met).collect();
        let mut kept = Vec::new();
        if several_names {
            strangers.sort_unstable_by_key(|(_, entry)| entry.line);
            kept.extend(strangers.iter().map(|(id, entry)| RowIssue { line: entry.line, text: id.to_string() }));
        }
        let unmatched = strangers.len() as u64;
        let first = EXAMPLES.min(strangers.len());
        if first > 0 {
            strangers.select_nth_unstable_by_key(first - 1, |(_, entry)| entry.line);
        }
        strangers.truncate(first);
        strangers.sort_unstable_by_key(|(_, entry)| entry.line);
        let examples =
            strangers.iter().map(|(id, entry)| RowIssue { line: entry.line, text: quoted_cell(id) }).collect();
        ListReport {
            file: self.file.clone(),
            entries: self.entries.len() as u64,
            unmatched,
            examples,
            spread: self.spread.clone(),
            strangers: kept,
        }
    }
}

impl ListReport {
    /// Counts anew once it is known whom the entries mean: those of which
    /// `is_in_roster` says so are no strangers.
    ///
    /// # Errors
    /// It can't say.
    pub(crate) fn recount<E>(&mut self, mut is_in_roster: impl FnMut(&str) -> Result<bool, E>) -> Result<(), E> {
        let mut left = Vec::new();
        for stranger in std::mem::take(&mut self.strangers) {
            if !is_in_roster(&stranger.text)? {
                left.push(stranger);
            }
        }
        self.unmatched = left.len() as u64;
        let first = left.iter().take(EXAMPLES);
        self.examples =
            first.map(|RowIssue { line, text }| RowIssue { line: *line, text: quoted_cell(text) }).collect();
        self.strangers = left;
        Ok(())
    }

    /// Returns a remark on the list, unless all its entries are in the roster.
    #[must_use]
    pub(crate) fn remark(&self) -> Option<String> {
        let Self { file, entries, unmatched, examples, .. } = self;
        let shown: Vec<String> = examples.iter().map(|entry| format!("line {}: {}", entry.line, entry.text)).collect();
        let shown = shown.join(", ");
        let more = if *unmatched > examples.len() as u64 { ", …" } else { "" };
        match unmatched {
            0 if *entries == 0 => Some(format!("{file}: names nobody, so it protects nobody")),
            0 => None,
            all if all == entries => Some(format!(
                "{file}: {all} of {entries} entries name nobody in the roster ({shown}{more}): IT PROTECTS NOBODY; check that it holds user IDs, spelt as in the roster"
            )),
            some => Some(format!("{file}: {some} of {entries} entries name nobody in the roster ({shown}{more})")),
        }
    }

    /// Returns true if no entry is in the roster, as in a list of something else.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.entries > 0 && self.unmatched == self.entries
    }
}

/// Finds out how a list is written: with the column and delimiter that were
/// named for the roster, if it has them, else by itself.
fn shape(source: &Source, roster: &Options) -> Result<Dialect, InputError> {
    let find = |options: &Options| dialect::find(source, options, Role::ExcludeList);
    let delimiter = roster.delimiter.filter(|&delimiter| dialect::splits(source, delimiter));
    if roster.id_column.is_some() && !roster.no_headers {
        for delimiter in [delimiter, None] {
            let named = find(&Options { delimiter, ..roster.clone() });
            if let Some(dialect) = named.ok().filter(|dialect| dialect.has_header) {
                return Ok(dialect);
            }
        }
    }
    let given = delimiter.map(|_| find(&Options { delimiter, ids: roster.ids, ..Options::default() }));
    if let Some(Ok(dialect)) = given {
        return Ok(dialect);
    }
    find(&Options { ids: roster.ids, ..Options::default() })
        .or_else(|error| if roster.no_headers { find(roster).map_err(|_| error) } else { Err(error) })
}
