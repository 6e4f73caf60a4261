//! The README's table of JSON fields is the program's: none is missing, none is invented.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::common::{Room, Simulator, Table};

/// Adds the fields of a value: `counts.rows`, `causes[].users`.
fn fields(value: &Value, name: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() || name.ends_with('.') { "" } else { "." };
                fields(value, &format!("{name}{dot}{member}"), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                fields(item, &format!("{name}[]"), found);
            }
        }
        _ => drop(found.insert(name.to_owned())),
    }
}

/// The fields of each kind of JSON, as the README's table has them.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = text.split("\n### JSON\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [names, kinds, _] = cells[..] else { panic!("{row}") };
        for kind in kinds.split(", ") {
            let names = names.split(", ").map(|name| name.trim_matches('`').to_owned());
            told.entry(kind.to_owned()).or_default().extend(names);
        }
    }
    told
}

#[test]
fn every_field_is_in_the_readme() {
    let (simulator, room) = (Simulator::start(&[]), Room::new());
    room.write("users.csv", "user_id,boss\nann,lee\nmissing-bob,lee\nann,lee\nkeep,lee\n");
    room.write("keep.csv", "user_id\nkeep\n");
    room.run(&["keygen", "-o", "key.txt"]).expect(0);
    let key = room.read("key.txt").lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    room.write("keys.csv", format!("boss,recipient\nlee,{key}\n"));
    let command = &["users.csv", "--exclude", "keep.csv", "--summary"];
    let run = |flags: &[&str]| room.reset(&simulator, &[&command[..], flags].concat());
    run(&["run.json", "-o", "out.csv"]).expect(1);
    let handover =
        ["handover", "out.csv", "--by", "boss", "--keys", "keys.csv", "-o", "handed", "--state-dir", "state"];
    room.run(&handover).expect(0);
    let mut plan = room.unasked(&simulator, &[&command[..], &["plan.json", "-o", "out.csv", "--dry-run"]].concat());
    assert!(plan.output().unwrap().status.success());
    run(&["refused.json", "-o", "out.csv", "--no-headers", "--id-column", "9"]).expect(2);
    let json = |name: &str| serde_json::from_str::<Value>(&room.read(name)).unwrap();
    let status = room.run(&["status", "--state-dir", "state", "--format", "json"]).expect(0).stdout;
    let batch = room.batch();
    let report = |format: &str| {
        let flags = ["report", &batch, "-o", "-", "--state-dir", "state", "--format", format];
        room.run(&flags).expect(0).stdout
    };
    // Slow enough for a line of progress.
    let logged = ["log.json", "--batch", "logged", "-o", "logged.csv", "-vv", "--log-format", "json", "--rate", "5/m"];
    let log = run(&logged).expect(1);
    let lines = log.stderr.lines().map(|line| serde_json::from_str(line).unwrap());
    let kinds = [
        ("report", vec![serde_json::from_str(&report("json")).unwrap()]),
        ("log", lines.collect()),
        ("summary", vec![json("run.json"), json("refused.json")]),
        ("plan", vec![json("plan.json")]),
        ("status", vec![serde_json::from_str(&status).unwrap()]),
    ];
    let told = told();
    for (kind, values) in kinds {
        let mut found = BTreeSet::new();
        // `status` is a list of batches.
        for value in values.iter().flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice))
        {
            fields(value, "", &mut found);
        }
        assert_eq!(told[kind], found, "{kind}");
    }
    let columns: BTreeSet<String> = Table::parse(report("csv").as_bytes()).header.into_iter().collect();
    let users = told["report"].iter().filter_map(|field| field.strip_prefix("users[].")).map(str::to_owned);
    assert_eq!(columns, users.collect());
}
