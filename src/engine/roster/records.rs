//! The records of a CSV input, each with the line it starts in.
//!
//! Invariant: a line number is the physical line of the record's first cell,
//! whatever blank lines, CRLFs and quoted line breaks came before; and what is
//! not UTF-8 or not closed is an error with its line, never a record.

use std::io::{self, BufReader, Cursor, Read};

use csv::{ByteRecord, StringRecord, Terminator};

use super::source::Source;
use crate::model::InputError;

/// Marks the end of the input, so that a quote that is never closed shows: it
/// swallows this record.
const END: &str = "\0end of roster\0";

/// The records of an input, header included, each with its line.
pub(super) struct Records<'a> {
    source: &'a Source,
    reader: csv::Reader<Box<dyn Read + 'a>>,
    bytes: ByteRecord,
    /// The record last read.
    pub text: StringRecord,
    ended: bool,
}

impl<'a> Records<'a> {
    /// The records from the input's start.
    ///
    /// # Errors
    /// The input can't be rewound.
    pub(super) fn open(source: &'a Source, delimiter: u8) -> Result<Self, InputError> {
        let input = source.reader().map_err(|error| broken(source, &error))?;
        let end = Cursor::new(format!("\n{END}\n"));
        let input: Box<dyn Read + 'a> = Box::new(BufReader::with_capacity(64 * 1024, input).chain(end));
        Ok(Self {
            source,
            reader: builder(delimiter).buffer_capacity(64 * 1024).from_reader(input),
            bytes: ByteRecord::new(),
            text: StringRecord::new(),
            ended: false,
        })
    }

    /// Reads the next record into `text`; `None` is the end.
    ///
    /// # Errors
    /// The record is not UTF-8, its quote is never closed, or reading failed.
    #[allow(clippy::should_implement_trait, reason = "a lending reader, not an iterator")]
    pub(super) fn next(&mut self) -> Result<Option<u64>, InputError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let before = self.reader.position().clone();
            match self.reader.read_byte_record(&mut self.bytes) {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    return Ok(None);
                }
                Err(error) => return Err(broken(self.source, &error.into())),
            }
            // The csv crate tells the line it began to look at, blank lines and
            // all; the line a record ends in is exact, so count back from it.
            let end = self.reader.position().clone();
            let breaks = || self.bytes.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
            let inner = if end.line() - before.line() > 1 { breaks() } else { 0 };
            let line = (end.line() - 1).saturating_sub(inner).max(1);
            if self.bytes.len() == 1 && self.bytes.get(0) == Some(END.as_bytes()) {
                self.ended = true;
                // Rows behind the mark would be lost without a word.
                return match self.reader.read_byte_record(&mut self.bytes) {
                    Ok(false) => Ok(None),
                    Ok(true) => Err(InputError::new(
                        self.source.name(),
                        "holds the very text that this program marks a roster's end with".into(),
                        "remove that row",
                    )
                    .at(line)),
                    Err(error) => Err(broken(self.source, &error.into())),
                };
            }
            if self.bytes.iter().next_back().is_some_and(swallowed_the_end) {
                // Such a record ends with the input and not with a line.
                let line = end.line().saturating_sub(inner).max(1);
                return Err(InputError::new(
                    self.source.name(),
                    "a quote is opened in the row that starts here and never closed".into(),
                    "close it, or double it if it belongs to the text (\"\")",
                )
                .at(line));
            }
            // An empty line in a CRLF file; the parser passes over the others. A
            // quoted nothing ("") reads the same, is two bytes longer, and a row.
            let empty = self.bytes.len() == 1 && self.bytes.get(0) == Some(b"\r");
            if empty && end.byte() - before.byte() == end.line() - before.line() + 1 {
                continue;
            }
            strip_carriage_return(&mut self.bytes);
            let bytes = std::mem::take(&mut self.bytes);
            match StringRecord::from_byte_record(bytes) {
                Ok(text) => self.bytes = std::mem::replace(&mut self.text, text).into_byte_record(),
                Err(error) => {
                    let before = error.utf8_error();
                    let record = error.clone().into_byte_record();
                    let line = line + breaks_before(&record, before.field(), before.valid_up_to());
                    return Err(InputError::new(
                        self.source.name(),
                        "is not valid UTF-8".into(),
                        "save it as «CSV UTF-8», or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
                    )
                    .at(line));
                }
            }
            return Ok(Some(line));
        }
    }
}

/// The one way a roster is parsed. A line ends at its line feed, so that lines
/// can be counted; a carriage return before it is taken off afterwards.
pub(super) fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).terminator(Terminator::Any(b'\n'));
    builder
}

/// Takes the carriage return of a CRLF off the last cell.
pub(super) fn strip_carriage_return(record: &mut ByteRecord) {
    if record.as_slice().last() != Some(&b'\r') || record.iter().next_back().is_none_or(<[u8]>::is_empty) {
        return;
    }
    let last = record.len() - 1;
    let stripped: ByteRecord =
        record.iter().enumerate().map(|(at, cell)| if at == last { &cell[..cell.len() - 1] } else { cell }).collect();
    *record = stripped;
}

fn swallowed_the_end(cell: &[u8]) -> bool {
    cell.strip_suffix(b"\n").and_then(|cell| cell.strip_suffix(END.as_bytes())).is_some()
}

fn breaks_before(record: &ByteRecord, field: usize, valid: usize) -> u64 {
    let breaks = |cell: &[u8]| cell.iter().filter(|&&byte| byte == b'\n').count();
    let before: usize = record.iter().take(field).map(breaks).sum();
    let inside = record.get(field).map_or(0, |cell| breaks(&cell[..valid.min(cell.len())]));
    (before + inside) as u64
}

fn broken(source: &Source, error: &io::Error) -> InputError {
    InputError::new(source.name(), format!("can't be read: {error}"), "check the file and its disk")
}
