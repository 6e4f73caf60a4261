//! Keys and results in the forms that mails, editors and Windows give them,
//! and `decrypt` for one user or a screen.

use std::fs::File;
use std::process::Stdio;

use crate::common::have;
use crate::common::{Ran, Room, Simulator, Table, converse, terminal};
use crate::interop::tool;

/// A room with an identity in `key`, and its public key.
fn keyed() -> (Room, Simulator, String) {
    let room = Room::new();
    let told = room.run(&["keygen", "-o", "key"]).expect(0).stderr;
    let key = told.split_whitespace().last().unwrap().to_owned();
    (room, Simulator::start(&[]), key)
}

fn utf_16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn an_armored_result_opens_with_white_space_around_it() {
    let (room, simulator, key) = keyed();
    room.roster("users.csv", 3);
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-a", "-r", &key]).expect(0);
    let armored = room.read("out.csv.age");
    let whole = room.run(&["decrypt", "out.csv.age", "-i", "key"]).expect(0).stdout;
    for (name, pasted) in [
        ("blanks", format!("\r\n \t\n\n{armored}\n \n\t\r\n")),
        ("mark", format!("\u{feff}{armored}")),
        ("crlf", armored.replace('\n', "\r\n")),
        ("cut newline", armored.trim_end().to_owned()),
    ] {
        room.write("pasted.txt", pasted);
        assert_eq!(room.run(&["decrypt", "pasted.txt", "-i", "key"]).expect(0).stdout, whole, "{name}");
    }
    room.write("cut.txt", &armored[..armored.len() / 2]);
    room.run(&["decrypt", "cut.txt", "-i", "key"]).expect(2).says("cut.txt can't be decrypted");
}

#[test]
fn key_files_are_read_with_marks_and_in_utf_16() {
    let (room, simulator, key) = keyed();
    room.roster("users.csv", 2);
    let secret = room.read("key");
    let files = [
        ("marked", format!("\u{feff}{key}\r\n").into_bytes(), format!("\u{feff}{secret}").into_bytes()),
        ("wide", utf_16(&format!("# team\r\n{key}\r\n")), utf_16(&secret.replace('\n', "\r\n"))),
    ];
    for (name, public, secret) in files {
        let output = format!("{name}.csv.age");
        room.write("keys.txt", public).write("identity.txt", secret);
        room.reset(&simulator, &["users.csv", "-o", &output, "-R", "keys.txt", "--batch", name]).expect(0);
        let opened = room.run(&["decrypt", &output, "-i", "identity.txt"]).expect(0);
        assert_eq!(Table::parse(opened.stdout.as_bytes()).count("succeeded"), 2, "{name}");
    }
    room.write("keys.txt", b"age1\xff\xfe\n");
    room.reset(&simulator, &["users.csv", "-o", "x.csv.age", "-R", "keys.txt"]).expect(2).says("neither UTF-8 nor");
}

#[test]
fn recipients_come_from_standard_input() {
    let (room, simulator, key) = keyed();
    room.roster("users.csv", 2).len();
    room.write("keys.txt", format!("{key}\n"));
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv.age", "-R", "-"]);
    command.stdin(File::open(room.path("keys.txt")).unwrap());
    Ran::of(command.output().unwrap()).expect(0);
    room.run(&["decrypt", "out.csv.age", "-i", "key", "-o", "-"]).expect(0);
    let mut command = room.job(&simulator, &["users.csv", "-o", "b.csv.age", "-R", "-", "--batch", "b"]);
    command.stdin(Stdio::null());
    Ran::of(command.output().unwrap()).expect(2).says("holds no key");
}

#[test]
fn a_key_that_cannot_be_used_is_told_in_a_line() {
    let (room, simulator, _) = keyed();
    room.roster("users.csv", 2);
    let refused = |key: &str| {
        let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-r", key]).expect(2);
        assert!(ran.stderr.len() < 300, "{ran}");
        ran
    };
    for kind in ["ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-dss"] {
        refused(&format!("{kind} {} ann@host", "A".repeat(300))).says(kind).says("ssh-ed25519 or ssh-rsa");
    }
    refused(&format!("ssh-rsa {}", "A".repeat(600))).says("is not a recipient");
    refused("age1nonsense").says("is not a recipient");
    room.write("keys.txt", "# ours\n\nssh-dss AAAA\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-R", "keys.txt"]).expect(2).says("keys.txt:3: ");
    assert_eq!(simulator.requests(), 0);
    if have(&["ssh-keygen"]) {
        tool(&room, "ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa"]);
        let (_, _, key) = keyed();
        room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-r", &key]).expect(0);
        let ran = room.run(&["decrypt", "out.csv.age", "-i", "ecdsa"]).expect(2).says("ecdsa-sha2-nistp256");
        assert!(ran.stderr.len() < 300, "{ran}");
        room.run(&["decrypt", "out.csv.age", "-i", "ecdsa.pub"]).expect(2).says("public key");
        room.run(&["decrypt", "out.csv.age"]).expect(2).says("with -i");
    }
}

