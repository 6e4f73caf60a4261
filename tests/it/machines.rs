//! What machines read: JSON on every line, a schema in each document, and one
//! name for each thing.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{Ran, Room, Running, Simulator, Table};

/// Each line of standard error, which must be an object with the common fields.
#[track_caller]
fn objects(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{ran}"));
        for field in ["time", "level", "event", "message"] {
            assert!(object[field].is_string(), "no {field}: {line}");
        }
        assert_time(&object["time"]);
        object
    });
    lines.collect()
}

#[track_caller]
fn assert_time(time: &Value) {
    let time = time.as_str().unwrap_or_else(|| panic!("{time}"));
    assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
}

fn with_event<'a>(all: &'a [Value], event: &str) -> Vec<&'a Value> {
    all.iter().filter(|object| object["event"] == event).collect()
}

#[test]
fn each_line_is_an_object_whatever_happens() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\nmuch-too-long-to-be-a-user-of-ours\n\u{202e}bob\nann\n");
    let json = ["--log-format", "json", "--batch", "b"];
    let run =
        |output: &str, more: &[&str]| room.reset(&simulator, &[&["users.csv", "-o", output][..], &json, more].concat());
    let ran = run("out.csv", &["-vv"]).expect(1);
    let all = objects(&ran);
    let summary = with_event(&all, "summary");
    assert_eq!((summary.len(), &summary[0]["batch"], &summary[0]["run"]), (1, &"b".into(), &1.into()), "{ran}");
    assert!(summary[0]["message"].as_str().unwrap().contains("1 failed"), "{ran}");
    let log = with_event(&all, "log");
    assert!(log.iter().any(|line| line["user_id"] == "ann" && line["input_line"] == 2 && line["level"] == "debug"));
    assert!(log.iter().any(|line| line["error_code"] == "ResourceNotFoundException" && line["level"] == "warn"));
    assert!(!ran.stderr.contains("target") && !ran.stderr.contains("\u{202e}"), "{ran}");
    // What is wrong is an object, too, and a quiet run tells it.
    for more in [&["--region", "us east"][..], &["--exclude", "nothing.csv"], &["-r", "age1x"], &["-q", "-r", "age1x"]]
    {
        let all = objects(&run("other.csv.age", more).expect(2));
        assert_eq!(with_event(&all, "error").len(), 1, "{all:?}");
    }
    let usage = run("out.csv", &["--no-such-flag"]).expect(2);
    assert!(objects(&usage)[0]["message"].as_str().unwrap().contains("--no-such-flag"), "{usage}");
    let preview = Ran::of(
        room.unasked(&simulator, &[&["users.csv", "-n", "-o", "out.csv"][..], &json].concat()).output().unwrap(),
    );
    objects(&preview);
    room.write("good.csv", "user_id\nann\n");
    let quiet = ["good.csv", "-o", "q.csv", "-q", "--log-format", "json", "--batch", "q"];
    assert_eq!(room.reset(&simulator, &quiet).stderr, "");
}

#[test]
fn progress_is_told_in_numbers() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 25);
    let flags = ["users.csv", "-o", "out.csv", "--rate", "2", "--log-format", "json"];
    let all = objects(&room.reset(&simulator, &flags).expect(0));
    let progress = with_event(&all, "progress");
    assert!(!progress.is_empty() && progress[0]["users"] == 25 && progress[0]["succeeded"].is_u64(), "{all:?}");
}

#[test]
fn status_and_report_have_a_schema_and_the_names_of_the_results() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\nann\nbob\nmuch-too-long-to-be-a-user-of-ours\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "b"]).expect(1);
    let status = room.status();
    assert_eq!(status["schema"], "finspace-reset/status/1");
    assert_eq!(status["last_error"]["error_code"], "ResourceNotFoundException");
    assert_eq!(status["last_error"]["input_line"], 3);
    assert_eq!(status["counts"]["succeeded"], 2);
    for time in
        [&status["created_at"], &status["written_at"], &status["runs"][0]["started_at"], &status["runs"][0]["ended_at"]]
    {
        assert_time(time);
    }
    let report = |format: &str, output: &str| {
        room.run(&["report", "b", "--state-dir", "state", "--format", format, "-o", output]).expect(0)
    };
    let annex = Table::parse(report("csv", "-").stdout.as_bytes());
    let results = room.table("out.csv");
    assert_eq!(
        annex.header,
        ["user_id", "status", "reset_at", "request_id", "input_line", "error_code", "reset_again"]
    );
    for column in ["user_id", "status", "reset_at", "request_id", "input_line", "error_code"] {
        let same = annex.column(column).into_iter().zip(results.column(column));
        for (at, (ours, theirs)) in same.enumerate() {
            // What can't be sent is no user; its ID stands in the results as it was typed.
            assert!(
                ours == theirs || (column == "user_id" && annex.column("status")[at] == "invalid"),
                "{column} {ours}"
            );
        }
    }
    report("json", "annex.json");
    let json: Value = serde_json::from_str(&room.read("annex.json")).unwrap();
    assert_eq!((&json["schema"], json["users"].as_array().unwrap().len()), (&"finspace-reset/report/1".into(), 5));
    assert_eq!((&json["users"][0]["status"], &json["users"][0]["input_line"]), (&"succeeded".into(), &2.into()));
    assert_eq!(json["counts"], status["counts"]);
    for password in simulator.seen().passwords() {
        assert!(!room.read("annex.json").contains(password));
    }
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 2500);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "-vv"]);
    command.stderr(Stdio::from(writer));
    let run = Running::of(command);
    let ran = run.wait().expect(0);
    assert_eq!(room.table("out.csv").count("succeeded"), 2500, "{ran}");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.contains("user-0001"), "{text}");
}
