//! A signal ends the program at once, unless requests are in flight.

use std::io::{Read, Write};
use std::process::Stdio;

use rustix::process::Signal;

use crate::common::{Ran, Room, Running, Simulator, converse, on_a_terminal, session_leader, terminal, wait_until};

#[test]
fn a_signal_ends_the_reading_of_standard_input() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        let mut command = room.job(&simulator, &["-", "-o", "out.csv", "--summary", "run.json"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"user_id\nann\n").unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        wait_until("it hears signals", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
            u64::from_str_radix(&caught, 16).unwrap() & 0b10 != 0
        });
        rustix::process::kill_process(pid, signal).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap()).expect(code).says("nothing was sent");
        assert!(!ran.stderr.contains("waiting"), "{ran}");
        let summary: serde_json::Value = serde_json::from_str(&room.read("run.json")).unwrap();
        assert_eq!(summary["exit_code"], code);
        assert!(!room.exists("out.csv"));
        assert_eq!(simulator.requests(), 0);
        drop(stdin);
    }
}

#[test]
fn ctrl_c_at_the_question_sends_and_makes_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let command = room.unasked(&simulator, &["users.csv", "-o", "out.csv"]);
    let (code, shown) = on_a_terminal(session_leader(&command), &[("Type 3 to go on", "\u{3}")]);
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("interrupted; nothing was sent"), "{shown}");
    assert_eq!(simulator.requests(), 0);
    assert!(!room.exists("out.csv"));
    assert!(
        !room.path("state").read_dir().unwrap().any(|entry| entry
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "ledger"))
    );
}

#[test]
fn an_orderly_end_is_announced_and_a_second_signal_says_what_it_leaves() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "hang=1"]));
    room.roster("users.csv", 8);
    let running = Running::of({
        let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "--summary", "run.json", "-q"]);
        command.stderr(Stdio::from(std::fs::File::create(room.path("log")).unwrap()));
        command
    });
    wait_until("requests are in flight", || simulator.requests() == 8);
    running.signal(Signal::INT);
    wait_until("it says so", || room.read("log").contains("stopping: waiting for 8 answers (at most "));
    running.signal(Signal::INT);
    running.wait().expect(130);
    let log = room.read("log");
    assert!(log.contains("8 users may have been reset without an answer"), "{log}");
    assert!(log.contains("finspace-reset status "), "{log}");
    let summary: serde_json::Value = serde_json::from_str(&room.read("run.json")).unwrap();
    assert_eq!(summary["exit_code"], 130);
    // Who looks later does not take it for a crash.
    let status = room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0).stdout;
    let told = "exit 130, interrupted without waiting: 8 users may have been reset without an answer";
    assert!(status.contains(told) && !status.contains("crashed"), "{status}");
    assert_eq!(room.status()["runs"][0]["exit_code"], 130);
    room.run(&["report", &room.batch(), "-o", "page.html", "--state-dir", "state"]).expect(0);
    assert!(room.read("page.html").contains(told));
}

#[test]
fn a_run_that_is_killed_while_it_stops_is_known_to_have_been_stopping() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "hang=1"]));
    room.roster("users.csv", 8);
    let running = room.start(&simulator, &["users.csv", "-o", "out.csv"]);
    wait_until("requests are in flight", || simulator.requests() == 8);
    let status = || room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0).stdout;
    assert!(status().contains(": going on\n"), "{}", status());
    // As systemd and Kubernetes end what does not end in time.
    running.signal(Signal::TERM);
    wait_until("the ledger knows", || status().contains(": stopping since 20"));
    running.kill();
    let told = status();
    assert!(told.contains("crashed or was killed while it was stopping, which a signal had asked for at 20"), "{told}");
    assert_eq!((&room.status()["runs"][0]["exit_code"], &room.status()["in_doubt"]["users"]), (&().into(), &8.into()));
}

#[test]
fn a_killed_run_is_not_going_on_because_another_one_is() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "hang=1"]));
    room.roster("users.csv", 2);
    let first = room.start(&simulator, &["users.csv", "-o", "out.csv"]);
    wait_until("requests are in flight", || simulator.requests() == 2);
    first.kill();
    let second = room.start(&simulator, &["users.csv", "-o", "out.csv"]);
    wait_until("requests are in flight", || simulator.requests() == 4);
    let told = room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0).stdout;
    assert_eq!(
        (told.matches(": going on\n").count(), told.matches(": crashed or was killed\n").count()),
        (1, 1),
        "{told}"
    );
    second.kill();
}

#[test]
fn no_bar_stands_behind_the_last_words() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "hang=1"]));
    room.roster("users.csv", 4);
    let (mut ours, theirs) = terminal();
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv"]);
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
    let running = Running::of(command);
    drop(theirs);
    wait_until("requests are in flight", || simulator.requests() == 4);
    running.signal(Signal::INT);
    let status = || room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0).stdout;
    wait_until("the ledger knows", || status().contains(": stopping since 20"));
    running.signal(Signal::INT);
    let shown = converse(&mut ours, &[]);
    running.wait().expect(130);
    let (before, last) = shown.split_once("interrupted without waiting").unwrap_or_else(|| panic!("{shown:?}"));
    assert!(before.contains("0/4") && !last.contains("0/4"), "{shown:?}");
}

#[test]
fn a_run_that_an_error_ends_after_it_began_did_not_crash() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let (mut ours, theirs) = terminal();
    let mut command = room.unasked(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]);
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop((command, theirs));
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("Type 3 to go on: ") {
        let mut buffer = [0; 4096];
        let got = ours.read(&mut buffer).unwrap();
        shown.extend_from_slice(&buffer[..got]);
    }
    // Somebody edits the roster while the question stands.
    room.roster("users.csv", 4);
    ours.write_all(b"3\n").unwrap();
    let shown = converse(&mut ours, &[]);
    assert_eq!(child.wait().unwrap().code(), Some(2), "{shown}");
    assert!(shown.contains("changed while it was being read"), "{shown}");
    assert_eq!(simulator.requests(), 0);
    let status = room.run(&["status", "b", "--state-dir", "state"]).expect(0).stdout;
    assert!(status.contains(": exit 2, users.csv: changed while") && !status.contains("crashed"), "{status}");
}
