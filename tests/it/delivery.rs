//! Delivered, and erased: a password is erased only when it stands in a synced
//! file or the operator gives it up, and erased is said only when it is.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::{Ran, Room, Running, Simulator, assert_true_and_once, wait_until};

const STATE: [&str; 2] = ["--state-dir", "state"];

fn key(room: &Room) -> bool {
    room.ledger().with_extension("key").exists()
}

fn sealed(room: &Room) -> i64 {
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    ledger.query_row("SELECT count(*) FROM passwords", [], |row| row.get(0)).unwrap()
}

/// A batch that was killed when some were reset and nothing was published.
fn killed_in_the_middle(room: &Room, simulator: &Simulator) {
    room.roster("users.csv", 40);
    let mut job = room.job(simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--rate", "40"]);
    job.env("FINSPACE_RESET_DIE_AT", "outcome:4");
    assert!(!Running::of(job).wait().status.success());
    assert!(!room.exists("out.csv") && sealed(room) > 0);
}

/// Moves all of a ledger's times by so many days.
fn move_times(room: &Room, days: i64) {
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let by = days * 24 * 3_600_000;
    for change in [
        "outcomes SET at = at + ?1, since = since + ?1",
        "runs SET started_at = started_at + ?1, ended_at = ended_at + ?1",
        "claims SET at = at + ?1",
        "publications SET at = at + ?1",
        "paces SET at = at + ?1",
    ] {
        ledger.execute(&format!("UPDATE {change}"), [by]).unwrap();
    }
}

#[test]
fn closing_refuses_while_a_password_stands_in_no_file() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    killed_in_the_middle(&room, &simulator);
    let ran = room.run(&["close", "b", STATE[0], STATE[1]]).expect(2);
    ran.says("stand in no file").says("--discard-passwords").says("publish them");
    assert!(key(&room) && sealed(&room) > 0);
    // Published, it closes without a question.
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--limit", "1"]).expect(0);
    room.run(&["close", "b", STATE[0], STATE[1]]).expect(0).says("batch b is closed");
    assert!(!key(&room) && sealed(&room) == 0);
    let table = room.table("out.csv");
    assert_true_and_once(&table, &simulator.seen());
}

#[test]
fn whose_password_was_given_up_is_told_and_listed_whatever_is_run_later() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    killed_in_the_middle(&room, &simulator);
    let lost = sealed(&room);
    let ran = room.run(&["close", "b", "--discard-passwords", STATE[0], STATE[1]]).expect(0);
    let told = format!("{lost} users were reset, and closing gave up");
    ran.says(&told);
    let listed = |room: &Room| {
        let csv = room.run(&["status", "b", "--list", "given-up", STATE[0], STATE[1]]).expect(0).stdout;
        csv.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let named = listed(&room);
    assert_eq!(i64::try_from(named.len()), Ok(lost));
    assert_eq!(room.status()["given_up"], lost);
    // The batch goes on with the others, and these stand as before.
    let ran = room.reset(&simulator, &["users.csv", "-o", "next.csv", "--batch", "b"]).expect(0);
    ran.says(&told);
    let next = room.table("next.csv");
    for (user, why) in next.column("user_id").iter().zip(next.column("error_message")) {
        let is_lost = named.iter().any(|name| name == user);
        assert_eq!(why.contains("stands in no file"), is_lost, "{user}: {why}");
    }
    assert_eq!(listed(&room), named);
    assert!(room.run(&["status", "b", STATE[0], STATE[1]]).expect(0).stdout.contains(&told));
}

#[test]
fn closing_refuses_when_the_file_is_gone_and_discards_on_the_operators_word() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    fs::rename(room.path("out.csv"), room.path("gone.csv")).unwrap();
    room.run(&["close", "b", STATE[0], STATE[1]]).expect(2).says("out.csv is no longer where it was written");
    assert!(key(&room));
    room.run(&["close", "b", "--discard-passwords", STATE[0], STATE[1]]).expect(0);
    assert!(!key(&room) && sealed(&room) == 0);
}

