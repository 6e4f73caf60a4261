//! The main job, end to end: the built binary, a real socket, a simulator that
//! tells the truth afterwards.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::common::{
    COLUMNS, Ran, Room, Running, Simulator, Table, assert_true, assert_true_and_once, closed_port, wait_until,
};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn everyone_is_reset_once_and_gets_the_current_password() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let ids = room.roster("users.csv", 50);
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    assert_eq!(ran.stdout, "");
    let ran = ran.says("50 rows, 50 reset").says("out.csv").says("in the clear");
    assert!(!ran.stderr.contains("next:"), "{ran}");

    let table = room.table("out.csv");
    let mut header = vec!["user_id"];
    header.extend(COLUMNS);
    assert_eq!(table.header, header);
    assert_eq!(table.column("user_id"), ids);
    assert_eq!(table.count("succeeded"), 50);
    let seen = simulator.seen();
    assert_true_and_once(&table, &seen);
    assert_eq!((seen.requests, seen.users.len()), (50, 50));
    assert_eq!(fs::metadata(room.path("out.csv")).unwrap().permissions().mode() & 0o777, 0o600);

    for (line, row) in table.column("input_line").into_iter().enumerate() {
        assert_eq!(row, (line + 2).to_string());
    }
    assert!(table.column("attempts").iter().all(|attempts| *attempts == "1"));
    assert!(table.column("error_code").iter().chain(&table.column("error_message")).all(|text| text.is_empty()));
    assert!(table.column("request_id").iter().all(|id| id.len() == 36));
    for (at, expires) in table.column("reset_at").into_iter().zip(table.column("password_expires_at")) {
        let time = |text: &str| -> jiff::Timestamp {
            assert!(text.ends_with('Z'), "{text} is not UTC");
            text.parse().unwrap()
        };
        assert_eq!(time(expires).duration_since(time(at)), jiff::SignedDuration::from_hours(7 * 24));
    }
}

#[test]
fn each_row_comes_out_in_its_place_with_its_own_columns() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write(
        "staff.csv",
        "name,FinSpace Account,User-ID,note\n\
         Ann,x,ann,\"two\nlines\"\n\
         Bob,x,bob,\"a \"\"quote\"\", and a comma\"\n\
         Ann again,x,ann,\n\
         Nobody,x,,\n\
         Long,x,abcdefghijklmnopqrstuvwxyz0,\n\
         Dots,x,..,\n\
         Gone,x,missing-1,\n\
         Short,x,eve\n\
         Zoe,x,zoe,=1+1\n",
    );
    room.write("keep.csv", "user_id\nzoe\n");
    let ran = room.reset(&simulator, &["staff.csv", "-o", "out.csv", "--exclude", "keep.csv"]).expect(1);
    assert_eq!(ran.stdout, "");
    ran.says("9 rows, 2 reset, 1 failed, 4 invalid, 1 duplicate, 1 excluded")
        .says("staff.csv:6: the user ID is blank")
        .says("staff.csv:7: the user ID has 27 characters")
        .says("staff.csv:8: a user ID of . or ..")
        .says("staff.csv:10: the row has 3 fields where the header has 4");

    let table = room.table("out.csv");
    assert_eq!(table.header[..4], ["name", "FinSpace Account", "User-ID", "note"]);
    assert_eq!(table.header[4..], COLUMNS);
    assert_eq!(
        table.column("status"),
        ["succeeded", "succeeded", "duplicate", "invalid", "invalid", "invalid", "failed", "invalid", "excluded"]
    );
    assert_eq!(table.column("name"), ["Ann", "Bob", "Ann again", "Nobody", "Long", "Dots", "Gone", "Short", "Zoe"]);
    assert_eq!(table.column("note")[..2], ["two\nlines", "a \"quote\", and a comma"]);
    assert_eq!(table.column("note")[8], "=1+1");
    assert_eq!(table.column("input_line"), ["2", "4", "5", "6", "7", "8", "9", "10", "11"]);
    assert_eq!(
        table.column("error_code"),
        [
            "",
            "",
            "Duplicate",
            "InvalidUserId",
            "InvalidUserId",
            "InvalidUserId",
            "ResourceNotFoundException",
            "InvalidUserId",
            "Excluded"
        ]
    );
    assert_eq!(table.column("error_message")[2], "same user as line 2");
    assert_eq!(table.column("attempts"), ["1", "1", "0", "0", "0", "0", "1", "0", "0"]);
    let seen = simulator.seen();
    assert_true_and_once(&table, &seen);
    assert_eq!(seen.users.keys().collect::<Vec<_>>(), ["ann", "bob"]);
}

