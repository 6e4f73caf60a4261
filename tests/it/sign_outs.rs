//! `--sign-out`: the ends of sessions, whatever stops them. Nobody is reset anew
//! for the sake of one, and none is forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::between::{Between, Way};
use crate::common::{Ran, Room, Running, Simulator, Table, assert_true_and_once, wait_until};

const POOL: &str = "us-east-1_Simulated";
const SIGN_OUT: &str = "AdminUserGlobalSignOut";
const RESET: &str = "AdminSetUserPassword";

const WORDS: [&str; 9] =
    ["users.csv", "-o", "out.csv", "--user-pool-id", POOL, "--sign-out", "--summary", "s.json", "--yes"];

fn pool(flags: &[&str]) -> Simulator {
    Simulator::start(&[&["--service", "cognito"], flags].concat())
}

fn run(room: &Room, endpoint: &str, more: &[&str]) -> Ran {
    Ran::of(room.at(endpoint, &[&WORDS[..], more].concat()).output().unwrap())
}

/// The same command as far as the passwords, and no further.
fn without_the_flag(room: &Room, endpoint: &str, more: &[&str]) -> Ran {
    let words: Vec<&str> = WORDS.into_iter().filter(|word| *word != "--sign-out").chain(more.iter().copied()).collect();
    Ran::of(room.at(endpoint, &words).output().unwrap())
}

fn summary(room: &Room) -> Value {
    serde_json::from_str(&room.read("s.json")).unwrap()
}

/// Everybody was reset once, has the password that stands there, and was signed out after it.
#[track_caller]
fn assert_all_signed_out(table: &Table, simulator: &Simulator) {
    let seen = simulator.seen();
    assert_true_and_once(table, &seen);
    assert_eq!(table.count("succeeded"), table.rows.len());
    for (at, reset_at) in table.column("signed_out_at").iter().zip(table.column("reset_at")) {
        assert!(*at >= reset_at, "signed out at {at:?}, reset at {reset_at:?}");
    }
    for user in seen.users.keys() {
        assert!(seen.state["users"][user]["sign_outs"].as_u64() > Some(0), "{user}");
    }
}

#[test]
fn sessions_end_after_the_password_and_one_that_does_not_is_tried_again_without_a_reset() {
    let room = Room::new();
    let simulator = pool(&[]);
    room.write("users.csv", "username\nann\nbob\n");
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = refuses.clone();
    let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
        SIGN_OUT if refusing.load(Ordering::SeqCst) => Way::refuse("InvalidParameterException"),
        _ => Way::Pass,
    });
    let ran = run(&room, &between.endpoint, &[]).expect(1);
    let ran = ran.says("line 2: \"ann\" is reset and could not be signed out (InvalidParameterException");
    ran.says("signed out: 0, 2 failed; 2 who are reset are not signed out yet");
    let table = room.table("out.csv");
    assert_eq!(table.header.last().unwrap(), "signed_out_at");
    assert_eq!((table.column("status"), table.column("signed_out_at")), (vec!["succeeded"; 2], vec![""; 2]));
    let told = summary(&room);
    assert_eq!(told["sign_out"], serde_json::json!({"signed_out": 0, "failed": 2, "left": 2}));
    assert_eq!(told["closed"], false);

    refuses.store(false, Ordering::SeqCst);
    run(&room, &between.endpoint, &[]).expect(0).says("signed out: 2");
    let table = room.table("out.csv");
    assert!(table.column("signed_out_at").iter().all(|at| at.starts_with("20")), "{table:?}");
    let seen = simulator.seen();
    assert_eq!((seen.users["ann"].resets, &seen.state["users"]["ann"]["sign_outs"]), (1, &1.into()));
    assert_eq!(table.column("temporary_password")[1], seen.current("bob"));
    // Without the flag the output has the columns of every other run.
    room.write("more.csv", "username\ndis\n");
    room.reset(&simulator, &["more.csv", "-o", "more-out.csv", "--user-pool-id", POOL]).expect(0);
    assert_eq!(Table::parse(room.read("more-out.csv").as_bytes()).header.last().unwrap(), "input_line");
    room.run(&["run", "users.csv", "-o", "x.csv", "--sign-out"]).expect(2).says("--user-pool-id");
}

