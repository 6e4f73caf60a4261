//! The laws of a ledger: nothing that was claimed is forgotten, a user is given
//! out once, counts are what the rows say, and erased is erased.
//!
//! A kill is a copy of the files as they lie on the disk at that moment.

use std::{fs, io};

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::import::Imported;
use super::*;
use crate::model::{Password, Status, TOKEN_WINDOW, Task};

/// A ledger in a folder of its own, with users of these names.
struct Bench {
    folder: TempDir,
    batch: BatchName,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), batch: "b".parse().unwrap() }
    }

    fn paths(&self) -> LedgerPaths {
        LedgerPaths::new(self.folder.path(), &self.batch)
    }

    fn with(&self, users: &[&str]) -> Ledger {
        let mut ledger = Ledger::create(&self.paths(), &self.batch, &Target::Simulated).unwrap();
        import(&mut ledger, "first", users);
        ledger
    }

    /// The ledger as a process that is killed now would leave it.
    fn killed(&self) -> (Self, Ledger) {
        let after = Self::new();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            match fs::copy(&path, after.folder.path().join(path.file_name().unwrap())) {
                // Gone since the folder was read: not left by who is killed after that.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
        let mut ledger = Ledger::open(&after.paths()).unwrap().unwrap();
        ledger.unlock().unwrap();
        (after, ledger)
    }
}

fn import(ledger: &mut Ledger, key: &str, users: &[&str]) -> Imported {
    let rows = users.iter().map(|user| Ok::<_, LedgerError>(NewRow::of_user(user)));
    ledger.import(key, rows).unwrap()
}

/// A run that goes on: the writer and its events.
struct Going {
    writer: Writer,
    events: UnboundedReceiver<Event>,
}

impl Going {
    fn on(ledger: Ledger, limit: Option<u64>) -> Self {
        let feed = ledger.queue(limit).unwrap();
        let (sender, events) = unbounded_channel();
        Self { writer: Writer::start(ledger, feed, None, sender).unwrap(), events }
    }

    /// Claims, and waits until the claim is on the disk.
    fn claim(&mut self, users: usize) -> Vec<(Claim, Task)> {
        self.writer.claim(users);
        match self.events.blocking_recv() {
            Some(Event::Claimed(tasks)) => tasks,
            other => panic!("{other:?}"),
        }
    }

    /// Records how a user ended, and waits until that is on the disk.
    fn record(&mut self, (claim, task): (Claim, Task), status: Status) {
        let outcome = Outcome {
            number: task.number,
            status,
            at: Millis::now(),
            attempts: task.attempts + 1,
            doubtful_since: (status == Status::Unknown).then(Millis::now),
            again: task.again,
            request_id: None,
            error_code: None,
            error_message: None,
            password: (status == Status::Succeeded).then(|| Password::new(format!("secret of {}", task.user_id))),
        };
        self.writer.record(claim, task, outcome);
        assert!(matches!(self.events.blocking_recv(), Some(Event::Recorded(_))));
    }

    fn end(self) -> Ledger {
        let (ledger, written) = self.writer.finish();
        written.unwrap();
        ledger
    }
}

fn names(tasks: &[(Claim, Task)]) -> Vec<&str> {
    tasks.iter().map(|(_, task)| task.user_id.as_str()).collect()
}

/// Each user's status and password, in order.
fn standings(ledger: &Ledger) -> Vec<(String, Status, Option<String>)> {
    let mut found = Vec::new();
    let rows = ledger.rows::<LedgerError>(|row| {
        let password = row.password.map(|password| password.expose().to_owned());
        found.push((row.user_id.unwrap(), row.standing.status, password));
        Ok(())
    });
    rows.unwrap();
    found
}

#[test]
fn whoever_was_claimed_when_the_process_was_killed_is_in_doubt_and_comes_first() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a", "b", "c", "d"]);
    ledger.begin_run("i", TOKEN_WINDOW).unwrap();
    let mut going = Going::on(ledger, None);
    let mut claimed = going.claim(3);
    assert_eq!(names(&claimed), ["a", "b", "c"]);
    going.record(claimed.remove(0), Status::Succeeded);

    let (_after, mut ledger) = bench.killed();
    assert_eq!(ledger.counts().unwrap().unknown, 2, "seen before anything is settled");
    assert_eq!(ledger.begin_run("i", TOKEN_WINDOW).unwrap(), 2);
    assert_eq!(ledger.doubt(TOKEN_WINDOW).unwrap().users, 2);
    let mut going = Going::on(ledger, None);
    let claimed = going.claim(9);
    assert_eq!(names(&claimed), ["b", "c", "d"]);
    assert!(claimed[0].1.doubtful_since.is_some() && claimed[2].1.doubtful_since.is_none());
    for task in claimed {
        going.record(task, Status::Succeeded);
    }
    assert!(going.claim(9).is_empty(), "nobody is given out twice");
    let ledger = going.end();
    let expected = ["a", "b", "c", "d"].map(|user| (user.into(), Status::Succeeded, Some(format!("secret of {user}"))));
    assert_eq!(standings(&ledger), expected);
    assert_eq!(ledger.counts().unwrap().reset_again, 0);
}

#[test]
fn a_claim_that_was_never_sent_is_released_when_the_run_ends_in_order() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a", "b"]);
    ledger.begin_run("i", TOKEN_WINDOW).unwrap();
    let mut going = Going::on(ledger, None);
    going.claim(2);
    let mut ledger = going.end();
    assert_eq!(ledger.begin_run("i", TOKEN_WINDOW).unwrap(), 0);
    assert_eq!(ledger.counts().unwrap().pending, 2);
}