#[test]
fn looking_erases_nothing_whatever_the_clock_says() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    killed_in_the_middle(&room, &simulator);
    move_times(&room, -8);
    let before = sealed(&room);
    room.run(&["status", STATE[0], STATE[1]]).expect(0);
    room.run(&["status", "b", STATE[0], STATE[1]]).expect(0);
    room.run(&["report", "b", "-o", "report.html", STATE[0], STATE[1]]).expect(0);
    let mut preview = room.unasked(&simulator, &["users.csv", "--dry-run", "--batch", "b"]);
    Ran::of(preview.output().unwrap()).expect(0);
    assert_eq!((sealed(&room), key(&room)), (before, true));
    // Nor does a run erase what was never published; it publishes.
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(0).says("never written to a file");
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_clock_that_disagrees_with_the_ledger_expires_nothing_and_is_told() {
    for days in [-500, 30] {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        room.write("users.csv", "user_id\nann\nmissing-1\n");
        let command = &["users.csv", "-o", "out.csv", "--batch", "b"];
        room.reset(&simulator, command).expect(1);
        move_times(&room, days);
        room.reset(&simulator, command).expect(1).says("the clock says").says("set the clock right");
        assert!(key(&room));
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    }
}

#[test]
fn standard_output_delivers_only_as_a_regular_file() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let piped = room.reset(&simulator, &["users.csv", "-o", "-", "--batch", "pipe"]).expect(0);
    let piped = piped.says("stays open").says("finspace-reset close pipe --discard-passwords");
    assert_eq!(piped.stdout.lines().count(), 4);
    assert!(key(&room));
    room.run(&["close", "pipe", STATE[0], STATE[1]]).expect(2);
    room.run(&["close", "pipe", "--discard-passwords", STATE[0], STATE[1]]).expect(0);

    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let mut job = room.job(&simulator, &["users.csv", "-o", "-", "--batch", "file"]);
    job.stdout(fs::File::create(room.path("stdout.csv")).unwrap());
    Running::of(job).wait().expect(0);
    assert_true_and_once(&room.table("stdout.csv"), &simulator.seen());
    assert!(!key(&room));
}

/// The program under a shell, with descriptors as the shell leaves them.
fn in_a_shell(room: &Room, simulator: &Simulator, arguments: &[&str], redirection: &str) -> Ran {
    let job = room.job(simulator, &[""; 0]);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(job.get_program()).args(arguments);
    shell.env_clear().current_dir(room.path("")).stdin(Stdio::null());
    for (name, value) in job.get_envs() {
        shell.env(name, value.unwrap());
    }
    Ran::of(shell.output().unwrap())
}

#[test]
fn a_closed_standard_output_is_seen_before_anything_is_sent() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let endpoint = ["--endpoint-url", simulator.endpoint.as_str()];
    let run = [&["run", "users.csv", "--yes", "-o", "-"][..], &STATE, &endpoint].concat();
    let one = [&["reset-user-password", "--user-id", "ann"][..], &endpoint].concat();
    // What is open for reading alone takes nothing either, and the runtime doesn't say so.
    for redirection in [">&-", "1<users.csv", "1</dev/null"] {
        in_a_shell(&room, &simulator, &run, redirection).expect(2).says("standard output is closed");
        in_a_shell(&room, &simulator, &["keygen"], redirection).expect(2).says("standard output is closed");
        in_a_shell(&room, &simulator, &one, redirection).expect(255).says("standard output is closed");
    }
    assert_eq!(simulator.requests(), 0);
    // A file needs no standard output, and `/dev/null` is the caller's own choice.
    let file = [&["run", "users.csv", "--yes", "-o", "out.csv"][..], &STATE, &endpoint].concat();
    in_a_shell(&room, &simulator, &file, ">&-").expect(0);
    in_a_shell(&room, &simulator, &one, "> /dev/null").expect(0);
    in_a_shell(&room, &simulator, &one, "<> /dev/null >&0").expect(0);
}