#[test]
fn a_caller_who_may_not_sign_out_is_told_which_permission_it_takes() {
    for code in ["AccessDeniedException", "NotAuthorizedException", "OperationNotEnabledException"] {
        let (room, simulator) = (Room::new(), pool(&[]));
        room.roster("users.csv", 12);
        let may = Arc::new(AtomicBool::new(false));
        let asked = may.clone();
        let between = Between::start(&simulator, move |asked_for, _| match &*asked_for.operation {
            SIGN_OUT if !asked.load(Ordering::SeqCst) => Way::refuse(code),
            _ => Way::Pass,
        });
        let ran = run(&room, &between.endpoint, &["--concurrency", "2", "--close"]).expect(3);
        let ran = ran.says(code).says("cognito-idp:AdminUserGlobalSignOut").says("12 who are reset are not signed out");
        assert!(!ran.stderr.contains(RESET), "{ran}");
        assert!(between.asked(SIGN_OUT) <= 2, "{code}: it is refused, and asks on");
        let told = summary(&room);
        assert_eq!((&told["exit_code"], &told["closed"]), (&3.into(), &false.into()), "{told}");
        assert!(told["stopped_because"].as_str().unwrap().contains(code), "{told}");
        let words = "(12 of 12 users are reset); 12 of them are not signed out";
        assert!(told["meaning"].as_str().unwrap().contains(words), "{told}");
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
        assert_eq!(room.status()["state"], "open");

        may.store(true, Ordering::SeqCst);
        run(&room, &between.endpoint, &[]).expect(0).says("signed out: 12");
        assert_eq!(between.asked(RESET), 12, "{code}: a password was sent again");
        assert_eq!(summary(&room)["closed"], true);
        assert_all_signed_out(&room.table("out.csv"), &simulator);
    }
}

#[test]
fn throttlings_errors_and_lost_answers_cost_a_sign_out_tries_and_no_user_a_reset() {
    let (room, simulator) = (Room::new(), pool(&["--pool", "days=30"]));
    room.roster("users.csv", 20);
    let between = Between::start(&simulator, |asked, nth| match &*asked.operation {
        SIGN_OUT if nth == 4 || nth == 9 => Way::refuse("TooManyRequestsException"),
        SIGN_OUT if nth % 5 == 1 => Way::Lose,
        SIGN_OUT if nth % 5 == 2 => Way::Answer(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_vec()),
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &["--max-attempts", "30"]).expect(0).says("signed out: 20");
    assert_eq!(between.asked(RESET), 20);
    assert_all_signed_out(&room.table("out.csv"), &simulator);
}

#[test]
fn sign_outs_that_are_never_answered_stop_and_the_passwords_stand_in_the_file() {
    let (room, simulator) = (Room::new(), pool(&["--pool", "days=30"]));
    room.roster("users.csv", 60);
    let fail = Arc::new(AtomicBool::new(true));
    let failing = fail.clone();
    let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
        SIGN_OUT if failing.load(Ordering::SeqCst) => {
            Way::Answer(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_vec())
        }
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &["--max-attempts", "3"]).expect(3).says("60 who are reset are not signed out");
    let before = room.table("out.csv");
    assert_true_and_once(&before, &simulator.seen());
    fail.store(false, Ordering::SeqCst);
    run(&room, &between.endpoint, &[]).expect(0);
    let after = room.table("out.csv");
    assert_all_signed_out(&after, &simulator);
    assert_eq!(between.asked(RESET), 60);
    // A run that only signs out knows the pool's life of a password all the same.
    assert_eq!(after.column("password_expires_at"), before.column("password_expires_at"));
}

#[test]
fn a_signal_ends_the_signing_out_at_once_and_the_next_run_does_the_rest() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (room, simulator) = (Room::new(), pool(&[]));
        room.roster("users.csv", 12);
        let hang = Arc::new(AtomicBool::new(true));
        let hanging = hang.clone();
        let between = Between::start(&simulator, move |asked, nth| match &*asked.operation {
            SIGN_OUT if nth >= 5 && hanging.load(Ordering::SeqCst) => Way::Hang,
            _ => Way::Pass,
        });
        let running = Running::of(room.at(&between.endpoint, &[&WORDS[..], &["--concurrency", "1"]].concat()));
        wait_until("a sign-out hangs", || between.asked(SIGN_OUT) > 5);
        running.signal(signal);
        let ran = running.wait().expect(code);
        ran.says("7 who are reset are not signed out yet").says("signed out: 5");
        let table = room.table("out.csv");
        assert_true_and_once(&table, &simulator.seen());
        assert_eq!(table.column("signed_out_at").iter().filter(|at| !at.is_empty()).count(), 5);
        let told = summary(&room);
        assert_eq!((&told["exit_code"], &told["closed"]), (&code.into(), &false.into()), "{told}");
        assert_eq!(told["sign_out"], serde_json::json!({"signed_out": 5, "failed": 0, "left": 7}));
        hang.store(false, Ordering::SeqCst);
        run(&room, &between.endpoint, &[]).expect(0).says("signed out: 7");
        assert_eq!(between.asked(RESET), 12);
        assert_eq!(between.asked(SIGN_OUT), 13, "whoever was signed out is signed out again");
        assert_all_signed_out(&room.table("out.csv"), &simulator);
    }
}

#[test]
fn a_signal_while_passwords_are_set_signs_nobody_out_and_a_second_one_leaves_at_once() {
    let (room, simulator) = (Room::new(), pool(&[]));
    room.roster("users.csv", 12);
    let hang = Arc::new(AtomicBool::new(true));
    let hanging = hang.clone();
    let between = Between::start(&simulator, move |asked, nth| match &*asked.operation {
        RESET if nth >= 5 && hanging.load(Ordering::SeqCst) => Way::Hang,
        _ => Way::Pass,
    });
    let words = [&WORDS[..], &["--concurrency", "1"]].concat();
    let running = Running::of(room.at(&between.endpoint, &words));
    wait_until("a reset hangs", || between.asked(RESET) > 5);
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    let ran = running.wait();
    assert!([Some(143), Some(130)].contains(&ran.code()), "{ran}");
    assert_eq!(between.asked(SIGN_OUT), 0);
    hang.store(false, Ordering::SeqCst);
    run(&room, &between.endpoint, &[]).expect(0).says("signed out: 12");
    assert_all_signed_out(&room.table("out.csv"), &simulator);
}

