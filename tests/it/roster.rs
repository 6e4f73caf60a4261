//! What real rosters and exclude lists do: quotes that swallow rows, delimiters
//! with two readings, characters that can't be seen, lists that protect nobody.
//!
//! Nobody is sent who was not meant, and nobody is left out without a word.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::common::{Ran, Room, Simulator, assert_true_and_once};

/// Runs a roster of these bytes against a simulator of its own; tells how it
/// ended, the room, and who was reset.
fn go(roster: &[u8], flags: &[&str]) -> (Ran, Room, BTreeSet<String>) {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", roster);
    let ran = room.reset(&simulator, &[&["in.csv", "-o", "out.csv"], flags].concat());
    let sent = simulator.seen().users.into_keys().collect();
    (ran, room, sent)
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Insists that a roster is refused with these words, and that nothing happened.
#[track_caller]
fn refused(roster: &[u8], flags: &[&str], says: &str) {
    let (ran, room, sent) = go(roster, flags);
    assert_eq!(ran.code(), Some(2), "{says}: {ran}");
    assert!(ran.stderr.contains(says), "missing: {says}\n{ran}");
    assert!(sent.is_empty() && !room.exists("out.csv") && !room.exists("state"), "{says}");
}

#[test]
fn a_quote_that_swallows_rows_is_refused_where_it_opened() {
    let swallowing =
        b"user_id,note\nd01,fine\nd02,\"left early\nd03,fine\nd04,fine\nd05,\"back later\nd06,fine\n" as &[u8];
    refused(
        swallowing,
        &[],
        "error: in.csv:3: a quote is opened here, and text follows where it is closed, in line 6;",
    );
    refused(b"user_id,note\na,\"x\ny\",\"z\nb,c\n", &[], "error: in.csv:3: a quote is opened here and never closed;");
    refused(b"user_id,note\na,\"x\" y\n", &[], "error: in.csv:2: a quote is opened here, and text follows");
    refused(b"\"user_id\"x,note\na,y\n", &[], "error: in.csv:1: a quote is opened here, and text follows");
    refused(b"user_id;note\r\na;\"x\"y\"\r\n", &[], "error: in.csv:2: a quote is opened here, and text follows");
    refused(b"user_id,a,b\nann,1\rbob,2\n", &[], "error: in.csv:2: holds a carriage return outside quotes,");

    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id\nd02\nd03\n").write("keep.csv", swallowing);
    for more in [&[][..], &["--dry-run"]] {
        let flags = [&["in.csv", "-o", "out.csv", "--exclude", "keep.csv"], more].concat();
        Ran::of(room.unasked(&simulator, &flags).arg("--yes").output().unwrap())
            .expect(2)
            .says("error: keep.csv:3: a quote is opened here, and text follows where it is closed, in line 6;");
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_cell_that_spans_lines_is_told_with_its_lines() {
    let roster = b"user_id,note\nann,\"a\r\nb\nc\"\nbob,x\n\nzoe,\"\n\"\n";
    let (ran, _, sent) = go(roster, &[]);
    ran.expect(0).says("in.csv: quoted cells spread these rows over several lines: 2-4, 7-8;");
    assert_eq!(sent, set(&["ann", "bob", "zoe"]));
    let (ran, _, sent) = go(roster, &["--dry-run"]);
    ran.expect(0).says("in.csv: quoted cells spread these rows over several lines: 2-4, 7-8;");
    assert!(sent.is_empty());
    // A header can swallow rows just as well, and so can a list of exceptions.
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id,\"note\nann,x\"\nbob,x\n").write("keep.csv", "user_id,x\nzoe,\"\nbob,\"\n");
    let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(0);
    ran.says("in.csv: quoted cells spread these rows over several lines: 1-2;")
        .says("keep.csv: quoted cells spread these rows over several lines: 2-3;");
}

#[test]
fn carried_cells_come_out_as_they_went_in() {
    let cells = [
        ("24\" wide", "24\" wide"),
        ("say \"hi\" x", "say \"hi\" x"),
        ("  two  ", "  two  "),
        (" \"a\" ", " \"a\" "),
        ("\"a\r\nb\r\"", "a\r\nb\r"),
        ("\"\"\"\"", "\""),
        ("\"a;b,c\"", "a;b,c"),
        ("\u{feff}\u{200b}", "\u{feff}\u{200b}"),
        ("a'b\u{0}c", "a'b\u{0}c"),
        ("\"\"", ""),
    ];
    for end in ["\n", "\r\n"] {
        let mut roster = format!("before,user_id,after{end}");
        for (number, (raw, _)) in cells.iter().enumerate() {
            roster.push_str(&format!("{raw},u{number},{raw}{end}"));
        }
        let (ran, room, sent) = go(roster.as_bytes(), &[]);
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert_eq!(sent.len(), cells.len());
        let want: Vec<&str> = cells.iter().map(|(_, cell)| *cell).collect();
        for column in ["before", "after"] {
            assert_eq!(room.table("out.csv").column(column), want, "{column}, {end:?}");
        }
    }
}

#[test]
fn a_tie_between_delimiters_is_refused_unless_a_header_settles_it() {
    let tie = b"e01;Smith, Ann\ne02;Jones, Bob\n";
    refused(
        tie,
        &["--no-headers"],
        "in.csv: can be read with ',' or with ';' between its cells; name the right one with --delimiter",
    );
    refused(b"a|b\tc\n", &["--no-headers"], "can be read with '\\t' or with '|' between its cells;");
    refused(b"name;mail, x\nann;a, y\n", &["--id-column", "mail"], "can be read with ',' or with ';'");
    for (roster, flags) in [
        (&tie[..], &["--no-headers", "--delimiter", ";"][..]),
        (b"user_id;name, first\ne01;Smith, Ann\ne02;Jones, Bob\n", &[]),
        (b"who;name, first\ne01;Smith, Ann\ne02;Jones, Bob\n", &["--id-column", "Who"]),
        // Only one reading has rows of one width.
        (b"e01;Smith, Ann\ne02;Jones\n", &["--no-headers"]),
        // Only one reading closes its quotes before a delimiter.
        (b"\"e01\";\"Smith, Ann\"\n\"e02\";\"Jones, Bob\"\n", &["--no-headers"]),
        (b"sep=;\r\ne01;Smith, Ann\r\ne02;Jones, Bob\r\n", &["--no-headers"]),
        (b"\xef\xbb\xbfSEP=;\nuser_id;name, first\ne01;Smith, Ann\ne02;x\n", &[]),
    ] {
        let (ran, _, sent) = go(roster, flags);
        assert_eq!(ran.code(), Some(0), "{ran}");
        assert_eq!(sent, set(&["e01", "e02"]), "{}", String::from_utf8_lossy(roster));
    }
}

#[test]
fn a_sep_line_counts_as_a_line_and_a_flag_outweighs_it() {
    let (ran, room, _) = go(b"\"sep=|\"\nuser_id|x\nann|1\n", &[]);
    ran.expect(0);
    assert_eq!(room.table("out.csv").column("input_line"), ["3"]);
    let (ran, _, sent) = go(b"sep=;\nuser_id,x\nann,1\n", &["--delimiter", ","]);
    ran.expect(0);
    assert_eq!(sent, set(&["ann"]));
}

#[test]
fn an_id_with_a_character_that_cannot_be_seen_is_invalid_and_named() {
    let cases = [
        ("\u{feff}ann", "U+FEFF"),
        ("an\u{200b}n", "U+200B"),
        ("abcdefghijklmnopqrstuvwxyz\u{200e}", "U+200E"),
        ("\u{1b}[1mann", "U+001B"),
        ("ann\0", "U+0000"),
        ("ann\u{85}", "U+0085"),
        ("\u{2028}ann", "U+2028"),
        ("a\u{202e}b", "U+202E"),
        ("a\u{ad}b", "U+00AD"),
        ("a\tb", "U+0009"),
        ("a\u{ffff}b", "U+FFFF"),
    ];
    let ids: Vec<&str> = cases.iter().map(|(id, _)| *id).collect();
    let (ran, room, sent) = go(format!("user_id,x\nzoe,\n{},\n", ids.join(",\n")).as_bytes(), &[]);
    let ran = ran.expect(1);
    assert_eq!(sent, set(&["zoe"]));
    let table = room.table("out.csv");
    assert_eq!(&table.column("user_id")[1..], ids, "an ID that is not sent is carried as it is");
    for ((message, status), (id, name)) in
        table.column("error_message").iter().zip(table.column("status")).skip(1).zip(&cases)
    {
        assert!(status == "invalid" && message.contains(name), "{id:?}: {status} {message}");
    }
    assert!(ran.stderr.contains("in.csv:3: the user ID holds a character that can't be seen (U+FEFF)"), "{ran}");
    assert!(!ran.stderr.contains(|c: char| c != '\n' && c.is_control()), "{ran}");
    // Alone in its file it is asked about, and not taken for a header.
    refused(
        "\u{200b}ann\n".as_bytes(),
        &[],
        "in.csv:1: starts with \"\\u{200b}ann\", which may be a header or a user;",
    );
}

#[test]
fn a_repeated_header_is_no_user() {
    let (ran, room, sent) = go("User ID,x\nann,\n\u{feff}user_id,x\nUSER-ID,x\nbob,\n".as_bytes(), &[]);
    ran.expect(1).says("in.csv:3: the row repeats the header");
    assert_eq!(sent, set(&["ann", "bob"]));
    assert_eq!(room.table("out.csv").column("status"), ["succeeded", "invalid", "invalid", "succeeded"]);
    let (ran, _, sent) = go(b"account,x\nann,\nAccount,x\n", &["--id-column", "account"]);
    ran.expect(1).says("in.csv:3: the row repeats the header");
    assert_eq!(sent, set(&["ann"]));
    for header in ["user_id", "Users", "ID", "User Name"] {
        let (ran, _, sent) = go(format!("{header}\nann\n").as_bytes(), &["--no-headers"]);
        ran.expect(1).says("in.csv:1: the row repeats the header");
        assert_eq!(sent, set(&["ann"]));
    }
}

#[test]
fn what_looks_like_no_user_id_is_told_in_one_note_before_anything_is_sent() {
    let roster = b"user_id\nujzde8gxd6ncf10epf91dhodzd\nuser-0001\n1.23E+25\n#N/A\n# comment\n(3 rows affected)\nTotal\n\"=\"\"00124\"\"\"\n";
    let told = "in.csv: 6 rows hold what looks like no user ID, and will be sent as it stands: line 4: \"1.23E+25\", \
                line 5: \"#N/A\", line 6: \"# comment\", line 7: \"(3 rows affected)\", line 8: \"Total\", line 9: \"=\\\"00124\\\"\"\n";
    let (ran, _, sent) = go(roster, &["--dry-run"]);
    ran.expect(0).says(told);
    assert!(sent.is_empty());
    let (ran, _, sent) = go(roster, &[]);
    ran.expect(0).says(told);
    assert_eq!(sent.len(), 8);
}

#[test]
fn rows_of_delimiters_and_blanks_are_blank_lines() {
    let roster = ";;\nuser_id;a;b\nann;1;2\n;;\n;;;;\n ; \t;\u{a0}\n\"\";\"\";\"\"\n\n   \nbob;;\n";
    let (ran, room, sent) = go(roster.as_bytes(), &[]);
    ran.expect(0).says("2 rows, 2 reset");
    assert_eq!(sent, set(&["ann", "bob"]));
    assert_eq!(room.table("out.csv").column("input_line"), ["3", "10"]);
    let (ran, room, _) = go(b"user_id;a\n;x\nbob;\n", &[]);
    ran.expect(1);
    assert_eq!(room.table("out.csv").column("status"), ["invalid", "succeeded"]);
}

fn utf16be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn each_format_is_called_by_its_name_with_a_remedy_that_helps() {
    let utf32: Vec<u8> = "\u{feff}user_id\nann\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let cases: &[(&[u8], &str)] = &[
        (
            b"user_id,a\r\r\nann,b\r\r\n",
            "in.csv:1: ends its lines with two carriage returns and a line feed; save it with LF or CRLF",
        ),
        (&utf32, "in.csv: is UTF-32, which is not read; save it as `CSV UTF-8`, or convert it with iconv -f UTF-32"),
        (
            &utf16be("user_id\nann\n"),
            "in.csv: looks like UTF-16BE without a byte order mark; save it as `CSV UTF-8`, or convert it with iconv -f UTF-16BE",
        ),
        (
            b"PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml",
            "in.csv: is an Excel workbook (.xlsx), not a CSV file; save the sheet as `CSV UTF-8`",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
            "in.csv: is an old Excel workbook (.xls), not a CSV file; save the sheet",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0", "in.csv: is compressed with gzip; unpack it first"),
        (
            b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n",
            "in.csv: is an armored file encrypted with age; decrypt it first",
        ),
        (b"age-encryption.org/v1\n-> X25519 x\n", "in.csv: is a file encrypted with age; decrypt it first"),
        (
            b"\n<!DOCTYPE html>\n<html><body>Log in</body></html>\n",
            "in.csv: is an HTML page, not a CSV file; download the file itself",
        ),
        (b"[{\"user_id\": \"ann\"}]\n", "in.csv: is JSON, not a CSV file; convert it"),
    ];
    for (bytes, says) in cases {
        refused(bytes, &[], says);
    }
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id\nann\n");
    for (bytes, says) in cases {
        room.write("keep.csv", bytes);
        let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(2);
        ran.says(&says.replace("in.csv", "keep.csv"));
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_fault_in_an_exclude_list_never_advises_a_flag_of_the_roster() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id\nann\n");
    for (list, says) in [
        (&b"name,mail\nAnn,a@x\n"[..], "keep.csv:1: has no column user_id; the columns are \"name\", \"mail\";"),
        (b"user_id,User-ID\nann,x\n", "keep.csv:1: has 2 columns that read as user_id:"),
        (
            b"ann;Smith, Ann\n",
            "keep.csv: can be read with ',' or with ';' between its cells; begin it with a line that names the right one, as in sep=;,",
        ),
        (b"", "keep.csv: is empty; give it the user IDs to leave alone"),
        (b"user_id,x\n,y\n", "keep.csv:2: the row names nobody: its user ID is blank; mend the row"),
        (b"user_id\n\xff\n", "keep.csv:2: is not valid UTF-8;"),
    ] {
        room.write("keep.csv", list);
        let ran = room.reset(&simulator, &["in.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(2).says(says);
        for flag in ["--id-column", "--no-headers", "--delimiter"] {
            assert!(!ran.stderr.contains(flag), "{ran}");
        }
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn an_exclude_list_is_read_in_its_own_shape_or_the_rosters() {
    for (list, flags) in [
        ("ann\nzoe\n", &[][..]),
        ("user_id\nann\nzoe\n", &[]),
        ("Users\nann\nzoe\n", &[]),
        ("Break glass accounts\nann\nzoe\n", &[]),
        ("x;USER ID\n1;ann\n2;zoe\nx;user_id\n", &[]),
        ("sep=;\nuser_id;Smith, Ann\nann;\nzoe;\n", &[]),
        ("\u{feff}ann\r\nzoe\r\n;\r\n", &[]),
        // The roster's own column outweighs one that only looks right.
        ("user_id,account\n1,ann\n2,zoe\n", &["--id-column", "account"]),
        ("account\nann\nzoe\n", &["--id-column", "account"]),
        ("user_id,x\nann,1\nzoe,2\n", &["--id-column", "account"]),
        ("account:x\nann:1\nzoe:2\n", &["--id-column", "account", "--delimiter", ":"]),
        ("account;x\nann;1\nzoe;2\n", &["--id-column", "account", "--delimiter", ":"]),
    ] {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        let colon = flags.contains(&":");
        let named = if flags.is_empty() { "user_id" } else { "account" };
        let roster = format!("{named},y\nann,\nbob,\nzoe,\n");
        room.write("in.csv", if colon { roster.replace(',', ":") } else { roster }).write("keep.csv", list);
        let ran =
            room.reset(&simulator, &[&["in.csv", "-o", "out.csv", "--exclude", "keep.csv"], flags].concat()).expect(0);
        assert_eq!(simulator.seen().users.into_keys().collect::<Vec<_>>(), ["bob"], "{list:?} {ran}");
    }
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "1,ann\n2,bob\n").write("keep.csv", "7,ann\n");
    let flags = ["in.csv", "-o", "out.csv", "--exclude", "keep.csv", "--no-headers", "--id-column", "2"];
    room.reset(&simulator, &flags).expect(0);
    assert_eq!(simulator.seen().users.into_keys().collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn entries_of_an_exclude_list_that_name_nobody_are_told_everywhere() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("in.csv", "user_id\nann\nbob\n");
    room.write("keep.csv", "user_id\nann\nbob@example.com\nBOB\n");
    room.write("idle.csv", "Bob Jones\n\u{200e}bob\nsomebody-whose-name-is-too-long@example.com\n");
    let flags = ["in.csv", "-o", "out.csv", "--exclude", "keep.csv", "--exclude", "idle.csv", "--summary", "s.json"];
    let some = "keep.csv: 2 of 3 entries name nobody in the roster (line 3: \"bob@example.com\", line 4: \"BOB\")";
    let none = "idle.csv: 3 of 3 entries name nobody in the roster (line 1: \"Bob Jones\", line 2: \"\\u{200e}bob\", \
                line 3: \"somebody-whose-name-is-too-long@example.com\"): IT PROTECTS NOBODY;";
    let json = |room: &Room| {
        let summary: serde_json::Value = serde_json::from_str(&room.read("s.json")).unwrap();
        summary["exclude_lists"].to_string()
    };
    let want = r#"[{"file":"keep.csv","entries":3,"unmatched":2},{"file":"idle.csv","entries":3,"unmatched":3}]"#;

    let ran = Ran::of(room.unasked(&simulator, &[&flags[..], &["--dry-run"]].concat()).output().unwrap()).expect(0);
    assert!(ran.stdout.contains(some) && ran.stdout.contains(none), "{ran}");
    ran.says(some).says(&format!("warning: {none}"));
    assert_eq!(json(&room), want);
    assert_eq!(simulator.requests(), 0);

    room.reset(&simulator, &flags).expect(0).says(some).says(&format!("warning: {none}"));
    assert_eq!(json(&room), want);
    assert_eq!(simulator.seen().users.into_keys().collect::<Vec<_>>(), ["bob"]);

    room.write("all.csv", "bob\nann\nbob\n");
    let ran = room.reset(&simulator, &["in.csv", "-o", "2.csv", "--batch", "b", "--exclude", "all.csv"]).expect(0);
    assert!(!ran.stderr.contains("all.csv"), "{ran}");
}

#[test]
fn a_column_that_the_output_adds_is_refused_in_any_case() {
    for name in ["Status", "STATUS", "Temporary_Password", " input_line ", "Sta\u{200b}tus"] {
        refused(
            format!("user_id,{name}\nann,x\n").as_bytes(),
            &[],
            &format!(
                "in.csv:1: has a column called {name:?}, which the output adds itself; rename or remove that column"
            ),
        );
    }
    refused(b"Status\nann\n", &["--id-column", "Status"], "has a column called \"Status\"");
    refused(b"user_id,x,Request_ID\nann,,\n", &["--id-column", "x"], "has a column called \"Request_ID\"");
}

#[test]
fn a_header_and_nobody_below_is_no_error_however_often() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    for roster in ["user_id,team\n", "user_id,team", "\u{feff}user_id;team\r\n;\r\n"] {
        room.write("in.csv", roster);
        for output in ["1.csv", "1.csv", "2.csv"] {
            let flags = ["in.csv", "-o", output, "--summary", "s.json", "--close"];
            let ran = room.reset(&simulator, &flags).expect(0).says("0 rows");
            assert!(!ran.stderr.contains("every user"), "{ran}");
            let table = room.table(output);
            assert!(table.header.starts_with(&["user_id".into(), "team".into(), "status".into()]));
            assert_eq!(table.rows.len(), 0);
            let summary: serde_json::Value = serde_json::from_str(&room.read("s.json")).unwrap();
            assert_eq!((&summary["exit_code"], &summary["counts"]["rows"]), (&0.into(), &0.into()));
        }
        fs::remove_file(room.path("1.csv")).unwrap();
        fs::remove_file(room.path("2.csv")).unwrap();
    }
    room.write("keep.csv", "user_id\nkay\n");
    for quiet in [&[][..], &["-q"]] {
        let words = [&["in.csv", "--dry-run", "--exclude", "keep.csv"], quiet].concat();
        let ran = Ran::of(room.unasked(&simulator, &words).output().unwrap()).expect(0);
        assert!(ran.stdout.contains("Nobody stands below the header of in.csv"), "{ran}");
        assert!(!ran.stdout.contains("left to reset") && !format!("{ran}").contains("PROTECTS NOBODY"), "{ran}");
    }
    assert_eq!(simulator.requests(), 0);
    refused(b"", &[], "in.csv: is empty;");
    refused(b"", &["--no-headers"], "in.csv: is empty;");
}

#[test]
fn rosters_of_unusable_rows_alone_are_different_batches() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let mut batches = BTreeSet::new();
    for (roster, output) in
        [("user_id,x\n,1\n", "1.csv"), ("user_id,x\n..,1\n", "2.csv"), ("user_id,x\n..,1\n", "3.csv")]
    {
        room.write("in.csv", roster);
        let ran = room.reset(&simulator, &["in.csv", "-o", output]).expect(1).says("1 row, 0 reset, 1 invalid");
        assert!(!ran.stderr.contains("every user was reset"), "{ran}");
        let told = ran.stderr.split_once("batch ").unwrap().1;
        batches.insert(told.split_once(':').unwrap().0.to_owned());
        assert_eq!(room.table(output).column("status"), ["invalid"]);
    }
    assert_eq!(batches.len(), 2, "{batches:?}");
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_record_has_a_bound_and_its_line_is_told() {
    let long = |open: &str| [b"user_id,x\nann,1\nbob,".to_vec(), open.into(), b"x\n".repeat(600_000)].concat();
    refused(&long("\""), &[], "in.csv:3: a quote is opened here and never closed within 1 MiB;");
    let flat = [b"user_id,x\nann,1\nbob,".to_vec(), vec![b'x'; 1_100_000], b"\nzoe,2\n".to_vec()].concat();
    refused(&flat, &[], "in.csv:3: the row that starts here is longer than 1 MiB;");
    let (ran, room, _) = go(&[b"user_id,x\nbob,".to_vec(), vec![b'x'; 1_000_000], b"\n".to_vec()].concat(), &[]);
    ran.expect(0);
    assert_eq!(room.table("out.csv").column("x")[0].len(), 1_000_000);
}

#[test]
fn file_names_and_cells_are_escaped_for_people() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let odd = OsStr::from_bytes(b"a\x1b[2J\xff\xe2\x80\xae.csv");
    let shown = "a\\u{1b}[2J\\xff\\u{202e}.csv";
    fs::write(room.path(odd), "user_id\n ann\n..\n").unwrap();
    let mut job = room.job(&simulator, &["-o", "out.csv"]);
    let ran = Ran::of(job.arg(odd).output().unwrap()).expect(1);
    ran.says(&format!("{shown}:2: white space")).says(&format!("{shown}:3: "));
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());

    room.write("in.csv", "name\u{1b}]0;x\u{7},mail\u{202e}\nann,x\n");
    let ran = room.reset(&simulator, &["in.csv", "-o", "2.csv", "--exclude", "in.csv"]).expect(2);
    let ran = ran.says("the columns are \"name\\u{1b}]0;x\\u{7}\", \"mail\\u{202e}\";");
    let hidden = |c: &char| *c != '\n' && (c.is_control() || *c == '\u{202e}');
    assert_eq!(ran.stderr.chars().find(hidden), None);

    let nowhere = OsStr::from_bytes(b"no\x1bwhere\xff.csv");
    let flags: Vec<&OsStr> = ["in.csv", "-o", "2.csv", "--exclude"].iter().map(OsStr::new).chain([nowhere]).collect();
    let ran = room.reset(&simulator, &flags).expect(2);
    ran.says("no\\u{1b}where\\xff.csv: can't be read");

    let ran = room.reset(&simulator, &["in.csv", "-o", "x\u{1b}[2J\u{202e}.txt"]).expect(2);
    assert_eq!(ran.stderr.chars().find(hidden), None, "{ran}");
    ran.says("x\\u{1b}[2J\\u{202e}.txt");
}