#[test]
fn user_ids_of_every_kind_arrive_as_they_are() {
    let ids = [
        "a/b",
        "a b",
        "100%",
        "%2F",
        "a+b",
        "é",
        "日本語",
        "a?b=c",
        "a#b",
        "a\"b",
        "a,b",
        "a'b",
        "a&b;c",
        "a\\b",
        "...",
        "a/../b",
        "a/.",
        "~x",
        "@x",
        "=1+1",
        "🦀",
        "(x)[y]{z}",
        "*",
        "x\u{301}",
        "a|b",
        "<a>",
    ];
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let mut csv = csv::Writer::from_path(room.path("users.csv")).unwrap();
    csv.write_record(["user_id"]).unwrap();
    for id in ids {
        csv.write_record([id]).unwrap();
    }
    csv.flush().unwrap();
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--delimiter", ","]).expect(0);
    let (table, seen) = (room.table("out.csv"), simulator.seen());
    assert_eq!(table.column("user_id"), ids);
    assert_true_and_once(&table, &seen);
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(seen.users.keys().collect::<Vec<_>>(), sorted);
}

#[test]
fn a_preview_sends_nothing_and_prints_a_command_that_works() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 7);
    let preview =
        Ran::of(room.unasked(&simulator, &["users.csv", "--dry-run", "-o", "out.csv"]).output().unwrap()).expect(0);
    assert_eq!(simulator.requests(), 0);
    for word in ["target", "identity", "to reset      7", "first users", "plan", "user-0001"] {
        assert!(preview.stdout.contains(word), "{word}: {preview}");
    }
    let table = room.table("out.csv");
    assert_eq!(table.header[1..], COLUMNS);
    assert_eq!((table.count("pending"), table.rows.len()), (7, 7));
    assert!(table.column("error_code").iter().all(|code| *code == "Preview"));

    let command =
        preview.stdout.lines().find_map(|line| line.trim().strip_prefix("finspace-reset ")).expect("a command");
    assert!(command.contains("--confirm "), "{command}");
    let words: Vec<&str> = command.split_whitespace().collect();
    let ran = room.run(&words).expect(0);
    assert_eq!(ran.stdout, "");
    let table_after = room.table("out.csv");
    assert_eq!(table_after.count("succeeded"), 7);
    assert_true_and_once(&table_after, &simulator.seen());
    assert_eq!(table_after.column("client_token"), table.column("client_token"));
}

#[test]
fn a_preview_without_an_output_writes_no_file() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let before = room.files();
    let ran = Ran::of(room.unasked(&simulator, &["users.csv", "--dry-run"]).output().unwrap()).expect(0);
    assert!(ran.stdout.contains("No reset was sent"), "{ran}");
    assert_eq!((simulator.requests(), room.files()), (0, before));
}

#[test]
fn a_plan_that_changed_since_its_preview_is_refused_with_what_changed() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let plan = |arguments: &[&str]| {
        let ran = Ran::of(room.unasked(&simulator, arguments).arg("--dry-run").output().unwrap()).expect(0);
        ran.stdout.lines().find_map(|line| line.strip_prefix("plan ")).unwrap().trim().to_owned()
    };
    let confirm = |arguments: &[&str], plan: &str| {
        Ran::of(room.unasked(&simulator, arguments).args(["-o", "out.csv", "--confirm", plan]).output().unwrap())
    };
    let first = plan(&["users.csv"]);
    confirm(&["users.csv", "--batch", "other"], &first).expect(2).says("the batch changed since the preview");
    confirm(&["users.csv", "--region", "eu-west-1"], &first).expect(2).says("the target changed since the preview");
    confirm(&["users.csv", "--limit", "1"], &first).expect(2).says("the progress or --limit changed since the preview");
    confirm(&["users.csv"], "yes").expect(2).says("\"yes\" is not a plan");
    room.write("users.csv", "user_id,note\nuser-0001,x\nuser-0002,\nuser-0003,\n");
    confirm(&["users.csv"], &first).expect(2).says("the roster changed since the preview");
    assert_eq!(simulator.requests(), 0);
    assert!(!room.exists("out.csv"));
    confirm(&["users.csv"], &plan(&["users.csv"])).expect(0);
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn nothing_is_sent_off_a_terminal_without_consent() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let ran = Ran::of(room.unasked(&simulator, &["users.csv", "-o", "out.csv"]).output().unwrap()).expect(2);
    ran.says("3 users would be reset and there is no terminal to ask on").says("--confirm PLAN or --yes");
    assert_eq!(simulator.requests(), 0);
    assert!(!room.exists("out.csv"));
}

