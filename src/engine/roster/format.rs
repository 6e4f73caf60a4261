//! Files that are no CSV, known by how they begin.
//!
//! Invariant: each is called by its name, with the remedy that helps; text that
//! could be a roster is never called anything else.

/// Bytes of a file that tell its format.
pub(super) const HEAD: usize = 512;

const SAVE: &str = "save the sheet as `CSV UTF-8` and give that file";
const UNPACK: &str = "unpack it first and give the CSV inside";
const EXPORT: &str = "export the users as a CSV file";

/// Beginnings that no CSV has: the bytes, the fact, the remedy.
const BEGINNINGS: &[(&[u8], &str, &str)] = &[
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook (.xls), not a CSV file", SAVE),
    (b"\x1f\x8b", "is compressed with gzip", "unpack it first, for example with gunzip"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "unpack it first, for example with unzstd"),
    (b"BZh", "is compressed with bzip2", "unpack it first, for example with bunzip2"),
    (b"\xfd7zXZ\0", "is compressed with xz", "unpack it first, for example with unxz"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", UNPACK),
    (b"age-encryption.org/v1\n", "is a file encrypted with age", DECRYPT),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "is an armored file encrypted with age", DECRYPT),
    (b"-----BEGIN PGP", "is an OpenPGP file", "decrypt it first, for example with gpg --decrypt"),
    (b"-----BEGIN ", "is a PEM file, such as a key or a certificate", "give the CSV of users"),
    (b"AGE-SECRET-KEY-1", "is an age identity, a secret key", "give the CSV of users, and keep that file to yourself"),
    (b"SQLite format 3\0", "is a SQLite database", "give a CSV; `finspace-reset status` reads ledgers"),
    (b"%PDF-", "is a PDF document", EXPORT),
    (b"{\\rtf", "is an RTF document", EXPORT),
    (b"PAR1", "is a Parquet file", EXPORT),
    (b"\x89PNG", "is a picture", EXPORT),
    (b"\xff\xd8\xff", "is a picture", EXPORT),
];

const DECRYPT: &str = "decrypt it first, for example with finspace-reset decrypt FILE -i IDENTITY";

/// Names the format of a file that is no CSV, with a remedy.
#[must_use]
pub(super) fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let found = BEGINNINGS.iter().find(|(start, ..)| head.starts_with(start));
    if let Some(&(_, fact, remedy)) = found {
        return Some((fact, remedy));
    }
    if head.starts_with(b"PK\x03\x04") {
        return Some(archive(head));
    }
    unmarked(head).or_else(|| markup(head))
}

/// Names what a ZIP archive holds.
fn archive(head: &[u8]) -> (&'static str, &'static str) {
    let holds = |name: &[u8]| head.windows(name.len()).any(|part| part == name);
    if holds(b"opendocument.spreadsheet") {
        ("is an OpenDocument spreadsheet (.ods), not a CSV file", SAVE)
    } else if [&b"[Content_Types].xml"[..], b"_rels/", b"docProps/", b"xl/"].into_iter().any(holds) {
        ("is an Excel workbook (.xlsx), not a CSV file", SAVE)
    } else {
        ("is a ZIP archive", UNPACK)
    }
}

/// Names text in two or four bytes a character, with or without a mark; UTF-16
/// with one is read and not named.
fn unmarked(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const FROM_32: &str = "save it as `CSV UTF-8`, or convert it with iconv -f UTF-32 -t UTF-8";
    const FROM_32LE: &str = "save it as `CSV UTF-8`, or convert it with iconv -f UTF-32LE -t UTF-8";
    const FROM_32BE: &str = "save it as `CSV UTF-8`, or convert it with iconv -f UTF-32BE -t UTF-8";
    const FROM_16LE: &str = "save it as `CSV UTF-8`, or convert it with iconv -f UTF-16LE -t UTF-8";
    const FROM_16BE: &str = "save it as `CSV UTF-8`, or convert it with iconv -f UTF-16BE -t UTF-8";
    if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
        return Some(("is UTF-32, which is not read", FROM_32));
    }
    // A mark of UTF-16 says how NULs are meant.
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return None;
    }
    match head {
        [1..=255, 0, 0, 0, ..] => Some(("looks like UTF-32 without a byte order mark", FROM_32LE)),
        [0, 0, 0, 1..=255, ..] => Some(("looks like UTF-32 without a byte order mark", FROM_32BE)),
        [1..=255, 0, ..] if nuls(head, 1) => Some(("looks like UTF-16 without a byte order mark", FROM_16LE)),
        [0, 1..=255, ..] if nuls(head, 0) => Some(("looks like UTF-16BE without a byte order mark", FROM_16BE)),
        _ => None,
    }
}

