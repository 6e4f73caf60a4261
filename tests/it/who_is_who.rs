//! Who is who, where the pool makes it hard: throttled, lost and failed lists,
//! an end in their midst, aliases that move, and answers of an adversary. Nobody
//! is reset of whom it is not known who it is, and nobody twice.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::between::{Between, Way};
use crate::common::hostile::http;
use crate::common::{Ran, Room, Running, Simulator, wait_until};

const POOL: &str = "us-east-1_Simulated";
const LIST: &str = "ListUsers";
const DESCRIBE: &str = "DescribeUserPool";
const RESET: &str = "AdminSetUserPassword";

const WORDS: [&str; 6] = ["users.csv", "-o", "out.csv", "--user-pool-id", POOL, "--yes"];

fn run(room: &Room, endpoint: &str, more: &[&str]) -> Ran {
    Ran::of(room.at(endpoint, &[&WORDS[..], more].concat()).output().unwrap())
}

/// A pool of so many users, and a roster of half of them: more than pages.
fn many(room: &Room, users: usize) -> Simulator {
    let (mut pool, mut roster) = (String::from("username\n"), String::from("username\n"));
    for number in 0..users {
        writeln!(pool, "user-{number:04}").unwrap();
        if number % 2 == 0 {
            writeln!(roster, "user-{number:04}").unwrap();
        }
    }
    room.write("pool.csv", pool).write("users.csv", roster);
    listed(room, "")
}

fn listed(room: &Room, settings: &str) -> Simulator {
    let file = room.path("pool.csv");
    Simulator::start(&["--service", "cognito", "--pool", settings, "--users", file.to_str().unwrap()])
}

fn busy() -> Way {
    Way::Answer(http("503 Busy", None, ""))
}

fn answer(body: &Value) -> Way {
    Way::Answer(http("200 OK", None, &body.to_string()))
}

/// A user as a list tells of them.
fn user(name: &str, email: &str) -> Value {
    let attributes = json!([
        {"Name": "sub", "Value": format!("0b7c4a52-9f3e-4c1d-8a3b-{:0>12}", name.len())},
        {"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}
    ]);
    json!({"Username": name, "Enabled": true, "UserStatus": "CONFIRMED", "Attributes": attributes})
}

#[test]
fn a_walk_through_throttlings_lost_answers_and_errors_asks_for_no_page_more_than_it_must() {
    let room = Room::new();
    let simulator = many(&room, 600);
    let between = Between::start(&simulator, |asked, nth| match &*asked.operation {
        LIST if nth == 2 || nth == 6 => Way::refuse("TooManyRequestsException"),
        LIST if nth == 3 || nth == 9 => Way::Lose,
        LIST if nth == 5 || nth == 10 => busy(),
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &[]).expect(0).says("all of its about 600 users, about 10 requests");
    assert_eq!(between.asked(LIST), 16, "ten pages and six troubles");
    assert_eq!(room.table("out.csv").count("succeeded"), 300);
    assert_eq!((simulator.seen().twice(), between.asked(RESET)), (vec![], 300));
}

#[test]
fn a_list_past_the_quota_is_read_at_its_pace() {
    let room = Room::new();
    let simulator = many(&room, 600);
    let since = Instant::now();
    let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
        // So many in each quarter of a second, as the service counts them.
        LIST if since.elapsed().subsec_millis() % 250 > 120 => Way::refuse("TooManyRequestsException"),
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &["--dry-run"]).expect(0);
    assert!(between.asked(LIST) <= 40, "{} requests for ten pages", between.asked(LIST));
}

#[test]
fn a_page_that_never_comes_ends_the_walk_and_nobody_is_reset() {
    let room = Room::new();
    let simulator = many(&room, 600);
    let between = Between::start(&simulator, |asked, nth| match &*asked.operation {
        LIST if nth >= 4 => busy(),
        _ => Way::Pass,
    });
    let ran = run(&room, &between.endpoint, &["--max-attempts", "3", "--summary", "s.json"]).expect(3);
    ran.says("503");
    assert_eq!((between.asked(LIST), between.asked(RESET)), (7, 0));
    assert!(!room.exists("out.csv"));
    assert_eq!(serde_json::from_str::<Value>(&room.read("s.json")).unwrap()["exit_code"], 3);
}

#[test]
fn a_user_about_whom_no_answer_comes_is_left_and_the_next_run_asks_again() {
    let (room, fail) = (Room::new(), Arc::new(AtomicBool::new(true)));
    room.write("users.csv", "username\nann\nbob\ncat\n");
    let simulator = Simulator::start(&["--service", "cognito"]);
    let failing = fail.clone();
    let between = Between::start(&simulator, move |asked, _| {
        let is_bob = asked.member("Filter").contains("bob");
        if is_bob && failing.load(Ordering::SeqCst) { busy() } else { Way::Pass }
    });
    run(&room, &between.endpoint, &["--max-attempts", "2"]).expect(1).says("1 not found out");
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), ["succeeded", "failed", "succeeded"]);
    assert_eq!(table.column("error_code")[1], "UserNotResolved");
    fail.store(false, Ordering::SeqCst);
    run(&room, &between.endpoint, &[]).expect(0);
    assert_eq!((between.asked(RESET), simulator.seen().twice()), (3, vec![]));
}

