//! What users of good command-line tools expect: help, man pages, completions,
//! versions, suggestions, colours only where they are wanted.

use std::process::{Command, Stdio};

use crate::common::{BIN, Ran, Room, Simulator, Table, closed_port, converse, examples, have, terminal};

#[test]
fn help_is_short_or_long() {
    let room = Room::new();
    let short = room.run(&["run", "-h"]).expect(0).stdout;
    let long = room.run(&["run", "--help"]).expect(0).stdout;
    assert!(short.len() < long.len() && !short.contains("break-glass") && long.contains("break-glass"));
    let all = room.run(&["--help"]).expect(0).stdout;
    for heading in ["Rehearse", "In an incident", "When something went wrong", "Afterwards"] {
        assert!(all.contains(heading), "{all}");
    }
}

#[test]
fn every_example_of_the_help_can_be_typed() {
    let room = Room::new();
    let mut found = 0;
    for page in [&["--help"][..], &["run", "--help"]] {
        let help = room.run(page).expect(0).stdout;
        for example in examples(&help) {
            // An unknown flag among the known ones is all that clap may complain about.
            let mut words: Vec<&str> = example.split_whitespace().skip(1).collect();
            words.push("--no-such-flag");
            let ran = room.run(&words);
            assert!(matches!(ran.code(), Some(2 | 252)), "{words:?}\n{ran}");
            assert!(ran.stderr.contains("--no-such-flag"), "{words:?}\n{ran}");
            found += 1;
        }
    }
    assert!(found > 12, "{found}");
}

#[test]
fn mistakes_are_met_with_a_suggestion() {
    let room = Room::new();
    room.run(&["run", "users.csv", "--ouput", "x.csv"]).expect(2).says("--output");
    room.run(&["rum"]).expect(2).says("run");
    room.run(&["man", "rum"]).expect(2).says("finspace-reset --help");
}

#[test]
fn flags_of_other_tools_are_met_with_the_flag_that_does_it() {
    let room = Room::new();
    room.roster("users.csv", 1);
    let told = |flag: &str| room.run(&["run", "users.csv", "-o", "out.csv", flag]).expect(2);
    for (typed, tip) in [
        ("--force", "--yes goes without asking"),
        ("--json", "--summary FILE"),
        ("--workers", "--concurrency N"),
        ("--timeout", "--deadline DURATION"),
        ("--resume", "the same command again"),
        ("-j", "--concurrency N"),
    ] {
        told(typed).says(&format!("unexpected argument '{typed}'")).says(tip);
    }
    let ran = told("--frobnicate");
    assert!(!ran.stderr.contains("as a value"), "{ran}");
    // Another command has none of them.
    let ran = room.run(&["close", "batch", "--workers"]).expect(2);
    assert!(!ran.stderr.contains("tip"), "{ran}");
}

#[test]
fn a_value_that_cannot_be_is_answered_with_those_that_can() {
    let room = Room::new();
    room.roster("users.csv", 1);
    for (flag, value, told) in [
        ("--limit", "all", "a whole number, 1 or more"),
        ("--limit", "0", "a whole number, 1 or more"),
        ("--limit", "-3", "a whole number, 1 or more"),
        ("--concurrency", "0", "a whole number from 1 to 4096"),
        ("--max-attempts", "1e3", "a whole number from 1 to 1000"),
        ("--max-failures", "150%", "a percentage below 100"),
        ("--rate", "-1", "a number a second (5, 0.5)"),
        ("--rate", "5/d", "an hour (100/h)"),
        ("--deadline", "-5m", "a duration like"),
        ("--read-timeout", "-1", "a number of seconds"),
    ] {
        let ran = room.run(&["run", "users.csv", "-o", "out.csv", flag, value]).expect(2);
        ran.says(&format!("invalid value '{value}' for '{flag}")).says(told);
    }
}

