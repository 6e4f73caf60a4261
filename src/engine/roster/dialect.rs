//! How a roster is written: its delimiter, its header, and the column that
//! holds the user IDs.
//!
//! Invariant: nothing is guessed where a guess could swallow a user or send
//! the wrong column; the operator is asked for the flag that decides instead.

use std::io::Read;

use csv::{ByteRecord, StringRecord};

use super::Options;
use super::records::{Records, builder, strip_carriage_return};
use super::source::Source;
use crate::model::{InputError, check_user_id};

/// Delimiters looked for, in the order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How much of the input decides the delimiter.
const SAMPLE: u64 = 64 * 1024;

/// Headers of an only column that name the column and not a person.
const COLUMN_WORDS: [&str; 10] =
    ["id", "ids", "identifier", "user", "users", "userids", "username", "usernames", "finspaceuser", "finspaceuserid"];

/// How a roster is written.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    /// The byte between cells.
    pub delimiter: u8,
    /// Column names; made up where the file has none.
    pub header: Vec<String>,
    /// The header's line.
    pub header_line: u64,
    /// Whether the first record is a header.
    pub has_header: bool,
    /// The column of the user IDs, from 0.
    pub id_index: usize,
}

impl Dialect {
    /// The untrimmed user ID of a record, or why the row can't be sent.
    ///
    /// # Errors
    /// The row is not as wide as the header, or its ID breaks the API's rule.
    pub(super) fn user_id<'r>(&self, record: &'r StringRecord) -> Result<&'r str, String> {
        if record.len() != self.header.len() {
            return Err(format!(
                "the row has {} fields where {} {}; not sent, since its cells may be shifted",
                record.len(),
                if self.has_header { "the header has" } else { "the first row has" },
                self.header.len(),
            ));
        }
        let id = &record[self.id_index];
        check_user_id(id.trim()).map(|()| id)
    }
}

/// Finds out how the input is written.
///
/// # Errors
/// It is empty, or leaves open which column holds the user IDs.
pub(super) fn find(source: &Source, options: &Options) -> Result<Dialect, InputError> {
    let delimiter = match options.delimiter {
        Some(delimiter) => delimiter,
        None => detect_delimiter(source, options)?,
    };
    let mut records = Records::open(source, delimiter)?;
    let Some(line) = records.next()? else {
        return Err(InputError::new(
            source.name(),
            "is empty".into(),
            "give it a user_id column and a row for each user",
        ));
    };
    let first: Vec<String> = records.text.iter().map(str::to_owned).collect();
    if first.iter().any(|cell| cell.contains('\r')) {
        return Err(InputError::new(
            source.name(),
            "ends its lines with carriage returns alone".into(),
            "save it with LF or CRLF line ends",
        )
        .at(line));
    }
    let bare = options.bare_list && first.len() == 1 && plain(&first[0]) != "userid";
    if options.no_headers || bare {
        let id_index = numbered_column(source, options, first.len())?;
        let name = |at: usize| {
            if at == id_index { "user_id".to_owned() } else { format!("column_{}", at + 1) }
        };
        return Ok(Dialect {
            delimiter,
            header: (0..first.len()).map(name).collect(),
            header_line: line,
            has_header: false,
            id_index,
        });
    }
    let id_index = named_column(source, options, &first, line)?;
    Ok(Dialect { delimiter, header: first, header_line: line, has_header: true, id_index })
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

fn named_column(source: &Source, options: &Options, header: &[String], line: u64) -> Result<usize, InputError> {
    let at_header = |fact: String, remedy: String| InputError::new(source.name(), fact, remedy).at(line);
    let columns = || header.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let matching =
        |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> { (0..header.len()).filter(|&at| wanted(&header[at])).collect() };
    let (found, wanted) = match &options.id_column {
        Some(typed) => {
            let exact = matching(&|name| name == typed);
            let loose = || matching(&|name| plain(name) == plain(typed));
            (if exact.is_empty() { loose() } else { exact }, format!("{typed:?}"))
        }
        None => (matching(&|name| plain(name) == "userid"), "user_id".into()),
    };
    match (found.as_slice(), &options.id_column) {
        ([only], _) => Ok(*only),
        ([], None) if header.len() == 1 => only_column(source, &header[0], line),
        ([], _) => Err(at_header(
            format!("has no column {wanted}; the columns are {}", columns()),
            "name the one that holds the user IDs with --id-column, or use --no-headers if the first row is a user"
                .into(),
        )),
        (several, _) => Err(at_header(
            format!(
                "has {} columns that read as {wanted}: {}",
                several.len(),
                several.iter().map(|&at| format!("{:?}", header[at])).collect::<Vec<_>>().join(", "),
            ),
            "name the right one exactly with --id-column, or rename the other".into(),
        )),
    }
}

/// An only column counts without being named, unless its first cell could be a
/// user: nobody may be swallowed as a header.
fn only_column(source: &Source, first: &str, line: u64) -> Result<usize, InputError> {
    if COLUMN_WORDS.contains(&plain(first).as_str()) || check_user_id(first.trim()).is_err() {
        return Ok(0);
    }
    Err(InputError::new(
        source.name(),
        format!("starts with {first:?}, which may be a header or a user"),
        format!("use --no-headers if it is a user, or --id-column {first:?} if it is the header"),
    )
    .at(line))
}

/// A header as it is compared: without case, `_`, `-` and white space.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Picks the delimiter that splits the first rows most evenly; a header cell
/// that reads as `user_id` (or as `--id-column`) settles it.
fn detect_delimiter(source: &Source, options: &Options) -> Result<u8, InputError> {
    let mut sample = Vec::new();
    source.reader().and_then(|input| input.take(SAMPLE).read_to_end(&mut sample)).map_err(|error| {
        InputError::new(source.name(), format!("can't be read: {error}"), "check the file and its disk")
    })?;
    if sample.len() as u64 == SAMPLE {
        let whole = sample.iter().rposition(|&byte| byte == b'\n').map_or(sample.len(), |at| at + 1);
        sample.truncate(whole);
    }
    let wanted = options.id_column.as_deref().map_or_else(|| "userid".to_owned(), plain);
    let mut best = (0, b',');
    for delimiter in DELIMITERS {
        let widths = widths(&sample, delimiter);
        let Some((first, header)) = widths.first() else {
            continue;
        };
        let names_it = !options.no_headers && header.iter().any(|cell| plain(cell) == wanted);
        let even = widths.iter().filter(|(width, _)| width == first).count();
        let split = *first > 1;
        // A named column outweighs evenness, which outweighs the width.
        let score = usize::from(split)
            * (1 + usize::from(names_it) * 1_000_000 + even * 1_000 / widths.len() * 100 + (*first).min(99));
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    Ok(best.1)
}

fn widths(sample: &[u8], delimiter: u8) -> Vec<(usize, Vec<String>)> {
    let mut reader = builder(delimiter).from_reader(sample);
    let mut record = ByteRecord::new();
    let mut widths = Vec::new();
    while widths.len() < 100 && matches!(reader.read_byte_record(&mut record), Ok(true)) {
        strip_carriage_return(&mut record);
        if record.len() == 1 && record.get(0) == Some(b"") {
            continue;
        }
        let cells = if widths.is_empty() {
            record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
        } else {
            Vec::new()
        };
        widths.push((record.len(), cells));
    }
    widths
}