#[test]
fn results_go_to_standard_output_where_asked_to() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 5);
    let ran = room.reset(&simulator, &["users.csv", "-o", "-"]).expect(0);
    let table = Table::parse(ran.stdout.as_bytes());
    assert_eq!(table.count("succeeded"), 5);
    assert_true_and_once(&table, &simulator.seen());
    assert!(!ran.stderr.contains(simulator.seen().current("user-0001")), "{ran}");
}

#[test]
fn a_roster_comes_in_by_a_pipe_too() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let mut child = room.job(&simulator, &["-", "-o", "out.csv"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"user_id\nann\nbob\n").unwrap();
    Ran::of(child.wait_with_output().unwrap()).expect(0);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert_eq!(room.table("out.csv").count("succeeded"), 2);
}

#[test]
fn the_summary_says_the_same_to_machines() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nann\nmissing-1\n\" \"\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--summary", "summary.json", "--batch", "b1"]).expect(1);
    let summary = json(&room.read("summary.json"));
    assert_eq!(summary["exit_code"], 1);
    assert_eq!(summary["batch"], "b1");
    assert_eq!(summary["closed"], false);
    assert_eq!(summary["stopped_because"], Value::Null);
    assert!(summary["output"].as_str().unwrap().ends_with("out.csv"), "{summary}");
    assert!(summary["target"].as_str().unwrap().contains(&simulator.endpoint), "{summary}");
    let counts = json(
        r#"{"rows":5,"succeeded":2,"failed":1,"unknown":0,"invalid":1,"duplicate":1,"excluded":0,"pending":0,"reset_again":0}"#,
    );
    assert_eq!(summary["counts"], counts);
    assert_eq!(summary["this_run"]["requests"], simulator.requests());
    assert_eq!(summary["this_run"]["succeeded"], 2);
    let text = room.read("summary.json");
    assert!(simulator.seen().passwords().all(|password| !text.contains(password)));
    assert!(!text.contains("simulated/secret"));
}

#[test]
fn a_limit_is_a_canary_and_the_next_run_goes_on_behind_it() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let ids = room.roster("users.csv", 10);
    let with_limit = &["users.csv", "-o", "out.csv", "--limit", "3"];
    room.reset(&simulator, with_limit).expect(0).says("10 rows, 3 reset, 7 pending").says("to go on with the rest");
    let table = room.table("out.csv");
    assert_eq!(table.column("status")[..4], ["succeeded", "succeeded", "succeeded", "pending"]);
    assert_eq!(simulator.requests(), 3);
    room.reset(&simulator, with_limit).expect(0);
    assert_eq!((simulator.requests(), room.table("out.csv").count("succeeded")), (6, 6));
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0).says("10 rows, 10 reset");
    let (table, seen) = (room.table("out.csv"), simulator.seen());
    assert_true_and_once(&table, &seen);
    assert_eq!((seen.requests, table.count("succeeded")), (10, ids.len()));
}

#[test]
fn a_limit_counts_only_the_users_it_let_through() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\nbob\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--limit", "1"]).expect(0);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--limit", "1"]).expect(1);
    assert_eq!(room.table("out.csv").column("status"), ["succeeded", "failed", "pending"]);
}

#[test]
fn a_run_stops_past_the_failures_it_may_have() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let ids: Vec<String> = (0..40).map(|number| format!("missing-{number}")).collect();
    room.write("users.csv", format!("user_id\n{}\n", ids.join("\n")));
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--max-failures", "2", "--concurrency", "1"])
        .expect(3)
        .says("more users failed than --max-failures allows")
        .says("next: run the same command again");
    let table = room.table("out.csv");
    assert_eq!((table.count("failed"), table.count("pending")), (3, 37));
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn a_deadline_ends_a_run_cleanly_and_the_next_one_goes_on() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 30);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--rate", "5", "--deadline", "3s"])
        .expect(3)
        .says("the time of --deadline is over")
        .says("next: run the same command again");
    let table = room.table("out.csv");
    assert!(table.count("pending") > 0);
    assert_eq!(table.count("succeeded") + table.count("pending"), 30);
    assert_true_and_once(&table, &simulator.seen());
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    let seen = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &seen);
    assert_eq!((seen.requests, room.table("out.csv").count("succeeded")), (30, 30));
}

