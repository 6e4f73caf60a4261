//! Users before they are reset: `list-users`, `--check-users`, and credentials
//! that FinSpace issues.

use crate::common::{Ran, Room, Simulator, Table, on_a_terminal};

const POPULATION: &str = "\
user_id,email_address,first_name,last_name,status,type,api_access,last_login_time
ana,ana@example.com,Ana,\"Ruiz, Dr.\",ENABLED,APP_USER,ENABLED,2026-09-01T08:00:00Z
bo,bo@example.com,Bo,Lind,DISABLED,APP_USER,DISABLED,
cy,cy@example.com,Cy,Old,ENABLED,APP_USER,DISABLED,2025-01-01T00:00:00Z
root,root@example.com,Rae,Oot,ENABLED,SUPER_USER,ENABLED,2026-10-01T08:00:00Z
";

fn population(room: &Room) -> Simulator {
    room.write("population.csv", POPULATION);
    Simulator::start(&["--users", room.path("population.csv").to_str().unwrap()])
}

fn list(room: &Room, simulator: &Simulator, more: &[&str]) -> Table {
    let mut words = vec!["list-users", "--endpoint-url", simulator.endpoint.as_str()];
    words.extend(more);
    let ran = room.run(&words).expect(0);
    assert_eq!(ran.stderr, "");
    Table::parse(ran.stdout.as_bytes())
}

#[test]
fn the_list_holds_what_finspace_tells_and_the_filters_narrow_it() {
    let room = Room::new();
    let simulator = population(&room);
    let all = list(&room, &simulator, &[]);
    let columns = "user_id,email_address,first_name,last_name,status,type,api_access,last_login_time";
    assert_eq!(all.header.join(","), columns);
    assert_eq!(all.column("user_id"), ["ana", "bo", "cy", "root"]);
    assert_eq!(all.column("last_name")[0], "Ruiz, Dr.");
    assert_eq!(all.column("last_login_time")[..2], ["2026-09-01T08:00:00.000Z", ""]);
    let ids = |more: &[&str]| list(&room, &simulator, more).column("user_id").join(" ");
    assert_eq!(ids(&["--type", "app_user"]), "ana bo cy");
    assert_eq!(ids(&["--status", "DISABLED"]), "bo");
    assert_eq!(ids(&["--not-logged-in-since", "2026-01-01"]), "bo cy");
    assert_eq!(ids(&["--not-logged-in-since", "2026-09-01T08:00:01Z", "--status", "ENABLED"]), "ana cy");
    let url = simulator.endpoint.as_str();
    let nobody = room.run(&["list-users", "--status", "CREATING", "--endpoint-url", url]).expect(0);
    assert_eq!(nobody.stdout, format!("{columns}\n"));
    nobody.says("warning: no user was found");
    room.run(&["list-users", "--status", "DISABLED", "-o", "one.csv", "--endpoint-url", url])
        .expect(0)
        .says("1 user: one");
    room.run(&["list-users", "--not-logged-in-since", "soon"]).expect(2).says("a date like 2026-01-31");
}

#[test]
fn a_list_of_many_pages_is_whole_and_goes_to_a_file_once() {
    let room = Room::new();
    let ids: Vec<String> = (0..250).map(|user| format!("u{user:03}")).collect();
    room.write("population.csv", format!("user_id\n{}\n", ids.join("\n")));
    let simulator = Simulator::start(&["--users", room.path("population.csv").to_str().unwrap()]);
    let words = ["list-users", "-o", "users.csv", "--endpoint-url", simulator.endpoint.as_str()];
    room.run(&words).expect(0).says("250 users");
    assert_eq!(room.table("users.csv").column("user_id"), ids);
    room.run(&words).expect(2).says("exists");
}

#[test]
fn everyone_but_the_superusers_is_one_pipe() {
    let room = Room::new();
    let simulator = population(&room);
    let listed =
        room.run(&["list-users", "--type", "APP_USER", "--endpoint-url", simulator.endpoint.as_str()]).expect(0);
    room.write("piped.csv", listed.stdout);
    let mut job = room.job(&simulator, &["-", "-o", "out.csv"]);
    job.stdin(std::fs::File::open(room.path("piped.csv")).unwrap());
    Ran::of(job.output().unwrap()).expect(0);
    let table = room.table("out.csv");
    assert_eq!(table.column("user_id"), ["ana", "bo", "cy"]);
    assert_eq!(table.column("finspace_status"), ["ENABLED", "DISABLED", "ENABLED"]);
    assert_eq!(table.column("status"), ["succeeded"; 3]);
}

