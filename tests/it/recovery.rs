//! Nothing is lost: killed anywhere, run again, every user has one known
//! password.
//!
//! The storms kill at random instants; the seed decides them, and is named when
//! something is amiss.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::common::{Ran, Room, Running, Seen, Simulator, Table, assert_true, assert_true_and_once, wait_until};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;

const FAULTS: &str = "drop-after=0.03,drop-before=0.03,error-before=0.015,error-after=0.015,hang=0.005";

/// What a storm came to.
struct Storm {
    kills: u32,
    table: Table,
    seen: Seen,
    /// Users that the ledger says may have been reset again.
    again: BTreeSet<String>,
    /// The last run's summary.
    counted: u64,
}

/// Kills runs of one batch until `kills` have died, then lets one complete.
fn storm(seed: u64, users: usize, kills: u32, flags: &[&str], arguments: &[&str]) -> Storm {
    let mut dice = StdRng::seed_from_u64(seed);
    let seed_text = seed.to_string();
    let mut simulator_flags = vec!["--faults", FAULTS, "--latency", "4ms", "--jitter", "4ms", "--seed", &seed_text];
    simulator_flags.extend(flags);
    let simulator = Simulator::start(&simulator_flags);
    let room = Room::new();
    room.roster("users.csv", users);
    let mut all = vec!["users.csv", "-o", "out.csv", "--concurrency", "16", "--read-timeout", "0.25"];
    all.extend(["--summary", "summary.json"]);
    all.extend(arguments);
    let mut killed = 0;
    // What is left shrinks with every run, so each may take its share of it.
    let share = (users as u64 / u64::from(kills.max(1))).max(2);
    while killed < kills {
        let mut running = room.start(&simulator, &all);
        match dice.random_range(0..4) {
            // While it starts, reads, imports, or publishes what there is …
            0 => std::thread::sleep(Duration::from_micros(dice.random_range(0..60_000))),
            // … or in the middle of sending.
            _ => {
                let until = simulator.requests() + dice.random_range(1..=share);
                wait_until("it has sent some", || running.ended() || simulator.requests() >= until);
            }
        }
        if running.ended() {
            let ran = running.wait();
            assert!(matches!(ran.code(), Some(0 | 1 | 3)), "seed {seed}: {ran}");
            if ran.code() == Some(0) {
                break;
            }
        } else {
            running.kill();
            killed += 1;
        }
    }
    let mut runs = 0;
    loop {
        let ran = room.reset(&simulator, &all);
        match ran.code() {
            Some(0) => break,
            Some(1 | 3) if runs < 20 => runs += 1,
            _ => panic!("seed {seed}: {ran}"),
        }
    }
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let mut statement = ledger
        .prepare("SELECT DISTINCT u.user_id FROM outcomes o JOIN users u ON u.n = o.n WHERE o.again <> 0")
        .unwrap();
    let again = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let counted = room.status()["counts"]["reset_again"].as_u64().unwrap();
    let leftovers: Vec<_> =
        room.files().into_iter().filter(|path| path.to_string_lossy().contains(".finspace-reset-")).collect();
    assert!(leftovers.is_empty(), "seed {seed}: {leftovers:?}");
    Storm { kills: killed, table: room.table("out.csv"), seen: simulator.seen(), again, counted }
}

fn assert_nothing_lost(seed: u64, users: usize, storm: &Storm) {
    assert_eq!(storm.table.count("succeeded"), users, "seed {seed}");
    assert_eq!(storm.seen.users.len(), users, "seed {seed}");
    assert_true(&storm.table, &storm.seen);
}

/// Within the tokens' 10 minutes nobody is reset twice.
fn storm_within_the_window(seed: u64, users: usize, kills: u32) -> u32 {
    let storm = storm(seed, users, kills, &[], &[]);
    assert_nothing_lost(seed, users, &storm);
    assert_eq!(storm.seen.twice(), Vec::<&str>::new(), "seed {seed}");
    assert_eq!((storm.counted, storm.again.len()), (0, 0), "seed {seed}");
    storm.kills
}