#[test]
fn refused_credentials_stop_the_run_and_leave_everyone_pending() {
    let cases = [
        ("AKIASIMULATEDSUPERUSER", "wrong", "InvalidSignatureException"),
        ("AKIANOBODY", "wrong", "UnrecognizedClientException"),
        ("AKIASIMULATEDPLAINUSER", "simulated/secret/of/a/plain/user/0000000", "AccessDeniedException"),
    ];
    for (key, secret, code) in cases {
        let (room, simulator) = (Room::new(), Simulator::start(&[]));
        room.roster("users.csv", 30);
        let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "--concurrency", "4"]);
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        let ran = Ran::of(command.output().unwrap()).expect(3);
        assert!(!ran.stderr.contains(secret) || secret == "wrong", "{ran}");
        ran.says("stopped: the service refuses the caller").says(code);
        let table = room.table("out.csv");
        assert_eq!(table.count("succeeded"), 0);
        // Those whose requests were refused say so; nobody else was tried.
        assert!(table.count("failed") <= 4, "{code}: {:?}", table.column("status"));
        assert_eq!(table.count("failed") + table.count("pending"), 30);
        assert!(simulator.requests() <= 4);
        assert!(simulator.seen().users.is_empty());
        room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    }
}

#[test]
fn without_credentials_nothing_is_sent() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    Ran::of(command.output().unwrap()).expect(2).says("credentials");
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn an_endpoint_that_is_down_leaves_everyone_pending_until_it_is_back() {
    let room = Room::new();
    room.roster("users.csv", 20);
    let address = format!("127.0.0.1:{}", closed_port());
    let arguments = ["users.csv", "-o", "out.csv", "--yes"];
    let down = || room.at(&format!("http://{address}"), &arguments);
    let ran = Ran::of(down().args(["--max-attempts", "3"]).output().unwrap()).expect(3);
    ran.says("the endpoint gives no answer").says("--endpoint-url").says("20 rows, 0 reset, 20 pending");
    // Nobody answered: no results stand in the way, and the batch is bound to nothing.
    assert!(!room.exists("out.csv"));
    let forgotten = room.at(&format!("http://127.0.0.1:{}", closed_port()), &arguments);
    Ran::of({ forgotten }.args(["--max-attempts", "3"]).output().unwrap()).expect(3);

    let simulator = Simulator::start(&["--listen", &address]);
    Ran::of(down().output().unwrap()).expect(0);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert_eq!(room.table("out.csv").count("succeeded"), 20);
    let elsewhere = room.at(&format!("http://127.0.0.1:{}", closed_port()), &arguments);
    Ran::of({ elsewhere }.args(["--batch", &room.batch()]).output().unwrap()).expect(2).says("belongs to the target");
}

#[test]
fn a_file_that_the_batch_did_not_write_is_never_overwritten() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    room.write("out.csv", "precious\n");
    let arguments = &["users.csv", "-o", "out.csv"];
    room.reset(&simulator, arguments).expect(2).says("exists and was not written by this batch");
    assert_eq!((room.read("out.csv").as_str(), simulator.requests()), ("precious\n", 0));
    fs::remove_file(room.path("out.csv")).unwrap();
    room.reset(&simulator, arguments).expect(0);

    // Another batch's results are not this batch's to replace either.
    room.write("others.csv", "user_id\nzoe\n");
    let before = room.read("out.csv");
    room.reset(&simulator, &["others.csv", "-o", "out.csv"]).expect(2).says("not written by this batch");
    assert_eq!((room.read("out.csv"), simulator.requests()), (before, 3));
    // And a folder is no file, as a folder that is missing is none.
    fs::create_dir(room.path("folder.csv")).unwrap();
    room.reset(&simulator, &["others.csv", "-o", "folder.csv"]).expect(2).says("is not a regular file");
    room.reset(&simulator, &["others.csv", "-o", "nowhere/out.csv"]).expect(2).says("the output folder nowhere");
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn an_output_changed_by_hand_is_not_overwritten() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(1);
    let mut text = room.read("out.csv");
    text.push_str("a note\n");
    room.write("out.csv", &text);
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(2).says("not written by this batch");
    assert_eq!((room.read("out.csv"), simulator.requests()), (text, 2));
}