#[test]
fn close_keeps_a_run_open_in_which_somebody_is_pending_or_unknown() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "50ms"]));
    room.roster("users.csv", 60);
    let arguments = ["users.csv", "-o", "out.csv", "--batch", "b", "--close", "--rate", "40"];
    let running = room.start(&simulator, &arguments);
    wait_until("a few requests are sent", || simulator.requests() >= 5);
    running.signal(rustix::process::Signal::TERM);
    running.wait().expect(143).says("not closed, in spite of --close");
    assert!(key(&room));
    room.reset(&simulator, &arguments).expect(0);
    assert!(!key(&room));
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_kill_inside_closing_is_finished_by_the_next_run_or_close() {
    for point in ["marked-closed", "key-destroyed", "passwords-deleted"] {
        for by_close in [false, true] {
            let (room, simulator) = (Room::new(), Simulator::start(&[]));
            room.write("users.csv", "user_id\nann\nbob\nmissing-1\n");
            let arguments = ["users.csv", "-o", "out.csv", "--batch", "b"];
            room.reset(&simulator, &arguments).expect(1);
            let mut close = room.command(&["close", "b", STATE[0], STATE[1]]);
            close.env("FINSPACE_RESET_DIE_AT", point);
            assert!(!Running::of(close).wait().status.success());
            assert_eq!(room.status()["state"], "half closed", "{point}");
            if by_close {
                room.run(&["close", "b", STATE[0], STATE[1]]).expect(0).says("its passwords are erased");
            } else {
                room.reset(&simulator, &arguments).expect(2).says("was closed at");
            }
            assert_eq!((key(&room), sealed(&room)), (false, 0), "{point}");
            assert_eq!(room.status()["state"], "closed", "{point}");
            assert_eq!(room.table("out.csv").count("succeeded"), 2);
        }
    }
}

#[test]
fn erased_is_said_only_when_no_reader_holds_the_old_pages() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    let mut reader = rusqlite::Connection::open(room.ledger()).unwrap();
    let snapshot = reader.transaction().unwrap();
    let _: i64 = snapshot.query_row("SELECT count(*) FROM passwords", [], |row| row.get(0)).unwrap();
    let ran = room.run(&["close", "b", STATE[0], STATE[1]]).expect(4);
    assert!(!ran.stderr.contains("passwords are erased"), "{ran}");
    ran.says("another program has the ledger open").says("finspace-reset close b");
    assert!(!key(&room), "the key goes first");
    drop(snapshot);
    drop(reader);
    room.run(&["close", "b", STATE[0], STATE[1]]).expect(0).says("its passwords are erased");
    assert_eq!(room.status()["state"], "closed");
}

#[test]
fn a_password_that_the_ledger_has_lost_is_never_published_as_an_empty_one() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nmissing-1\n");
    let arguments = ["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, &arguments).expect(1);
    let before = room.read("out.csv");
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    ledger.execute("DELETE FROM passwords WHERE n = 1", []).unwrap();
    drop(ledger);
    room.reset(&simulator, &arguments).expect(4).says("has lost the password of user \"bob\"");
    assert_eq!((room.read("out.csv"), key(&room)), (before, true));
}

#[test]
fn a_roster_that_lost_users_does_not_erase_their_passwords() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    room.write("users.csv", "user_id\nann\n");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(0);
    ran.says("stays open").says("is 1 password of users who are not in this roster");
    assert!(key(&room));
    room.write("users.csv", "user_id\nann\nbob\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(0);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert!(!key(&room));
}

#[test]
fn a_key_without_its_ledger_is_kept_aside() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    let arguments = ["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, &arguments).expect(1);
    let secret = fs::read(room.path("state/b.key")).unwrap();
    fs::rename(room.path("state/b.ledger"), room.path("b.ledger")).unwrap();
    room.reset(&simulator, &["users.csv", "-o", "other.csv", "--batch", "b"]).expect(1);
    let kept = room.files().into_iter().filter(|path| path.to_string_lossy().contains("b.key-of-"));
    assert_eq!(kept.map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [secret]);
}

#[test]
fn a_ledger_under_another_batchs_name_is_refused() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "a"]).expect(1);
    fs::copy(room.path("state/a.ledger"), room.path("state/b.ledger")).unwrap();
    fs::copy(room.path("state/a.key"), room.path("state/b.key")).unwrap();
    let ran = room.reset(&simulator, &["users.csv", "-o", "b.csv", "--batch", "b"]).expect(2);
    ran.says("b.ledger is that of batch a");
    room.run(&["close", "b", STATE[0], STATE[1]]).expect(2);
    assert_eq!(simulator.requests(), 2);
}

