//! Raw records: the bytes of one row after another, quotes and all.
//!
//! Invariant: a record is handed on only if it has a single reading. Text after
//! a closing quote, a quote that is never closed, and a carriage return that
//! may or may not end a row are errors with their line, since the csv crate
//! takes all of them and would swallow rows. Nothing longer than [`MAX_RECORD`]
//! is ever held.

use std::io::{self, BufRead, Read};

use memchr::memchr;

use crate::model::InputError;

/// The longest record, in bytes.
pub(super) const MAX_RECORD: usize = 1024 * 1024;

/// A byte order mark, as UTF-8 has it.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The records of an input, one by one. As a reader it yields exactly one
/// record before it looks for the next, ended by a line feed alone.
pub(super) struct RawRecords<R> {
    name: String,
    input: R,
    delimiter: u8,
    /// The record.
    bytes: Vec<u8>,
    /// Bytes of it that were handed on.
    given: usize,
    /// The line it starts in.
    pub first: u64,
    /// The line it ends in.
    pub last: u64,
    cell: Cell,
    begun: bool,
    /// True if no quote was opened in the record: its cells are what stands
    /// between its delimiters.
    plain: bool,
}

/// The scan's place in a cell.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    /// Before its first byte.
    Start,
    /// In an unquoted cell, where quotes mean nothing.
    Plain,
    /// Behind a quote that was opened in this line.
    Quoted(u64),
    /// Behind what closes that quote, unless another quote follows.
    Closed(u64),
}

impl<R: BufRead> RawRecords<R> {
    /// The records of the input that messages call `name`.
    pub(super) fn new(name: &str, input: R, delimiter: u8) -> Self {
        Self {
            name: name.to_owned(),
            input,
            delimiter,
            bytes: Vec::new(),
            given: 0,
            first: 0,
            last: 0,
            cell: Cell::Start,
            begun: false,
            plain: true,
        }
    }

    /// Passes over a line that is no record.
    ///
    /// # Errors
    /// It can't be read, or is too long.
    pub(super) fn skip_line(&mut self) -> Result<(), InputError> {
        self.add_line()?;
        self.bytes.clear();
        Ok(())
    }

    /// The record, ended by a line feed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the reader of the records.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// Returns the record without its end, if no quote is opened in it, as one
    /// that was handed on.
    pub(super) fn take_plain(&mut self) -> Option<&[u8]> {
        if !self.plain {
            return None;
        }
        self.given = self.bytes.len();
        self.bytes.split_last().map(|(_, line)| line)
    }

    /// Puts a record before the first, for a parser that treats the first one
    /// as no other.
    pub(super) fn prime(&mut self) {
        self.bytes.extend_from_slice(b"-\n");
        self.given = 0;
    }

    /// Finds the next record; blank lines are none.
    ///
    /// # Errors
    /// It has two readings, or can't be read.
    pub(super) fn advance(&mut self) -> Result<bool, InputError> {
        loop {
            self.bytes.clear();
            self.given = 0;
            self.plain = true;
            self.first = self.last + 1;
            loop {
                let from = self.bytes.len();
                if !self.add_line()? {
                    return match self.cell {
                        Cell::Quoted(opened) => Err(self.never_closed(opened, "")),
                        _ => Ok(false),
                    };
                }
                if self.ends(from)? {
                    break;
                }
            }
            if !self.bytes.iter().all(|byte| *byte == self.delimiter || byte.is_ascii_whitespace()) {
                self.begun = true;
                return Ok(true);
            }
        }
    }