#[test]
fn a_protected_identity_off_a_terminal_is_told_or_opened_by_a_passphrase_file() {
    if !have(&["ssh-keygen", "setsid"]) {
        return;
    }
    let (room, simulator, _) = keyed();
    room.roster("users.csv", 2);
    tool(&room, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "open sesame", "-f", "ssh"]);
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-R", "ssh.pub"]).expect(0);
    let off = |arguments: &[&str]| {
        // Without a controlling terminal nobody can be asked.
        let mut command = std::process::Command::new("setsid");
        command.arg(crate::common::BIN).args(arguments).current_dir(room.path("")).stdin(Stdio::null());
        Ran::of(command.output().unwrap())
    };
    off(&["decrypt", "out.csv.age", "-i", "ssh"]).expect(2).says("protected by a passphrase").says("--passphrase-file");
    room.write("pass.txt", "open sesame\r\n").write("wrong.txt", "nonsense\n");
    off(&["decrypt", "out.csv.age", "-i", "ssh", "--passphrase-file", "pass.txt"]).expect(0);
    off(&["decrypt", "out.csv.age", "-i", "ssh", "--passphrase-file", "wrong.txt"]).expect(2).says("check the pass");
}

#[test]
fn a_passphrase_file_holds_a_line_and_nothing_else() {
    let (room, simulator, _) = keyed();
    room.roster("users.csv", 2);
    room.write("plain.txt", "correct horse");
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "--passphrase-file", "plain.txt"]).expect(0);
    let forms: [Vec<u8>; 5] = [
        b"correct horse\n".to_vec(),
        b"correct horse\r\nmore\r\n".to_vec(),
        b"correct horse\rmore".to_vec(),
        b"\xef\xbb\xbfcorrect horse\r\n".to_vec(),
        utf_16("correct horse\r\n"),
    ];
    for form in forms {
        room.write("form.txt", &form);
        let ran = room.run(&["decrypt", "out.csv.age", "--passphrase-file", "form.txt"]).expect(0);
        assert_eq!(ran.stderr, "", "{form:?}");
    }
    room.write("blank.txt", "correct horse \n");
    room.run(&["decrypt", "out.csv.age", "--passphrase-file", "blank.txt"]).expect(2).says("ends with a blank");
    let again = ["users.csv", "-o", "b.csv.age", "--passphrase-file", "blank.txt", "--batch", "b"];
    room.reset(&simulator, &again).expect(0).says("ends with a blank");
}

#[test]
fn one_user_is_opened_and_nobody_else() {
    let (room, simulator, key) = keyed();
    room.write("users.csv", "mail,user_id,note\na@x,ann,\"one, two\"\nb@x,bob,\na@x,ann,again\nc@x,missing-1,\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-r", &key]).expect(1);
    let one = |user: &str| room.run(&["decrypt", "out.csv.age", "-i", "key", "--user", user]);
    let ann = one("ann").expect(0).stdout;
    let table = Table::parse(ann.as_bytes());
    assert_eq!((table.rows.len(), table.column("note")), (1, vec!["one, two"]));
    assert_eq!(table.column("temporary_password"), [simulator.seen().current("ann")]);
    assert!(!ann.contains(simulator.seen().current("bob")));
    let ran = one("Ann").expect(2).says("\"Ann\"");
    assert_eq!(ran.stdout, "");
    room.run(&["decrypt", "out.csv.age", "-i", "key", "--user", "c@x", "--id-column", "mail"]).expect(0);
    let output = ["decrypt", "out.csv.age", "-i", "key", "--user", "nobody", "-o", "one.csv"];
    room.run(&output).expect(2);
    assert!(!room.exists("one.csv"));
}

#[test]
fn a_screen_shows_everybody_only_if_asked() {
    let (room, simulator, key) = keyed();
    room.roster("users.csv", 3);
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-r", &key]).expect(0);
    let shown = |more: &[&str]| {
        let (mut ours, theirs) = terminal();
        let mut command = room.command(&[&["decrypt", "out.csv.age", "-i", "key"], more].concat());
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop((command, theirs));
        let shown = converse(&mut ours, &[]);
        (child.wait().unwrap().code(), shown)
    };
    let (code, text) = shown(&[]);
    assert!(code == Some(2) && text.contains("--user ID") && !text.contains("succeeded"), "{text}");
    for asked in [&["-o", "-"], &["--user", "user-0002"]] {
        let (code, text) = shown(asked);
        assert_eq!(code, Some(0), "{text}");
        let passwords = Table::parse(text.as_bytes());
        let passwords = passwords.column("temporary_password");
        assert!(passwords.contains(&simulator.seen().current("user-0002")), "{text}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_fault_of_the_disk() {
    let (room, _, key) = keyed();
    room.write("keys.txt", &key).write("big.csv", "user_id,note\n".to_owned() + &"u,x\n".repeat(200_000));
    if !have(&["age"]) {
        return;
    }
    tool(&room, "age", &["-R", "keys.txt", "-o", "big.age", "big.csv"]);
    let mut child = room.command(&["decrypt", "big.age", "-i", "key"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap()).says("standard output can't be written");
    assert!(!ran.stderr.contains("disk"), "{ran}");
}