#[test]
fn a_finished_batch_sends_nothing_more() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 5);
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    let output = room.read("out.csv");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    assert_eq!(ran.stdout, "");
    ran.says("every user was reset before; nothing was sent").says("out.csv");
    assert_eq!((simulator.requests(), room.read("out.csv")), (5, output));
    // Its passwords are erased: another file can't be had of them.
    room.reset(&simulator, &["users.csv", "-o", "more.csv"]).expect(2).says("its passwords are erased");
    assert!(!room.exists("more.csv"));
    assert_eq!(simulator.requests(), 5);
}

#[test]
fn the_same_command_tries_the_failed_again_and_nobody_else() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\nbob\nmissing-2\n");
    let arguments = &["users.csv", "-o", "out.csv"];
    room.reset(&simulator, arguments)
        .expect(1)
        .says("4 rows, 2 reset, 2 failed")
        .says("next: a repeat does not help 2 users");
    let before = room.table("out.csv");
    assert_eq!(simulator.requests(), 4);
    room.reset(&simulator, arguments).expect(1);
    assert_eq!(simulator.requests(), 6);
    let after = room.table("out.csv");
    assert_eq!(after.rows[0], before.rows[0]);
    assert_eq!(after.column("attempts"), ["1", "2", "1", "2"]);
    // The whole of it goes to another file as well, while the batch is open.
    room.reset(&simulator, &["users.csv", "-o", "copy.csv"]).expect(1);
    assert_eq!(room.table("copy.csv").rows[0], before.rows[0]);
    assert_true_and_once(&room.table("copy.csv"), &simulator.seen());
}

#[test]
fn a_user_in_doubt_is_settled_by_the_same_token_without_a_new_reset() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "error-after=0.4,drop-after=0.3"]));
    room.roster("users.csv", 30);
    let arguments = &["users.csv", "-o", "out.csv", "--max-attempts", "1"];
    let mut runs = 0;
    loop {
        let ran = room.reset(&simulator, arguments);
        runs += 1;
        assert_true_and_once(&room.table("out.csv"), &simulator.seen());
        match ran.code() {
            Some(0) => break,
            // Nobody is `failed`: each of them may have been reset.
            // A run whose every answer is lost takes the endpoint for down.
            Some(1 | 3) => assert_eq!(room.table("out.csv").count("failed"), 0),
            _ => panic!("{ran}"),
        }
        ran.says("unknown").says("without a new reset");
    }
    assert!(runs > 1);
    assert_eq!(room.table("out.csv").count("succeeded"), 30);
    assert_eq!(simulator.seen().state["resets"], 30);
}

#[test]
fn answers_that_cannot_be_read_are_asked_for_again() {
    let faults = "truncate=0.08,garbage=0.08,empty=0.08,hang=0.02";
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", faults]));
    room.roster("users.csv", 60);
    let arguments = &["users.csv", "-o", "out.csv", "--read-timeout", "0.3", "--max-attempts", "50"];
    room.reset(&simulator, arguments).expect(0);
    let seen = simulator.seen();
    for fault in ["truncate", "garbage", "empty"] {
        assert!(seen.state["faults"][fault].as_u64().unwrap() > 0, "{}", seen.state);
    }
    assert_true_and_once(&room.table("out.csv"), &seen);
}

#[test]
fn a_replay_with_a_new_password_leaves_the_newest_in_the_table() {
    let flags = ["--new-password-on-replay", "--faults", "drop-after=0.1,error-after=0.1"];
    let (room, simulator) = (Room::new(), Simulator::start(&flags));
    room.roster("users.csv", 60);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--max-attempts", "50"]).expect(0);
    let seen = simulator.seen();
    assert!(seen.users.values().any(|user| user.passwords.len() > 1));
    assert_true(&room.table("out.csv"), &seen);
}

