//! The guard across batches, where it does not refuse: a batch of a new name
//! resets again whom another batch of the target reset, and says so.

use crate::common::{Ran, Room, Running, Simulator, on_a_terminal, wait_until};
use serde_json::Value;

/// A room in which batch `first` has reset Ann and Bob a moment ago.
fn after_a_first_batch(simulator: &Simulator) -> Room {
    let room = Room::new();
    room.write("users.csv", "user_id\nann\nbob\n");
    room.reset(simulator, &["users.csv", "-o", "first.csv", "--batch", "first"]).expect(0);
    room.write("users.csv", "user_id\nann\nbob\ncyd\n");
    room
}

fn json(room: &Room, name: &str) -> Value {
    serde_json::from_str(&room.read(name)).unwrap()
}

const TOLD: &str = "2 of the users to do were reset by batch first before, the last at 20";

#[test]
fn a_new_name_resets_them_again_and_says_so_from_the_preview_to_the_summary() {
    let simulator = Simulator::start(&[]);
    let room = after_a_first_batch(&simulator);
    let command = &["users.csv", "-o", "out.csv", "--batch", "second", "--summary", "run.json"];
    let preview = Ran::of(room.unasked(&simulator, command).arg("--dry-run").output().unwrap()).expect(0);
    assert!(preview.stdout.contains(TOLD), "{preview}");
    let elsewhere = &json(&room, "run.json")["reset_elsewhere"];
    assert_eq!((&elsewhere[0]["batch"], &elsewhere[0]["users"]), (&"first".into(), &2.into()), "{elsewhere}");
    std::fs::remove_file(room.path("run.json")).unwrap();
    let (code, shown) = on_a_terminal(room.unasked(&simulator, command), &[("Type 3 to go on", "no")]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("some of whom were reset within a week. Type 3"), "{shown}");
    let ran = room.reset(&simulator, command).expect(0);
    let (note, summary) = ran.stderr.split_once("batch second: 3 rows, 3 reset").expect("a summary");
    assert!(note.contains(TOLD) && note.contains("batch second resets them again"), "{ran}");
    assert!(summary.contains(TOLD), "{ran}");
    let elsewhere = &json(&room, "run.json")["reset_elsewhere"][0];
    assert!(elsewhere["last_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{elsewhere}");
    assert_eq!(simulator.seen().twice(), ["ann", "bob"]);
}

#[test]
fn the_question_says_if_all_of_them_were_reset_before() {
    let simulator = Simulator::start(&[]);
    let room = after_a_first_batch(&simulator);
    for (users, question) in [
        ("user_id\nann\nbob\n", "all of whom were reset within a week. Type 2"),
        ("user_id\nann\n", "though they were reset within a week. Type 1"),
    ] {
        room.write("users.csv", users);
        let command = room.unasked(&simulator, &["users.csv", "-o", "out.csv", "--batch", "second"]);
        let (_, shown) = on_a_terminal(command, &[(" to go on", "no")]);
        assert!(shown.contains(question), "{question}: {shown}");
    }
}

#[test]
fn a_plan_that_was_made_before_another_batch_reset_them_no_longer_holds() {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.write("users.csv", "user_id\nann\nbob\n");
    let command = &["users.csv", "-o", "out.csv", "--batch", "second"];
    let preview = Ran::of(room.unasked(&simulator, command).arg("--dry-run").output().unwrap()).expect(0);
    let plan = preview.stdout.lines().find_map(|line| line.strip_prefix("plan")).unwrap().trim().to_owned();
    assert!(!preview.stdout.contains("again"), "{preview}");
    room.reset(&simulator, &["users.csv", "-o", "first.csv", "--batch", "first"]).expect(0);
    let mut confirmed = room.unasked(&simulator, command);
    let ran = Ran::of(confirmed.args(["--confirm", &plan]).output().unwrap()).expect(2);
    ran.says("the progress or --limit changed");
    assert_eq!(simulator.seen().twice(), [""; 0]);
}

#[test]
fn where_nobody_is_reset_again_nothing_is_said() {
    let simulator = Simulator::start(&[]);
    let room = after_a_first_batch(&simulator);
    room.write("users.csv", "user_id\ncyd\n");
    let command = &["users.csv", "-o", "out.csv", "--batch", "second", "--summary", "run.json"];
    // Of a batch that goes on, whom it has reset itself is nobody to be told of.
    for _ in 0..2 {
        let ran = room.reset(&simulator, command).expect(0);
        assert!(!ran.stderr.contains("before, the last at"), "{ran}");
        assert_eq!(json(&room, "run.json")["reset_elsewhere"], Value::Null);
    }
}

#[test]
fn users_whom_a_run_under_way_has_to_do_are_not_reset_beside_it() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "20ms"]));
    room.roster("slow.csv", 600);
    room.write("slow.csv", room.read("slow.csv") + "shared\n");
    room.write("quick.csv", "user_id\nshared\nb1\n");
    let slow = ["slow.csv", "-o", "slow-out.csv", "--rate", "200"];
    let running = Running::of(room.job(&simulator, &slow));
    wait_until("the slow one sends", || simulator.requests() >= 1);
    let quick = ["quick.csv", "-o", "quick-out.csv"];
    let refused = room.reset(&simulator, &quick).expect(2);
    refused
        .says("1 of these users are reset by batch")
        .says("which is running now (\"shared\"")
        .says("wait for its end");
    assert_eq!(running.wait().code(), Some(0));
    // And when it has ended, since it reset them.
    room.reset(&simulator, &quick).expect(2).says("were reset by batch");
    assert_eq!(simulator.seen().twice().len(), 0);
    assert_eq!(room.table("slow-out.csv").count("succeeded"), 601);
}

#[test]
fn of_two_runs_that_begin_together_no_user_is_reset_by_both() {
    for _ in 0..4 {
        let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "20ms"]));
        room.write("a.csv", "user_id\nshared\na1\n").write("b.csv", "user_id\nshared\nb1\n");
        let start = |name: &str| {
            let (input, output) = (format!("{name}.csv"), format!("{name}-out.csv"));
            Running::of(room.job(&simulator, &[input.as_str(), "-o", &output]))
        };
        let both = [start("a"), start("b")];
        let codes = both.map(|running| running.wait().code());
        let reset = codes.iter().filter(|code| **code == Some(0)).count();
        assert!(reset <= 1, "{codes:?}");
        assert_eq!(simulator.seen().twice().len(), 0);
    }
}

#[test]
fn a_batch_that_has_begun_is_told_its_own_name_first() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("a.csv", "user_id\na1\na2\nshared\n").write("b.csv", "user_id\nshared\nb1\n");
    room.reset(&simulator, &["a.csv", "-o", "a-out.csv", "--limit", "2"]).expect(0);
    let own = room.batch();
    room.reset(&simulator, &["b.csv", "-o", "b-out.csv"]).expect(0);
    let refused = room.reset(&simulator, &["a.csv", "-o", "a-out.csv"]).expect(2);
    refused.says(&format!("; go on with this roster's own batch with --batch {own}"));
    room.reset(&simulator, &["a.csv", "-o", "a-out.csv", "--batch", &own]).expect(0);
    assert_eq!(simulator.seen().twice(), ["shared"]);
}
