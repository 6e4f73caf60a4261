//! Amazon Cognito user pools, judged by those who know: moto says which password signs a user in, and the
//! simulator has what moto lacks: a history, aliases, case folding, federated users.

use std::collections::BTreeSet;

use serde_json::json;

use crate::common::moto::{Moto, OLD, Pool, SignIn};
use crate::common::{Ran, Room, Simulator, Table, assert_true_and_once};

/// The pool that the simulator has unless told otherwise.
const SIMULATED: &str = "us-east-1_Simulated";

/// Runs on a roster against moto.
fn reset(room: &Room, moto: &Moto, pool: &str, more: &[&str]) -> Ran {
    let words = [&["users.csv", "--user-pool-id", pool, "-o", "out.csv", "--yes"], more].concat();
    Ran::of(room.at(&moto.endpoint(), &words).output().unwrap())
}

/// The rows that succeeded: spelling and password.
fn told(table: &Table) -> Vec<(&str, &str)> {
    let rows = table.rows.iter().zip(table.column("status")).zip(table.column("temporary_password"));
    rows.filter(|((_, status), _)| *status == "succeeded").map(|((row, _), password)| (&*row[0], password)).collect()
}

/// Each password signs in and has to be changed, the old one is refused, and a changed one stays.
#[track_caller]
fn assert_handed_over(pool: &Pool, table: &Table) {
    for (name, password) in told(table) {
        assert!(matches!(pool.sign_in(name, OLD), SignIn::Refused(_)), "{name} signs in with the old password");
        let SignIn::NewPassword(session) = pool.sign_in(name, password) else {
            panic!("{name} does not sign in with {password}");
        };
        pool.change(name, &session, "Chosen-by-me-1").unwrap();
        assert_eq!(pool.sign_in(name, "Chosen-by-me-1"), SignIn::In, "{name}");
    }
}

#[test]
fn after_a_run_each_row_signs_its_user_in() {
    let Some(moto) = Moto::get() else { return };
    let (room, pool) = (Room::new(), moto.pool(json!({})));
    let mut users = pool.add_many(8);
    users.extend(["zoë", "a/b", "=1+1", "..", "a@b.c"].map(|name| pool.add(name, "")));
    let rows: String = users.iter().map(|name| format!("{name},x\n")).collect();
    room.write("users.csv", format!("Username,note\n{rows}nobody,y\na b,z\n"));
    reset(&room, moto, &pool.id, &[]).expect(1).says("1 missing");
    let table = room.table("out.csv");
    assert_eq!((table.count("succeeded"), table.count("failed"), table.count("invalid")), (users.len(), 1, 1));
    assert_eq!(table.column("error_code")[users.len()], "UserNotFoundException");
    assert_eq!(pool.status("zoë"), "FORCE_CHANGE_PASSWORD");
    assert_handed_over(&pool, &table);
    // Again: whoever changed the password keeps it.
    reset(&room, moto, &pool.id, &[]).expect(1);
    assert_eq!(pool.sign_in("zoë", "Chosen-by-me-1"), SignIn::In);
}

#[test]
fn passwords_fit_the_pools_policy() {
    let Some(moto) = Moto::get() else { return };
    for policy in [
        json!({"MinimumLength": 40, "RequireSymbols": true, "RequireNumbers": true, "RequireUppercase": true,
            "RequireLowercase": true, "TemporaryPasswordValidityDays": 3}),
        json!({"MinimumLength": 6, "RequireSymbols": false, "RequireNumbers": false, "RequireUppercase": false,
            "RequireLowercase": false, "TemporaryPasswordValidityDays": 365}),
    ] {
        let (room, pool) = (Room::new(), moto.pool(json!({"Policies": {"PasswordPolicy": policy}})));
        let name = pool.add("a-user-with-a-policy", "");
        room.write("users.csv", format!("username\n{name}\n"));
        // moto's own old password may not fit: only ours is asked about.
        reset(&room, moto, &pool.id, &[]).expect(0);
        let table = room.table("out.csv");
        assert_eq!(pool.locked_out(told(&table).into_iter()), [""; 0], "{policy}");
        assert!(told(&table)[0].1.len() as u64 >= policy["MinimumLength"].as_u64().unwrap().max(16));
        let day = |column: &str| table.column(column)[0].parse::<jiff::Timestamp>().unwrap();
        let life = (day("password_expires_at") - day("reset_at")).as_hours();
        assert_eq!(life, 24 * policy["TemporaryPasswordValidityDays"].as_i64().unwrap());
    }
}

#[test]
fn a_pool_that_is_not_there_stops_the_run() {
    let Some(moto) = Moto::get() else { return };
    let (room, pool) = (Room::new(), moto.pool(json!({})));
    let name = pool.add("ann", "");
    room.write("users.csv", format!("username\n{name}\n"));
    reset(&room, moto, "us-east-1_Nowhere", &[]).expect(3).says("us-east-1_Nowhere");
    assert_eq!(pool.sign_in(&name, OLD), SignIn::In);
    assert!(!room.exists("out.csv"));
}

#[test]
fn in_a_pool_of_email_addresses_each_person_is_reset_once() {
    let Some(moto) = Moto::get() else { return };
    let (room, pool) = (Room::new(), moto.pool(json!({"UsernameAttributes": ["email"]})));
    let ann = pool.add("ann@example.com", "ann@example.com");
    let ben = pool.add("ben@example.com", "ben@example.com");
    assert_ne!(ann, "ann@example.com", "moto calls users of such a pool by their sub");
    room.write("users.csv", format!("email,username\nx,ann@example.com\ny,{ann}\nz,{ben}\n"));
    reset(&room, moto, &pool.id, &[]).expect(0);
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), ["succeeded", "duplicate", "succeeded"]);
    let passwords = table.column("temporary_password");
    for (name, password) in [("ann@example.com", passwords[0]), ("ben@example.com", passwords[2])] {
        assert!(matches!(pool.sign_in(name, password), SignIn::NewPassword(_)), "{name}");
    }
}

