//! The bytes of an input: a file or standard input, in any of the encodings
//! that spreadsheets write, as a UTF-8 file that can be read more than once.
//!
//! Invariant: what [`Source::text`] yields is the input's text. Nothing is
//! replaced: UTF-16 that can't be decoded is an error, and invalid UTF-8 is left
//! for the reader of the text to report by its line.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::format::{self, HEAD};
use super::raw::unreadable;
use crate::model::{InputError, hex, visible_path};

/// An input, ready to be read from its start any number of times.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name in messages.
    name: String,
    file: File,
    /// The digest of the input's own bytes, if they were converted.
    original: Option<[u8; 32]>,
}

/// The text of an input from its start; it digests what it yields.
pub(crate) struct Text<'a> {
    file: &'a File,
    hash: Sha256,
}

impl Text<'_> {
    /// SHA-256 of the file up to here.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        self.hash.update(&buffer[..got]);
        Ok(got)
    }
}

impl Source {
    /// Opens a file, or standard input for `-`. What can't be rewound is copied
    /// to an unlinked temporary file first.
    ///
    /// # Errors
    /// The input is missing, unreadable, a directory, or broken UTF-16.
    pub(crate) fn open(path: &Path) -> Result<Self, InputError> {
        if path.as_os_str() == "-" {
            return Self::spool("standard input".into(), io::stdin().lock());
        }
        let name = visible_path(path);
        let about = |error: &io::Error| {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "check the path, or use - for standard input",
                io::ErrorKind::PermissionDenied => "make it readable for this user",
                _ => "name a CSV file that can be read, or - for standard input",
            };
            InputError::new(&name, format!("can't be read: {error}"), remedy)
        };
        let file = File::open(path).map_err(|error| about(&error))?;
        let kind = file.metadata().map_err(|error| about(&error))?;
        if kind.is_dir() {
            return Err(InputError::new(&name, "is a directory".into(), "name a CSV file inside it"));
        }
        if !kind.is_file() {
            return Self::spool(name, file);
        }
        Self::from_file(name, file)
    }

    /// Returns this input's name in messages.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text from its start.
    ///
    /// # Errors
    /// The file can't be rewound.
    pub(crate) fn text(&self) -> io::Result<Text<'_>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        Ok(Text { file, hash: Sha256::new() })
    }

    /// SHA-256 of the input's own bytes in hexadecimal, by the digest of its text.
    pub(super) fn sha256(&self, text: &[u8; 32]) -> String {
        hex(self.original.as_ref().unwrap_or(text))
    }

    fn spool(name: String, mut input: impl Read) -> Result<Self, InputError> {
        let copy = tempfile::tempfile().and_then(|mut file| {
            io::copy(&mut input, &mut file)?;
            Ok(file)
        });
        match copy {
            Ok(file) => Self::from_file(name, file),
            Err(error) => Err(InputError::new(
                &name,
                format!("can't be copied to a temporary file: {error}"),
                "free some disk space, or point TMPDIR at a folder with room",
            )),
        }
    }

    fn from_file(name: String, mut file: File) -> Result<Self, InputError> {
        let mut head = [0; HEAD];
        let got = file.seek(SeekFrom::Start(0)).and_then(|_| read_up_to(&mut file, &mut head));
        let head = &head[..got.map_err(|error| unreadable(&name, &error))?];
        if let Some((fact, remedy)) = format::foreign(head) {
            return Err(InputError::new(&name, fact.into(), remedy));
        }
        match Encoding::for_bom(head) {
            Some((encoding, skip)) if encoding == UTF_16LE || encoding == UTF_16BE => {
                let (file, original) = transcode(&name, file, encoding, skip as u64)?;
                Ok(Self { name, file, original: Some(original) })
            }
            _ => Ok(Self { name, file, original: None }),
        }
    }
}

fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match input.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Copies UTF-16 text into an unlinked UTF-8 file; tells the digest of the input.
fn transcode(
    name: &str,
    mut input: File,
    encoding: &'static Encoding,
    skip: u64,
) -> Result<(File, [u8; 32]), InputError> {
    let failed = |error: io::Error| {
        InputError::new(
            name,
            format!("can't be converted from {}: {error}", encoding.name()),
            "free some disk space, or save the file as `CSV UTF-8`",
        )
    };
    let mut output = tempfile::tempfile().map_err(failed)?;
    let mut mark = vec![0; usize::try_from(skip).unwrap_or_default()];
    input.seek(SeekFrom::Start(0)).and_then(|_| input.read_exact(&mut mark)).map_err(failed)?;
    let mut hash = Sha256::new_with_prefix(&mark);
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut raw, mut text) = (vec![0; 64 * 1024], vec![0; 256 * 1024]);
    let mut line = 1;
    loop {
        let got = read_up_to(&mut input, &mut raw).map_err(failed)?;
        hash.update(&raw[..got]);
        let last = got < raw.len();
        let mut rest = &raw[..got];
        loop {
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(rest, &mut text, last);
            line += text[..written].iter().filter(|&&byte| byte == b'\n').count();
            output.write_all(&text[..written]).map_err(failed)?;
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    return Err(InputError::new(
                        name,
                        format!("is not valid {}", encoding.name()),
                        "save it as `CSV UTF-8` and try again",
                    )
                    .at(line as u64));
                }
            }
        }
        if last {
            return Ok((output, hash.finalize().into()));
        }
    }
}
