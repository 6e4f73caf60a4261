//! The promises that a user pool needs besides those of every service: our own
//! passwords, a ledger of another format, the pool's rules. And the promise that
//! FinSpace's users notice nothing of it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::between::{Between, Way};
use crate::common::hostile::{Hostile, Reply, http};
use crate::common::{COLUMNS, Ran, Room, Running, Simulator, Table, assert_true_and_once};

const POOL: &str = "us-east-1_Simulated";

fn simulator(flags: &[&str]) -> Simulator {
    Simulator::start(&[&["--service", "cognito"], flags].concat())
}

const ARGUMENTS: [&str; 5] = ["users.csv", "-o", "out.csv", "--user-pool-id", POOL];

/// The format of a ledger's file: SQLite keeps it in the header.
fn format(room: &Room) -> u32 {
    let header = fs::read(room.ledger()).unwrap();
    u32::from_be_bytes(header[60..64].try_into().unwrap())
}

fn killed_at(room: &Room, simulator: &Simulator, point: &str) {
    let mut job = room.job(simulator, &ARGUMENTS);
    job.env("FINSPACE_RESET_DIE_AT", point);
    let killed = Running::of(job).wait();
    assert_eq!(killed.status.signal(), Some(9), "{killed}");
}

#[test]
fn the_output_has_the_same_columns_and_the_pools_expiry() {
    let (simulator, room) = (simulator(&["--pool", "length=20,days=30"]), Room::new());
    let long = "x".repeat(128);
    room.write("users.csv", format!("Username,team\n..,a\n{long},b\nann@example.com,c\nann smith,d\n"));
    room.reset(&simulator, &ARGUMENTS).expect(1).says("white space");
    let table = room.table("out.csv");
    assert_eq!(table.header[2..], COLUMNS);
    assert_eq!(table.column("status"), ["succeeded", "succeeded", "succeeded", "invalid"]);
    assert_true_and_once(&table, &simulator.seen());
    assert_eq!(table.column("client_token"), [""; 4]);
    for password in &table.column("temporary_password")[..3] {
        assert_eq!(password.len(), 20);
    }
    let days = |time: &str| time[..19].parse::<jiff::civil::DateTime>().unwrap();
    let (from, to) = (days(table.column("reset_at")[0]), days(table.column("password_expires_at")[0]));
    assert_eq!((to.date() - from.date()).get_days(), 30);
    assert_eq!(format(&room), 2, "a sealed password no longer means success");
}

#[test]
fn one_user_is_opened_by_the_name() {
    let (simulator, room) = (simulator(&[]), Room::new());
    room.write("users.csv", "team,username\na,ann\nb,bob\n");
    let told = room.run(&["keygen", "-o", "key"]).expect(0).stderr;
    let key = told.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    let arguments = ["users.csv", "-o", "out.csv.age", "-r", key, "--user-pool-id", POOL];
    room.reset(&simulator, &arguments).expect(0);
    let one = room.run(&["decrypt", "out.csv.age", "-i", "key", "--user", "bob"]).expect(0);
    let opened = Table::parse(one.stdout.as_bytes());
    assert_eq!(opened.column("temporary_password"), [simulator.seen().current("bob")]);
}

#[test]
fn a_password_of_a_user_in_doubt_is_not_lost_and_closing_does_not_lose_it_unasked() {
    let (simulator, room) = (simulator(&[]), Room::new());
    room.roster("users.csv", 3);
    killed_at(&room, &simulator, "answered");
    let before = simulator.seen();
    let reset: Vec<_> = before.users.keys().cloned().collect();
    assert!(!reset.is_empty());
    let batch = room.batch();
    let close = room.run(&["close", &batch, "--state-dir", "state"]).expect(2);
    assert!(close.stderr.contains("stand in no file"), "{close}");
    assert_eq!(format(&room), 2);
    room.reset(&simulator, &ARGUMENTS).expect(0);
    let after = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &after);
    for user in &reset {
        assert_eq!(after.users[user].passwords, before.users[user].passwords, "the same password was sent again");
    }
    assert_eq!(room.status()["counts"]["reset_again"], 0);
}

#[test]
fn a_password_that_the_history_knows_was_set_by_the_lost_request() {
    let flags = ["--pool", "history=5", "--faults", "drop-after=0.3,error-after=0.1"];
    let (simulator, room) = (simulator(&flags), Room::new());
    room.roster("users.csv", 100);
    room.reset(&simulator, &[&ARGUMENTS[..], &["--max-attempts", "30"]].concat()).expect(0);
    let seen = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &seen);
    assert!(seen.requests > 100, "nothing was lost");
    assert_eq!(seen.state["replays"], 0, "every repeat met the history");
}

#[test]
fn a_policy_that_changed_since_gets_another_password() {
    let room = Room::new();
    room.roster("users.csv", 5);
    killed_at(&room, &simulator(&[]), "claimed");
    let stricter = simulator(&["--pool", "length=30"]);
    room.reset(&stricter, &ARGUMENTS).expect(0);
    let table = room.table("out.csv");
    assert_true_and_once(&table, &stricter.seen());
    assert!(table.column("temporary_password").iter().all(|password| password.len() == 30));
}