#[test]
fn checked_users_are_told_and_the_missing_are_failed_without_a_request() {
    let room = Room::new();
    let simulator = population(&room);
    room.write("users.csv", "user_id\nana\nnobody\nbo\nroot\n");
    let looked =
        Ran::of(room.unasked(&simulator, &["users.csv", "--check-users", "--dry-run"]).output().unwrap()).expect(1);
    for told in [
        "1 missing, 1 disabled, 1 superuser,",
        "line 3: \"nobody\" does not exist",
        "line 4: \"bo\" is disabled",
        "line 5: \"root\" is a superuser",
    ] {
        assert!(looked.stderr.contains(told), "{told}\n{looked}");
    }
    // Consent is asked for those who would be sent to, and for nobody else.
    for part in ["to reset      2\n", "excluded      1\n", "left alone    1\n"] {
        assert!(looked.stdout.contains(part), "{part}: {looked}");
    }
    let unasked = room.unasked(&simulator, &["users.csv", "--check-users", "-o", "out.csv"]);
    let (code, asked) = on_a_terminal(unasked, &[("Type 2 to go on", "no")]);
    assert!(code == Some(2) && asked.contains("2 users of"), "{asked}");
    assert_eq!(simulator.requests(), 0);

    room.reset(&simulator, &["users.csv", "--check-users", "-o", "out.csv"]).expect(1);
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), ["succeeded", "failed", "succeeded", "excluded"]);
    assert_eq!(table.column("error_code")[1], "ResourceNotFoundException");
    assert!(table.column("error_message")[3].contains("superuser"), "{:?}", table.rows[3]);
    assert_eq!(simulator.requests(), 2);

    // Without the check nobody knows that she is one; with the flag it is meant.
    room.reset(&simulator, &["users.csv", "--check-users", "--include-superusers", "-o", "out.csv"]).expect(1);
    assert_eq!(room.table("out.csv").column("status"), ["succeeded", "failed", "succeeded", "succeeded"]);
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn a_limit_of_checked_users_makes_room_for_those_left_out() {
    let room = Room::new();
    let simulator = population(&room);
    room.write("users.csv", "user_id\nroot\nnobody\nana\nbo\ncy\n");
    room.reset(&simulator, &["users.csv", "--check-users", "--limit", "2", "-o", "out.csv"]);
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), ["excluded", "failed", "succeeded", "succeeded", "pending"]);
    // Nobody was reset whom the check had not seen.
    assert_eq!(simulator.seen().state["requests"]["get_user"], 4);
}

#[test]
fn a_check_keeps_to_the_quota_the_rate_and_the_deadline() {
    let room = Room::new();
    let simulator = Simulator::start(&["--quota", "8"]);
    room.roster("users.csv", 60);
    let check = ["users.csv", "--check-users", "--dry-run", "--rate", "unlimited"];
    Ran::of(room.unasked(&simulator, &check).output().unwrap()).expect(0).says("checked 60 users");
    let seen = simulator.seen();
    let asked = seen.state["requests"]["get_user"].as_u64().unwrap();
    // Each user costs one request, and what was refused is a small part.
    assert!((60..100).contains(&asked), "{asked} requests for 60 users: {}", seen.state);
    let slow = ["users.csv", "--check-users", "-o", "out.csv", "--rate", "2", "--deadline", "1s"];
    let ran = room.reset(&simulator, &slow).expect(3).says("stopped while users were checked").says("--deadline");
    assert_eq!(simulator.requests(), 0, "{ran}");
    assert!(simulator.seen().state["requests"]["get_user"].as_u64().unwrap() <= asked + 4);
}

#[test]
fn a_caller_who_may_not_look_resets_nobody() {
    let room = Room::new();
    let simulator = population(&room);
    room.write("users.csv", "user_id\nana\nbo\n");
    let mut job = room.job(&simulator, &["users.csv", "--check-users", "-o", "out.csv"]);
    job.env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDPLAINUSER");
    job.env("AWS_SECRET_ACCESS_KEY", "simulated/secret/of/a/plain/user/0000000");
    Ran::of(job.output().unwrap()).expect(3).says("refuses to tell of users");
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn a_run_outlives_the_credentials_that_finspace_issues() {
    let simulator = Simulator::start(&["--credential-life", "2s"]);
    let room = Room::new();
    let ids = room.roster("users.csv", 60);
    let words = ["users.csv", "-o", "out.csv", "--environment-id", "env", "--rate", "12"];
    room.reset(&simulator, &words).expect(0);
    let seen = simulator.seen();
    let table = room.table("out.csv");
    assert_eq!(table.column("status"), vec!["succeeded"; ids.len()]);
    assert_eq!(table.column("attempts"), vec!["1"; ids.len()]);
    // Five seconds of work on two-second credentials: they were issued anew.
    assert!(seen.state["requests"]["credentials"].as_u64() >= Some(2), "{}", seen.state["requests"]);
    for (id, password) in ids.iter().zip(table.column("temporary_password")) {
        assert_eq!(password, seen.current(id), "{id}");
    }
}
