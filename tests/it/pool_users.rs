//! The users of a user pool: who is who before anything is sent, lists of them,
//! and previews.

use serde_json::Value;

use crate::common::{Ran, Room, Simulator};

const POOL: &str = "us-east-1_Simulated";
const SUB: &str = "0b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90";

const USERS: &str = "\
username,sub,email,status,enabled,created_at
ann,0b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90,ann@example.com,CONFIRMED,true,2026-01-01T00:00:00Z
bob,1b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90,bob@example.com,CONFIRMED,true,2026-01-01T00:00:00Z
dis,2b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90,,CONFIRMED,false,2026-01-01T00:00:00Z
google_1,3b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90,,EXTERNAL_PROVIDER,true,2026-01-01T00:00:00Z
una,4b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90,,UNCONFIRMED,true,2026-01-01T00:00:00Z
";

fn pool(room: &Room, settings: &str, users: &str) -> Simulator {
    room.write("pool.csv", users);
    let file = room.path("pool.csv");
    Simulator::start(&["--service", "cognito", "--pool", settings, "--users", file.to_str().unwrap()])
}

fn run(room: &Room, endpoint: &str, more: &[&str]) -> Ran {
    let words = [more, &["--user-pool-id", POOL]].concat();
    Ran::of(room.at(endpoint, &words).output().unwrap())
}

fn reset(room: &Room, simulator: &Simulator, more: &[&str]) -> Ran {
    run(room, &simulator.endpoint, &[more, &["--yes"]].concat())
}

fn resets(simulator: &Simulator) -> u64 {
    simulator.seen().state["requests"]["set_password"].as_u64().unwrap_or_else(|| simulator.requests())
}

#[test]
fn spellings_of_one_user_are_reset_once_and_whoever_must_not_be_is_left_alone() {
    let room = Room::new();
    let simulator = pool(&room, "email-aliases,case-insensitive", USERS);
    let rows = ["ann@example.com", "bob", "ANN", SUB, "nobody", "google_1", "una", "dis", "Bob@Example.com"];
    room.write("users.csv", format!("username\n{}\n", rows.join("\n")));
    let ran = reset(&room, &simulator, &["users.csv", "-o", "out.csv"]).expect(1);
    let ran = ran.says("1 missing, 1 federated, 1 unconfirmed, 1 disabled, 3 named twice");
    ran.says("line 7: \"google_1\" signs in through another identity provider");
    let table = room.table("out.csv");
    assert_eq!(table.column("username"), rows);
    let statuses =
        ["succeeded", "succeeded", "duplicate", "duplicate", "failed", "failed", "failed", "succeeded", "duplicate"];
    assert_eq!(table.column("status"), statuses);
    let codes = [
        "",
        "",
        "Duplicate",
        "Duplicate",
        "UserNotFoundException",
        "FederatedUser",
        "UnconfirmedUser",
        "",
        "Duplicate",
    ];
    assert_eq!(table.column("error_code"), codes);
    assert_eq!(table.column("error_message")[3], "same user as line 2");
    let seen = simulator.seen();
    assert_eq!(table.column("temporary_password")[0], seen.current("ann"));
    assert_eq!(table.column("temporary_password")[1], seen.current("bob"));
    assert_eq!(resets(&simulator), 3, "{}", seen.state);

    // A later run, with other spellings first, resets nobody a second time.
    let later = ["Ann", "ann@example.com", SUB, "BOB", "nobody"];
    room.write("users.csv", format!("username\n{}\n", later.join("\n")));
    let batch = room.batch();
    reset(&room, &simulator, &["users.csv", "-o", "again.csv", "--batch", &batch]).expect(1);
    let again = room.table("again.csv");
    assert_eq!(again.column("status"), ["succeeded", "duplicate", "duplicate", "succeeded", "failed"]);
    assert_eq!(again.column("temporary_password")[0], seen.current("ann"));
    assert_eq!(resets(&simulator), 3);
    assert_eq!(simulator.seen().twice(), Vec::<&str>::new());
}

