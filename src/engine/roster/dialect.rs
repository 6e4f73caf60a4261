//! The dialect of a roster: its delimiter, its header, and the column that holds
//! the user IDs.
//!
//! Invariant: nothing is guessed where a guess could swallow a user or send
//! the wrong column; the operator is asked for the flag that decides instead.

use std::io::{BufRead, BufReader, Read};

use csv::StringRecord;

use super::raw::unreadable;
use super::records::Records;
use super::source::Source;
use super::{Options, Role};
use crate::model::{IdForm, InputError, digest_of, is_hidden, quoted_cell, trim_user_id};

/// Delimiters looked for, in the order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Records that decide the delimiter.
const SAMPLE: usize = 100;

/// Column names that a message lists at most.
const LISTED: usize = 20;

/// Headers of an only column that name the column and not a person.
const COLUMN_WORDS: [&str; 10] =
    ["id", "ids", "identifier", "user", "users", "userids", "username", "usernames", "finspaceuser", "finspaceuserid"];

/// The dialect of a roster.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    /// The byte between cells.
    pub delimiter: u8,
    /// True if a line like `sep=;` comes first.
    pub sep_line: bool,
    /// Column names; made up where the file has none.
    pub header: Vec<String>,
    /// The header's line.
    pub header_line: u64,
    /// True if the first record is a header.
    pub has_header: bool,
    /// The column of the user IDs, from 0.
    pub id_index: usize,
    /// The cell of a repeated header in that column, as headers are compared.
    id_header: String,
    /// The form of the user IDs.
    ids: IdForm,
}

impl Dialect {
    /// The untrimmed user ID of a record, or why the row can't be sent.
    ///
    /// # Errors
    /// The row is not as wide as the header, repeats the header, or its ID
    /// breaks the API's rule.
    pub(super) fn user_id<'r>(&self, record: &'r StringRecord) -> Result<&'r str, String> {
        let id = self.id_cell(record)?;
        if self.repeats_header(id) {
            return Err("the row repeats the header; not sent".into());
        }
        self.ids.check(trim_user_id(id)).map(|()| id)
    }

    /// The ID cell of a record, whatever it holds.
    ///
    /// # Errors
    /// The row is not as wide as the header.
    pub(super) fn id_cell<'r>(&self, record: &'r StringRecord) -> Result<&'r str, String> {
        if record.len() == self.header.len() {
            return Ok(&record[self.id_index]);
        }
        Err(format!(
            "the row has {} fields where {} {}; not sent, since its cells may be shifted",
            record.len(),
            if self.has_header { "the header has" } else { "the first row has" },
            self.header.len(),
        ))
    }

    /// Returns true if an ID cell reads as the ID column's header, as the second
    /// one does in files that were joined, or the first of a file that was said to
    /// have none.
    pub(super) fn repeats_header(&self, id: &str) -> bool {
        let names_a_column = || COLUMN_WORDS.iter().any(|word| reads_as(id, word));
        reads_as(id, &self.id_header) || names_ids(self.ids, id) || !self.has_header && names_a_column()
    }

    /// A digest of all that makes the rows what they are: the text, and the way
    /// it is read.
    pub(super) fn fingerprint(&self, text: &[u8; 32]) -> [u8; 32] {
        let id_index = self.id_index.to_le_bytes();
        digest_of(&[text, &[self.delimiter, u8::from(self.sep_line), u8::from(self.has_header)], &id_index])
    }

    /// The records behind the header.
    ///
    /// # Errors
    /// The input can't be read.
    pub(super) fn open<'a>(&self, source: &'a Source) -> Result<Records<'a>, InputError> {
        let mut records = Records::open(source, self.delimiter, self.sep_line)?;
        if self.has_header {
            records.next()?;
        }
        Ok(records)
    }
}