#[test]
fn a_signal_or_a_deadline_ends_the_asking_at_once_and_nothing_is_sent() {
    for hangs_at in [DESCRIBE, LIST] {
        let room = Room::new();
        let simulator = many(&room, 600);
        let between = Between::start(&simulator, move |asked, nth| match &*asked.operation {
            operation if operation == hangs_at && (nth >= 2 || hangs_at == DESCRIBE) => Way::Hang,
            _ => Way::Pass,
        });
        for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
            let before = between.asked(hangs_at);
            let running = Running::of(room.at(&between.endpoint, &WORDS));
            wait_until("it hangs", || {
                between.asked(hangs_at) >= before + if before == 0 && hangs_at == LIST { 3 } else { 1 }
            });
            running.signal(signal);
            running.wait().expect(code).says("nothing was sent");
        }
        run(&room, &between.endpoint, &["--deadline", "1s"]).expect(3).says("--deadline");
        assert_eq!(between.asked(RESET), 0);
        assert!(!room.exists("out.csv"));
    }
}

/// The pool's two users, whose address moves from one to the other.
fn moving(room: &Room) -> (Simulator, Between, Arc<AtomicBool>, Arc<AtomicBool>) {
    room.write("pool.csv", "username,email\nann,ann@example.com\nbob,bob@example.com\n");
    let simulator = listed(room, "email-aliases,case-insensitive");
    let (moved, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let (has_moved, loses) = (moved.clone(), lost.clone());
    let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
        LIST if has_moved.load(Ordering::SeqCst) => {
            answer(&json!({"Users": [user("ann", "new@example.com"), user("bob", "ann@example.com")]}))
        }
        RESET if loses.load(Ordering::SeqCst) => Way::Lose,
        _ => Way::Pass,
    });
    (simulator, between, moved, lost)
}

#[test]
fn an_alias_that_moves_while_its_user_is_in_doubt_means_the_first_one_for_good() {
    let room = Room::new();
    let (simulator, between, moved, lost) = moving(&room);
    room.write("users.csv", "username\nann@example.com\n");
    run(&room, &between.endpoint, &["--max-attempts", "1", "--batch", "b"]).expect(3);
    assert_eq!(room.table("out.csv").column("status"), ["unknown"]);
    let first = simulator.seen().current("ann").to_owned();
    moved.store(true, Ordering::SeqCst);
    lost.store(false, Ordering::SeqCst);
    // The alias, whoever has it now by his name, and the first one by his name.
    room.write("users.csv", "username\nann@example.com\nbob\nANN\n");
    let ran = run(&room, &between.endpoint, &["--batch", "b"]).expect(0);
    ran.says("1 row stands for the user whom this batch sent to before");
    let (table, seen) = (room.table("out.csv"), simulator.seen());
    assert_eq!(table.column("status"), ["succeeded", "succeeded", "duplicate"]);
    assert_eq!(table.column("temporary_password")[0], first, "the same one was sent again");
    assert_eq!((seen.current("ann"), seen.twice()), (&*first, vec![]));
    assert_ne!(table.column("temporary_password")[1], first, "another user got it");
    assert_eq!(table.column("temporary_password")[1], seen.current("bob"));
}