#[test]
fn few_are_looked_up_and_many_are_found_by_a_walk_with_the_same_result() {
    let users: Vec<String> = (0..130).map(|n| format!("u{n:03}")).collect();
    let listed: String = users.iter().map(|name| format!("{name},{name}@example.com\n")).collect();
    let room = Room::new();
    let simulator = pool(&room, "email-aliases", &format!("username,email\n{listed}"));
    let lists = || simulator.seen().state["requests"]["list_users"].as_u64().unwrap();
    room.write("two.csv", "username\nu007@example.com\nu007\n");
    let preview = ["two.csv", "--dry-run", "-o", "two-out.csv"];
    run(&room, &simulator.endpoint, &preview).expect(0).says("2 user IDs, about 2 requests").says("1 named twice");
    let few = lists();
    room.write("all.csv", format!("username\n{}\nu007@example.com\nnobody\n", users.join("\n")));
    let ran = run(&room, &simulator.endpoint, &["all.csv", "--dry-run"]).expect(1);
    ran.says("all of its about 130 users, about 3 requests").says("1 missing, 1 named twice");
    assert_eq!(lists() - few, 3, "{}", simulator.seen().state);
    assert_eq!(simulator.seen().state["resets"], 0);
    // A canary asks for no more than it needs.
    let before = lists();
    reset(&room, &simulator, &["all.csv", "-o", "out.csv", "--limit", "2"]).expect(0);
    assert_eq!(lists() - before, 2, "{}", simulator.seen().state);
    reset(&room, &simulator, &["all.csv", "-o", "out.csv"]).expect(1);
    let table = room.table("out.csv");
    assert_eq!((table.count("succeeded"), table.count("duplicate"), table.count("failed")), (130, 1, 1));
    assert_eq!(simulator.seen().twice(), Vec::<&str>::new());
}

#[test]
fn an_exclude_list_protects_a_user_by_any_spelling() {
    let room = Room::new();
    let simulator = pool(&room, "email-aliases", USERS);
    room.write("users.csv", "username\nann\nbob\n").write("keep.csv", "ann@example.com\n");
    let ran = reset(&room, &simulator, &["users.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(0);
    assert!(!ran.stderr.contains("name nobody"), "{ran}");
    room.write("others.csv", "zoe@example.com\nbob@example.com\n");
    let preview = ["users.csv", "--dry-run", "--exclude", "others.csv", "--batch", "other"];
    run(&room, &simulator.endpoint, &preview).says("others.csv: 1 of 2 entries name nobody in the roster (line 1:");
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), ["excluded", "succeeded"]);
    assert!(table.column("error_message")[0].contains("as \"ann@example.com\""), "{:?}", table.rows[0]);
    assert_eq!(resets(&simulator), 1);
}

#[test]
fn a_list_of_the_users_is_a_roster() {
    let room = Room::new();
    let simulator = pool(&room, "email-aliases", USERS);
    let words = ["list-users", "--user-pool-id", POOL, "--endpoint-url", &simulator.endpoint, "-o", "list.csv"];
    room.run(&words).expect(0).says("5 users");
    let listed = room.table("list.csv");
    assert_eq!(listed.header.join(","), "username,sub,email,status,enabled,created_at");
    assert_eq!(listed.rows[0].join(","), USERS.lines().nth(1).unwrap().replace("00:00Z", "00:00.000Z"));
    room.run(&words).expect(2).says("exists");
    room.run(&[&words[..], &["--type", "APP_USER"]].concat()).expect(2);
    reset(&room, &simulator, &["list.csv", "-o", "out.csv"]).expect(1);
    let table = room.table("out.csv");
    assert_eq!(table.column("cognito_status")[..2], ["CONFIRMED"; 2]);
    assert_eq!(table.column("status"), ["succeeded", "succeeded", "succeeded", "failed", "failed"]);
}

#[test]
fn a_preview_tells_of_the_pool_and_a_pace_that_its_users_would_feel_is_warned_of() {
    let room = Room::new();
    let simulator = pool(&room, "length=12,days=30,no-symbols", USERS);
    room.write("users.csv", "username\nann\nbob\n");
    let preview = ["users.csv", "--dry-run", "--rate", "5", "--summary", "plan.json"];
    let ran = run(&room, &simulator.endpoint, &preview).expect(0);
    for words in [
        POOL,
        "12 characters or more, with upper case, lower case and digits",
        "30 days after the reset",
        "30/s for the account in this region, shared with its users' own recoveries",
        "about 0.4s at 5/s",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{ran}");
    }
    assert!(!ran.stderr.contains("warning"), "{ran}");
    let plan: Value = serde_json::from_str(&room.read("plan.json")).unwrap();
    assert_eq!((&plan["user_pool"]["id"], &plan["user_pool"]["password_days"]), (&POOL.into(), &30.into()));
    run(&room, &simulator.endpoint, &["users.csv", "--dry-run", "--rate", "16"]).expect(0).says("--rate 16/s may take");
    let ran = reset(&room, &simulator, &["users.csv", "-o", "out.csv", "--summary", "s.json"]).expect(0);
    ran.says("--rate unlimited may take");
    let summary: Value = serde_json::from_str(&room.read("s.json")).unwrap();
    assert_eq!(summary["user_pool"]["id"], POOL);
    assert_eq!(summary.get("sign_out"), None);
}