/// Finds out how the input is written.
///
/// # Errors
/// It is empty, or leaves open where cells end or which column holds the user
/// IDs.
pub(super) fn find(source: &Source, options: &Options, role: Role) -> Result<Dialect, InputError> {
    let declared = declared_delimiter(source)?;
    let delimiter = match options.delimiter.or(declared) {
        Some(delimiter) => delimiter,
        None => detect_delimiter(source, options, role)?,
    };
    let sep_line = declared.is_some();
    let mut records = Records::open(source, delimiter, sep_line)?;
    let Some(line) = records.next()? else {
        return Err(InputError::new(source.name(), "is empty".into(), role.remedies().empty));
    };
    let first: Vec<String> = records.text.iter().map(str::to_owned).collect();
    let bare = role == Role::ExcludeList && first.len() == 1 && !names_ids(options.ids, &first[0]);
    let named = options.id_column.as_deref().is_some_and(|name| bare && reads_as(&first[0], &plain(name)));
    if options.no_headers || bare && !named {
        let id_index = numbered_column(source, options, first.len())?;
        let name = |at: usize| {
            if at == id_index { "user_id".to_owned() } else { format!("column_{}", at + 1) }
        };
        return Ok(Dialect {
            delimiter,
            sep_line,
            header: (0..first.len()).map(name).collect(),
            header_line: line,
            has_header: false,
            id_index,
            id_header: "userid".into(),
            ids: options.ids,
        });
    }
    let id_index = named_column(source, options, &first, line, role)?;
    let id_header = plain(&first[id_index]);
    let ids = options.ids;
    Ok(Dialect { delimiter, sep_line, header: first, header_line: line, has_header: true, id_index, id_header, ids })
}

/// The delimiter that a first line like `sep=;` names, as Excel writes it.
fn declared_delimiter(source: &Source) -> Result<Option<u8>, InputError> {
    let mut line = Vec::new();
    let text = source.text().map(|text| BufReader::with_capacity(64, text.take(32)));
    text.and_then(|mut text| text.read_until(b'\n', &mut line)).map_err(|error| unreadable(source.name(), &error))?;
    let mut line = line.as_slice();
    while let Some(rest) = line.strip_prefix("\u{feff}".as_bytes()) {
        line = rest;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    Ok(match line {
        [s @ .., b'=', delimiter] if s.eq_ignore_ascii_case(b"sep") => {
            Some(*delimiter).filter(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"')
        }
        _ => None,
    })
}

fn numbered_column(source: &Source, options: &Options, width: usize) -> Result<usize, InputError> {
    let Some(typed) = &options.id_column else {
        return Ok(0);
    };
    match typed.parse::<usize>() {
        Ok(number) if (1..=width).contains(&number) => Ok(number - 1),
        _ => Err(InputError::new(
            source.name(),
            format!("has {width} columns and no headers, and --id-column is {typed:?}"),
            format!("with --no-headers, --id-column is a number from 1 to {width}"),
        )),
    }
}

fn named_column(
    source: &Source,
    options: &Options,
    header: &[String],
    line: u64,
    role: Role,
) -> Result<usize, InputError> {
    let at_header = |fact: String, remedy: &str| InputError::new(source.name(), fact, remedy).at(line);
    let matching =
        |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> { (0..header.len()).filter(|&at| wanted(&header[at])).collect() };
    let (found, wanted) = match &options.id_column {
        Some(typed) => {
            let exact = matching(&|name| name == typed);
            let wanted = plain(typed);
            let loose = || matching(&|name| reads_as(name, &wanted));
            (if exact.is_empty() { loose() } else { exact }, quoted_cell(typed))
        }
        None => (matching(&|name| names_ids(options.ids, name)), options.ids.column().into()),
    };
    match (found.as_slice(), &options.id_column) {
        ([only], _) => Ok(*only),
        ([], None) if header.len() == 1 => only_column(source, options.ids, &header[0], line),
        ([], _) => Err(at_header(
            format!("has no column {wanted}; the columns are {}", list(header.iter())),
            role.remedies().no_column,
        )),
        (several, _) => Err(at_header(
            format!(
                "has {} columns that read as {wanted}: {}",
                several.len(),
                list(several.iter().map(|&at| &header[at])),
            ),
            role.remedies().two_columns,
        )),
    }
}

/// Names of columns for a message.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut listed = names.take(LISTED).map(|name| quoted_cell(name)).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed.push_str(&format!(" and {more} more"));
    }
    listed
}

/// An only column counts without being named, unless its first cell could be a
/// user: nobody may be swallowed as a header.
fn only_column(source: &Source, ids: IdForm, first: &str, line: u64) -> Result<usize, InputError> {
    let meant = first.chars().all(|c| !is_hidden(c) || matches!(c, '\n' | '\r'));
    if COLUMN_WORDS.contains(&plain(first).as_str()) || meant && ids.check(trim_user_id(first)).is_err() {
        return Ok(0);
    }
    let first = quoted_cell(first);
    Err(InputError::new(
        source.name(),
        format!("starts with {first}, which may be a header or a user"),
        format!("use --no-headers if it is a user, or --id-column {first} if it is the header"),
    )
    .at(line))
}