/// Where the tokens are soon forgotten, every second reset is counted.
fn storm_past_the_window(window: &str, seed: u64, users: usize, kills: u32) -> (u32, usize) {
    let storm = storm(seed, users, kills, &["--token-ttl", window], &["--token-window", window]);
    assert_nothing_lost(seed, users, &storm);
    let twice = storm.seen.twice();
    for user in &twice {
        assert!(storm.again.contains(*user), "seed {seed}: {user} was reset twice, and the ledger does not know");
    }
    assert!(storm.counted >= twice.len() as u64, "seed {seed}: {} of {}", storm.counted, twice.len());
    (storm.kills, twice.len())
}

#[test]
fn killed_anywhere_and_run_again_every_user_has_one_known_password() {
    let kills = storm_within_the_window(1, 300, 10);
    assert!(kills >= 5, "only {kills} kills: the storm is too tame to tell anything");
}

#[test]
fn past_the_tokens_window_nobody_is_reset_again_without_being_counted() {
    let (kills, twice) = storm_past_the_window("30ms", 2, 200, 8);
    assert!(kills >= 4 && twice >= 3, "{kills} kills, {twice} reset twice: the storm is too tame to tell anything");
}

#[test]
fn where_a_replay_gives_a_new_password_the_newest_one_is_kept_through_kills() {
    let storm = storm(3, 200, 6, &["--new-password-on-replay"], &[]);
    assert_nothing_lost(3, 200, &storm);
    assert_eq!(storm.seen.twice(), Vec::<&str>::new());
    assert!(storm.seen.users.values().any(|user| user.passwords.len() > 1), "nothing was replayed");
}

#[test]
#[ignore = "a long storm: more than 200 kills, several minutes"]
#[allow(clippy::print_stdout, reason = "the figures are the point")]
fn a_long_storm_of_kills_loses_nobody() {
    let kills: u32 = (100..108).map(|seed| storm_within_the_window(seed, 1500, 30)).sum();
    println!("{kills} kills in 8 seeds of 1500 users: 0 lost, 0 wrong, 0 reset twice");
    assert!(kills >= 200, "{kills}");
}

#[test]
#[ignore = "a long storm: more than 100 kills, several minutes"]
#[allow(clippy::print_stdout, reason = "the figures are the point")]
fn a_long_storm_past_the_tokens_window_counts_every_second_reset() {
    let (mut kills, mut twice) = (0, 0);
    for seed in 200..206 {
        let storm = storm_past_the_window("1s", seed, 1000, 25);
        (kills, twice) = (kills + storm.0, twice + storm.1);
    }
    println!("{kills} kills in 6 seeds of 1000 users: 0 lost, 0 wrong, {twice} reset twice and all of them counted");
    assert!(kills >= 100, "{kills}");
}

/// Starts a slow run and waits until it has sent a few requests.
fn under_way(room: &Room, simulator: &Simulator) -> Running {
    let running = room.start(simulator, &["users.csv", "-o", "out.csv", "--rate", "30"]);
    wait_until("a few requests are sent", || simulator.requests() >= 5);
    running
}

#[test]
fn a_signal_drains_publishes_and_says_how_to_go_on() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "100ms"]));
        room.roster("users.csv", 120);
        let running = under_way(&room, &simulator);
        running.signal(signal);
        let ran = running.wait().expect(code);
        ran.says("next: run the same command again").says("pending");
        let (table, seen) = (room.table("out.csv"), simulator.seen());
        assert_true_and_once(&table, &seen);
        // All that was sent was waited for: nobody is in doubt.
        assert_eq!(table.count("succeeded") as u64, seen.requests);
        assert_eq!(table.count("succeeded") + table.count("pending"), 120);
        room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
        assert_eq!(simulator.requests(), 120);
    }
}

#[test]
fn a_second_signal_leaves_at_once_and_the_ledger_is_intact() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "hang=1"]));
    room.roster("users.csv", 40);
    let arguments = &["users.csv", "-o", "out.csv"];
    let mut running = room.start(&simulator, arguments);
    wait_until("requests hang", || simulator.requests() >= 16);
    // However the two are heard: the time-out of a minute is not waited for.
    wait_until("it left", || {
        running.signal(Signal::INT);
        running.ended()
    });
    running.wait().expect(130);
    assert!(!room.exists("out.csv"));
    assert!(room.status()["in_doubt"]["in_flight"].as_u64().unwrap() >= 16);
    let endpoint = simulator.seen();
    assert_eq!(endpoint.users.len(), 16, "all of them were reset without an answer");
}

