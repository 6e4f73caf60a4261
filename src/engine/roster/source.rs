//! The bytes of an input: a file or standard input, in any of the encodings
//! that spreadsheets write, as a UTF-8 file that can be read more than once.
//!
//! Invariant: what [`Source::reader`] yields is the input's text without a byte
//! order mark. Nothing is replaced: UTF-16 that can't be decoded is an error,
//! and invalid UTF-8 is left for the reader of the text to report by its line.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, UTF_16BE, UTF_16LE};

use crate::model::InputError;

/// An input, ready to be read from its start any number of times.
#[derive(Debug)]
pub(crate) struct Source {
    /// How messages name it.
    name: String,
    file: File,
    /// Length of the byte order mark.
    skip: u64,
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
        let name = path.display().to_string();
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

    /// How messages name this input.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text from its start.
    ///
    /// # Errors
    /// The file can't be rewound.
    pub(crate) fn reader(&self) -> io::Result<impl Read + '_> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.skip))?;
        Ok(file)
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
        let unreadable = |name: &str, error: &io::Error| {
            InputError::new(name, format!("can't be read: {error}"), "check the file and its disk")
        };
        let mut head = [0; 4];
        let got = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| read_up_to(&mut file, &mut head))
            .map_err(|error| unreadable(&name, &error))?;
        match Encoding::for_bom(&head[..got]) {
            Some((encoding, skip)) if encoding == UTF_16LE || encoding == UTF_16BE => {
                let file = transcode(&name, file, encoding, skip as u64)?;
                Ok(Self { name, file, skip: 0 })
            }
            Some((_, skip)) => Ok(Self { name, file, skip: skip as u64 }),
            None if head[..got].len() >= 2 && head[..2].contains(&0) => Err(InputError::new(
                &name,
                "looks like UTF-16 without a byte order mark".into(),
                "save it as «CSV UTF-8», or convert it with iconv -f UTF-16LE -t UTF-8",
            )),
            None => Ok(Self { name, file, skip: 0 }),
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

/// Copies UTF-16 text into an unlinked UTF-8 file.
fn transcode(name: &str, mut input: File, encoding: &'static Encoding, skip: u64) -> Result<File, InputError> {
    let failed = |error: io::Error| {
        InputError::new(
            name,
            format!("can't be converted from {}: {error}", encoding.name()),
            "free some disk space, or save the file as «CSV UTF-8»",
        )
    };
    let mut output = tempfile::tempfile().map_err(failed)?;
    input.seek(SeekFrom::Start(skip)).map_err(failed)?;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut raw, mut text) = (vec![0; 64 * 1024], vec![0; 256 * 1024]);
    let mut line = 1;
    loop {
        let got = read_up_to(&mut input, &mut raw).map_err(failed)?;
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
                        "save it as «CSV UTF-8» and try again",
                    )
                    .at(line as u64));
                }
            }
        }
        if last {
            return Ok(output);
        }
    }
}
