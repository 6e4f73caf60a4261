//! Passwords are found where they belong, and nowhere else.
//!
//! After a run every file it left and all it printed is searched for every
//! password that the simulator ever gave out.

use std::fs;

use crate::common::{Ran, Room, Simulator, Table, assert_true_and_once};

const FAULTS: &str = "garbage=0.15,truncate=0.1,empty=0.05,error-after=0.1,drop-after=0.1,hang=0.02";

/// Where any of the passwords stands in the clear: names of files, or streams.
fn found(room: &Room, ran: &Ran, passwords: &[String]) -> Vec<String> {
    let mut places: Vec<(String, Vec<u8>)> = vec![
        ("standard output".into(), ran.stdout.clone().into_bytes()),
        ("standard error".into(), ran.stderr.clone().into_bytes()),
    ];
    for file in room.files() {
        let name = file.strip_prefix(room.path("")).unwrap().display().to_string();
        places.push((name, fs::read(&file).unwrap()));
    }
    let holds = |bytes: &[u8]| {
        passwords.iter().any(|password| bytes.windows(password.len()).any(|part| part == password.as_bytes()))
    };
    places.into_iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name).collect()
}

fn passwords(simulator: &Simulator) -> Vec<String> {
    let all: Vec<String> = simulator.seen().passwords().map(str::to_owned).collect();
    assert!(all.iter().all(|password| password.len() >= 8), "{all:?}");
    all
}

fn room_with_roster() -> Room {
    let room = Room::new();
    let users: String = (0..40).map(|number| format!("user-{number}\n")).collect();
    // Failures keep the batch open, with its sealed passwords in the ledger.
    room.write("users.csv", format!("user_id\n{users}missing-1\n"));
    room
}

#[test]
fn a_plain_table_is_the_only_place_in_the_clear() {
    for log in ["text", "json"] {
        let (room, simulator) = (room_with_roster(), Simulator::start(&["--faults", FAULTS]));
        let arguments =
            ["users.csv", "-o", "out.csv", "-vv", "--log-format", log, "--read-timeout", "0.3", "--max-attempts", "60"];
        let summary = ["--summary", "summary.json"];
        let ran = room.reset(&simulator, &[&arguments[..], &summary].concat()).expect(1);
        assert!(ran.stderr.contains("UnreadableAnswer") && ran.stderr.contains("user-7"), "the log is on: {ran}");
        let passwords = passwords(&simulator);
        assert_eq!(found(&room, &ran, &passwords), ["out.csv"], "while the batch is open");
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
        let closed = room.run(&["close", &room.batch(), "--state-dir", "state"]).expect(0);
        assert_eq!(found(&room, &closed, &passwords), ["out.csv"], "once it is closed");
        let status = room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0);
        assert_eq!(found(&room, &status, &passwords), ["out.csv"]);
    }
}

#[test]
fn with_an_encrypted_table_no_password_is_anywhere_in_the_clear() {
    let (room, simulator) = (room_with_roster(), Simulator::start(&["--faults", FAULTS]));
    room.run(&["keygen", "-o", "key.txt"]).expect(0);
    let key = room.read("key.txt");
    let key = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let common = ["users.csv", "-r", &key, "-vv", "--read-timeout", "0.3"];
    let arguments = [&common[..], &["-o", "out.csv.age"]].concat();
    // Stopped in the middle, killed, and run to its end.
    let first = room.reset(&simulator, &[&arguments[..], &["--limit", "20", "--max-attempts", "2"]].concat());
    assert_eq!(found(&room, &first, &passwords(&simulator)), Vec::<String>::new());
    let running = room.start(&simulator, &arguments);
    let sent = simulator.requests();
    crate::common::wait_until("more is sent", || simulator.requests() > sent + 5);
    let killed = running.kill();
    assert_eq!(found(&room, &killed, &passwords(&simulator)), Vec::<String>::new());
    let last = room.reset(&simulator, &[&arguments[..], &["--max-attempts", "60"]].concat()).expect(1);
    let passwords = passwords(&simulator);
    assert_eq!(found(&room, &last, &passwords), Vec::<String>::new());
    let opened = room.run(&["decrypt", "out.csv.age", "-i", "key.txt"]).expect(0);
    let table = Table::parse(opened.stdout.as_bytes());
    assert_eq!(table.count("succeeded"), 40);
    assert_true_and_once(&table, &simulator.seen());
    // Armored on standard output, it is as tight.
    let armored = room.reset(&simulator, &[&common[..], &["-o", "-", "-a"]].concat()).expect(1);
    assert!(armored.stdout.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"), "{armored}");
    assert_eq!(found(&room, &armored, &passwords), Vec::<String>::new());
}

#[test]
fn the_sdks_own_switches_do_not_make_it_talk() {
    let (room, simulator) = (room_with_roster(), Simulator::start(&["--faults", "garbage=0.5"]));
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "-vv", "--max-attempts", "60"]);
    command.env("LOG_SENSITIVE_BODIES", "true").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
    let ran = Ran::of(command.output().unwrap()).expect(1);
    assert_eq!(found(&room, &ran, &passwords(&simulator)), ["out.csv"]);
}

#[test]
fn what_the_state_folder_holds_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (room, simulator) = (room_with_roster(), Simulator::start(&[]));
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(1);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&room.path("state")), 0o700);
    for entry in fs::read_dir(room.path("state")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    // A folder that others can write to is refused.
    fs::set_permissions(room.path("state"), fs::Permissions::from_mode(0o770)).unwrap();
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(2).says("can be written by others");
}