#[test]
fn after_a_kill_status_tells_who_was_in_flight() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "100ms"]));
    room.roster("users.csv", 100);
    under_way(&room, &simulator).kill();
    let status = room.status();
    let in_flight = status["in_doubt"]["in_flight"].as_u64().unwrap();
    assert!(in_flight > 0, "{status}");
    let text = room.run(&["status", &room.batch(), "--state-dir", "state"]).expect(0);
    assert!(text.stdout.contains(&format!("{in_flight}, left by a run that was stopped")), "{text}");
    assert!(text.stdout.contains("crashed or was killed"), "{text}");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    ran.says(&format!("{in_flight} user"))
        .says("in flight when the last run ended")
        .says("can be settled without a new reset until");
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn two_runs_of_one_batch_never_overlap() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 90);
    let first = under_way(&room, &simulator);
    let busy = room.reset(&simulator, &["users.csv", "-o", "other.csv"]).expect(75);
    busy.says(&format!("is being worked on by process {}", first.id()));
    room.run(&["close", &room.batch(), "--state-dir", "state"]).expect(75);
    let status = room.status();
    assert_eq!(status["running"], first.id().to_string(), "{status}");
    first.wait().expect(0);
    assert!(!room.exists("other.csv"));
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert_eq!(simulator.requests(), 90);
}

/// The command under a limit on the size of each file it writes.
fn limited(room: &Room, command: &Command, kib: u32) -> Ran {
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(format!("ulimit -f {kib}; exec \"$0\" \"$@\"")).arg(command.get_program());
    bash.args(command.get_args()).env_clear().current_dir(room.path(""));
    for (name, value) in command.get_envs() {
        bash.env(name, value.unwrap());
    }
    Ran::of(bash.output().unwrap())
}

#[test]
fn a_full_disk_stops_the_sending_and_loses_nothing() {
    let users = 1500;
    let mut stopped = 0;
    for kib in [250, 400] {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        room.roster("users.csv", users);
        let arguments = &["users.csv", "-o", "out.csv"];
        let ran = limited(&room, &room.job(&simulator, arguments), kib);
        let sent = simulator.requests();
        if sent == 0 {
            // It was full before anything could be sent.
            assert!(matches!(ran.code(), Some(2 | 4)), "{ran}");
        } else {
            assert_eq!(ran.code(), Some(4), "{ran}");
            assert!(ran.stderr.contains("state/") || ran.stderr.contains("out.csv"), "no path: {ran}");
            assert!(sent < users as u64 || !room.exists("out.csv"), "{ran}");
            stopped += 1;
        }
        room.reset(&simulator, arguments).expect(0);
        let table = room.table("out.csv");
        assert_eq!(table.count("succeeded"), users);
        assert_true_and_once(&table, &simulator.seen());
    }
    assert!(stopped > 0, "no limit stopped a run in the middle");
}

#[test]
fn an_output_that_does_not_fit_is_published_by_the_same_command_without_a_request() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    // Long cells make the output larger than the ledger's own files.
    let note = "x".repeat(40_000);
    let rows: String = (0..20).map(|number| format!("user-{number},{note}\n")).collect();
    room.write("users.csv", format!("user_id,note\n{rows}missing-1,{note}\n"));
    let arguments = &["users.csv", "-o", "out.csv"];
    // The roster is in the ledger before the disk fills.
    room.reset(&simulator, &["users.csv", "-o", "-"]).expect(1);
    assert_eq!(simulator.requests(), 21);
    let ran = limited(&room, &room.job(&simulator, arguments), 700);
    assert_eq!(ran.code(), Some(4), "{ran}");
    let ran = ran.says("out.csv can't be written").says("nothing is lost");
    assert!(!room.exists("out.csv"), "{ran}");
    room.reset(&simulator, arguments).expect(1);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert_eq!(room.table("out.csv").count("succeeded"), 20);
}

