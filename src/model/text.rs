//! Text from outside, made fit for people's eyes.
//!
//! Invariant: what comes out of here moves no cursor, turns no reading
//! direction and hides no character, wherever it is printed.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters of a cell that a message shows.
const SHOWN: usize = 60;

/// Returns true if a character can't be seen: control and format characters, line and
/// paragraph separators, noncharacters, and what Unicode lets a font ignore.
#[must_use]
pub(crate) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let code = u32::from(c);
    let nonchar = code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code);
    nonchar
        || matches!(
            CodePointMapData::<GeneralCategory>::new().get(c),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Returns the text with each hidden character escaped, as in `\u{1b}`.
#[must_use]
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Returns the text with all but its line feeds made visible.
#[must_use]
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
}

/// Returns a path as people may see it; bytes that are not UTF-8 show as `\xff`.
#[must_use]
pub(crate) fn visible_path(path: &Path) -> String {
    let mut shown = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        shown.push_str(&visible(chunk.valid()));
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// Returns a cell in quotation marks, escaped and cut to a length for messages.
#[must_use]
pub(crate) fn quoted_cell(cell: &str) -> String {
    match cell.char_indices().nth(SHOWN) {
        None => format!("{cell:?}"),
        Some((end, _)) => format!("{:?}…", &cell[..end]),
    }
}

/// Returns a word that a shell reads back as it is, and that can be printed
/// and pasted: what is no text or can't be seen is escaped as bash, zsh and ksh
/// have it.
pub(crate) fn shell_word(word: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;

    let text = word.to_str().filter(|text| !text.chars().any(is_hidden));
    if let Some(quoted) = text.and_then(|text| shlex::try_quote(text).ok()) {
        return quoted.into_owned();
    }
    let mut escaped = String::from("$'");
    for byte in word.as_bytes() {
        match byte {
            b'\\' | b'\'' => escaped.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => escaped.push(char::from(*byte)),
            _ => escaped.push_str(&format!("\\x{byte:02x}")),
        }
    }
    escaped.push('\'');
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_comes_back_as_it_was() {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let words: [&[u8]; 8] = [
            b"plain.csv",
            b"two words",
            b"it's",
            b"",
            b"$(rm)",
            b"caf\xe9 \\ '",
            "\u{1b}[2J\u{202e}".as_bytes(),
            "\u{e9}".as_bytes(),
        ];
        for word in words {
            let quoted = shell_word(OsStr::from_bytes(word));
            assert!(!quoted.chars().any(is_hidden), "{quoted:?}");
            let said =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(std::ffi::OsString::from_vec(said.stdout).as_bytes(), word, "{quoted}");
        }
    }
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_nothing_else() {
        for hidden in "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200e}\u{202e}\u{2028}\u{2029}\u{2060}\u{2066}\u{feff}\u{fdd0}\u{fffe}\u{1fffe}\u{e0041}".chars() {
            assert!(is_hidden(hidden) && !visible(&format!("a{hidden}b")).contains(hidden), "{hidden:?}");
        }
        for plain in ["ann", "é日🦀", "a b\u{a0}c", "\"'\\", "\u{e000}"] {
            assert_eq!(visible(plain), plain);
        }
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible_lines("a\u{7}\nb\n"), "a\\u{7}\nb\n");
    }

    #[test]
    fn a_path_shows_whatever_bytes_it_holds() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff\x1b.csv"));
        assert_eq!(visible_path(path), "a\\xff\\u{1b}.csv");
    }

    #[test]
    fn a_long_cell_is_cut() {
        assert_eq!(quoted_cell("a\u{202e}b"), "\"a\\u{202e}b\"");
        assert_eq!(quoted_cell(&"é".repeat(70)), format!("\"{}\"…", "é".repeat(60)));
    }
}