#[test]
fn two_runs_never_overlap_even_when_the_locks_file_is_removed() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 60);
    let first = room.start(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--rate", "30"]);
    wait_until("a few requests are sent", || simulator.requests() >= 3);
    fs::remove_file(room.path("state/b.lock")).unwrap();
    let second = room.reset(&simulator, &["users.csv", "-o", "other.csv", "--batch", "b"]).expect(75);
    second.says(&format!("process {} on ", first.id()));
    first.wait().expect(0);
    assert_eq!(simulator.requests(), 60);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_ledger_or_key_that_goes_away_in_mid_run_stops_it() {
    for gone in ["state/b.ledger", "state/b.key", "state"] {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        room.roster("users.csv", 200);
        let running = room.start(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--rate", "40"]);
        wait_until("a few requests are sent", || simulator.requests() >= 3);
        fs::rename(room.path(gone), room.path("away")).unwrap();
        running.wait().expect(4).says("was moved or removed while the batch is being worked on");
        assert!(simulator.requests() < 200, "{gone}");
        // Whatever was answered is in the results.
        let (table, seen) = (room.table("out.csv"), simulator.seen());
        assert_eq!(table.count("succeeded"), seen.users.len(), "{gone}");
        assert_true_and_once(&table, &seen);
    }
}

#[test]
fn asking_for_the_status_never_keeps_a_run_from_starting() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    let arguments = ["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, &arguments).expect(1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                room.run(&["status", STATE[0], STATE[1]]).expect(0);
            }
        });
        let codes: Vec<_> = (0..15).map(|_| room.reset(&simulator, &arguments).code()).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(codes, [Some(1); 15]);
    });
}

#[test]
fn nothing_in_the_state_folder_is_opened_through_a_link_or_waited_for() {
    for name in ["b.key", "b.lock", "b.ledger"] {
        for pipe in [false, true] {
            let (room, simulator) = (Room::new(), Simulator::start(&[]));
            room.write("users.csv", "user_id\nann\nmissing-1\n").write("victim", "precious");
            let arguments = ["users.csv", "-o", "out.csv", "--batch", "b"];
            room.reset(&simulator, &arguments).expect(1);
            let at = room.path("state").join(name);
            fs::remove_file(&at).unwrap();
            if pipe {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            } else {
                std::os::unix::fs::symlink(room.path("victim"), &at).unwrap();
            }
            let ran = room.reset(&simulator, &arguments);
            assert_eq!(ran.code(), Some(2), "{name}, {pipe}: {ran}");
            let word = if pipe { "not a regular file" } else { "symbolic link" };
            ran.says(word);
            let discard = ["close", "b", "--discard-passwords", STATE[0], STATE[1]];
            assert_ne!(room.run(&discard).code(), None);
            assert_eq!(room.read("victim"), "precious", "{name}");
            assert_eq!(simulator.requests(), 2, "{name}");
        }
    }
}

#[test]
fn a_state_folder_from_the_environment_is_absolute_or_refused() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 2);
    let home = room.path("elsewhere");
    for (value, code) in [("~/state", 2), ("$HOME/state", 2), ("state", 2), (home.to_str().unwrap(), 0)] {
        let mut command = room.command(&["run", "users.csv", "--yes", "-o", "out.csv", "--rate", "unlimited"]);
        command.args(["--endpoint-url", &simulator.endpoint]).env("FINSPACE_RESET_STATE_DIR", value);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code(), Some(code), "{value}: {ran}");
        assert!(code == 0 || ran.stderr.contains("state folder"), "{ran}");
    }
    for name in ["~", "$HOME", "state"] {
        assert!(!room.exists(name), "{name}");
    }
    let ran = room.run(&["status", "--state-dir", "~/state"]);
    assert_eq!(ran.code(), Some(2), "{ran}");
    // One typed relative is told as the place it is.
    room.roster("more.csv", 3);
    let ran = room.reset(&simulator, &["more.csv", "-o", "more-out.csv", "--batch", "more"]).expect(0);
    ran.says(&format!("ledgers: {}", fs::canonicalize(room.path("state")).unwrap().display()));
}

