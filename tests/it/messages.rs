//! Messages as a tired person meets them: true, told once, and with a way out that works here.

use crate::common::{Ran, Room, Simulator, closed_port, on_a_terminal};

fn state(room: &Room, words: &[&str]) -> Ran {
    room.run(&[words, &["--state-dir", "state"]].concat())
}

/// A room with some files to go wrong with.
fn cluttered() -> Room {
    let room = Room::new();
    room.write("two.csv", "user_id\nann\nbob\n").write("mine.csv", "precious").write("nothing", "");
    std::fs::create_dir(room.path("dir")).unwrap();
    for key in ["key", "other"] {
        room.run(&["keygen", "-o", key]).expect(0);
    }
    room
}

#[test]
fn each_file_in_the_way_or_amiss_is_told_by_what_it_is() {
    let (room, simulator) = (cluttered(), Simulator::start(&[]));
    let key = room.read("key").lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    room.reset(&simulator, &["two.csv", "-o", "r.csv.age", "-r", &key, "--batch", "b"]).expect(0);
    for (words, told) in [
        (&["decrypt", "two.csv", "-i", "key"][..], "two.csv is not an age file; if it is a plain CSV"),
        (&["decrypt", "nothing", "-i", "key"], "nothing is empty"),
        (&["decrypt", "dir", "-i", "key"], "dir is a directory; name the file in it"),
        (&["decrypt", "away.age", "-i", "key"], "there is no file away.age"),
        (&["decrypt", "r.csv.age", "-i", "other"], "encrypted to another key than those that -i names"),
        (&["decrypt", "r.csv.age", "-i", "key", "-o", "mine.csv"], "mine.csv exists and is not replaced"),
        (&["keygen", "-o", "mine.csv"], "mine.csv exists and is not replaced"),
        (&["report", "b", "-o", "mine.csv", "--state-dir", "state"], "mine.csv exists and is not replaced"),
        (
            &["list-users", "-o", "mine.csv", "--endpoint-url", &simulator.endpoint],
            "mine.csv exists and is not replaced",
        ),
    ] {
        let ran = room.run(words).expect(2).says(told);
        assert!(!ran.stderr.contains("this batch") && !ran.stderr.contains("os error"), "{ran}");
    }
    assert_eq!(room.read("mine.csv"), "precious");
}

#[test]
fn a_slip_of_the_command_has_its_tip() {
    let room = cluttered();
    for (words, told) in [
        (&["rn", "two.csv"][..], "a similar subcommand exists: 'run'"),
        (&["two.csv"], "finspace-reset run two.csv -o OUT.csv"),
        (&["ls"], "status lists the batches"),
        (&["run", "two.csv"], "-o FILE.csv writes plain text"),
    ] {
        room.run(words).expect(2).says(told);
    }
}

#[cfg(feature = "cognito")]
#[test]
fn one_piece_of_advice_does_not_stand_in_another() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--service", "cognito"]));
    let words = ["list-users", "--user-pool-id", "us-east-1_Wrong", "--endpoint-url", &simulator.endpoint];
    let ran = room.run(&words).expect(3).says("the users can't be listed: ");
    assert_eq!(ran.stderr.matches("check ").count(), 1, "{ran}");
    // Each command names the permission that it wanted.
    ran.says("may use cognito-idp:ListUsers");
    room.write("users.csv", "username\nann\n");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "--user-pool-id", "us-east-1_Wrong"]).expect(3);
    ran.says("may use cognito-idp:DescribeUserPool");
}

#[test]
fn a_preview_tells_each_thing_once() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmuch-too-long-to-be-a-user-of-ours\n").write("keep.csv", "user_id\nzoe\n");
    room.write("first.csv", "user_id\nann\n");
    room.reset(&simulator, &["first.csv", "-o", "first-out.csv", "--batch", "first"]).expect(0);
    let words = ["users.csv", "--dry-run", "--exclude", "keep.csv", "--batch", "second"];
    let told = ["34 characters", "entries name nobody", "reset by batch first before"];
    let count = |shown: &str, part: &str| shown.matches(part).count();
    let (code, shown) = on_a_terminal(room.unasked(&simulator, &words), &[]);
    assert_eq!((code, told.map(|part| count(&shown, part))), (Some(1), [1; 3]), "{shown}");
    let asking = [&["users.csv", "-o", "out.csv"], &words[2..]].concat();
    let (code, shown) = on_a_terminal(room.unasked(&simulator, &asking), &[("Type 1 to go on", "no")]);
    assert_eq!((code, told.map(|part| count(&shown, part))), (Some(2), [1; 3]), "{shown}");
    // A plan that goes to a file tells all of it, and the notes stay on the screen.
    for (more, on_the_screen) in [(&[][..], 1), (&["-q"], 0)] {
        let ran = Ran::of(room.unasked(&simulator, &[&words, more].concat()).output().unwrap()).expect(1);
        assert_eq!(told.map(|part| count(&ran.stdout, part)), [1; 3], "{ran}");
        assert_eq!(count(&ran.stderr, told[0]), on_the_screen, "{ran}");
    }
}

#[test]
fn what_became_of_the_passwords_is_told() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 5);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--limit", "2"]).expect(0);
    std::fs::rename(room.path("out.csv"), room.path("away.csv")).unwrap();
    let shown = state(&room, &["status", "b"]).expect(0).stdout;
    assert!(shown.contains("and no longer there\n"), "{shown}");
    state(&room, &["close", "b", "--yes"]).expect(2);
    state(&room, &["close", "b", "--yes", "--discard-passwords"]).expect(0).says("batch b is closed: ");
    let shown = state(&room, &["status", "b"]).expect(0).stdout;
    assert!(shown.contains("the operator closed it, and gave up 2 passwords that stood in no file\n"), "{shown}");
    state(&room, &["close", "b", "--yes"]).expect(0).says("batch b is closed since 20");
    room.reset(&simulator, &["users.csv", "-o", "out2.csv", "--batch", "b", "--limit", "1"]).expect(0);
    // The numbers add up to the rows.
    let shown = state(&room, &["status", "b"]).expect(0).stdout;
    assert!(shown.contains("reset        1\nearlier      2 more were reset"), "{shown}");
    let list = state(&room, &["status"]).expect(0).stdout;
    assert!(
        list.lines().any(|line| line.split_whitespace().take(7).eq(["b", "open", "5", "3", "0", "0", "2"])),
        "{list}"
    );
}

#[test]
fn a_file_that_never_held_a_password_is_nobodys_only_copy() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nmissing-1\n");
    let words = ["users.csv", "-o", "out.csv", "--batch", "b", "--close"];
    room.reset(&simulator, &words).expect(1).says("the batch is closed");
    room.write("users.csv", "user_id\nann\n");
    room.reset(&simulator, &words).expect(0);
    // Now it holds one.
    room.write("users.csv", "user_id\nann\nbob\n");
    room.reset(&simulator, &words).expect(2).says("holds the only copy of its passwords");
}

#[test]
fn a_deadline_does_not_hide_that_nothing_answered() {
    let room = Room::new();
    room.write("users.csv", "user_id\nann\n");
    let endpoint = format!("http://127.0.0.1:{}", closed_port());
    let words = ["users.csv", "-o", "out.csv", "--yes", "--deadline", "1s"];
    let ran = Ran::of(room.at(&endpoint, &words).output().unwrap()).expect(3);
    ran.says("the time of --deadline is over; nothing has answered so far: check --endpoint-url");
}

#[test]
fn a_roster_without_a_user_is_told() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0).says("a header and nobody below it");
}
