//! The records of a CSV input, each with the lines it stands in.
//!
//! Invariant: a line number is the physical line of the record's first cell,
//! whatever blank lines, CRLFs and quoted line breaks came before; and what is
//! not UTF-8 or has two readings is an error with its line, never a record.

use std::io::BufReader;

use csv::{ByteRecord, StringRecord, Terminator};

use super::raw::{RawRecords, unreadable};
use super::source::{Source, Text};
use crate::model::InputError;

/// The records of an input, header included, each with its lines.
pub(super) struct Records<'a> {
    source: &'a Source,
    reader: csv::Reader<RawRecords<BufReader<Text<'a>>>>,
    delimiter: u8,
    /// The record that [`Records::next_bytes`] read last.
    bytes: ByteRecord,
    /// The record that [`Records::next`] read last.
    pub text: StringRecord,
}

impl<'a> Records<'a> {
    /// The records from the input's start, or from its second line if the first
    /// one is a `sep=` line.
    ///
    /// # Errors
    /// The input can't be rewound.
    pub(super) fn open(source: &'a Source, delimiter: u8, after_sep_line: bool) -> Result<Self, InputError> {
        let text = source.text().map_err(|error| unreadable(source.name(), &error))?;
        let mut raw = RawRecords::new(source.name(), BufReader::with_capacity(64 * 1024, text), delimiter);
        if after_sep_line {
            raw.skip_line()?;
        }
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter).terminator(Terminator::Any(b'\n'));
        let mut records = Self {
            source,
            reader: builder.from_reader(raw),
            delimiter,
            bytes: ByteRecord::new(),
            text: StringRecord::new(),
        };
        // The parser drops a byte order mark from the first record that it is
        // given, wherever that stands in the file.
        records.reader.get_mut().prime();
        records.next_bytes()?;
        Ok(records)
    }

    /// Reads the next record into `text` and returns its first line; `None` is
    /// the end. Rows of white space alone are passed over.
    ///
    /// # Errors
    /// The record is not UTF-8 or has two readings, or reading failed.
    #[allow(clippy::should_implement_trait, reason = "a lending reader, not an iterator")]
    pub(super) fn next(&mut self) -> Result<Option<u64>, InputError> {
        while self.reader.get_mut().advance()? {
            if self.parse()? {
                return Ok(Some(self.reader.get_ref().first));
            }
        }
        Ok(None)
    }

    /// Parses the record that was found into `text`; `false` is one of white space
    /// alone. Where no quote is opened, as in nearly every record there is, the
    /// cells are what stands between the delimiters, without a parser.
    fn parse(&mut self) -> Result<bool, InputError> {
        let Some(line) = self.reader.get_mut().take_plain() else {
            self.reader.read_record(&mut self.text).map_err(|error| self.refusal(error))?;
            // A quoted nothing in a column of its own is a row.
            return Ok(self.text.len() == 1 || self.text.iter().any(|cell| !cell.trim().is_empty()));
        };
        let Ok(line) = std::str::from_utf8(line) else { return Err(self.not_utf8()) };
        self.text.clear();
        for cell in line.split(char::from(self.delimiter)) {
            self.text.push_field(cell);
        }
        Ok(line.contains(|c: char| c.is_ascii_graphic() && c != char::from(self.delimiter))
            || self.text.iter().any(|cell| !cell.trim().is_empty()))
    }

    /// The same, whatever its encoding.
    ///
    /// # Errors
    /// The record has two readings, or reading failed.
    pub(super) fn next_bytes(&mut self) -> Result<Option<u64>, InputError> {
        match self.reader.read_byte_record(&mut self.bytes) {
            Ok(true) => Ok(Some(self.reader.get_ref().first)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.refusal(error)),
        }
    }

    /// The cells that [`Records::next_bytes`] read.
    pub(super) fn cells(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.iter()
    }

    /// The line that the record ends in.
    pub(super) fn last_line(&self) -> u64 {
        self.reader.get_ref().last
    }

    /// SHA-256 of the text, once it was read to its end.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.reader.get_ref().input().get_ref().digest()
    }

    /// Returns the fault for which the raw records were refused; it came through
    /// the csv crate.
    fn refusal(&self, error: csv::Error) -> InputError {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => {
                error.downcast::<InputError>().unwrap_or_else(|error| unreadable(self.source.name(), &error))
            }
            _ => self.not_utf8(),
        }
    }

    fn not_utf8(&self) -> InputError {
        let record = self.reader.get_ref();
        let raw = record.bytes();
        let valid = std::str::from_utf8(raw).err().map_or(0, |error| error.valid_up_to());
        let breaks = raw[..valid].iter().filter(|&&byte| byte == b'\n').count() as u64;
        InputError::new(
            self.source.name(),
            "is not valid UTF-8".into(),
            "save it as `CSV UTF-8`, or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
        )
        .at(record.first + breaks)
    }
}