    /// Reads a line, line feed included; `false` is the end of the input.
    fn add_line(&mut self) -> Result<bool, InputError> {
        let from = self.bytes.len();
        self.take_line().map_err(|error| unreadable(&self.name, &error))?;
        if self.bytes.len() == from {
            return Ok(false);
        }
        self.last += 1;
        if !self.begun && from == 0 {
            // Joined files bring a second mark, which no parser should see.
            while self.bytes.starts_with(MARK) {
                self.bytes.drain(..MARK.len());
            }
        }
        if self.bytes.len() > MAX_RECORD {
            self.ends(from)?;
            return Err(match self.cell {
                Cell::Quoted(opened) => self.never_closed(opened, " within 1 MiB"),
                _ => InputError::new(
                    &self.name,
                    "the row that starts here is longer than 1 MiB".into(),
                    "check that this is a CSV file of users; no row of one is that long",
                )
                .at(self.first),
            });
        }
        if self.bytes.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        Ok(true)
    }

    /// Takes bytes up to a line feed, as long as the record keeps to its bound.
    fn take_line(&mut self) -> io::Result<()> {
        while self.bytes.len() <= MAX_RECORD {
            let there = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            let room = there.len().min(MAX_RECORD + 1 - self.bytes.len());
            let end = memchr(b'\n', &there[..room]);
            let taken = end.map_or(room, |at| at + 1);
            self.bytes.extend_from_slice(&there[..taken]);
            self.input.consume(taken);
            if end.is_some() || taken == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Scans the line that begins at `from`; tells whether the record ends with it.
    fn ends(&mut self, from: usize) -> Result<bool, InputError> {
        let line = &self.bytes[from..];
        let end = line.strip_suffix(b"\n").unwrap_or(line);
        let end = end.strip_suffix(b"\r").unwrap_or(end).len();
        // Nearly every line is plain, which is told without a branch.
        let special = line[..end].iter().filter(|&&byte| byte == b'"' || byte == b'\r').count();
        if special > 0 || matches!(self.cell, Cell::Quoted(_)) {
            for at in 0..line.len() {
                self.cell = match (self.cell, line[at]) {
                    (Cell::Quoted(opened), b'"') => Cell::Closed(opened),
                    (Cell::Quoted(opened), _) | (Cell::Closed(opened), b'"') => Cell::Quoted(opened),
                    // The line's own end, past which there is nothing.
                    (cell, _) if at >= end => cell,
                    (_, b'\r') => return Err(self.stray_return(&line[at..])),
                    (_, byte) if byte == self.delimiter => Cell::Start,
                    (Cell::Start, b'"') => {
                        self.plain = false;
                        Cell::Quoted(self.last)
                    }
                    (Cell::Closed(opened), _) => return Err(self.text_after(opened)),
                    (Cell::Start | Cell::Plain, _) => Cell::Plain,
                };
            }
            if matches!(self.cell, Cell::Quoted(_)) {
                return Ok(false);
            }
        }
        self.cell = Cell::Start;
        let length = from + end;
        self.bytes.truncate(length);
        self.bytes.push(b'\n');
        Ok(true)
    }

    fn never_closed(&self, opened: u64, within: &str) -> InputError {
        InputError::new(
            &self.name,
            format!("a quote is opened here and never closed{within}"),
            "close it, or double it if it belongs to the text (\"\")",
        )
        .at(opened)
    }

    fn text_after(&self, opened: u64) -> InputError {
        let place = if self.last == opened {
            "it is closed".to_owned()
        } else {
            format!("it is closed, in line {}", self.last)
        };
        InputError::new(
            &self.name,
            format!("a quote is opened here, and text follows where {place}; rows may be swallowed"),
            "double the quotes that belong to the text (\"\"), and put a delimiter or the line's end behind the last",
        )
        .at(opened)
    }

    fn stray_return(&self, rest: &[u8]) -> InputError {
        let fact = if rest.starts_with(b"\r\r\n") {
            "ends its lines with two carriage returns and a line feed"
        } else if !self.begun && !self.bytes.starts_with(b"\r") {
            "ends its lines with carriage returns alone"
        } else {
            "holds a carriage return outside quotes, which may or may not end a row"
        };
        InputError::new(&self.name, fact.into(), "save it with LF or CRLF line ends").at(self.last)
    }
}

impl<R: BufRead> Read for RawRecords<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.bytes.len() && !self.advance().map_err(io::Error::other)? {
            return Ok(0);
        }
        let got = (&self.bytes[self.given..]).read(buffer)?;
        self.given += got;
        Ok(got)
    }
}