#[test]
fn an_unnamed_batch_touches_nobody_whom_another_one_reset() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\ntypo\n").write("excluded.csv", "user_id\nann\nbob\n");
    let faulty = simulator.endpoint.clone();
    room.write("users.csv", "user_id\nann\nbob\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(1);
    let batch = room.batch();
    room.write("users.csv", "user_id\nann\nbob\ncyd\n");
    for extra in ["--yes", "--dry-run"] {
        let mut job = room.at(&faulty, &["users.csv", "-o", "next.csv"]);
        let ran = Ran::of(job.arg(extra).output().unwrap()).expect(2);
        ran.says("2 of these users were reset by batch").says(&format!("--batch {batch}")).says("--batch NEW");
    }
    assert_eq!(simulator.requests(), 3);
    // Without those two there is nobody to guard; both ways on work.
    room.reset(&simulator, &["users.csv", "-o", "cyd.csv", "--exclude", "excluded.csv"]).expect(0);
    room.reset(&simulator, &["users.csv", "-o", "again.csv", "--batch", "again"]).expect(0);
    assert_eq!(simulator.seen().twice(), ["ann", "bob", "cyd"]);
}

#[test]
fn a_ledger_that_can_only_be_read_is_read() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    // Root may write everything: it has to be somebody else.
    let is_root = rustix::process::geteuid().is_root();
    let nobody = 65534;
    if is_root {
        for path in [room.path(""), room.path("state")] {
            std::os::unix::fs::chown(&path, Some(nobody), Some(nobody)).unwrap();
        }
        for path in room.files() {
            std::os::unix::fs::chown(&path, Some(nobody), Some(nobody)).unwrap();
        }
    }
    fs::set_permissions(room.path("state/b.ledger"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(room.path("state"), fs::Permissions::from_mode(0o500)).unwrap();
    let mut status = room.command(&["status", "b", STATE[0], STATE[1]]);
    if is_root {
        status.uid(nobody).gid(nobody);
    }
    let ran = Ran::of(status.output().unwrap()).expect(0);
    assert!(ran.stdout.contains("reset        1"), "{ran}");
    fs::set_permissions(room.path("state"), fs::Permissions::from_mode(0o700)).unwrap();
    if is_root {
        // And root does not work in somebody else's folder.
        room.run(&["status", STATE[0], STATE[1]]).expect(2).says("it belongs to user 65534");
    }
}

#[test]
fn too_few_descriptors_are_told_before_anything_is_sent() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let endpoint = ["--endpoint-url", simulator.endpoint.as_str()];
    let run = [&["run", "users.csv", "--yes", "-o", "out.csv"][..], &STATE, &endpoint].concat();
    let job = room.job(&simulator, &[""; 0]);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg("ulimit -n 20; exec \"$0\" \"$@\"").arg(job.get_program()).args(run);
    shell.env_clear().current_dir(room.path(""));
    for (name, value) in job.get_envs() {
        shell.env(name, value.unwrap());
    }
    Ran::of(shell.output().unwrap()).expect(2).says("ulimit -n");
    assert_eq!(simulator.requests(), 0);
    assert!(!Path::new(&room.path("out.csv")).exists());
}

#[test]
fn status_lists_the_users_that_stand_so_as_a_roster() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    killed_in_the_middle(&room, &simulator);
    let list = |status: &str| room.run(&["status", "b", "--list", status, STATE[0], STATE[1]]).expect(0).stdout;
    let (done, pending, unknown) = (list("succeeded"), list("pending"), list("unknown"));
    let users = |text: &str| text.lines().count() - 1;
    assert_eq!(users(&done) + users(&pending) + users(&unknown), 40);
    assert!(pending.starts_with("user_id\n"), "{pending}");
    assert!(users(&done) > 0 && users(&unknown) > 0);
    room.run(&["status", "b", "--list", "nonsense", STATE[0], STATE[1]]).expect(2);
}

#[test]
fn a_file_that_holds_something_else_holds_no_password() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    let written = room.read("out.csv");
    let close = || room.run(&["close", "b", "--yes", "--state-dir", "state"]);
    for other in ["vm\n", &written[..written.len() / 2], &written.replace("succeeded", "succeeded ")] {
        room.write("out.csv", other);
        close().expect(2).says("1 temporary passwords of batch b stand in no file").says("holds something else");
    }
    room.write("out.csv", &written);
    close().expect(0);
}