#[test]
fn a_throttled_user_uses_up_no_attempts() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--quota", "40"]));
    room.roster("users.csv", 80);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--max-attempts", "1"]).expect(0).says("throttled");
    let (table, seen) = (room.table("out.csv"), simulator.seen());
    assert!(seen.state["throttled"].as_u64().unwrap() > 0, "{}", seen.state);
    assert!(table.column("attempts").iter().all(|attempts| *attempts == "1"));
    assert_true_and_once(&table, &seen);
}

#[test]
fn a_rate_is_a_ceiling() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 45);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--rate", "20"]).expect(0);
    let most = simulator.seen().state["max_reset_requests_in_one_second"].as_u64().unwrap();
    assert!((1..=21).contains(&most), "{most} requests in one second");
}

#[test]
fn a_rehearsal_may_replace_a_rehearsals_output_and_nothing_else() {
    let room = Room::new();
    room.roster("users.csv", 5);
    let rehearse = || {
        room.run(&["run", "users.csv", "--simulate", "-o", "out.csv", "--state-dir", "state", "--rate", "unlimited"])
    };
    let mut outputs = Vec::new();
    for _ in 0..3 {
        rehearse().expect(0).says("5 rows, 5 reset");
        let table = room.table("out.csv");
        assert_eq!(table.count("succeeded"), 5);
        outputs.push(table);
    }
    assert_ne!(outputs[0].column("temporary_password"), outputs[1].column("temporary_password"));
    assert_eq!(outputs[0].column("client_token"), outputs[2].column("client_token"));
    room.write("out.csv", "precious\n");
    rehearse().expect(2).says("not written by this batch");
    assert_eq!(room.read("out.csv"), "precious\n");
    fs::remove_file(room.path("out.csv")).unwrap();

    // The results of a real run are the last thing that a rehearsal may touch.
    let simulator = Simulator::start(&[]);
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    let real = room.read("out.csv");
    rehearse().expect(2).says("not written by this batch");
    assert_eq!((room.read("out.csv"), simulator.requests()), (real, 5));
    // Nor does a real run take a rehearsal's output for its own.
    room.run(&["run", "users.csv", "--simulate", "-o", "play.csv", "--state-dir", "state", "--rate", "unlimited"])
        .expect(0);
    room.write("more.csv", "user_id\nzoe\n");
    room.reset(&simulator, &["more.csv", "-o", "play.csv"]).expect(2).says("not written by this batch");
}

#[test]
fn tokens_follow_from_target_batch_and_user_alone() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 4);
    let tokens = |arguments: &[&str], state: &str, output: &str| -> Vec<String> {
        let mut command = room.command(&["run", "users.csv", "--dry-run", "-o", output, "--state-dir", state]);
        Ran::of(command.args(arguments).output().unwrap()).expect(0);
        room.table(output).column("client_token").into_iter().map(str::to_owned).collect()
    };
    let here = ["--endpoint-url", simulator.endpoint.as_str()];
    let first = tokens(&here, "state-1", "1.csv");
    assert_eq!(first, tokens(&here, "state-2", "2.csv"));
    assert!(first.iter().all(|token| token.len() == 36 && &token[14..15] == "5"), "{first:?}");
    let others = [
        tokens(&[here[0], here[1], "--batch", "other"], "state-3", "3.csv"),
        tokens(&[here[0], here[1], "--region", "eu-west-1"], "state-4", "4.csv"),
        tokens(&["--simulate"], "state-5", "5.csv"),
    ];
    let mut all: Vec<String> = others.into_iter().flatten().chain(first).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 16);
}

