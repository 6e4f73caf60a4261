//! Rosters that can't be used, each with its exact words, and the odd shapes
//! that must work all the same.
//!
//! What is refused is refused with file, line and remedy, before anything is
//! sent.

use std::fs;

use crate::common::{Room, Simulator, Table, assert_true_and_once};

struct Case {
    name: &'static str,
    roster: &'static [u8],
    flags: &'static [&'static str],
    /// All of standard error.
    says: &'static str,
}

const fn case(name: &'static str, roster: &'static [u8], flags: &'static [&'static str], says: &'static str) -> Case {
    Case { name, roster, flags, says }
}

const CASES: &[Case] = &[
    case(
        "no such column",
        b"name,mail\nAnn,a@x\n",
        &[],
        "in.csv:1: has no column user_id; the columns are \"name\", \"mail\"; name the one that holds the user IDs with --id-column, or use --no-headers if the first row is a user",
    ),
    case(
        "no such column as named",
        b"user_id,mail\nann,a@x\n",
        &["--id-column", "account"],
        "in.csv:1: has no column \"account\"; the columns are \"user_id\", \"mail\"; name the one that holds the user IDs with --id-column, or use --no-headers if the first row is a user",
    ),
    case(
        "no such column, behind blank lines",
        b"\n\n\nname,mail\nAnn,a@x\n",
        &[],
        "in.csv:4: has no column user_id; the columns are \"name\", \"mail\"; name the one that holds the user IDs with --id-column, or use --no-headers if the first row is a user",
    ),
    case(
        "two matching columns",
        b"user_id,x,UserID\na,b,c\n",
        &[],
        "in.csv:1: has 2 columns that read as user_id: \"user_id\", \"UserID\"; name the right one exactly with --id-column, or rename the other",
    ),
    case("an empty file", b"", &[], "in.csv: is empty; give it a user_id column and a row for each user"),
    case("blank lines alone", b"\n\r\n\n", &[], "in.csv: is empty; give it a user_id column and a row for each user"),
    case(
        "a byte order mark alone",
        b"\xef\xbb\xbf",
        &[],
        "in.csv: is empty; give it a user_id column and a row for each user",
    ),
    case(
        "invalid UTF-8",
        b"user_id,name\nann,Ann\nbob,\"B\nb\"\nzoe,Zo\xeb\n",
        &[],
        "in.csv:5: is not valid UTF-8; save it as `CSV UTF-8`, or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
    ),
    case(
        "invalid UTF-8 inside a quoted cell",
        b"user_id,name\r\nann,\"a\r\nb\r\nZo\xeb\"\r\n",
        &[],
        "in.csv:4: is not valid UTF-8; save it as `CSV UTF-8`, or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
    ),
    case(
        "an unclosed quote",
        b"user_id,name\nann,Ann\n\nbob,\"Bob\nzoe,Zoe\n",
        &[],
        "in.csv:4: a quote is opened here and never closed; close it, or double it if it belongs to the text (\"\")",
    ),
    case(
        "an unclosed quote at the very end",
        b"user_id,name\nann,\"",
        &[],
        "in.csv:2: a quote is opened here and never closed; close it, or double it if it belongs to the text (\"\")",
    ),
    case(
        "a first row that may be a user",
        b"ann\nbob\n",
        &[],
        "in.csv:1: starts with \"ann\", which may be a header or a user; use --no-headers if it is a user, or --id-column \"ann\" if it is the header",
    ),
    case(
        "a column that the output adds itself",
        b"user_id,status\nann,new\n",
        &[],
        "in.csv:1: has a column called \"status\", which the output adds itself; rename or remove that column",
    ),
    case(
        "a column number there is not",
        b"a,b\nc,d\n",
        &["--no-headers", "--id-column", "3"],
        "in.csv: has 2 columns and no headers, and --id-column is \"3\"; with --no-headers, --id-column is a number from 1 to 2",
    ),
    case(
        "a column number that is none",
        b"a,b\nc,d\n",
        &["--no-headers", "--id-column", "a"],
        "in.csv: has 2 columns and no headers, and --id-column is \"a\"; with --no-headers, --id-column is a number from 1 to 2",
    ),
    case(
        "carriage returns alone",
        b"user_id,a\rann,b\rbob,c\r",
        &[],
        "in.csv:1: ends its lines with carriage returns alone; save it with LF or CRLF line ends",
    ),
    case(
        "UTF-16 without a byte order mark",
        b"u\0s\0e\0r\0_\0i\0d\0\n\0a\0\n\0",
        &[],
        "in.csv: looks like UTF-16 without a byte order mark; save it as `CSV UTF-8`, or convert it with iconv -f UTF-16LE -t UTF-8",
    ),
    case(
        "broken UTF-16",
        b"\xff\xfeu\0s\0e\0r\0_\0i\0d\0\n\0\x00\xd8a\0\n\0",
        &[],
        "in.csv:2: is not valid UTF-16LE; save it as `CSV UTF-8` and try again",
    ),
    case(
        "the wrong delimiter",
        b"user_id;name\nann;Ann\n",
        &["--delimiter", ","],
        "in.csv:1: starts with \"user_id;name\", which may be a header or a user; use --no-headers if it is a user, or --id-column \"user_id;name\" if it is the header",
    ),
];