/// Nobody can tell which password such a pool would take: the run stops, and says so.
#[test]
fn a_policy_that_no_password_meets_stops_the_run_and_one_that_is_read_again_is_met() {
    let (simulator, room) = (simulator(&[]), Room::new());
    room.roster("users.csv", 12);
    let refusals = Arc::new(AtomicUsize::new(usize::MAX));
    let left = refusals.clone();
    let between = Between::start(&simulator, move |asked, _| {
        let one_less = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let sets = asked.operation == "AdminSetUserPassword";
        if sets && one_less().is_ok() { Way::refuse("InvalidPasswordException") } else { Way::Pass }
    });
    let words = [&ARGUMENTS[..], &["--yes", "--concurrency", "2"]].concat();
    let ran = Ran::of(room.at(&between.endpoint, &words).output().unwrap()).expect(3);
    ran.says("refuses passwords that keep the policy");
    assert!(between.asked("AdminSetUserPassword") <= 6 && between.asked("DescribeUserPool") <= 6);
    assert_eq!(room.status()["counts"]["succeeded"], 0);
    // The first password is refused once, as if the policy had just changed.
    refusals.store(1, Ordering::SeqCst);
    Ran::of(room.at(&between.endpoint, &words).output().unwrap()).expect(0);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_pool_that_can_not_be_is_refused_before_anything_is_sent() {
    let (simulator, room) = (simulator(&[]), Room::new());
    room.roster("users.csv", 2);
    let run = |more: &[&str]| -> Ran {
        let arguments = [&["users.csv", "-o", "out.csv"], more].concat();
        room.reset(&simulator, &arguments)
    };
    run(&["--user-pool-id", POOL, "--region", "eu-west-1"]).expect(2).says("--region says eu-west-1");
    run(&["--user-pool-id", "pool"]).expect(2).says("us-east-1_a1B2c3D4e");
    run(&["--user-pool-id", POOL, "--environment-id", "e"]).expect(2);
    run(&["--sign-out"]).expect(2);
    run(&["--user-pool-id", "us-east-1_Other"]).expect(3).says("ResourceNotFoundException");
    assert_eq!(simulator.requests(), 0);
}

/// Somebody on the way who says yes to everything, as a login page does: only
/// the API's own answer is a reset.
#[test]
fn a_yes_that_is_not_the_apis_is_no_reset() {
    for body in ["", "<html>ok</html>", r#"{"status":"ok"}"#, "[]", "ok"] {
        let room = Room::new();
        room.write("users.csv", "username\nann\n");
        let policy = r#"{"PasswordPolicy":{"MinimumLength":8}}"#;
        let described = format!(r#"{{"UserPool":{{"Id":"{POOL}","Name":"p","Policies":{policy}}}}}"#);
        let listed = r#"{"Users":[{"Username":"ann","Enabled":true,"UserStatus":"CONFIRMED","Attributes":[]}]}"#;
        let wire = Hostile::start(move |asked| {
            Reply::Refuse(match asked.total {
                0 => http("200 OK", None, &described),
                1 => http("200 OK", None, listed),
                _ => http("200 OK", None, body),
            })
        });
        let mut job = room.at(&wire.endpoint, &[&ARGUMENTS[..], &["--yes", "--max-attempts", "2"]].concat());
        let ran = Ran::of(job.output().unwrap());
        assert!(wire.total() >= 4, "{body:?}: {ran}");
        assert_ne!(ran.code(), Some(0), "{body:?}: {ran}");
        if room.exists("out.csv") {
            assert_eq!(room.table("out.csv").count("succeeded"), 0, "{body:?}: {ran}");
        }
    }
}

#[test]
fn a_batch_never_goes_from_one_service_to_another() {
    let (pool, finspace, room) = (simulator(&[]), Simulator::start(&[]), Room::new());
    room.roster("users.csv", 2);
    let named = ["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&finspace, &named).expect(0);
    let other = [&named[..], &["--user-pool-id", POOL]].concat();
    room.reset(&pool, &other).expect(2).says("belongs to the target");
    assert_eq!(pool.requests(), 0);
}

/// As the program did it before there were pools; the values were worked out
/// elsewhere.
#[test]
fn users_of_finspace_notice_nothing() {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.write("users.csv", "user_id\nann\nbob\n");
    room.run(&["run", "users.csv", "--simulate", "-o", "out.csv", "--state-dir", "rehearsal"]).expect(0);
    let table = room.table("out.csv");
    assert_eq!(table.header[1..], COLUMNS);
    assert_eq!(
        table.column("client_token"),
        ["96eb1c08-f90f-5b3f-88a2-edf87208714b", "b9ccba5e-1ad1-5eff-be28-8b90097973d2"]
    );
    room.reset(&simulator, &["users.csv", "-o", "real.csv"]).expect(0);
    assert_eq!(room.batch(), "8316d330dd456200");
    assert_eq!(format(&room), 1, "an older program reads it");
    let ledger = rusqlite::Connection::open(room.ledger()).unwrap();
    let sql = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name)";
    let tables: String = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(
        tables,
        "batch claims deliveries fingerprints outcomes paces passwords publications rows run_facts runs users"
    );
}