#[test]
fn an_output_and_its_recipients_must_fit() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let key = room.run(&["keygen", "-o", "key.txt"]).expect(0);
    let key = key.stderr.split_whitespace().last().unwrap().to_owned();
    assert!(key.starts_with("age1"), "{key}");
    let refuse = |arguments: &[&str], words: &[&str]| {
        let mut ran = room.reset(&simulator, &[&["users.csv"], arguments].concat()).expect(2);
        assert_eq!(ran.stdout, "");
        for word in words {
            ran = ran.says(word);
        }
    };
    refuse(&["-o", "out.csv.age"], &["nobody could open it", "-r or -R, or use -p"]);
    refuse(&["-o", "out.csv", "-r", &key], &["out.csv is a plain CSV", "call it out.csv.age"]);
    refuse(&["-o", "out.txt"], &["ends in neither .csv nor .csv.age"]);
    refuse(&["-o", "out.csv", "-a"], &["-a/--armor is for encrypted output"]);
    refuse(&["-o", "out.csv.age", "-r", "age1nonsense"], &["age1nonsense"]);
    refuse(&["-o", "out.csv.age", "-R", "missing.txt"], &["missing.txt"]);
    room.write("empty.txt", "# nobody\n").write("pass.txt", "correct horse\n");
    refuse(&["-o", "out.csv.age", "-R", "empty.txt"], &["empty.txt"]);
    refuse(&["-o", "out.csv.age", "-r", &key, "--passphrase-file", "pass.txt"], &["passphrase"]);
    refuse(&[], &["--output"]);
    assert_eq!(simulator.requests(), 0);
    assert!(!room.exists("out.csv") && !room.exists("out.csv.age") && !room.exists("state"));

    room.reset(&simulator, &["users.csv", "-o", "out.csv.age", "-r", &key]).expect(0).says("finspace-reset decrypt");
    let opened = room.run(&["decrypt", "out.csv.age", "-i", "key.txt"]).expect(0);
    let table = Table::parse(opened.stdout.as_bytes());
    assert_eq!(table.count("succeeded"), 3);
    assert_true_and_once(&table, &simulator.seen());
}

#[test]
fn a_batch_belongs_to_its_target() {
    let (room, simulator, other) = (Room::new(), Simulator::start(&[]), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    room.reset(&other, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(2).says("batch b belongs to the target");
    assert_eq!((simulator.requests(), other.requests()), (2, 0));
}

#[test]
fn a_roster_that_grew_adds_its_users_and_one_that_shrank_keeps_their_history() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nmissing-1\n");
    let arguments = &["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, arguments).expect(1);
    room.write("users.csv", "user_id\nzoe\nann\nmissing-1\nbob\n");
    room.reset(&simulator, arguments).expect(1).says("1 user is new in batch b");
    assert_eq!(room.table("out.csv").column("status"), ["succeeded", "succeeded", "failed", "succeeded"]);
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, arguments).expect(1).says("2 users of batch b are no longer in users.csv");
    room.write("users.csv", "user_id\nann\nbob\nzoe\n");
    room.reset(&simulator, arguments).expect(0).says("3 rows, 3 reset");
    let seen = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &seen);
    assert_eq!(seen.requests, 3 + 2 + 1);
}

#[test]
fn status_tells_what_the_ledgers_know() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let status = |arguments: &[&str]| room.run(&[&["status", "--state-dir", "state"], arguments].concat());
    assert_eq!(status(&[]).expect(0).stdout, "no batches yet\n");
    status(&["nobody"]).expect(2).says("there is no batch nobody");
    room.write("users.csv", "user_id\nann\nmissing-1\n").write("more.csv", "user_id\nzoe\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "open-one"]).expect(1);
    room.reset(&simulator, &["more.csv", "-o", "more-out.csv", "--batch", "done"]).expect(0);

    let all = status(&[]).expect(0);
    let lines: Vec<Vec<&str>> = all.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["BATCH", "STATE", "ROWS", "RESET", "FAILED", "UNKNOWN", "PENDING", "TARGET"]);
    assert_eq!(lines[1][..7], ["done", "closed", "1", "1", "0", "0", "0"]);
    assert_eq!(lines[2][..7], ["open-one", "open", "2", "1", "1", "0", "0"]);

    let one = status(&["open-one"]).expect(0);
    for part in ["open-one", "reset        1", "failed       1", "out.csv", "ResourceNotFoundException", "exit 1"] {
        assert!(one.stdout.contains(part), "{part}: {one}");
    }
    let machine = json(&status(&["--format", "json"]).expect(0).stdout);
    assert_eq!(machine[0]["batch"], "done");
    assert_eq!(machine[0]["state"], "closed");
    assert_eq!(machine[1]["counts"]["failed"], 1);
    assert_eq!(machine[1]["last_error"]["input_line"], 3);
    assert_eq!(machine[1]["runs"][0]["exit_code"], 1);
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn a_closed_batch_keeps_its_history_and_no_password() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    let arguments = &["users.csv", "-o", "out.csv", "--batch", "b"];
    room.reset(&simulator, arguments).expect(1);
    assert!(room.exists("state/b.key"));
    room.run(&["close", "b", "--state-dir", "state"]).expect(0).says("batch b is closed").says("1 user is still to do");
    assert!(!room.exists("state/b.key"));
    room.run(&["close", "b", "--state-dir", "state"]).expect(0);
    room.run(&["close", "nobody", "--state-dir", "state"]).expect(2).says("there is no batch nobody");
    room.reset(&simulator, arguments).expect(2).says("batch b was closed at").says("users still to do (1)");
    assert_eq!((room.status()["state"].as_str(), simulator.requests()), (Some("closed"), 2));
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_run_may_close_its_batch_whatever_failed() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b", "--close"]).expect(1);
    let told = ran.says("a repeat does not help 1 user").says("run it with --batch b and another --output").stderr;
    assert!(!told.contains("the same command") && !told.contains("goes on"), "{told}");
    assert!(!room.exists("state/b.key"));
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn a_reader_that_leaves_ends_the_run_as_a_signal_does() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 200);
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "--rate", "40", "-vv"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stderr(writer);
    let running = Running::of(command);
    wait_until("the first requests", || simulator.requests() > 0);
    drop(reader);
    let ran = running.wait();
    assert_eq!(ran.code(), Some(143), "{ran}");
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(0);
    let seen = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &seen);
    assert_eq!(seen.requests, 200);
}