#[test]
fn what_cannot_be_used_is_refused_with_its_line_and_remedy_before_anything_is_sent() {
    let simulator = Simulator::start(&[]);
    let mut wrong = Vec::new();
    for Case { name, roster, flags, says } in CASES {
        let room = Room::new();
        room.write("in.csv", roster);
        let ran = room.reset(&simulator, &[&["in.csv", "-o", "out.csv"], *flags].concat());
        if ran.code() != Some(2) || !ran.stdout.is_empty() || ran.stderr != format!("error: {says}\n") {
            wrong.push(format!("{name}: {ran}\n--- wanted\nerror: {says}"));
        }
        assert!(!room.exists("out.csv") && !room.exists("state"), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn what_is_no_file_is_refused() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    fs::create_dir(room.path("folder")).unwrap();
    let cases = [
        ("folder", "error: folder: is a directory; name a CSV file inside it\n"),
        (
            "nowhere.csv",
            "error: nowhere.csv: can't be read: No such file or directory (os error 2); check the path, or use - for standard input\n",
        ),
        ("-", "error: standard input: is empty; give it a user_id column and a row for each user\n"),
    ];
    for (input, says) in cases {
        let ran = room.reset(&simulator, &[input, "-o", "out.csv"]).expect(2);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", says));
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_list_of_exclusions_must_be_read_whole() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id\nann\n").write("keep.csv", "user_id,x\nzoe\n");
    let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(2);
    assert_eq!(
        ran.stderr,
        "error: keep.csv:2: the row has 1 fields where the header has 2; not sent, since its cells may be shifted; \
         mend the row: a list of users never to touch must be read whole\n"
    );
    room.reset(&simulator, &["in.csv", "-o", "out.csv", "--exclude", "nowhere.csv"]).expect(2).says("nowhere.csv");
    assert_eq!(simulator.requests(), 0);
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// A roster's name, its bytes, the flags, and what must come out: IDs and lines.
type Shape = (&'static str, Vec<u8>, &'static [&'static str], &'static [(&'static str, &'static str)]);

#[test]
fn every_shape_that_spreadsheets_and_scripts_write_works_with_exact_lines() {
    let two: &[(&str, &str)] = &[("ann", "2"), ("zoë", "3")];
    let shapes: &[Shape] = &[
        ("plain", "user_id\nann\nzoë\n".into(), &[], two),
        ("no line end at the end", "user_id\nann\nzoë".into(), &[], two),
        ("byte order mark", "\u{feff}user_id\nann\nzoë\n".into(), &[], two),
        ("CRLF", "user_id,x\r\nann,1\r\nzoë,2\r\n".into(), &[], two),
        ("UTF-16LE", utf16("user_id\r\nann\r\nzoë\r\n", false), &[], two),
        ("UTF-16BE", utf16("user_id\tx\nann\t1\nzoë\t2\n", true), &[], two),
        ("semicolons", "x;user_id\n1,5;ann\n2,5;zoë\n".into(), &[], two),
        ("tabs", "x\tuser_id\n1,5\tann\n2,5\tzoë\n".into(), &[], two),
        ("bars", "x|user_id\n1,5|ann\n2,5|zoë\n".into(), &[], two),
        ("a delimiter of one's own", "x:user_id\n1:ann\n2:zoë\n".into(), &["--delimiter", ":"], two),
        ("a tab by name", "x\tuser_id\n1\tann\n2\tzoë\n".into(), &["--delimiter", "\\t"], two),
        ("header in capitals", "USER-ID,x\nann,\nzoë,\n".into(), &[], two),
        ("header with a space", "x,User Id\n,ann\n,zoë\n".into(), &[], two),
        ("only column", "Users\nann\nzoë\n".into(), &[], two),
        ("named column", "account,x\nann,\nzoë,\n".into(), &["--id-column", "Account"], two),
        ("headerless", "ann\nzoë\n".into(), &["--no-headers"], &[("ann", "1"), ("zoë", "2")]),
        (
            "headerless, second column",
            "1,ann\n2,zoë\n".into(),
            &["--no-headers", "--id-column", "2"],
            &[("ann", "1"), ("zoë", "2")],
        ),
        ("blank lines", "\n\nuser_id\n\nann\n\r\n\n\nzoë\n\n".into(), &[], &[("ann", "5"), ("zoë", "9")]),
        (
            "quoted line breaks",
            "note,user_id\n\"a\nb\n\",ann\n\"\r\n\",zoë\n".into(),
            &[],
            &[("ann", "2"), ("zoë", "5")],
        ),
        ("quoted IDs", "\"user_id\"\n\"ann\"\n\"zoë\"\n".into(), &[], two),
        ("white space around IDs", "user_id,x\n  ann\t,\n\u{a0}zoë ,\n".into(), &[], two),
    ];
    let simulator = Simulator::start(&[]);
    for (number, (name, roster, flags, want)) in shapes.iter().enumerate() {
        let room = Room::new();
        room.write("in.csv", roster);
        let batch = format!("shape-{number}");
        let ran = room.reset(&simulator, &[&["in.csv", "-o", "out.csv", "--batch", &batch], *flags].concat());
        assert_eq!(ran.code(), Some(0), "{name}: {ran}");
        let table = room.table("out.csv");
        let id = table.header.iter().position(|name| {
            ["userid", "users", "account"].contains(&name.to_lowercase().replace(['_', '-', ' '], "").as_str())
        });
        let id = id.unwrap_or_else(|| panic!("{name}: {:?}", table.header));
        let lines = table.column("input_line");
        let got: Vec<(&str, &str)> = table.rows.iter().map(|row| row[id].as_str()).zip(lines).collect();
        assert_eq!(got, *want, "{name}");
        assert_eq!(table.count("succeeded"), 2, "{name}");
    }
    let seen = simulator.seen();
    assert_eq!(seen.users.keys().collect::<Vec<_>>(), ["ann", "zoë"]);
    assert_eq!(seen.requests, 2 * shapes.len() as u64);
}

#[test]
fn a_quoted_nothing_is_a_row_and_an_empty_line_is_none_whatever_the_line_ends() {
    let simulator = Simulator::start(&[]);
    for (batch, end) in [("lf", "\n"), ("crlf", "\r\n")] {
        let room = Room::new();
        let lines = ["user_id", "ann", "\"\"", "", "", "\"\"", "zoë", "\"\"", ""];
        room.write("in.csv", lines.join(end));
        let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv", "--batch", batch]);
        assert_eq!(ran.code(), Some(1), "{ran}");
        let table = room.table("out.csv");
        let got: Vec<_> = table.column("input_line").into_iter().zip(table.column("status")).collect();
        let want = [("2", "succeeded"), ("3", "invalid"), ("6", "invalid"), ("7", "succeeded"), ("8", "invalid")];
        assert_eq!(got, want, "{batch}");
    }
}

#[test]
fn white_space_that_is_trimmed_is_said_with_its_line() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id,x\nann,\n bob,\n\"zoe \",\n");
    let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv"]).expect(0);
    ran.says("in.csv:3: white space around a user ID was trimmed (2 in all)");
    assert_eq!(room.table("out.csv").column("user_id"), ["ann", "bob", "zoe"]);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_roster_of_nothing_but_bad_rows_sends_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id,x\n,1\n..,1\na\n");
    room.reset(&simulator, &["in.csv", "-o", "out.csv"]).expect(1).says("3 rows, 0 reset, 3 invalid");
    assert_eq!(room.table("out.csv").column("status"), ["invalid"; 3]);
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn the_samples_run() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let shapes: [(&str, &[&str], i32); 5] = [
        ("users.csv", &[], 0),
        ("plain-list.txt", &["--no-headers"], 0),
        ("excel-export.csv", &[], 0),
        ("hr-export.csv", &["--id-column", "finspace_account"], 0),
        ("bad-rows.csv", &[], 1),
    ];
    for (name, flags, code) in shapes {
        let room = Room::new();
        let input = samples.join(name);
        let mut command = room.command(&["run", "--simulate", "-o", "out.csv", "--state-dir", "state"]);
        command.args(["--rate", "unlimited"]).args(flags).arg(&input);
        let ran = crate::common::Ran::of(command.output().unwrap());
        assert_eq!(ran.code(), Some(code), "{name}: {ran}");
        let table = Table::parse(room.read("out.csv").as_bytes());
        assert!(table.count("succeeded") > 0, "{name}");
    }
}
