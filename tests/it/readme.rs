//! The README tells the truth: its commands run, its tables are the program's.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::fs;
use std::process::Command;

use crate::common::{COLUMNS, Room};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// A room with the samples in it.
fn room() -> Room {
    let room = Room::new();
    fs::create_dir(room.path("samples")).unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/samples")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), room.path("samples").join(entry.file_name())).unwrap();
    }
    room
}

#[test]
fn the_first_command_resets_the_sample_roster() {
    let text = readme();
    let line = text.lines().find_map(|line| line.strip_prefix("$ cargo run --release -- ")).expect("the first command");
    let words: Vec<&str> = line.split_whitespace().collect();
    let room = room();
    for _ in 0..2 {
        room.run(&words).expect(0);
        assert!(room.table("results.csv").column("status").iter().all(|status| *status == "succeeded"));
    }
}

#[test]
fn every_sample_runs_as_its_row_says() {
    let text = readme();
    let commands = text.split('`').filter(|part| part.starts_with("finspace-reset run samples/"));
    let mut ran = 0;
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let room = room();
        let expected = i32::from(command.contains("bad-rows"));
        room.run(&words).expect(expected);
        assert!(room.exists("results.csv"), "{command}");
        ran += 1;
    }
    assert_eq!(ran, 6);
}

#[test]
fn every_column_and_code_is_in_its_table() {
    let text = readme();
    for column in COLUMNS {
        assert!(text.contains(&format!("`{column}`")), "{column}");
    }
    let contract = ["| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 75 |", "| 130, 143 |"];
    for row in contract {
        assert!(text.contains(row), "{row}");
    }
}

#[test]
fn systemd_takes_the_unit_files() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: no systemd-analyze on this machine");
        return;
    }
    let text = readme();
    let units = text.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the unit files");
    let (service, timer) = units.split_once("# /etc/systemd/system/finspace-reset.timer\n").expect("two units");
    let room = Room::new();
    // The program is not installed where the tests run.
    room.write("finspace-reset.service", service.replace("/usr/bin/finspace-reset", crate::common::BIN));
    room.write("finspace-reset.timer", timer);
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args([room.path("finspace-reset.service"), room.path("finspace-reset.timer")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("finspace-reset")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{said}");
}
