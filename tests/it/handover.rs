//! `handover` gives each value of a column its rows, in a file that its keys
//! alone open: all of them, or none.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Ran, Room, Simulator, Table, have};
use crate::interop::tool;

/// Five users of three managers, reset and encrypted to `key`.
fn results(room: &Room, simulator: &Simulator) {
    room.write(
        "users.csv",
        "user_id,manager,note\nu-1,ann,\nu-2,Bob & Co/../x,\"a, b\"\nmissing-1,ann,\nu-4,cy,\nu-5,ann,\n",
    );
    let key = identity(room, "key");
    room.reset(simulator, &["users.csv", "-o", "out.csv.age", "-r", &key, "--batch", "leavers"]).expect(1);
}

/// Makes an identity, and returns its public key.
fn identity(room: &Room, name: &str) -> String {
    let told = room.run(&["keygen", "-o", name]).expect(0).stderr;
    told.split_whitespace().last().unwrap().to_owned()
}

fn hand_over(room: &Room, file: &str, folder: &str) -> Ran {
    let arguments = ["handover", file, "-i", "key", "--by", "manager", "--keys", "keys.csv", "-o", folder];
    room.run(&[&arguments[..], &["--state-dir", "state"]].concat())
}

/// The names in a folder, with what each file holds for an identity.
fn opened(room: &Room, folder: &str, identity: &str) -> BTreeMap<String, Option<Table>> {
    let open = |path: std::path::PathBuf| {
        let ran = room.run(&["decrypt", path.to_str().unwrap(), "-i", identity]);
        (ran.code() == Some(0)).then(|| Table::parse(ran.stdout.as_bytes()))
    };
    let entries = fs::read_dir(room.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), open(path))).collect()
}

fn nothing_there(room: &Room, folder: &str) {
    assert!(!room.exists(folder));
    let left: Vec<_> = room.files().into_iter().filter(|path| path.to_string_lossy().contains("unfinished")).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn each_manager_gets_a_file_that_nobody_else_opens() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    results(&room, &simulator);
    let (ann, deputy, bob, cy) =
        (identity(&room, "ann"), identity(&room, "deputy"), identity(&room, "bob"), identity(&room, "cy"));
    room.write(
        "keys.csv",
        format!("recipient,manager,mail\n{ann},ann,a@x\n{bob},Bob & Co/../x,\n{cy},cy,\n{deputy},ann,\n{cy},nobody,\n"),
    );
    let ran = hand_over(&room, "out.csv.age", "desk").expect(0).says("5 rows in 3 files").says("nobody waits any more");
    let listing = Table::parse(ran.stdout.as_bytes());
    assert_eq!(listing.header, ["manager", "file", "rows", "recipients"]);
    assert_eq!(listing.column("rows"), ["3", "1", "1"]);
    let seen = simulator.seen();
    for (identity, users) in [
        ("ann", &["u-1", "missing-1", "u-5"][..]),
        ("deputy", &["u-1", "missing-1", "u-5"]),
        ("bob", &["u-2"]),
        ("cy", &["u-4"]),
    ] {
        let own: Vec<Table> = opened(&room, "desk", identity).into_values().flatten().collect();
        assert_eq!(own.len(), 1, "{identity}");
        assert_eq!(own[0].column("user_id"), users);
        for (user, password) in own[0].column("user_id").iter().zip(own[0].column("temporary_password")) {
            assert_eq!(password, if *user == "missing-1" { "" } else { seen.current(user) });
        }
    }
    assert_eq!(opened(&room, "desk", "key").values().flatten().count(), 0, "the operator's key opens none");
    let names: Vec<String> = opened(&room, "desk", "ann").into_keys().collect();
    assert!(
        names.contains(&"ann.csv.age".to_owned()) && names.iter().all(|name| !name.contains(['/', ' ', '&'])),
        "{names:?}"
    );
    for entry in fs::read_dir(room.path("desk")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(room.path("desk")).unwrap().permissions().mode() & 0o777, 0o700);
    // Nothing in the clear: no file of the room holds a password.
    for path in room.files() {
        let bytes = fs::read(&path).unwrap();
        for password in seen.passwords() {
            assert!(!bytes.windows(password.len()).any(|part| part == password.as_bytes()), "{}", path.display());
        }
    }
}

#[test]
fn a_value_without_a_key_is_refused_with_its_lines() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    results(&room, &simulator);
    room.write("keys.csv", format!("manager,recipient\ncy,{}\n", identity(&room, "cy")));
    hand_over(&room, "out.csv.age", "desk")
        .expect(2)
        .says("2 of its values in manager have no key in keys.csv")
        .says("\"ann\" (lines 2, 4, 6)")
        .says("(line 3)");
    nothing_there(&room, "desk");
    for (keys, told) in [
        ("manager,recipient\nann,\n".to_owned(), "keys.csv:2: has no key for \"ann\""),
        ("manager,recipient\n\nann,age1nonsense\n".to_owned(), "keys.csv:3: \"age1nonsense\" is not a recipient"),
        (
            "manager,recipient\nann,ssh-dss AAAA\n".to_owned(),
            "keys.csv:2: age can't encrypt to a key of the kind ssh-dss",
        ),
        ("boss,recipient\nann,x\n".to_owned(), "wants the columns \"manager\" and recipient"),
    ] {
        room.write("keys.csv", keys);
        hand_over(&room, "out.csv.age", "desk").expect(2).says(told);
        nothing_there(&room, "desk");
    }
}

