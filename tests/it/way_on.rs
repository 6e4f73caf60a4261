//! The way on: each end tells who a repeat helps, who needs a correction first, and a command that works.

use serde_json::Value;

use crate::common::{Ran, Room, Simulator};

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