#[test]
fn a_list_of_users_is_a_roster() {
    let Some(moto) = Moto::get() else { return };
    let (room, pool) = (Room::new(), moto.pool(json!({})));
    let users = pool.add_many(130);
    let list = ["list-users", "--user-pool-id", &pool.id, "--endpoint-url", &moto.endpoint(), "-o", "users.csv"];
    room.run(&list).expect(0);
    let table = room.table("users.csv");
    assert_eq!(table.header, ["username", "sub", "email", "status", "enabled", "created_at"]);
    let listed: BTreeSet<&str> = table.column("username").into_iter().collect();
    assert_eq!(listed, users.iter().map(String::as_str).collect());
    let dry = room.at(&moto.endpoint(), &["users.csv", "--user-pool-id", &pool.id, "--dry-run"]).output().unwrap();
    let dry = Ran::of(dry);
    assert!(dry.stdout.contains("to reset      130"), "{dry}");
    assert_eq!(pool.sign_in(&users[7], OLD), SignIn::In, "a preview resets nobody");
}

#[test]
fn a_rehearsal_in_a_pool_needs_nothing_else() {
    let room = Room::new();
    room.write("users.csv", "username\nann\nben@example.com\nmissing-1\nfederated-1\nunconfirmed-1\ndisabled-1\nann\n");
    let words = ["run", "users.csv", "--simulate", "--user-pool-id", "eu-west-3_Rehearsal", "--state-dir", "state"];
    let dry = room.run(&[&words[..], &["--dry-run"]].concat()).expect(1);
    assert!(dry.stdout.contains("simulated user pool eu-west-3_Rehearsal"), "{dry}");
    for _ in 0..2 {
        room.run(&[&words[..], &["-o", "out.csv", "--rate", "unlimited"]].concat()).expect(1);
        let table = room.table("out.csv");
        let expected = ["succeeded", "succeeded", "failed", "failed", "failed", "succeeded", "duplicate"];
        assert_eq!(table.column("status"), expected);
        assert!(told(&table).iter().all(|(_, password)| password.len() == 16));
        assert!(table.column("client_token").iter().all(|token| token.is_empty()));
    }
}

#[test]
fn every_spelling_of_a_person_is_one_user() {
    let room = Room::new();
    room.write("pool.csv", "username,sub,email,email_verified\nAnn,3f2b8c1e-5d0a-4e6f-9b7c-0123456789ab,ann@example.com,\nben,,ben@example.com,\ncas,,cas@example.com,false\n");
    let pool = room.path("pool.csv");
    let flags =
        ["--service", "cognito", "--users", &pool.to_string_lossy(), "--pool", "email-aliases,case-insensitive"];
    let simulator = Simulator::start(&flags);
    room.write(
        "users.csv",
        "username\nANN\nann\nAnn@Example.com\n3f2b8c1e-5d0a-4e6f-9b7c-0123456789ab\nben@example.com\nBen\ncas\n",
    );
    room.reset(&simulator, &["users.csv", "--user-pool-id", SIMULATED, "-o", "out.csv"]).expect(0);
    let table = room.table("out.csv");
    assert_eq!((table.count("succeeded"), table.count("duplicate")), (3, 4), "{table:?}");
    let seen = simulator.seen();
    assert_eq!(seen.twice(), [""; 0]);
    let passwords: Vec<&str> = told(&table).iter().map(|(_, password)| *password).collect();
    assert_eq!(passwords, ["ann", "ben", "cas"].map(|name| seen.current(name)));
}

#[test]
fn lost_answers_end_with_one_password_whatever_the_history_says() {
    for (pool, faults) in [
        ("", "drop-after=0.3,drop-before=0.1,error-after=0.1,garbage=0.1"),
        ("history=5", "drop-after=0.3,error-after=0.2,truncate=0.1"),
    ] {
        let room = Room::new();
        let users = room.roster("users.csv", 60);
        let simulator = Simulator::start(&["--service", "cognito", "--pool", pool, "--faults", faults]);
        let words = ["users.csv", "--user-pool-id", SIMULATED, "-o", "out.csv", "--max-attempts", "30"];
        room.reset(&simulator, &words).expect(0);
        let (table, seen) = (room.table("out.csv"), simulator.seen());
        assert_eq!(table.count("succeeded"), users.len());
        assert_true_and_once(&table, &seen);
        assert!(seen.requests > 60 && seen.state["faults"]["drop_after"].as_u64() > Some(0), "{:?}", seen.state);
    }
}

#[test]
fn past_the_quota_everybody_waits_their_turn() {
    let room = Room::new();
    let users = room.roster("users.csv", 40);
    let simulator = Simulator::start(&["--service", "cognito", "--quota", "30,burst=5"]);
    room.reset(&simulator, &["users.csv", "--user-pool-id", SIMULATED, "-o", "out.csv"]).expect(0);
    let (table, seen) = (room.table("out.csv"), simulator.seen());
    assert_eq!(table.count("succeeded"), users.len());
    assert_true_and_once(&table, &seen);
    assert!(seen.state["throttled"].as_u64() > Some(0));
}
