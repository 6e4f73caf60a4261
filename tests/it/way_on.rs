//! The way on: each end tells who a repeat helps, who needs a correction first, and a command that works.

use serde_json::Value;

use crate::common::{Ran, Room, Simulator, on_a_terminal};

#[cfg(feature = "cognito")]
const POOL: &str = "us-east-1_Simulated";

fn state(room: &Room, words: &[&str]) -> Ran {
    room.run(&[words, &["--state-dir", "state"]].concat())
}

#[test]
fn no_repeat_is_advised_to_those_who_fail_again() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\nmissing-2\nmuch-too-long-to-be-a-user-of-ours\n");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "--summary", "run.json"]).expect(1);
    let batch = room.batch();
    let vain = "a repeat does not help 2 users (2 × ResourceNotFoundException)";
    let status = state(&room, &["status", &batch]).expect(0).stdout;
    state(&room, &["report", &batch, "-o", "page.html"]).expect(0);
    for told in [&ran.stderr, &status, &room.read("page.html").replace("A repeat", "a repeat")] {
        assert!(told.contains(vain), "{told}");
        assert!(told.contains(&format!("run it with --batch {batch}")), "{told}");
        assert!(told.contains("1 row of the roster can"), "{told}");
        assert!(!told.contains("the same command again"), "{told}");
    }
    let summary: Value = serde_json::from_str(&room.read("run.json")).unwrap();
    assert_eq!(summary["causes"][0]["repeat_helps"], false);
    assert_eq!(room.status()["causes"], summary["causes"]);
    // The command that is advised works as it is typed.
    let line = ran.stderr.split('`').find(|words| words.contains("--list failed")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    assert_eq!(room.run(&words).expect(0).stdout, "user_id\nmissing-1\nmissing-2\n");
    // So does the correction: nobody is reset twice, and there is one batch.
    room.write("users.csv", "user_id\nann\nbob\ncyd\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", &batch]).expect(0);
    assert_eq!(room.table("out.csv").count("succeeded"), 3);
    assert_eq!(simulator.seen().twice(), Vec::<&str>::new());
}

#[test]
fn a_repeat_is_advised_to_those_whom_it_helps() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nmissing-1\nann\n");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "--limit", "1"]).expect(1);
    for part in
        ["next: run the same command again to go on with the rest: 1 of 2", "does not help 1 user (1 × Resource"]
    {
        assert!(ran.stderr.contains(part), "{part}: {ran}");
    }
}

#[cfg(feature = "cognito")]
#[test]
fn who_is_not_signed_out_is_told_by_status_and_report() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--service", "cognito"]));
    room.write("users.csv", "username\nann\nbob\ncyd\nmissing-1\n");
    let words = ["users.csv", "-o", "out.csv", "--user-pool-id", POOL, "--batch", "b"];
    room.reset(&simulator, &[&words[..], &["--limit", "1", "--sign-out"]].concat()).expect(0);
    assert_eq!(room.status()["sign_out"], serde_json::json!({ "signed_out": 1, "left": 0 }));
    room.reset(&simulator, &words).expect(1);
    assert_eq!(room.status()["sign_out"], serde_json::json!({ "signed_out": 1, "left": 2 }));
    let shown = state(&room, &["status", "b"]).expect(0).stdout;
    for part in ["signed out   1, 2 still to be\n", "2 users are reset and not signed out yet", "with --sign-out"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    state(&room, &["report", "b", "-o", "page.html"]).expect(0);
    for part in ["1 user is signed out, too.", "2 users are reset and not signed out yet", "1 × UserNotFoundException"]
    {
        assert!(room.read("page.html").contains(part), "{part}: {}", room.read("page.html"));
    }
    let annex = state(&room, &["report", "b", "--format", "csv", "-o", "-"]).expect(0).stdout;
    let annex = crate::common::Table::parse(annex.as_bytes());
    let at = annex.column("signed_out_at");
    assert_eq!(at.iter().filter(|at| !at.is_empty()).count(), 1, "{at:?}");
}