/// A header as it is compared: without case, `_`, `-`, white space, and what
/// can't be seen.
pub(crate) fn plain(name: &str) -> String {
    letters(name).collect()
}

/// Returns true if a header reads as one in its plain form.
pub(crate) fn reads_as(name: &str, plain: &str) -> bool {
    // Nearly every cell differs in its first letter.
    let first =
        |text: &str| text.bytes().next().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    match (first(name), first(plain)) {
        (Some(one), Some(other)) if one != other => false,
        // And nearly every other one in some letter more, bytes all of them.
        _ if name.is_ascii() => {
            let counts = |byte: &u8| !matches!(byte, b'_' | b'-' | b' ') && !byte.is_ascii_control();
            name.bytes().filter(counts).map(|byte| byte.to_ascii_lowercase()).eq(plain.bytes())
        }
        _ => letters(name).eq(plain.chars()),
    }
}

/// Returns true if a header names the column of user IDs by itself.
fn names_ids(ids: IdForm, header: &str) -> bool {
    ids.headers().iter().any(|word| reads_as(header, word))
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    let counts = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-') && !is_hidden(*c);
    name.chars().filter(counts).flat_map(char::to_lowercase)
}

/// The first records as one delimiter splits them.
struct Reading {
    delimiter: u8,
    /// True if a header cell reads as the column of the user IDs.
    named: bool,
    /// True if all are as wide as the first.
    even: bool,
}

/// Finds the only delimiter that the file can be read with. A header that names
/// the column of the user IDs settles it, else rows that are all equally wide.
fn detect_delimiter(source: &Source, options: &Options, role: Role) -> Result<u8, InputError> {
    let typed = options.id_column.as_deref().map(plain);
    let wanted: Vec<&str> = match &typed {
        _ if options.no_headers => Vec::new(),
        Some(typed) => vec![typed],
        None => options.ids.headers().to_vec(),
    };
    let mut readings: Vec<Reading> =
        DELIMITERS.into_iter().filter_map(|delimiter| read_with(source, delimiter, &wanted)).collect();
    for settles in [|reading: &Reading| reading.named, |reading: &Reading| reading.even] {
        if readings.iter().any(settles) {
            readings.retain(settles);
        }
    }
    match readings.as_slice() {
        [] => Ok(b','),
        [only] => Ok(only.delimiter),
        several => {
            let names: Vec<_> = several.iter().map(|reading| format!("{:?}", char::from(reading.delimiter))).collect();
            Err(InputError::new(
                source.name(),
                format!("can be read with {} between its cells", names.join(" or with ")),
                role.remedies().delimiter,
            ))
        }
    }
}

/// Returns true if a delimiter splits the first record.
pub(super) fn splits(source: &Source, delimiter: u8) -> bool {
    read_with(source, delimiter, &[]).is_some()
}

/// Reads the first records with a delimiter; `None` if it splits nothing.
fn read_with(source: &Source, delimiter: u8, wanted: &[&str]) -> Option<Reading> {
    let mut records = Records::open(source, delimiter, false).ok()?;
    records.next_bytes().ok()??;
    let width = records.cells().len();
    let is_wanted = |cell: &[u8]| {
        let cell = String::from_utf8_lossy(cell);
        wanted.iter().any(|wanted| reads_as(&cell, wanted))
    };
    let named = records.cells().any(is_wanted);
    // What is refused with this delimiter, such as text behind a quoted cell,
    // is no reading.
    let even =
        (1..SAMPLE).map_while(|_| records.next_bytes().transpose().map(|read| read.map(|_| records.cells().len())));
    let even = { even }.all(|read| read.is_ok_and(|cells| cells == width));
    (width > 1).then_some(Reading { delimiter, named, even })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_reads_as_its_plain_form_however_it_is_told(
            name in "[ -~\t\u{b}\u{c}\u{85}\u{a0}\u{200b}ÄßİI]{0,6}",
            other in "[UuSs_ -]{0,4}",
        ) {
            prop_assert!(reads_as(&name, &plain(&name)));
            prop_assert_eq!(reads_as(&name, &plain(&other)), plain(&name) == plain(&other));
        }
    }
}
