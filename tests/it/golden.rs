//! Texts that people read, whole: a change of words shows up as a difference to be read.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --test it -- golden`.

use insta::{Settings, assert_snapshot};

use crate::common::{Ran, Room, Simulator};

/// Blots out what differs from run to run: folders, times, ports, tokens, digests.
fn blotted(test: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"/\S*finspace-reset-test-\w+", "ROOM");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"(--confirm|\nplan) +\S+", "$1 PLAN");
    settings.add_filter(r"in \d+\.\ds", "in SPAN");
    settings.add_filter(r" on \S+: exit", " on HOST: exit");
    settings.add_filter(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "TOKEN");
    settings.bind(test);
}

#[test]
fn the_help_of_each_command() {
    let room = Room::new();
    let commands = ["run", "status", "close", "report", "handover", "decrypt", "keygen", "list-users", "simulator"];
    for command in commands.into_iter().chain(["completions", "man"]) {
        let help = room.run(&[command, "--help"]).expect(0).stdout;
        blotted(|| assert_snapshot!(format!("help_{command}"), help));
    }
}

/// What a person meets from the preview to the end, against one simulator.
#[test]
fn a_batch_from_its_plan_to_its_end() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write(
        "users.csv",
        "user_id,name\nann,Ann\nmissing-bob,Bob\nann,Ann again\nkeep,Kay\nmuch-too-long-to-be-a-user-of-ours,Lou\n",
    );
    room.write("keep.csv", "user_id\nkeep\nnobody\n");
    let command = ["users.csv", "-o", "out.csv", "--exclude", "keep.csv", "--batch", "leavers"];
    let plan = Ran::of(room.unasked(&simulator, &[&command[..], &["-n"]].concat()).output().unwrap()).expect(1);
    let limited = room.reset(&simulator, &[&command[..], &["--limit", "1"]].concat()).expect(1);
    let finished = room.reset(&simulator, &command).expect(1);
    let on_batches = |arguments: &[&str]| room.run(&[arguments, &["--state-dir", "state"]].concat());
    let list = on_batches(&["status"]).expect(0);
    let status = on_batches(&["status", "leavers"]).expect(0);
    let failed = on_batches(&["status", "leavers", "--list", "failed"]).expect(0);
    let close = on_batches(&["close", "leavers", "--yes"]).expect(0);
    blotted(|| {
        for (name, ran) in [
            ("plan", plan),
            ("summary_of_a_canary", limited),
            ("summary", finished),
            ("status_of_all", list),
            ("status", status),
            ("status_list", failed),
            ("close", close),
        ] {
            assert_snapshot!(name, format!("{}--- standard error\n{}", ran.stdout, ran.stderr));
        }
    });
}
