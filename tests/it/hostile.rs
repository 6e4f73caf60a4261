//! Whatever bytes a roster holds: either it is refused with a line, or its rows
//! come out one for one, the users sent are exactly those that an independent
//! strict reader finds, and every carried cell is equal to what that reader read.

use std::collections::BTreeSet;

use crate::common::{Room, Simulator};
use proptest::prelude::*;

/// A roster as bytes, and what is known of it.
#[derive(Clone, Debug)]
struct Hostile {
    delimiter: char,
    /// Whether the delimiter is named, or to be found by the header.
    named: bool,
    width: usize,
    id_at: usize,
    text: String,
    encoding: &'static str,
}

impl Hostile {
    fn bytes(&self) -> Vec<u8> {
        let units = || std::iter::once(0xfeff).chain(self.text.encode_utf16());
        match self.encoding {
            "mark" => format!("\u{feff}{}", self.text).into_bytes(),
            "utf-16le" => units().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => units().flat_map(u16::to_be_bytes).collect(),
            "latin-1" => self.text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            _ => self.text.clone().into_bytes(),
        }
    }
}

/// A record of the strict reader: its first line, and its cells, each with
/// whether it was quoted.
type Record = (usize, Vec<(String, bool)>);

/// Reads CSV as RFC 4180 says and no other way, but for quotes inside unquoted
/// cells, which stand for themselves; `None` if it can't.
fn strict(text: &str, delimiter: char) -> Option<Vec<Record>> {
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut line = 1;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let first = line;
        let mut cells = Vec::new();
        loop {
            let cell = if let Some(mut inside) = rest.strip_prefix('"') {
                let mut cell = String::new();
                loop {
                    let (before, after) = inside.split_once('"')?;
                    cell.push_str(before);
                    match after.strip_prefix('"') {
                        Some(more) => {
                            cell.push('"');
                            inside = more;
                        }
                        None => {
                            rest = after;
                            break;
                        }
                    }
                }
                (cell, true)
            } else {
                let end = rest.find([delimiter, '\n']).unwrap_or(rest.len());
                let cell = &rest[..end];
                let ends_line = !rest[end..].starts_with(delimiter);
                let cell = if ends_line { cell.strip_suffix('\r').unwrap_or(cell) } else { cell };
                rest = &rest[cell.len()..];
                if cell.contains('\r') {
                    return None;
                }
                (cell.to_owned(), false)
            };
            line += cell.0.matches('\n').count();
            cells.push(cell);
            match rest.strip_prefix(delimiter) {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('\r').unwrap_or(rest);
        if !rest.is_empty() {
            rest = rest.strip_prefix('\n')?;
        }
        line += 1;
        records.push((first, cells));
    }
    Some(records)
}

fn blank((_, cells): &Record) -> bool {
    cells.iter().all(|(cell, _)| cell.trim().is_empty()) && !matches!(cells.as_slice(), [(_, true)])
}

/// The ID that a row asks for; `None` if it can't be sent.
fn sendable(cells: &[(String, bool)], roster: &Hostile) -> Option<String> {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{2028}');
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{a0}');
    let id = cells.get(roster.id_at)?.0.trim_matches(space);
    let good = cells.len() == roster.width && (1..=26).contains(&id.chars().count()) && !id.contains(hidden);
    (good && id != "." && id != "..").then(|| id.to_owned())
}

fn raw_cell(delimiter: char) -> impl Strategy<Value = String> {
    let pieces =
        ["\"", "\"\"", "\n", "\r\n", "\r", "a", "b", " ", "\u{feff}", "é", ";", ",", "\t", "|", "\u{200b}", "\u{a0}"];
    let pieces = pieces.into_iter().map(str::to_owned).chain([delimiter.to_string()]).collect::<Vec<_>>();
    let text = |least, most| {
        prop::collection::vec(prop::sample::select(pieces.clone()), least..most).prop_map(|pieces| pieces.concat())
    };
    prop_oneof![
        30 => "[a-c]{1,2}",
        6 => text(0, 5).prop_map(|inside| format!("\"{}\"", inside.replace('"', "\"\""))),
        3 => "[ab é]{1,3}\"{1,2}[ab ]{0,2}",
        3 => Just(String::new()),
        2 => "[ \u{a0}]{1,2}",
        1 => Just("\u{200b}a".to_owned()),
        1 => text(1, 5),
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let delimiter = prop::sample::select(vec![',', ';', '\t', '|']);
    let encoding = prop::sample::select(vec!["plain", "plain", "plain", "mark", "utf-16le", "utf-16be", "latin-1"]);
    let shape = (1_usize..4, 0_usize..4, delimiter, encoding, any::<bool>(), any::<bool>());
    shape.prop_flat_map(|(width, id_at, delimiter, encoding, named, last_end)| {
        let id_at = id_at % width;
        let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r\n", "\n\n"]);
        let cells = prop_oneof![
            9 => prop::collection::vec(raw_cell(delimiter), width),
            1 => prop::collection::vec(raw_cell(delimiter), 1..5),
        ];
        prop::collection::vec((cells, end), 1..8).prop_map(move |rows| {
            let separator = delimiter.to_string();
            let mut header: Vec<String> = (0..width).map(|at| format!("Column {at}")).collect();
            header[id_at] = "user_id".into();
            let mut text = format!("{}\n", header.join(&separator));
            for (cells, end) in rows {
                text.push_str(&cells.join(&separator));
                text.push_str(end);
            }
            if !last_end {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
            Hostile { delimiter, named, width, id_at, text, encoding }
        })
    })
}

/// Whether standard error is one error that names a line of the roster.
fn names_a_line(stderr: &str) -> bool {
    let line = stderr.lines().next_back().and_then(|error| error.strip_prefix("error: in.csv:"));
    line.and_then(|rest| rest.split_once(':')).is_some_and(|(line, _)| line.parse::<u64>().is_ok_and(|line| line > 0))
}

fn check(roster: &Hostile) {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let bytes = roster.bytes();
    room.write("in.csv", &bytes);
    let delimiter = roster.delimiter.to_string();
    let mut flags = vec!["in.csv", "-o", "out.csv"];
    // An only column has no delimiter, which is a comma then.
    if roster.named || roster.width == 1 {
        flags.extend(["--delimiter", &delimiter]);
    }
    let ran = room.reset(&simulator, &flags);
    let sent: BTreeSet<String> = simulator.seen().users.into_keys().collect();

    let readable = roster.encoding != "latin-1" || std::str::from_utf8(&bytes).is_ok();
    // What Latin-1 lacks was written as a question mark.
    let text =
        if roster.encoding == "latin-1" { String::from_utf8_lossy(&bytes).into_owned() } else { roster.text.clone() };
    let Some(records) = strict(&text, roster.delimiter).filter(|_| readable) else {
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(names_a_line(&ran.stderr), "{ran}");
        assert!(sent.is_empty() && !room.exists("out.csv"), "{ran}");
        return;
    };
    assert!(matches!(ran.code(), Some(0 | 1)), "{ran}");
    let rows: Vec<&Record> = records.iter().skip(1).filter(|record| !blank(record)).collect();
    let wanted: BTreeSet<String> = rows.iter().filter_map(|(_, cells)| sendable(cells, roster)).collect();
    assert_eq!(sent, wanted, "{ran}");
    let table = room.table("out.csv");
    assert_eq!(table.rows.len(), rows.len(), "{ran}");
    for ((got, input_line), (line, cells)) in table.rows.iter().zip(table.column("input_line")).zip(rows) {
        assert_eq!(input_line, line.to_string(), "{ran}");
        let user = sendable(cells, roster);
        for (at, (cell, _)) in cells.iter().take(roster.width).enumerate() {
            // The ID of a row that can be sent comes out as it was sent.
            let want = user.as_deref().filter(|_| at == roster.id_at).unwrap_or(cell);
            assert_eq!(got[at], want, "column {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_roster_is_refused_with_a_line_or_read_as_a_strict_reader_reads_it(roster in hostile()) {
        check(&roster);
    }
}

#[test]
fn the_strict_reader_is_strict() {
    let cells = |text: &str| {
        strict(text, ',').map(|records| {
            records
                .into_iter()
                .map(|(line, cells)| (line, cells.into_iter().map(|cell| cell.0).collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        })
    };
    let record = |line, cells: &[&str]| (line, cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    assert_eq!(cells("a,\"b\"\"\nc\"\r\n,x\"y"), Some(vec![record(1, &["a", "b\"\nc"]), record(3, &["", "x\"y"])]));
    for refused in ["a,\"b", "\"a\"b", "\"a\" ,b", "a\rb", "\"a\"\r\r\n", "a\r\r\n"] {
        assert_eq!(cells(refused), None, "{refused:?}");
    }
}