#[test]
fn a_rehearsal_and_a_batch_of_one_name_are_told_apart() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let words = ["run", "users.csv", "-o", "rehearsal.csv", "--batch", "b", "--simulate", "--rate", "unlimited"];
    state(&room, &words).expect(0);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--limit", "1"]).expect(0);
    let list = state(&room, &["status"]).expect(0).stdout;
    assert_eq!(list.lines().filter(|line| line.ends_with("(a rehearsal: --simulate)")).count(), 1, "{list}");
    let both = state(&room, &["status", "b"]).expect(0).stdout;
    let [real, rehearsal] = both.split("\n\n").collect::<Vec<_>>()[..] else { panic!("{both}") };
    assert!(real.starts_with("batch        b\n") && rehearsal.contains("b (a rehearsal: --simulate)\n"), "{both}");
    let one = state(&room, &["status", "b", "--simulate"]).expect(0).stdout;
    assert_eq!(one, rehearsal);
    let told = "this is the real one; a rehearsal has the same name";
    state(&room, &["report", "b", "-o", "real.html"]).expect(0).says(told);
    let page = state(&room, &["report", "b", "-o", "rehearsal.html", "--simulate"]).expect(0);
    assert!(!page.stderr.contains(told), "{page}");
    assert!(room.read("real.html").contains(&simulator.endpoint) && !room.read("real.html").contains("rehearsal"));
    assert!(room.read("rehearsal.html").contains("a rehearsal"));
    state(&room, &["close", "b", "--simulate", "--yes"]).expect(0).says("rehearsal b is closed");
    assert_eq!(
        room.run(&["status", "b", "--state-dir", "state"]).expect(0).stdout.matches("state        open").count(),
        1
    );
    state(&room, &["close", "b", "--yes"]).expect(0).says(told).says("batch b is closed");
    state(&room, &["close", "nobody", "--simulate"]).expect(2).says("no batch nobody in");
}

#[test]
fn whoever_was_left_alone_before_is_not_reset_unseen() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nmissing-typo\nkay\n").write("keep.csv", "user_id\nkay\nbob\n");
    let first = ["users.csv", "-o", "out.csv", "--batch", "b", "--exclude", "keep.csv"];
    let ran = room.reset(&simulator, &first).expect(1).says("run it with --batch b and the same --exclude");
    assert!(!ran.stderr.contains("left alone before"), "{ran}");
    room.write("users.csv", "user_id\nann\nkay\nbob\ncyd\n");
    let mended = &first[..5];
    let told =
        "2 users whom this batch left alone before (--exclude, --check-users) would be reset now, the first in line 3";
    let preview =
        |words: &[&str]| Ran::of(room.unasked(&simulator, words).arg("--dry-run").output().unwrap()).expect(0);
    let shown = preview(mended);
    assert!(shown.stdout.contains(told) && shown.stderr.contains(told), "{shown}");
    let quiet = preview(&[mended, &["-q"]].concat());
    assert!(quiet.stdout.contains(told), "{quiet}");
    // The list as before protects them, in silence.
    assert!(!format!("{}", preview(&first)).contains("left alone before"));
    let (code, asked) = on_a_terminal(room.unasked(&simulator, mended), &[("Type 3 to go on", "no")]);
    assert!(code == Some(2) && asked.split_once("Type 3").unwrap().0.contains(told), "{asked}");
    assert_eq!(simulator.requests(), 2);
    // A shorter list tells of the one whom it lost; it warns and does not refuse.
    room.write("keep.csv", "user_id\nbob\n");
    let ran = room.reset(&simulator, &first).expect(0);
    ran.says("1 user whom this batch left alone before (--exclude, --check-users) would be reset now, in line 3");
    assert_eq!(room.table("out.csv").column("status"), ["succeeded", "succeeded", "excluded", "succeeded"]);
    let again = room.reset(&simulator, &first);
    assert!(!again.stderr.contains("left alone before"), "{again}");
    assert_eq!(simulator.seen().twice(), Vec::<&str>::new());
}

#[test]
fn a_superuser_left_alone_by_the_check_is_told_without_it() {
    let room = Room::new();
    room.write("population.csv", "user_id,type\nann,APP_USER\nroot,SUPER_USER\n");
    let simulator = Simulator::start(&["--users", room.path("population.csv").to_str().unwrap()]);
    room.write("users.csv", "user_id\nroot\nann\nmissing-1\n");
    let words = ["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, &[&words[..], &["--check-users"]].concat()).expect(1);
    let preview = |more: &[&str]| {
        let words = [&words[..], &["--dry-run"], more].concat();
        Ran::of(room.unasked(&simulator, &words).output().unwrap())
    };
    preview(&[]).expect(0).says("1 user whom this batch left alone before");
    for meant in [&["--check-users"][..], &["--check-users", "--include-superusers"]] {
        let shown = preview(meant);
        assert!(!shown.stderr.contains("left alone before"), "{shown}");
    }
}