#[test]
fn a_deadline_ends_the_signing_out_and_the_run() {
    let (room, simulator) = (Room::new(), pool(&[]));
    room.roster("users.csv", 6);
    let between = Between::start(&simulator, move |asked, nth| match &*asked.operation {
        SIGN_OUT if (2..5).contains(&nth) => Way::Hang,
        _ => Way::Pass,
    });
    let ran = run(&room, &between.endpoint, &["--deadline", "3s", "--concurrency", "3", "--read-timeout", "60"]);
    ran.expect(3).says("the time of --deadline is over").says("signed out: 2; 4 who are reset");
    assert_eq!(summary(&room)["closed"], false);
    run(&room, &between.endpoint, &[]).expect(0).says("signed out: 4");
    assert_eq!(between.asked(RESET), 6);
    assert_all_signed_out(&room.table("out.csv"), &simulator);
}

#[test]
fn kills_at_any_moment_lose_no_sign_out_and_send_no_password_again() {
    let (room, simulator) = (Room::new(), pool(&["--latency", "5ms"]));
    room.roster("users.csv", 60);
    let left = Arc::new(AtomicUsize::new(0));
    let between = Between::start(&simulator, |_, _| Way::Pass);
    let words = [&WORDS[..], &["--concurrency", "4"]].concat();
    for kill_after in [0, 1, 7, 20, 45] {
        let mut running = Running::of(room.at(&between.endpoint, &words));
        wait_until("some are signed out", || between.asked(SIGN_OUT) > kill_after || running.ended());
        running.kill();
        left.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(between.asked(RESET), 60, "a password was sent again");
    assert_eq!(room.status()["state"], "open");
    run(&room, &between.endpoint, &[]).expect(0);
    assert_eq!(between.asked(RESET), 60);
    assert!(between.asked(SIGN_OUT) <= 60 + 4 * left.load(Ordering::SeqCst), "more than those in flight were repeated");
    assert_all_signed_out(&room.table("out.csv"), &simulator);
}

#[test]
fn a_batch_that_was_to_be_signed_out_is_not_closed_by_a_run_that_forgot_it() {
    let (room, simulator) = (Room::new(), pool(&[]));
    room.roster("users.csv", 4);
    let mut job = room.at(&simulator.endpoint, &WORDS);
    job.env("FINSPACE_RESET_DIE_AT", "recorded");
    Running::of(job).wait();
    let ran = without_the_flag(&room, &simulator.endpoint, &["--close"]).expect(0);
    ran.says(
        "stays open, in spite of --close: an earlier run was to sign its users out, and 4 are not; add --sign-out",
    );
    assert_eq!(room.status()["state"], "open");
    assert_eq!(room.table("out.csv").header.last().unwrap(), "input_line");
    run(&room, &simulator.endpoint, &[]).expect(0).says("signed out: 4");
    assert_eq!(room.status()["state"], "closed");
    assert_all_signed_out(&room.table("out.csv"), &simulator);

    // Who closes by hand is told what is left.
    let (room, simulator) = (Room::new(), pool(&[]));
    room.roster("users.csv", 2);
    let between = Between::start(&simulator, |asked, _| match &*asked.operation {
        SIGN_OUT => Way::refuse("InvalidParameterException"),
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &["--close"]).expect(1).says("stays open, in spite of --close: 2 who are reset");
    let batch = room.batch();
    let close = ["close", &batch, "--state-dir", "state"];
    room.run(&close).expect(0).says("2 users are reset and not signed out, as --sign-out wanted");
    run(&room, &between.endpoint, &[]).expect(2).says("2 of its users were not signed out by it");
}

#[test]
fn a_canary_signs_out_whom_it_resets() {
    let (room, simulator) = (Room::new(), pool(&[]));
    room.roster("users.csv", 5);
    let between = Between::start(&simulator, |_, _| Way::Pass);
    run(&room, &between.endpoint, &["--limit", "2", "--close"]).expect(0).says("signed out: 2");
    let table = room.table("out.csv");
    let signed_out = |table: &Table| table.column("signed_out_at").iter().filter(|at| !at.is_empty()).count();
    assert_eq!((table.count("succeeded"), signed_out(&table)), (2, 2));
    assert_eq!(summary(&room)["closed"], false);
    run(&room, &between.endpoint, &[]).expect(0).says("signed out: 3");
    assert_eq!((between.asked(RESET), between.asked(SIGN_OUT)), (5, 5));
    assert_all_signed_out(&room.table("out.csv"), &simulator);
}