/// Returns the error of a reading that failed.
pub(super) fn unreadable(name: &str, error: &io::Error) -> InputError {
    InputError::new(name, format!("can't be read: {error}"), "check the file and its disk")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records with their lines, and the error that ended them, if any.
    fn scan(text: &[u8]) -> (Vec<(String, u64, u64)>, Option<String>) {
        let mut records = RawRecords::new("in.csv", text, b',');
        let mut found = Vec::new();
        loop {
            match records.advance() {
                Ok(true) => {
                    let text = String::from_utf8_lossy(&records.bytes).into_owned();
                    found.push((text, records.first, records.last));
                }
                Ok(false) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn records_end_where_their_quotes_allow_it() {
        let text = b"\xef\xbb\xbf\xef\xbb\xbfa,b\r\n , \n\r\n\"x\ny\",\"\"\"\"\r\n24\" wide,\"c\r\"\n,\"\nz";
        let (found, error) = scan(text);
        let want = [("a,b\n", 1, 1), ("\"x\ny\",\"\"\"\"\n", 4, 5), ("24\" wide,\"c\r\"\n", 6, 6)];
        let want: Vec<_> = want.iter().map(|&(text, first, last)| (text.to_owned(), first, last)).collect();
        assert_eq!(found, want);
        assert!(error.unwrap().starts_with("in.csv:7: a quote is opened here and never closed;"));
    }

    #[test]
    fn whatever_has_two_readings_is_refused_where_it_begins() {
        for (text, says) in [
            (
                &b"a\nb,\"x\nc\nd\"y\n"[..],
                "in.csv:2: a quote is opened here, and text follows where it is closed, in line 4;",
            ),
            (b"a\n\"x\" ,b\n", "in.csv:2: a quote is opened here, and text follows where it is closed;"),
            (b"a\n\"x\ny\",\"z\n", "in.csv:3: a quote is opened here and never closed;"),
            (b"a\n\"x\"\"\n", "in.csv:2: a quote is opened here and never closed;"),
            (b"a,b\rc,d\r", "in.csv:1: ends its lines with carriage returns alone;"),
            (b"\"a\"\r\"b\"\r", "in.csv:1: ends its lines with carriage returns alone;"),
            (b"a,b\r\r\nc,d\r\r\n", "in.csv:1: ends its lines with two carriage returns and a line feed;"),
            (b"\"a\"\r\r\n", "in.csv:1: ends its lines with two carriage returns and a line feed;"),
            (b"a,b,c\nd,e\rf,g\n", "in.csv:2: holds a carriage return outside quotes,"),
        ] {
            let error = scan(text).1.unwrap_or_default();
            assert!(error.starts_with(says), "{:?}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_record_has_a_bound() {
        let long = [b"a\n".to_vec(), vec![b'x'; MAX_RECORD - 1], b"\nb\n".to_vec()].concat();
        assert_eq!(scan(&long).0.len(), 3);
        let longer = [b"a\n".to_vec(), vec![b'x'; MAX_RECORD], b"\nb\n".to_vec()].concat();
        assert!(scan(&longer).1.unwrap().starts_with("in.csv:2: the row that starts here is longer than 1 MiB;"));
        let open = [b"a\nb,\"".to_vec(), b"x\n".repeat(MAX_RECORD)].concat();
        assert!(scan(&open).1.unwrap().starts_with("in.csv:2: a quote is opened here and never closed within 1 MiB;"));
        let returns = b"a,b\r".repeat(MAX_RECORD / 2);
        assert!(scan(&returns).1.unwrap().starts_with("in.csv:1: ends its lines with carriage returns alone;"));
    }
}