#[test]
fn a_user_in_doubt_by_another_spelling_gets_the_same_password_again() {
    for (second, batch) in [("ANN", true), ("ann@example.com", true), ("Ann@Example.com", true), ("ANN", false)] {
        let room = Room::new();
        let (simulator, between, _, lost) = moving(&room);
        room.write("users.csv", "username\nann\n");
        let named = ["--batch", "b", "--max-attempts", "1"];
        let flags = if batch { &named[..] } else { &named[2..] };
        run(&room, &between.endpoint, flags).expect(3);
        let first = simulator.seen().current("ann").to_owned();
        lost.store(false, Ordering::SeqCst);
        room.write("users.csv", format!("username\n{second}\n"));
        if !batch {
            // By itself it is another batch, which may not touch whom the first one may have reset.
            let other = ["users.csv", "-o", "other.csv", "--user-pool-id", POOL, "--yes"];
            Ran::of(room.at(&between.endpoint, &other).output().unwrap()).expect(2).says("--batch");
            assert_eq!(between.asked(RESET), 1);
            continue;
        }
        run(&room, &between.endpoint, flags).expect(0);
        let table = room.table("out.csv");
        assert_eq!(
            (table.column("status")[0], table.column("temporary_password")[0]),
            ("succeeded", &*first),
            "{second}"
        );
        assert_eq!(simulator.seen().twice(), Vec::<&str>::new());
    }
}

#[test]
fn unusual_names_are_found_and_reset_and_case_counts_only_where_the_pool_says_so() {
    let long = "ü".repeat(128);
    let names = ["a+b", "o'neil", "a,b", "=1+1", "..", "-x", "日本", "😀", "a/b\\c", "a\"b", "{x}", &long];
    for (settings, extra) in [("", 2), ("case-insensitive", 1)] {
        let room = Room::new();
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let rows: String = names.iter().fold(String::new(), |rows, name| rows + &quoted(name) + "\n");
        let ann = if extra == 2 { "Ann\nann\n" } else { "ann\n" };
        room.write("pool.csv", format!("username\n{rows}{ann}"))
            .write("users.csv", format!("username\n{rows}Ann\nann\n"));
        let simulator = listed(&room, settings);
        run(&room, &simulator.endpoint, &[]).expect(0);
        let (table, seen) = (room.table("out.csv"), simulator.seen());
        assert_eq!(table.count("succeeded"), names.len() + extra, "{settings}: {table:?}");
        for (name, password) in names.iter().zip(table.column("temporary_password")) {
            assert_eq!(seen.current(name), password, "{name}");
        }
        assert_eq!(seen.twice(), Vec::<&str>::new());
    }
}

#[test]
fn an_exclude_list_that_names_one_person_twice_protects_by_either_and_by_any_case() {
    let room = Room::new();
    room.write("pool.csv", "username,email\nann,ann@example.com\nbob,bob@example.com\ncat,cat@example.com\n");
    room.write("users.csv", "username\nANN\nBob@example.com\ncat\n");
    room.write("keep.csv", "user_id\nann\nAnn@Example.com\nBOB\n");
    let simulator = listed(&room, "email-aliases,case-insensitive");
    run(&room, &simulator.endpoint, &["--exclude", "keep.csv"]).expect(0);
    assert_eq!(room.table("out.csv").column("status"), ["excluded", "excluded", "succeeded"]);
    assert_eq!(simulator.seen().users.keys().collect::<Vec<_>>(), ["cat"]);

    // Where case counts, another case is another person.
    let (other, strict) = (Room::new(), listed(&room, "email-aliases"));
    other.write("users.csv", "username\nann\nbob@example.com\n").write("keep.csv", "user_id\nANN\nbob\n");
    run(&other, &strict.endpoint, &["--exclude", "keep.csv"]).expect(0).says("name nobody");
    assert_eq!(other.table("out.csv").column("status"), ["succeeded", "excluded"]);
}