#[test]
fn what_cannot_be_done_leaves_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    results(&room, &simulator);
    let key = identity(&room, "one");
    room.write("keys.csv", format!("manager;recipient\nann;{key}\nBob & Co/../x;{key}\ncy;{key}\n"));
    fs::create_dir(room.path("taken")).unwrap();
    room.write("taken/mine", "x");
    hand_over(&room, "out.csv.age", "taken").expect(2).says("not empty");
    assert_eq!(room.read("taken/mine"), "x");
    let by = |column: &str| {
        let arguments = ["handover", "out.csv.age", "-i", "key", "--by", column, "--keys", "keys.csv", "-o", "desk"];
        room.write("keys.csv", format!("{column},recipient\nann,{key}\n"));
        room.run(&arguments)
    };
    by("temporary_password").expect(2).says("is a column of the results");
    by("team").expect(2).says("has no column \"team\"").says("manager");
    let whole = fs::read(room.path("out.csv.age")).unwrap();
    room.write("cut.csv.age", &whole[..whole.len() - 40]);
    hand_over(&room, "cut.csv.age", "desk").expect(2);
    nothing_there(&room, "desk");
}

#[test]
fn status_tells_who_still_waits_and_a_plain_result_works_too() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id;manager\nu-1;ann\nu-2;ann\nmissing-1;bob\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers"]).expect(1);
    assert!(room.status()["handover"].is_null());
    let key = identity(&room, "one");
    room.write("keys.csv", format!("\u{feff}Manager,Recipient\r\nann,{key}\r\nbob,{key}\r\n"));
    let plain = ["handover", "out.csv", "--by", "manager", "--keys", "keys.csv", "-o"];
    room.run(&[&plain[..], &["desk", "--state-dir", "state"]].concat()).expect(0).says("recorded in batch leavers");
    let state = room.status()["handover"].clone();
    assert_eq!((&state["files"], &state["users"], &state["waiting"]), (&2.into(), &2.into(), &0.into()), "{state}");
    // A user who is reset later waits for a file of the newer results.
    room.write("users.csv", "user_id;manager\nu-1;ann\nu-2;ann\nmissing-1;bob\nu-9;ann\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers"]).expect(1);
    assert_eq!(room.status()["handover"]["waiting"], 1);
    let told = room.run(&["status", "leavers", "--state-dir", "state"]).expect(0).stdout;
    assert!(told.contains("1 user still to be handed a password"), "{told}");
    room.run(&[&plain[..], &["elsewhere", "--state-dir", "other"]].concat()).expect(0).says("no ledger in");
}

#[test]
fn debians_age_opens_what_was_handed_over() {
    if !have(&["age", "age-keygen", "ssh-keygen"]) {
        return;
    }
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    results(&room, &simulator);
    tool(&room, "age-keygen", &["-o", "x25519"]);
    let x25519 = tool(&room, "age-keygen", &["-y", "x25519"]).stdout.trim().to_owned();
    tool(&room, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "bob@desk", "-f", "ed25519"]);
    tool(&room, "ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    let (ed25519, rsa) = (room.read("ed25519.pub"), room.read("rsa.pub"));
    room.write(
        "keys.csv",
        format!("manager,recipient\nann,{x25519}\nBob & Co/../x,{}\ncy,{}\n", ed25519.trim(), rsa.trim()),
    );
    hand_over(&room, "out.csv.age", "desk").expect(0);
    for (identity, value) in [("x25519", "ann"), ("ed25519", "Bob & Co/../x"), ("rsa", "cy")] {
        let mine = opened(&room, "desk", identity).into_iter().find(|(_, table)| table.is_some()).unwrap().0;
        let text = tool(&room, "age", &["-d", "-i", identity, &format!("desk/{mine}")]).stdout;
        let table = Table::parse(text.as_bytes());
        assert!(table.column("manager").iter().all(|manager| *manager == value), "{text}");
        for (user, password) in table.column("user_id").iter().zip(table.column("temporary_password")) {
            assert!(password.is_empty() || password == simulator.seen().current(user));
        }
    }
}

#[test]
fn many_values_take_one_open_file_at_a_time() {
    let room = Room::new();
    let key = identity(&room, "one");
    let mut rows = String::from("user_id,manager,status,temporary_password\n");
    let mut keys = String::from("manager,recipient\n");
    for number in 0..3000 {
        rows.push_str(&format!("u-{number},m-{},succeeded,secret-{number}\n", number % 1500));
    }
    for number in 0..1500 {
        keys.push_str(&format!("m-{number},{key}\n"));
    }
    room.write("out.csv", rows).write("keys.csv", keys);
    // Fewer descriptors than values.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", crate::common::BIN]);
    command.args([
        "handover",
        "out.csv",
        "--by",
        "manager",
        "--keys",
        "keys.csv",
        "-o",
        "desk",
        "--state-dir",
        "state",
    ]);
    Ran::of(command.current_dir(room.path("")).output().unwrap()).expect(0).says("3000 rows in 1500 files");
    let ran = room.run(&["decrypt", "desk/m-7.csv.age", "-i", "one"]).expect(0);
    assert_eq!(Table::parse(ran.stdout.as_bytes()).column("user_id"), ["u-7", "u-1507"]);
}

#[test]
fn a_roster_in_the_place_of_the_result_hands_nothing_over() {
    let room = Room::new();
    let key = identity(&room, "one");
    room.write("users.csv", "user_id,manager\nann,lee\n").write("keys.csv", format!("manager,recipient\nlee,{key}\n"));
    let words =
        ["handover", "users.csv", "--by", "manager", "--keys", "keys.csv", "-o", "desk", "--state-dir", "state"];
    room.run(&words).expect(2).says("users.csv has no column temporary_password, so nobody would be handed one");
    assert!(!room.exists("desk"));
}
