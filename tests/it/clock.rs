//! A clock that jumps: the ledger's times lie in the future, or far in the past.
//!
//! The jump is made in the ledger instead of in the machine: what was written
//! before it is moved the other way.

use crate::common::{Room, Running, Simulator};

/// Kills a run with answers unrecorded, moves its times, and runs it again.
fn jump(hours: i64) -> (crate::common::Seen, crate::common::Table, u64) {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.roster("users.csv", 30);
    let mut job = room.job(&simulator, &["users.csv", "-o", "out.csv", "--concurrency", "4"]);
    job.env("FINSPACE_RESET_DIE_AT", "answered:12");
    assert!(!Running::of(job).wait().status.success());
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let moved = hours * 3_600_000;
    for change in ["claims SET at = at - ?1", "outcomes SET at = at - ?1", "runs SET started_at = started_at - ?1"] {
        ledger.execute(&format!("UPDATE {change}"), [moved]).unwrap();
    }
    drop(ledger);
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    let again = room.status()["counts"]["reset_again"].as_u64().unwrap();
    (simulator.seen(), room.table("out.csv"), again)
}

fn assert_whole(seen: &crate::common::Seen, table: &crate::common::Table) {
    assert_eq!(table.rows.len(), 30);
    for (id, password) in table.column("user_id").into_iter().zip(table.column("temporary_password")) {
        assert_eq!(password, seen.current(id), "{id}");
    }
    assert_eq!(seen.twice(), [""; 0]);
}

#[test]
fn after_a_jump_forward_late_retries_are_counted_and_nothing_is_lost() {
    let (seen, table, again) = jump(2);
    assert_whole(&seen, &table);
    assert!(again > 0, "the window seemed to have passed, and nobody was counted");
}

#[test]
fn after_a_jump_back_nobody_can_tell_so_everyone_in_doubt_is_counted() {
    let (seen, table, again) = jump(-2);
    assert_whole(&seen, &table);
    assert!(again > 0, "the window can't be told, and nobody was counted");
}

#[test]
fn passwords_expire_after_a_week_however_often_the_batch_is_run_for_its_last_user() {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.write("users.csv", "user_id\nann\nmissing-bob\n");
    let command = &["users.csv", "-o", "out.csv"];
    room.reset(&simulator, command).expect(1);
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let day = 24 * 3_600_000_i64;
    for change in ["outcomes SET at = at - ?1", "runs SET started_at = started_at - ?1"] {
        ledger.execute(&format!("UPDATE {change}"), [8 * day]).unwrap();
    }
    // Yesterday's run, for the user who never succeeds.
    let yesterday = "INSERT INTO runs (started_at, pid, host, identity)
        SELECT started_at + ?1, pid, host, identity FROM runs";
    ledger.execute(yesterday, [7 * day]).unwrap();
    drop(ledger);
    room.reset(&simulator, command).expect(2).says("closed");
    assert!(!room.ledger().with_extension("key").exists());
}
