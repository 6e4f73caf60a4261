//! Rows sorted by the number of their value, in little memory.
//!
//! Invariant: rows that don't fit rest in nameless files, encrypted by age to a
//! key that never leaves this process. Rows of one value keep their order.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::engine::results::encryption::Scratch;

/// Bytes of rows that are held in memory.
const HELD: usize = 16 << 20;

/// A row and its value's number, in the memory.
struct Held {
    group: u32,
    from: usize,
    to: usize,
}

/// Takes rows in any order.
pub(super) struct Sorter {
    folder: PathBuf,
    key: Scratch,
    bytes: Vec<u8>,
    held: Vec<Held>,
    spilled: Vec<File>,
}

impl Sorter {
    /// Sorts with the help of nameless files in `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        // Whether the folder takes such files is known before any row is read.
        tempfile::tempfile_in(folder)?;
        let key = Scratch::new();
        Ok(Self { folder: folder.to_owned(), key, bytes: Vec::new(), held: Vec::new(), spilled: Vec::new() })
    }

    /// Takes a row.
    pub(super) fn add(&mut self, group: u32, row: &[u8]) -> io::Result<()> {
        if self.bytes.len() + row.len() > HELD && !self.held.is_empty() {
            self.spill()?;
        }
        let from = self.bytes.len();
        self.bytes.extend_from_slice(row);
        self.held.push(Held { group, from, to: self.bytes.len() });
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_by_key(|row| row.group);
        let file = tempfile::tempfile_in(&self.folder)?;
        let mut output = self.key.writer(BufWriter::new(file))?;
        for row in &self.held {
            let bytes = &self.bytes[row.from..row.to];
            output.write_all(&row.group.to_le_bytes())?;
            output.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes())?;
            output.write_all(bytes)?;
        }
        let mut file = output.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.spilled.push(file);
        self.held.clear();
        self.bytes.clear();
        Ok(())
    }

    /// The rows, by their values' numbers.
    pub(super) fn sorted(mut self) -> io::Result<Sorted> {
        self.held.sort_by_key(|row| row.group);
        let mut runs: Vec<Run> = Vec::new();
        for file in self.spilled {
            runs.push(Run::Spilled(self.key.reader(file)?));
        }
        runs.push(Run::Held { bytes: self.bytes, rows: self.held.into_iter() });
        let mut heads = Vec::new();
        for run in &mut runs {
            heads.push(run.next()?);
        }
        Ok(Sorted { runs, heads })
    }
}

/// Sorted rows, in memory or in a file.
enum Run {
    Spilled(Box<dyn Read>),
    Held { bytes: Vec<u8>, rows: std::vec::IntoIter<Held> },
}

impl Run {
    fn next(&mut self) -> io::Result<Option<(u32, Vec<u8>)>> {
        match self {
            Self::Held { bytes, rows } => Ok(rows.next().map(|row| (row.group, bytes[row.from..row.to].to_vec()))),
            Self::Spilled(text) => {
                let (mut group, mut length) = ([0; 4], [0; 4]);
                match text.read_exact(&mut group[..1]) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    other => other?,
                }
                text.read_exact(&mut group[1..])?;
                text.read_exact(&mut length)?;
                let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
                let mut row = vec![0; length];
                text.read_exact(&mut row)?;
                Ok(Some((u32::from_le_bytes(group), row)))
            }
        }
    }
}

/// Rows by their values' numbers; those of one value in the order they came.
pub(super) struct Sorted {
    runs: Vec<Run>,
    heads: Vec<Option<(u32, Vec<u8>)>>,
}

impl Sorted {
    /// The run with the next row: earlier runs hold earlier rows.
    fn least(&self) -> Option<usize> {
        let heads = self.heads.iter().enumerate();
        heads.filter_map(|(at, head)| head.as_ref().map(|(group, _)| (*group, at))).min().map(|(_, at)| at)
    }

    /// The number of the next row's value.
    pub(super) fn group(&self) -> Option<u32> {
        self.least().and_then(|at| self.heads[at].as_ref()).map(|(group, _)| *group)
    }

    /// The next row.
    pub(super) fn row(&self) -> &[u8] {
        self.least().and_then(|at| self.heads[at].as_ref()).map_or(&[], |(_, row)| row)
    }

    /// Goes on to the row after it.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        if let Some(at) = self.least() {
            self.heads[at] = self.runs[at].next()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_sorted_and_in_order_also_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path()).unwrap();
        let padding = "x".repeat(9 << 10);
        let many = 5000_u32;
        for number in 0..many {
            sorter.add(number % 7, format!("{number:06}{padding}").as_bytes()).unwrap();
        }
        assert!(sorter.spilled.len() >= 2, "{}", sorter.spilled.len());
        let mut rows = sorter.sorted().unwrap();
        let mut found = Vec::new();
        while let Some(group) = rows.group() {
            let number: u32 = str::from_utf8(&rows.row()[..6]).unwrap().parse().unwrap();
            assert_eq!(number % 7, group);
            found.push((group, number));
            rows.advance().unwrap();
        }
        assert_eq!(found.len(), many as usize);
        assert!(found.is_sorted());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