#[test]
fn a_doubt_that_outlives_its_token_counts_as_reset_again() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a"]);
    ledger.begin_run("i", TOKEN_WINDOW).unwrap();
    let mut going = Going::on(ledger, None);
    going.claim(1);
    // The second run is killed, too, in time or long after the first request.
    for (ago, again) in [(0, 0), (2, 1)] {
        let (second, mut ledger) = bench.killed();
        ledger.begin_run("i", TOKEN_WINDOW).unwrap();
        let window = i64::try_from(TOKEN_WINDOW.as_millis()).unwrap();
        ledger.db.execute("UPDATE outcomes SET since = since - ?1", [ago * window]).unwrap();
        Going::on(ledger, None).claim(1);
        let (_third, mut ledger) = second.killed();
        ledger.begin_run("i", TOKEN_WINDOW).unwrap();
        assert_eq!(ledger.counts().unwrap().reset_again, again);
    }
}

#[test]
fn a_limit_lets_the_first_users_through_and_the_next_run_goes_on_behind_them() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a", "b", "c"]);
    for (limit, expected) in [(Some(1), &["a"][..]), (Some(1), &["b"]), (None, &["c"]), (None, &[])] {
        ledger.begin_run("i", TOKEN_WINDOW).unwrap();
        let mut going = Going::on(ledger, limit);
        let claimed = going.claim(9);
        assert_eq!(names(&claimed), expected);
        for task in claimed {
            going.record(task, Status::Succeeded);
        }
        ledger = going.end();
    }
}

#[test]
fn rows_are_replaced_whole_or_not_at_all_and_nobody_s_history_is_lost() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a", "b"]);
    ledger.begin_run("i", TOKEN_WINDOW).unwrap();
    let mut going = Going::on(ledger, Some(1));
    let first = going.claim(1).remove(0);
    going.record(first, Status::Succeeded);
    let mut ledger = going.end();
    let broken = [Ok(NewRow::of_user("x")), Err(LedgerError::Gone("roster".into()))];
    assert!(ledger.import("broken", broken.into_iter()).is_err());
    assert_eq!(standings(&ledger).len(), 2, "the old rows stand");
    assert_eq!(import(&mut ledger, "second", &["c", "b"]), Imported { added: 1, lost: 1 });
    assert_eq!(import(&mut ledger, "third", &["a", "c"]).added, 0);
    assert_eq!(standings(&ledger)[0], ("a".into(), Status::Succeeded, Some("secret of a".into())));
}

#[test]
fn what_was_closed_is_nowhere_in_the_files() {
    let bench = Bench::new();
    let mut ledger = bench.with(&["a"]);
    ledger.begin_run("i", TOKEN_WINDOW).unwrap();
    let mut going = Going::on(ledger, None);
    let task = going.claim(1).remove(0);
    going.record(task, Status::Succeeded);
    let mut ledger = going.end();
    let sealed: Vec<u8> = ledger.db.query_row("SELECT sealed FROM passwords", [], |row| row.get(0)).unwrap();
    let holds = || {
        let files = fs::read_dir(bench.folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(sealed.len()).any(|window| window == sealed)).count()
    };
    assert!(holds() > 0, "the search finds what is there");
    assert!(ledger.close("test").is_err(), "a password that stands in no file is not erased unasked");
    assert!(bench.paths().key.exists());
    ledger.discard("test").unwrap();
    assert_eq!(holds(), 0);
    assert!(!bench.paths().key.exists());
    assert!(ledger.closed_at().unwrap().is_some() && !ledger.is_half_erased().unwrap());
    ledger.discard("again").unwrap();
    assert_eq!(ledger.counts().unwrap().succeeded, 1, "the history stays");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order, the counts are those of the rows, and
    /// who has succeeded never changes.
    #[test]
    fn counts_are_what_the_rows_say(plays in prop::collection::vec((1..4_usize, any::<bool>(), prop::collection::vec(0..3_u8, 4)), 1..5)) {
        let bench = Bench::new();
        let users: Vec<String> = (0..6).map(|number| format!("u{number}")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let mut ledger = bench.with(&users);
        let mut done: Vec<String> = Vec::new();
        for (claim, in_order, endings) in plays {
            ledger.begin_run("i", TOKEN_WINDOW).unwrap();
            let mut going = Going::on(ledger, None);
            for (task, ending) in going.claim(claim).into_iter().zip(endings) {
                prop_assert!(!done.contains(&task.1.user_id), "{} is given out again", task.1.user_id);
                let status = [Status::Succeeded, Status::Failed, Status::Unknown][usize::from(ending)];
                if status == Status::Succeeded {
                    done.push(task.1.user_id.clone());
                }
                going.record(task, status);
            }
            if !in_order {
                going.claim(1);
            }
            ledger = going.end();
            let counts = ledger.counts().unwrap();
            let count = |status: Status| standings(&ledger).iter().filter(|(_, found, _)| *found == status).count() as u64;
            prop_assert_eq!(counts.succeeded, count(Status::Succeeded));
            prop_assert_eq!(counts.failed, count(Status::Failed));
            prop_assert_eq!(counts.unknown, count(Status::Unknown));
            prop_assert_eq!(counts.pending, count(Status::Pending));
            prop_assert_eq!(counts.rows, 6);
            let mut succeeded: Vec<String> = standings(&ledger).into_iter().filter(|(_, status, _)| *status == Status::Succeeded).map(|(user, ..)| user).collect();
            succeeded.sort();
            done.sort();
            prop_assert_eq!(&succeeded, &done);
        }
    }
}
