//! A kill at every boundary: between an intent that is durable, a request that
//! left, an answer that was read, an outcome that is durable, a file that is
//! published and a batch that is closed.
//!
//! The points are in debug builds alone (`src/fault.rs`).

use std::os::unix::process::ExitStatusExt;

use crate::common::{Room, Running, Simulator};

/// Each point, at a passage where something is under way.
const POINTS: [&str; 15] = [
    "ledger-made",
    "claimed",
    "claimed:2",
    "sending",
    "sending:9",
    "answered",
    "answered:9",
    "before-outcome",
    "outcome",
    "outcome:3",
    "recorded",
    "announced",
    "published",
    "marked-closed",
    "key-destroyed",
];

#[test]
fn a_kill_at_any_boundary_loses_nobody_and_resets_nobody_twice() {
    // Most of the time is the pace's: all points at once.
    std::thread::scope(|threads| {
        for point in POINTS {
            threads.spawn(move || kill_at(point));
        }
    });
}

fn kill_at(point: &str) {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    let ids = room.roster("users.csv", 24);
    let arguments = ["users.csv", "-o", "out.csv", "--rate", "20", "--concurrency", "4"];
    let mut job = room.job(&simulator, &arguments);
    job.env("FINSPACE_RESET_DIE_AT", point);
    let killed = Running::of(job).wait();
    assert_eq!(killed.status.signal(), Some(9), "{point}: {killed}");

    let again = room.reset(&simulator, &arguments).expect(0);
    let seen = simulator.seen();
    assert_eq!(seen.twice(), [""; 0], "{point}");
    let table = room.table("out.csv");
    assert_eq!(table.column("user_id"), ids, "{point}");
    for (id, password) in ids.iter().zip(table.column("temporary_password")) {
        assert_eq!(password, seen.current(id), "{point}: {id}\n{again}");
    }
    let status = room.status();
    assert_eq!(status["state"], "closed", "{point}");
    assert_eq!(status["counts"]["succeeded"], 24, "{point}");
    assert!(!room.ledger().with_extension("key").exists(), "{point}");
}

#[test]
fn a_kill_while_an_old_output_is_replaced_leaves_the_old_one_and_no_half_one() {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.write("users.csv", "user_id\nmissing-1\nuser-1\n");
    let arguments = ["users.csv", "-o", "out.csv", "--rate", "unlimited"];
    room.reset(&simulator, &arguments).expect(1);
    let before = room.read("out.csv");
    let mut job = room.job(&simulator, &arguments);
    job.env("FINSPACE_RESET_DIE_AT", "linked");
    assert_eq!(Running::of(job).wait().status.signal(), Some(9));
    assert_eq!(room.read("out.csv"), before);

    room.reset(&simulator, &arguments).expect(1);
    let beside: Vec<_> =
        room.files().into_iter().filter(|path| path.to_string_lossy().contains(".finspace-reset-")).collect();
    assert_eq!(beside, [""; 0].map(std::path::PathBuf::from));
    assert_eq!(simulator.seen().twice(), [""; 0]);
}