#[test]
fn an_output_folder_that_goes_away_is_published_to_once_it_is_back() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 60);
    fs::create_dir(room.path("results")).unwrap();
    let arguments = &["users.csv", "-o", "results/out.csv"];
    let running = room.start(&simulator, &[&arguments[..], &["--rate", "60"]].concat());
    wait_until("requests are sent", || simulator.requests() > 0);
    fs::remove_dir(room.path("results")).unwrap();
    let ran = running.wait().expect(4);
    ran.says("results/out.csv can't be written").says("nothing is lost");
    assert_eq!(simulator.requests(), 60);
    room.reset(&simulator, arguments).expect(2).says("the output folder results");
    fs::create_dir(room.path("results")).unwrap();
    room.reset(&simulator, arguments).expect(0);
    assert_eq!(simulator.requests(), 60);
    assert_eq!(room.table("results/out.csv").count("succeeded"), 60);
    assert_true_and_once(&room.table("results/out.csv"), &simulator.seen());
}

#[test]
fn a_strangers_file_put_in_the_way_is_not_overwritten() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 60);
    let running = room.start(&simulator, &["users.csv", "-o", "out.csv", "--rate", "60"]);
    wait_until("requests are sent", || simulator.requests() > 0);
    room.write("out.csv", "precious\n");
    running.wait().expect(4).says("not written by this batch");
    assert_eq!(room.read("out.csv"), "precious\n");
    room.reset(&simulator, &["users.csv", "-o", "free.csv"]).expect(0);
    assert_eq!(simulator.requests(), 60);
    assert_true_and_once(&room.table("free.csv"), &simulator.seen());
}

#[test]
fn killed_while_publishing_the_table_is_whole_and_the_next_run_may_replace_it() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let users: String = (0..1500).map(|number| format!("user-{number}\n")).collect();
    // One who always fails keeps the batch open: every run publishes again.
    room.write("users.csv", format!("user_id\nmissing-1\n{users}"));
    let arguments = &["users.csv", "-o", "out.csv"];
    room.reset(&simulator, arguments).expect(1);
    let mut dice = StdRng::seed_from_u64(7);
    let mut killed = 0;
    for _ in 0..25 {
        let sent = simulator.requests();
        let mut running = room.start(&simulator, arguments);
        wait_until("its one request is sent", || running.ended() || simulator.requests() > sent);
        std::thread::sleep(Duration::from_micros(dice.random_range(0..80_000)));
        killed += u32::from(running.kill().code().is_none());
        let table = room.table("out.csv");
        assert_eq!((table.rows.len(), table.count("succeeded")), (1501, 1500));
    }
    assert!(killed > 5, "{killed}");
    room.reset(&simulator, arguments).expect(1);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    let hidden: Vec<_> =
        room.files().into_iter().filter(|path| path.to_string_lossy().contains("/.finspace-reset-")).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn a_reader_of_the_results_who_leaves_loses_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 500);
    let mut command = room.job(&simulator, &["users.csv", "-o", "-"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let ran = Running::of(command).wait();
    assert_eq!(ran.code(), Some(4), "{ran}");
    let ran = ran.says("standard output can't be written");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    let again = room.reset(&simulator, &["users.csv", "-o", "-"]).expect(0);
    let table = Table::parse(again.stdout.as_bytes());
    assert_eq!((table.count("succeeded"), simulator.requests()), (500, 500));
    assert_true_and_once(&table, &simulator.seen());
}

#[test]
fn a_start_that_was_killed_leaves_nothing_in_the_way_of_the_next() {
    // Every file as a kill at its making leaves it: a key alone, and a lock.
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    fs::create_dir(room.path("state")).unwrap();
    room.write("state/b.key", [7; 32]).write("state/b.lock", "4711\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(0);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn kills_while_a_batch_is_being_made_leave_it_to_be_made_again() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 400);
    let mut dice = StdRng::seed_from_u64(5);
    let mut killed = 0;
    for number in 0..40 {
        let batch = format!("b{number}");
        let output = format!("{batch}.csv");
        let arguments = ["users.csv", "-o", &output, "--batch", &batch, "--limit", "1"];
        let running = room.start(&simulator, &arguments);
        let key = room.path(format!("state/{batch}.key"));
        wait_until("the batch begins to be made", || key.exists());
        let spins = dice.random_range(0..40_000);
        for _ in 0..spins {
            std::hint::spin_loop();
        }
        if running.kill().code().is_none() {
            killed += 1;
        }
        room.reset(&simulator, &arguments).expect(0);
    }
    assert!(killed > 10, "{killed}");
}
