//! The clock years off for real: Debian's `libfaketime` in front of the binary,
//! at each step, in either direction, with and without the monotonic clock.

use std::path::PathBuf;
use std::process::Command;

use crate::common::hostile::{Hostile, Reply};
use crate::common::{Ran, Room, Running};

/// The library, wherever the architecture has it; insists on it where that is asked for.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var_os("FINSPACE_RESET_REQUIRE_INTEROP").is_some_and(|value| value == "1");
        assert!(!required, "libfaketime is missing");
        eprintln!("skipped: libfaketime is missing");
    }
    found
}

/// A clock: how far it is off, and whether the one that never jumps is, too.
#[derive(Clone, Copy, Debug)]
struct Clock(&'static str, bool);

const RIGHT: Clock = Clock("", false);

impl Clock {
    fn set(self, mut command: Command) -> Ran {
        let Self(off, with_monotonic) = self;
        if !off.is_empty() {
            command.env("LD_PRELOAD", library().unwrap()).env("FAKETIME", off);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", if with_monotonic { "0" } else { "1" });
        }
        Running::of(command).wait()
    }

    /// Tells whether the ledger's own times, written by `then`, give it away.
    fn disagrees_with(self, then: Self) -> bool {
        !matches!((then.0, self.0), ("", "" | "+10d"))
    }
}

const USERS: usize = 12;

/// The passwords that the one ledger seals, and its key.
fn sealed(room: &Room) -> (u32, Vec<u8>) {
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let count = ledger.query_row("SELECT count(*) FROM passwords", [], |row| row.get(0)).unwrap();
    (count, std::fs::read(room.ledger().with_extension("key")).unwrap())
}

/// A run that dies with passwords in no file, a look by each command that looks,
/// a close, and a run to the end: by one clock and then by another.
fn unpublished_passwords_survive(then: Clock, now: Clock) {
    let (room, endpoint) = (Room::new(), Hostile::start(|_| Reply::Reset));
    room.roster("users.csv", USERS);
    let run = |extra: &[&str]| {
        let arguments = ["users.csv", "-o", "out.csv", "--batch", "b", "--rate", "30"];
        room.at(&endpoint.endpoint, &[&arguments[..], extra].concat())
    };
    let mut first = run(&["--yes"]);
    first.env("FINSPACE_RESET_DIE_AT", "outcome:2");
    assert_eq!(then.set(first).code(), None, "it was to be killed");
    let before = sealed(&room);
    assert!(before.0 > 0);
    let state = ["--state-dir", "state"];
    let words = |words: &[&'static str]| room.command(&[words, &state].concat());
    for (name, command, code) in [
        ("status", words(&["status"]), 0),
        ("status b", words(&["status", "b"]), 0),
        ("report", words(&["report", "b", "-o", "page.html"]), 0),
        ("preview", run(&["--dry-run"]), 0),
        ("close", words(&["close", "b", "--yes"]), 2),
    ] {
        let ran = now.set(command).expect(code);
        assert_eq!(ran.stderr.contains("the clock says"), now.disagrees_with(then), "{name} {then:?} {now:?}: {ran}");
        assert_eq!(sealed(&room), before, "{name} {then:?} {now:?}: {ran}");
    }
    let ran = now.set(run(&["--yes"])).expect(0);
    assert_eq!(ran.stderr.contains("the clock says"), now.disagrees_with(then), "{then:?} {now:?}: {ran}");
    let table = room.table("out.csv");
    assert_eq!(table.count("succeeded"), USERS, "{ran}");
    endpoint.judge(&table);
    assert!(!room.ledger().with_extension("key").exists(), "{then:?} {now:?}: {ran}");
    assert_eq!(room.status()["state"], "closed");
}

#[test]
fn a_clock_years_off_erases_no_unpublished_password_and_is_told() {
    if library().is_none() {
        return;
    }
    std::thread::scope(|threads| {
        for clock in [Clock("+10d", false), Clock("+3y", false), Clock("-3y", false), Clock("+3y", true)] {
            threads.spawn(move || unpublished_passwords_survive(RIGHT, clock));
        }
    });
}

#[test]
fn a_clock_that_was_off_for_a_run_and_is_right_again_loses_nothing() {
    if library().is_none() {
        return;
    }
    std::thread::scope(|threads| {
        for clock in [Clock("+3y", false), Clock("-3y", false), Clock("-3y", true)] {
            threads.spawn(move || unpublished_passwords_survive(clock, RIGHT));
        }
    });
}
