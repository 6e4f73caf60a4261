//! Ledgers that can't be trusted: each is refused by name and remedy, none is
//! started over, and nothing panics.
//!
//! The fixtures are one small batch (`whole.ledger`, its key beside it) and
//! what may become of it.

use std::fs;
use std::path::Path;

use crate::common::{Room, Simulator};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// A room whose state folder holds this ledger and the batch's key.
fn room_with(ledger: &[u8]) -> Room {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let room = Room::new();
    fs::DirBuilder::new().mode(0o700).create(room.path("state")).unwrap();
    room.write("state/incident.ledger", ledger).write("state/incident.key", fixture("incident.key"));
    for name in ["state/incident.ledger", "state/incident.key"] {
        fs::set_permissions(room.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    room.write("users.csv", "user_id\nann\nbob\nmissing-1\nzoe\n");
    room
}

const RUN: &[&str] = &["users.csv", "-o", "out.csv", "--batch", "incident"];

#[test]
fn a_ledger_that_cannot_be_trusted_is_refused_and_left_as_it_is() {
    let damaged = "restore it from a backup with its key, or move it away and start the batch anew, knowing that its users may then be reset twice";
    let cases = [
        ("truncated.ledger", "is damaged (database disk image is malformed)", damaged),
        ("bit-flipped.ledger", "is damaged (", damaged),
        ("empty.ledger", "is damaged (it is empty)", damaged),
        (
            "newer.ledger",
            "has format 3, and this program knows formats up to 2",
            "use the newer finspace-reset that wrote it",
        ),
        ("not-sqlite.ledger", "is damaged (file is not a database)", damaged),
        (
            "another-program.ledger",
            "is not a finspace-reset ledger",
            "move it out of the state folder, or name another --state-dir",
        ),
    ];
    let simulator = Simulator::start(&[]);
    for (name, fact, remedy) in cases {
        let bytes = fixture(name);
        let room = room_with(&bytes);
        let state = ["--state-dir", "state"];
        let endpoint = ["--endpoint-url", simulator.endpoint.as_str(), "--yes"];
        let commands: [Vec<&str>; 5] = [
            [&["run"], RUN, &state, &endpoint].concat(),
            [&["run"], RUN, &state, &endpoint[..2], &["--dry-run"]].concat(),
            [&["status"], &state[..]].concat(),
            [&["status", "incident"], &state[..]].concat(),
            [&["close", "incident"], &state[..]].concat(),
        ];
        for command in commands {
            let ran = room.run(&command);
            assert_eq!(ran.code(), Some(2), "{name}: {ran}");
            let ran = ran.says("state/incident.ledger").says(fact).says(remedy);
            assert_eq!(ran.stderr.lines().count(), 1, "{name}: {ran}");
            assert!(ran.stderr.starts_with("error: "), "{name}: {ran}");
        }
        assert_eq!(fs::read(room.path("state/incident.ledger")).unwrap(), bytes, "{name}");
        assert_eq!(fs::read(room.path("state/incident.key")).unwrap(), fixture("incident.key"), "{name}");
        assert!(!room.exists("out.csv"), "{name}");
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn one_bad_ledger_does_not_hide_the_others() {
    let (room, simulator) = (room_with(&fixture("truncated.ledger")), Simulator::start(&[]));
    room.write("more.csv", "user_id\nmissing-1\n");
    room.reset(&simulator, &["more.csv", "-o", "more-out.csv", "--batch", "good"]).expect(1);
    let ran = room.run(&["status", "--state-dir", "state"]).expect(2).says("incident.ledger is damaged");
    assert!(ran.stdout.lines().any(|line| line.trim_start().starts_with("good ")), "{ran}");
}

#[test]
fn the_first_format_is_still_read() {
    let room = room_with(&fixture("whole.ledger"));
    let counts = &room.status()["counts"];
    for (name, count) in [("rows", 4), ("succeeded", 2), ("failed", 1), ("pending", 1)] {
        assert_eq!(counts[name], count, "{counts}");
    }
}

#[test]
fn a_ledger_of_another_target_is_not_continued() {
    let (room, simulator) = (room_with(&fixture("whole.ledger")), Simulator::start(&[]));
    room.reset(&simulator, RUN).expect(2).says("batch incident belongs to the target us-east-1 http://127.0.0.1:40999");
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_batch_without_its_key_is_refused() {
    for key in [None, Some(&b"short"[..]), Some(&[1; 33])] {
        let room = Room::new();
        let simulator = Simulator::start(&[]);
        room.write("users.csv", "user_id\nann\nmissing-1\n");
        room.reset(&simulator, RUN).expect(1);
        let before = room.read("out.csv");
        match key {
            None => fs::remove_file(room.path("state/incident.key")).unwrap(),
            Some(bytes) => drop(room.write("state/incident.key", bytes)),
        }
        room.reset(&simulator, RUN).expect(2).says("state/incident.key").says("finspace-reset close");
        assert_eq!((simulator.requests(), room.read("out.csv")), (2, before));
    }
}

#[test]
fn a_wrong_key_is_told_before_anything_is_sent() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, RUN).expect(1);
    let before = room.read("out.csv");
    room.write("state/incident.key", [9; 32]);
    let ran = room.reset(&simulator, RUN);
    assert_eq!(ran.code(), Some(2), "{ran}");
    ran.says("a sealed password does not open with ").says("state/incident.key");
    assert_eq!((simulator.requests(), room.read("out.csv")), (2, before));
}

#[test]
fn flipped_bits_anywhere_never_make_it_panic() {
    let whole = fixture("whole.ledger");
    let mut dice = StdRng::seed_from_u64(3);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..dice.random_range(1..4) {
            let at = dice.random_range(0..bytes.len());
            bytes[at] ^= 1 << dice.random_range(0..8);
        }
        let room = room_with(&bytes);
        let commands: [&[&str]; 2] = [
            &["status", "incident", "--state-dir", "state"],
            &[
                "run",
                "users.csv",
                "--dry-run",
                "--batch",
                "incident",
                "--state-dir",
                "state",
                "--endpoint-url",
                "http://127.0.0.1:40999",
            ],
        ];
        for command in commands {
            let ran = room.run(command);
            assert!(matches!(ran.code(), Some(0..=2)), "{ran}");
            assert!(!ran.stderr.contains("panicked"), "{ran}");
        }
    }
}
