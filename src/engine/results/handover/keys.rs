//! The file of keys: a value, and a public key for it, a row.
//!
//! Invariant: every key is one that age encrypts to, or the file is refused
//! with the line.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::HandoverError;
use crate::engine::results::encryption::Key;
use crate::engine::roster::{Source, plain, reads_as};
use crate::model::{InputError, quoted_cell};

/// The column that holds the public keys.
const RECIPIENT: &str = "recipient";

/// The keys for each value.
pub(crate) struct Keys {
    name: String,
    groups: HashMap<String, u32>,
    values: Vec<String>,
    /// Sorted by the value's number.
    recipients: Vec<(u32, u64, Box<str>)>,
}

impl Keys {
    /// Reads the keys for the values of `column`.
    ///
    /// # Errors
    /// The file can't be read, lacks a column, or holds a key that is none.
    pub(crate) fn read(path: &Path, column: &str) -> Result<Self, HandoverError> {
        let source = Source::open(path)?;
        let name = source.name().to_owned();
        let failed = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            InputError::new(&name, format!("can't be read as CSV ({error})"), "save it as CSV UTF-8").at(line)
        };
        let unreadable = |error: std::io::Error| failed(error.into());
        let mut shown = String::new();
        for delimiter in *b",;\t|" {
            let text = source.text().map_err(unreadable)?;
            let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text);
            let header = reader.byte_headers().map_err(failed)?;
            let header: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            if shown.is_empty() {
                shown = header.join(", ");
            }
            if let (Some(value_at), Some(key_at)) = (self::column(&header, column), self::column(&header, RECIPIENT)) {
                let mut keys =
                    Self { name: name.clone(), groups: HashMap::new(), values: Vec::new(), recipients: Vec::new() };
                for row in reader.records() {
                    let row = row.map_err(failed)?;
                    let at = row.position().cloned().unwrap_or_else(csv::Position::new);
                    let cell = |at: usize| row.get(at).unwrap_or_default().trim();
                    let entry = Entry { value: cell(value_at), recipient: cell(key_at), line: at.line() };
                    keys.add(&entry, &|| line_of(&source, &at))?;
                }
                keys.recipients.sort_by_key(|(group, line, _)| (*group, *line));
                return Ok(keys);
            }
        }
        let fact = format!("wants the columns {} and {RECIPIENT}, and has: {shown}", quoted_cell(column));
        Err(InputError::new(&name, fact, "name them in its first line").at(1).into())
    }

    fn add(&mut self, entry: &Entry, line: &dyn Fn() -> u64) -> Result<(), HandoverError> {
        let Entry { value, recipient, .. } = *entry;
        if recipient.is_empty() {
            let fact = format!("has no key for {}", quoted_cell(value));
            let remedy = "put an age1… or SSH public key into its column recipient";
            return Err(InputError::new(&self.name, fact, remedy).at(line()).into());
        }
        if Key::new(String::new(), recipient).check().is_err() {
            Key::new(format!("{}:{}: ", self.name, line()), recipient).check()?;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let group = match self.groups.get(value) {
            Some(group) => *group,
            None => {
                self.groups.insert(value.to_owned(), next);
                self.values.push(value.to_owned());
                next
            }
        };
        self.recipients.push((group, entry.line, recipient.into()));
        Ok(())
    }

    /// Returns the file's name in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The number of a value that has keys.
    pub(super) fn group(&self, value: &str) -> Option<u32> {
        self.groups.get(value).copied()
    }

    /// The value of a number.
    pub(super) fn value(&self, group: u32) -> &str {
        usize::try_from(group).ok().and_then(|at| self.values.get(at)).map_or("", String::as_str)
    }

    /// The keys of a value, each once.
    pub(super) fn of(&self, group: u32) -> Vec<Key> {
        let first = self.recipients.partition_point(|(other, ..)| *other < group);
        let own = self.recipients[first..].iter().take_while(|(other, ..)| *other == group);
        let mut keys: Vec<Key> = Vec::new();
        for (_, line, text) in own {
            if !keys.iter().any(|key| *key.text == **text) {
                keys.push(Key::new(format!("{}:{line}: ", self.name), text));
            }
        }
        keys
    }
}

/// A row of the file.
struct Entry<'a> {
    value: &'a str,
    recipient: &'a str,
    line: u64,
}

/// The line a row begins in: the reader gives that of the blank lines before it.
fn line_of(source: &Source, at: &csv::Position) -> u64 {
    let blank = |text: &mut dyn Read| -> std::io::Result<u64> {
        std::io::copy(&mut text.take(at.byte()), &mut std::io::sink())?;
        let mut breaks = 0;
        for byte in std::io::BufReader::new(text).bytes() {
            match byte? {
                b'\n' => breaks += 1,
                b'\r' => {}
                _ => break,
            }
        }
        Ok(breaks)
    };
    at.line() + source.text().and_then(|mut text| blank(&mut text)).unwrap_or_default()
}

/// Returns the index of a column: by its exact name, else by one that reads alike.
pub(super) fn column(names: &[String], wanted: &str) -> Option<usize> {
    let alike = plain(wanted);
    let exact = names.iter().position(|name| name == wanted);
    exact.or_else(|| names.iter().position(|name| reads_as(name, &alike)))
}