#[test]
fn a_site_sets_its_endpoint_rate_keys_and_exceptions_once() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let key = room.run(&["keygen", "-o", "key.txt"]).expect(0).stderr;
    let key = key.split_whitespace().find(|word| word.starts_with("age1")).expect("a public key");
    room.roster("users.csv", 4);
    room.write("keys.txt", format!("{key}\n"))
        .write("vip.csv", "user_id\nuser-0002\n")
        .write("more.csv", "user_id\nuser-0003\n");
    let run = |flags: &[&str]| {
        let mut command = room.command(&["run", "users.csv", "--state-dir", "state", "--yes"]);
        command
            .env("FINSPACE_RESET_ENDPOINT_URL", &simulator.endpoint)
            .env("FINSPACE_RESET_RATE", "unlimited")
            .env("FINSPACE_RESET_RECIPIENTS_FILE", "keys.txt")
            .env("FINSPACE_RESET_EXCLUDE", "vip.csv")
            .args(flags);
        command
    };
    let ran = |command: &mut Command| Ran::of(command.output().unwrap());
    // A list on the command line adds to the site's: nobody is left unprotected.
    ran(run(&["-o", "out.csv.age", "--exclude", "more.csv"]).env("FINSPACE_RESET_RATE", "")).expect(0);
    let reset: Vec<String> = simulator.seen().users.keys().cloned().collect();
    assert_eq!(reset, ["user-0001", "user-0004"]);
    let opened = room.run(&["decrypt", "out.csv.age", "-i", "key.txt", "-o", "-"]).expect(0).stdout;
    assert_eq!(Table::parse(opened.as_bytes()).count("succeeded"), 2);
    // A name that says plain stays plain, and a flag beats its variable.
    ran(&mut run(&["-o", "out.csv", "--batch", "again"])).expect(0);
    assert_eq!(room.table("out.csv").count("succeeded"), 3);
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    ran(&mut run(&["-o", "x.csv", "--batch", "third", "--endpoint-url", &nowhere])).expect(3);
    ran(run(&["-o", "x.csv"]).env("FINSPACE_RESET_RATE", "fast")).expect(2).says("FINSPACE_RESET_RATE is \"fast\"");
    ran(run(&["-o", "x.csv"]).env("FINSPACE_RESET_EXCLUDE", "none.csv")).expect(2).says("none.csv");
}

#[test]
fn an_appended_n_sends_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 2);
    Ran::of(room.job(&simulator, &["users.csv", "-o", "out.csv", "-n"]).output().unwrap()).expect(0);
    Ran::of(room.unasked(&simulator, &["users.csv", "-o", "out.csv", "--confirm", "other", "-n"]).output().unwrap())
        .expect(0);
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn the_version_names_the_commit() {
    let room = Room::new();
    let version = room.run(&["--version"]).expect(0).stdout;
    let rest = version.trim().strip_prefix(concat!("finspace-reset ", env!("CARGO_PKG_VERSION"))).expect("a version");
    let source = env!("CARGO_MANIFEST_DIR");
    let commit = Command::new("git").args(["-C", source, "rev-parse", "--short=12", "HEAD"]).output();
    let commit =
        commit.ok().filter(|answer| answer.status.success() && std::path::Path::new(source).join(".git").exists());
    match commit {
        None => assert_eq!(rest, ""),
        Some(answer) => {
            let commit = String::from_utf8(answer.stdout).unwrap();
            assert!(rest.starts_with(&format!(" ({}, 20", commit.trim())), "{version}");
        }
    }
}