#[test]
fn a_closed_batch_that_was_named_goes_on_with_new_users() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\n");
    let night = |output: &str| {
        room.reset(&simulator, &["users.csv", "-o", output, "--batch", "leavers", "--summary", "run.json"])
    };
    night("1.csv").expect(0);
    room.write("users.csv", "user_id\nann\ncid\nbob\n");
    // The first night's file holds the only copy of its passwords.
    night("1.csv").expect(2);
    assert_eq!(simulator.requests(), 2);
    night("2.csv").expect(0);
    let (first, second, seen) = (room.table("1.csv"), room.table("2.csv"), simulator.seen());
    assert_eq!(second.column("status"), ["earlier", "succeeded", "earlier"]);
    assert!(second.column("error_message")[0].contains("1.csv"), "{second:?}");
    assert_eq!(second.column("temporary_password")[1], seen.current("cid"));
    assert_eq!((second.column("temporary_password")[0], second.column("temporary_password")[2]), ("", ""));
    let passwords = first.column("temporary_password");
    assert_eq!(passwords, [seen.current("ann"), seen.current("bob")]);
    assert_eq!((seen.requests, seen.twice().len()), (3, 0));
    let summary: serde_json::Value = serde_json::from_str(&room.read("run.json")).unwrap();
    assert_eq!(summary["meaning"], "every user of the roster is reset (3, 2 of them by an earlier run)");
    // The preview tells of all rows, and the annex of all resets.
    room.write("more.csv", "user_id\nann\ncid\nbob\ndan\n");
    let words = ["more.csv", "--batch", "leavers", "--dry-run"];
    let plan = Ran::of(room.unasked(&simulator, &words).output().unwrap()).expect(0).stdout;
    for part in ["rows          4\n", "to reset      1\n", "already done  1\n", "earlier       2 more were reset"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let annex = room.run(&["report", "leavers", "--format", "csv", "-o", "-", "--state-dir", "state"]).expect(0).stdout;
    let annex = crate::common::Table::parse(annex.as_bytes());
    assert_eq!(annex.column("status"), ["earlier", "succeeded", "earlier"]);
    assert_eq!(annex.column("reset_at"), second.column("reset_at"));
    assert!(annex.column("reset_at").iter().all(|at| at.ends_with('Z')), "{annex:?}");
    night("3.csv").expect(0).says("every user was reset before");
    assert!(!room.exists("3.csv"));
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn a_mended_roster_resets_nobody_again() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nbob\nmissing-typo\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(1);
    let batch = room.batch();
    room.write("users.csv", "user_id\nann\nbob\ncid\n");
    let refused = room.reset(&simulator, &["users.csv", "-o", "out.csv"]).expect(2);
    refused.says("2 ").says(&format!("--batch {batch}"));
    assert_eq!(simulator.requests(), 3);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", &batch]).expect(0);
    let seen = simulator.seen();
    assert_true_and_once(&room.table("out.csv"), &seen);
    assert_eq!((seen.requests, room.table("out.csv").count("succeeded")), (4, 3));
}
