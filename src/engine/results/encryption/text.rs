//! Small text files that people and programs make: keys and passphrases.
//!
//! Invariant: a byte order mark is never part of the text, and UTF-16, which
//! Windows shells write, is read as what it says.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::EncryptionError;

/// The longest file of keys that is read.
const MOST: u64 = 16 << 20;

/// The content of a file; `-` is standard input.
pub(super) fn bytes_of(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    input.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 16 MiB"));
    }
    Ok(bytes)
}

/// The text in the bytes of `path`, without a byte order mark.
pub(super) fn text_of(path: &Path, bytes: &[u8]) -> Result<Zeroizing<String>, EncryptionError> {
    let fail = |why| EncryptionError::NotText(path.to_owned(), why);
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| read([pair[0], pair.get(1).copied().unwrap_or_default()]));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.map_err(|_| fail("broken UTF-16"))
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes)?,
        // Keys are ASCII: a zero beside the first character is UTF-16 without a mark.
        [first, 0, ..] if *first != 0 => wide(bytes, u16::from_le_bytes)?,
        [0, first, ..] if *first != 0 => wide(bytes, u16::from_be_bytes)?,
        _ => {
            let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
            str::from_utf8(bytes).map_err(|_| fail("it is neither UTF-8 nor UTF-16"))?.to_owned()
        }
    };
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_no_text_and_utf_16_is_read() {
        let wide = |text: &str, write: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(write).collect::<Vec<u8>>();
        let path = Path::new("key.txt");
        for bytes in [
            b"age1\r\n".to_vec(),
            b"\xef\xbb\xbfage1\r\n".to_vec(),
            wide("\u{feff}age1\r\n", u16::to_le_bytes),
            wide("\u{feff}age1\r\n", u16::to_be_bytes),
            wide("age1\r\n", u16::to_le_bytes),
            wide("age1\r\n", u16::to_be_bytes),
        ] {
            assert_eq!(text_of(path, &bytes).unwrap().as_str(), "age1\r\n", "{bytes:?}");
        }
        assert!(text_of(path, b"a\xff").is_err() && text_of(path, b"\xff\xfe\x00\xd8").is_err());
        assert_eq!(text_of(path, b"").unwrap().as_str(), "");
    }
}