#[test]
fn every_command_has_a_man_page_and_a_completion() {
    let room = Room::new();
    room.run(&["man", "-o", "man"]).expect(0);
    let main = room.read("man/finspace-reset.1");
    assert!(main.contains(".TH"), "{main}");
    let commands = [
        "run",
        "status",
        "close",
        "report",
        "simulator",
        "decrypt",
        "keygen",
        "list-users",
        "reset-user-password",
        "completions",
        "man",
    ];
    for command in commands {
        let page = room.run(&["man", command]).expect(0).stdout;
        assert!(page.contains(".TH") && page.contains("SYNOPSIS"), "{page}");
        assert!(room.exists(&format!("man/finspace-reset-{command}.1")), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = room.run(&["completions", shell]).expect(0).stdout;
        for command in commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    room.write("file", "").run(&["man", "-o", "file"]).expect(2).says("file");
}

/// A man page as a person sees it, in so many columns.
fn rendered(room: &Room, command: &[&str], columns: &str) -> String {
    room.write("page.1", room.run(&[&["man"], command].concat()).expect(0).stdout);
    let mut man = Command::new("man");
    man.args(["--local-file", "page.1"]).current_dir(room.path("")).env("MANWIDTH", columns).env("LC_ALL", "C.UTF-8");
    let shown = man.env("MANPAGER", "cat").env_remove("MAN_KEEP_FORMATTING").output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn man_pages_have_what_people_look_for() {
    if !have(&["man"]) {
        return;
    }
    let room = Room::new();
    let page = rendered(&room, &["run"], "78");
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "VERSION"] {
        assert!(page.lines().any(|line| line == section), "{section}\n{page}");
    }
    for word in ["FINSPACE_RESET_STATE_DIR", "AWS_ENDPOINT_URL", "BATCH.ledger", "~/.aws/config", "130, 143"] {
        assert!(page.contains(word), "{word}\n{page}");
    }
    // Each command of the help's examples stands on a line of its own, however narrow the page.
    for command in [&[][..], &["run"]] {
        let help = room.run(&[command, &["--help"]].concat()).expect(0).stdout;
        let page = rendered(&room, command, "60");
        let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  finspace-reset ")).collect();
        assert!(examples.len() > 3, "{help}");
        for example in examples {
            assert!(page.lines().any(|line| line.trim().starts_with(example.trim())), "{example}\n{page}");
        }
    }
    let page = rendered(&room, &["reset-user-password"], "78");
    // Anywhere else it may stand: in the commit that the version names, for one.
    let is_a_code = |code: &str| page.lines().any(|line| line.split_whitespace().next() == Some(code));
    assert!(is_a_code("252") && page.contains("NOTES") && !is_a_code("75"), "{page}");
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let shown = |name: &str, value: &str| {
        let (mut ours, theirs) = terminal();
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let mut command = Command::new(BIN);
        command.arg("--help").env_remove("NO_COLOR").env("TERM", "xterm").env(name, value);
        let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(command);
        drop(theirs);
        let shown = converse(&mut ours, &[]);
        child.wait().unwrap();
        shown.contains('\u{1b}')
    };
    assert!(shown("UNRELATED", "1"));
    assert!(!shown("NO_COLOR", "1"));
    assert!(!shown("CLICOLOR", "0"));
}

#[test]
fn a_command_line_that_can_not_be_read_has_a_summary_too() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 1);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--summary", "run.json"]).expect(0);
    for flags in [&["--summary", "run.json", "--deadline", "soon"][..], &["--no-such-flag", "--summary=run.json"]] {
        room.reset(&simulator, &[&["users.csv", "-o", "out.csv"], flags].concat()).expect(2);
        let told: serde_json::Value = serde_json::from_str(&room.read("run.json")).unwrap();
        assert_eq!(told["exit_code"], 2, "{told}");
        assert!(
            told["error"]
                .as_str()
                .unwrap()
                .contains(flags.iter().find(|flag| flag.contains("--no") || flag.contains("soon")).unwrap()),
            "{told}"
        );
    }
    // A file of somebody else's is not replaced for it.
    room.write("notes.json", "mine");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--summary", "notes.json", "--rate", "x"]).expect(2);
    assert_eq!(room.read("notes.json"), "mine");
}
