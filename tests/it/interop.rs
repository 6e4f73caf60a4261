//! Debian's `age` opens what this program encrypts, and this program opens what
//! `age` encrypts.
//!
//! Where the tools are missing a test says so and passes;
//! `FINSPACE_RESET_REQUIRE_INTEROP=1` makes it fail instead.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Ran, Room, Simulator, Table, assert_true_and_once, have};

pub(crate) fn tool(room: &Room, program: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(room.path("")).stdin(Stdio::null()).env("HOME", room.path(""));
    Ran::of(command.output().unwrap()).expect(0)
}

/// A room with a small roster, and the users' true passwords once it was run.
fn room() -> (Room, Simulator) {
    let room = Room::new();
    room.write("users.csv", "user_id,note\nann,\"a, b\"\nzoë,\nmissing-1,\n");
    (room, Simulator::start(&[]))
}

#[track_caller]
fn assert_opened(text: &str, simulator: &Simulator) {
    let table = Table::parse(text.as_bytes());
    assert_eq!(table.count("succeeded"), 2);
    assert_true_and_once(&table, &simulator.seen());
}

fn public_key(room: &Room, name: &str) -> String {
    room.read(name).trim().to_owned()
}

#[test]
fn age_opens_the_output_with_each_kind_of_key() {
    if !have(&["age", "age-keygen", "ssh-keygen"]) {
        return;
    }
    let (room, simulator) = room();
    tool(&room, "age-keygen", &["-o", "x25519"]);
    let x25519 = tool(&room, "age-keygen", &["-y", "x25519"]).stdout.trim().to_owned();
    tool(&room, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ed25519"]);
    tool(&room, "ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    let ours = room.run(&["keygen", "-o", "ours"]).expect(0);
    let ours = ours.stderr.split_whitespace().last().unwrap().to_owned();
    let ed25519 = public_key(&room, "ed25519.pub");
    room.write("keys.txt", format!("# the incident's readers\n{}\n\n{ours}\n", public_key(&room, "rsa.pub")));
    for (output, armor) in [("binary.csv.age", &[][..]), ("armored.csv.age", &["-a"][..])] {
        let arguments = ["users.csv", "-o", output, "-r", &x25519, "-r", &ed25519, "-R", "keys.txt"];
        room.reset(&simulator, &[&arguments[..], armor].concat()).expect(1);
        for identity in ["x25519", "ed25519", "rsa", "ours"] {
            assert_opened(&tool(&room, "age", &["-d", "-i", identity, output]).stdout, &simulator);
            let opened = room.run(&["decrypt", output, "-i", identity]).expect(0);
            assert_opened(&opened.stdout, &simulator);
        }
    }
    assert!(room.read("armored.csv.age").starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    // Somebody else's key opens nothing.
    tool(&room, "age-keygen", &["-o", "stranger"]);
    let refused = room.run(&["decrypt", "binary.csv.age", "-i", "stranger"]);
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert_eq!(refused.stdout, "");
}

#[test]
fn this_program_opens_what_age_encrypted() {
    if !have(&["age", "age-keygen", "ssh-keygen"]) {
        return;
    }
    let room = Room::new();
    let text = "any text,at all\n".repeat(20_000);
    room.write("plain.txt", &text);
    tool(&room, "age-keygen", &["-o", "x25519"]);
    let x25519 = tool(&room, "age-keygen", &["-y", "x25519"]).stdout.trim().to_owned();
    tool(&room, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ed25519"]);
    let ed25519 = public_key(&room, "ed25519.pub");
    tool(&room, "age", &["-r", &x25519, "-r", &ed25519, "-o", "binary.age", "plain.txt"]);
    tool(&room, "age", &["-a", "-r", &x25519, "-r", &ed25519, "-o", "armored.age", "plain.txt"]);
    for file in ["binary.age", "armored.age"] {
        for identity in ["x25519", "ed25519"] {
            assert_eq!(room.run(&["decrypt", file, "-i", identity]).expect(0).stdout, text);
        }
    }
    room.run(&["decrypt", "binary.age", "-i", "x25519", "-o", "opened.txt"]).expect(0);
    assert_eq!(room.read("opened.txt"), text);
    // A file cut short is told, and no half of it is left behind.
    let whole = std::fs::read(room.path("binary.age")).unwrap();
    room.write("cut.age", &whole[..whole.len() - 100_000]);
    let cut = room.run(&["decrypt", "cut.age", "-i", "x25519", "-o", "half.txt"]);
    assert_ne!(cut.code(), Some(0), "{cut}");
    assert!(!cut.stderr.is_empty() && !room.exists("half.txt"), "{cut}");
}

/// Runs `age` on a terminal of its own, which it needs to ask for a passphrase.
fn on_a_terminal(room: &Room, arguments: &[&str], typed: &str) {
    let (mut terminal, other_end) = crate::common::terminal();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", "age"]).args(arguments).current_dir(room.path(""));
    let end = || Stdio::from(other_end.try_clone().unwrap());
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop(command);
    drop(other_end);
    let shown = crate::common::converse(&mut terminal, &[("passphrase", typed), ("passphrase", typed)]);
    assert!(child.wait().unwrap().success(), "{shown}");
}

#[test]
fn a_passphrase_works_in_both_directions() {
    if !have(&["age", "setsid"]) {
        return;
    }
    let (room, simulator) = room();
    room.write("pass.txt", "correct horse battery\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "--passphrase-file", "pass.txt"]).expect(1);
    let opened = room.run(&["decrypt", "out.csv.age", "--passphrase-file", "pass.txt"]).expect(0);
    assert_opened(&opened.stdout, &simulator);
    on_a_terminal(&room, &["-d", "-o", "opened.csv", "out.csv.age"], "correct horse battery");
    assert_opened(&room.read("opened.csv"), &simulator);
    on_a_terminal(&room, &["-p", "-o", "theirs.age", "opened.csv"], "correct horse battery");
    let opened = room.run(&["decrypt", "theirs.age", "--passphrase-file", "pass.txt"]).expect(0);
    assert_eq!(opened.stdout, room.read("opened.csv"));
    room.write("wrong.txt", "wrong horse\n");
    let refused = room.run(&["decrypt", "out.csv.age", "--passphrase-file", "wrong.txt"]);
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert_eq!(refused.stdout, "");
}

#[test]
fn an_age_pipe_can_take_the_place_of_the_file() {
    if !have(&["age", "age-keygen"]) {
        return;
    }
    let (room, simulator) = room();
    tool(&room, "age-keygen", &["-o", "key"]);
    let key = tool(&room, "age-keygen", &["-y", "key"]).stdout.trim().to_owned();
    let mut command = room.job(&simulator, &["users.csv", "-o", "-", "-r", &key]);
    command.stdout(File::create(room.path("stream.age")).unwrap());
    Ran::of(command.output().unwrap()).expect(1);
    assert!(Path::new(&room.path("stream.age")).exists());
    assert_opened(&tool(&room, "age", &["-d", "-i", "key", "stream.age"]).stdout, &simulator);
}