#[test]
fn descriptions_of_an_adversary_are_refused_or_kept_within_bounds() {
    let simulator = Simulator::start(&["--service", "cognito"]);
    let described = |pool: Value| json!({"UserPool": pool}).to_string();
    let policy = |policy: Value| described(json!({"Id": POOL, "Name": "p", "Policies": {"PasswordPolicy": policy}}));
    let huge = described(json!({"Id": POOL, "Name": "x".repeat(5 << 20)}));
    for (body, code) in [
        (huge, 3),
        (described(json!({"Id": POOL}))[..20].to_owned(), 3),
        (described(json!({"Id": "us-east-1_Other"})), 3),
        (described(json!([])), 3),
        (policy(json!({"MinimumLength": "eight"})), 3),
        (policy(json!({"MinimumLength": -5, "TemporaryPasswordValidityDays": -1})), 0),
        (policy(json!({"MinimumLength": 2_000_000_000, "TemporaryPasswordValidityDays": 2_000_000_000})), 0),
        (described(json!({"Id": POOL, "Name": "\u{1b}[31mred\u{7}", "EstimatedNumberOfUsers": -7})), 0),
        (described(json!({"Id": POOL, "EstimatedNumberOfUsers": 2_000_000_000})), 0),
    ] {
        let room = Room::new();
        room.write("users.csv", "username\nann\n");
        let told = body.clone();
        let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
            DESCRIBE => Way::Answer(http("200 OK", None, &told)),
            RESET => answer(&json!({})),
            _ => Way::Pass,
        });
        let ran = run(&room, &between.endpoint, &["--max-attempts", "2", "-v"]).expect(code);
        let shown = &body[..body.len().min(200)];
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}']), "{shown}: {ran}");
        assert!(ran.stderr.len() < 10_000, "{shown}");
        assert!(between.asked(DESCRIBE) <= 2 && (code == 0 || between.asked(RESET) == 0), "{shown}");
        let dry = run(&room, &between.endpoint, &["--dry-run", "--max-attempts", "1"]);
        assert!(!dry.stdout.contains(['\u{1b}', '\u{7}']) && !dry.stderr.contains('\u{1b}'), "{shown}: {dry}");
        if code == 0 {
            assert!(room.table("out.csv").column("temporary_password")[0].len() <= 256);
        }
    }
}

#[test]
fn a_list_that_always_points_to_another_page_ends_and_its_users_are_left() {
    let simulator = Simulator::start(&["--service", "cognito"]);
    let room = Room::new();
    room.write("users.csv", "username\nann\n");
    let pages = AtomicUsize::new(0);
    let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
        LIST => {
            let next = pages.fetch_add(1, Ordering::SeqCst).to_string();
            answer(&json!({"Users": [user("ann", "ann@example.com")], "PaginationToken": next}))
        }
        _ => Way::Pass,
    });
    run(&room, &between.endpoint, &[]).expect(1).says("1 not found out");
    assert_eq!((between.asked(LIST), between.asked(RESET)), (1000, 0));
    assert_eq!(room.table("out.csv").column("error_code"), ["UserNotResolved"]);
}

#[test]
fn lists_of_an_adversary_end_and_name_nobody_wrongly() {
    let simulator = Simulator::start(&["--service", "cognito"]);
    let users = |users: Value, next: Option<&str>| json!({"Users": users, "PaginationToken": next}).to_string();
    let ann = || user("ann", "ann@example.com");
    let mut nameless = ann();
    nameless["Username"] = Value::Null;
    let mut numbered = ann();
    numbered["Username"] = json!(5);
    let red = user("a\u{1b}[31mn\u{7}n\u{202e}", "ann@example.com");
    // The answer to every question; the status that the row comes to.
    for (body, status) in [
        (users(json!([ann()]), Some("same")), "failed"),
        (users(json!([]), Some("same")), "failed"),
        (users(json!([nameless]), None), "failed"),
        (users(json!([numbered]), None), "failed"),
        (users(json!(["ann"]), None), "failed"),
        (users(json!({}), None), "failed"),
        (json!({}).to_string(), "failed"),
        (users(json!([ann()]), None)[..60].to_owned(), "failed"),
        (users(json!([user(&"x".repeat(5 << 20), "ann@example.com")]), None), "failed"),
        (users(json!([red]), None), "failed"),
        (users(Value::Array(vec![ann(); 5000]), None), "succeeded"),
    ] {
        let room = Room::new();
        room.write("users.csv", "username\nann@example.com\n");
        let told = body.clone();
        let pool = json!({"UserPool": {"Id": POOL, "AliasAttributes": ["email"], "EstimatedNumberOfUsers": 1_000_000}});
        let between = Between::start(&simulator, move |asked, _| match &*asked.operation {
            DESCRIBE => answer(&pool),
            LIST => Way::Answer(http("200 OK", None, &told)),
            _ => answer(&json!({})),
        });
        let ran = run(&room, &between.endpoint, &["--max-attempts", "2", "-v", "--sign-out"]);
        let shown: String = body.chars().take(200).collect();
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}: {ran}");
        assert!(between.asked(LIST) <= 12, "{shown}: {}", between.asked(LIST));
        if room.exists("out.csv") {
            assert_eq!(room.table("out.csv").column("status"), [status], "{shown}: {ran}");
        } else {
            assert_eq!((ran.code(), status), (Some(3), "failed"), "{shown}: {ran}");
        }
        assert_eq!(between.asked(RESET), usize::from(status == "succeeded"), "{shown}: {ran}");
    }
}