/// Returns true if most of every second byte, from the first or the second on, is
/// NUL and the others are not.
fn nuls(head: &[u8], from: usize) -> bool {
    let count = |from: usize| head.iter().skip(from).step_by(2).filter(|&&byte| byte == 0).count();
    count(from) * 3 >= head.len() && count(1 - from) * 4 < head.len()
}

/// Names HTML, XML and JSON.
fn markup(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if ["<!doctype html", "<html", "<head", "<body", "<table", "<meta"].into_iter().any(starts) {
        return Some((
            "is an HTML page, not a CSV file",
            "download the file itself: such a page is often a login or an error in its place",
        ));
    }
    if ["<?xml", "<!doctype", "<!--"].into_iter().any(starts) {
        return Some(("is an XML file, not a CSV file", EXPORT));
    }
    if starts("-----BEGIN AGE ENCRYPTED FILE-----") {
        return Some(("is an armored file encrypted with age", DECRYPT));
    }
    let inside = text.strip_prefix(b"[").or_else(|| text.strip_prefix(b"{")).map(<[u8]>::trim_ascii_start);
    if inside.is_some_and(|inside| matches!(inside, [b'{' | b'[' | b'"', ..])) {
        return Some(("is JSON, not a CSV file", "convert it, for example with jq -r '.[] | [.user_id] | @csv'"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_called_by_its_name() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        for (head, name) in [
            (b"PK\x03\x04....[Content_Types].xml".to_vec(), "Excel workbook (.xlsx)"),
            (b"PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.spreadsheet".to_vec(), ".ods"),
            (b"PK\x03\x04....users.csv".to_vec(), "ZIP archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..".to_vec(), "(.xls)"),
            (b"\x1f\x8b\x08\0".to_vec(), "gzip"),
            (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl".to_vec(), "armored file encrypted with age"),
            (b"\n  -----BEGIN AGE ENCRYPTED FILE-----\r\nYWdl".to_vec(), "armored file encrypted with age"),
            (b"age-encryption.org/v1\n-> X25519".to_vec(), "encrypted with age"),
            (b"\r\n <!DOCTYPE HTML><html>".to_vec(), "HTML page"),
            (b"\xef\xbb\xbf<html lang=en>".to_vec(), "HTML page"),
            (b"<?xml version=\"1.0\"?><Workbook>".to_vec(), "XML"),
            (b"[\n {\"user_id\": 1}]".to_vec(), "JSON"),
            (b"SQLite format 3\0".to_vec(), "SQLite"),
            (b"\xff\xfe\0\0u\0\0\0".to_vec(), "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0u".to_vec(), "UTF-32"),
            (b"u\0\0\0s\0\0\0".to_vec(), "UTF-32 without"),
            (b"\0\0\0u\0\0\0s".to_vec(), "UTF-32 without"),
            (utf16("user_id\nann\n", false), "UTF-16 without"),
            (utf16("user_id\nann\n", true), "UTF-16BE without"),
        ] {
            let (fact, _) = foreign(&head).unwrap_or_else(|| panic!("{name} is not known"));
            assert!(fact.contains(name), "{name}: {fact}");
        }
    }

    #[test]
    fn a_roster_is_called_nothing_else() {
        for head in [
            "user_id,a\n",
            "{id},x\n",
            "[id],x\n",
            "<id>,x\n",
            "a\0b\n",
            "\0ann\n",
            "id\n\0\n",
            "PKx",
            "Bz",
            "",
            "-----\n",
            "user_id\n\"{\"\"a\"\"}\"\n",
            "\u{feff}user_id\n",
        ] {
            assert_eq!(foreign(head.as_bytes()), None, "{head:?}");
        }
        assert_eq!(foreign(b"\xff\xfeu\0s\0e\0r\0"), None);
        assert_eq!(foreign(b"\xfe\xff\0u\0s\0e\0r"), None);
    }
}
