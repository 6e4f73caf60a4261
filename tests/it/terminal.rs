//! On a terminal there is a bar and a question; off one, not a single control
//! character.

use std::process::Stdio;

use crate::common::{Ran, Room, Simulator, assert_true_and_once, converse, on_a_terminal, terminal};

const ESCAPE: char = '\u{1b}';

#[test]
fn a_terminal_shows_the_bar_and_then_the_summary() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 40);
    let command = room.job(&simulator, &["users.csv", "-o", "out.csv", "--rate", "40"]);
    let (code, shown) = on_a_terminal(command, &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains('━') && shown.contains(ESCAPE), "no bar: {shown:?}");
    for part in ["/40", "eta", "ok ", "failed 0", "retried", "throttled", "40 rows, 40 reset"] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    // The bar is gone when the summary comes.
    assert!(!shown[shown.find("40 rows").unwrap()..].contains('━'), "{shown:?}");
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
}

#[test]
fn no_color_is_kept() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 20);
    let colours = |shown: &str| shown.contains("\u{1b}[32m") || shown.contains("\u{1b}[33m");
    let run = |output: &str, no_color: Option<&str>| {
        let mut command =
            room.job(&simulator, &["users.csv", "-o", output, "--batch", &output[..1], "--rate", "40", "-v"]);
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        on_a_terminal(command, &[])
    };
    let (code, shown) = run("a.csv", None);
    assert!(code == Some(0) && colours(&shown), "{shown:?}");
    let (code, shown) = run("b.csv", Some("1"));
    assert!(code == Some(0) && !colours(&shown), "{shown:?}");
}

#[test]
fn the_question_wants_the_number_of_users() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let ask = |answer: &str| {
        let command = room.unasked(&simulator, &["users.csv", "-o", "out.csv"]);
        on_a_terminal(command, &[("Type 3 to go on", answer)])
    };
    for answer in ["4", "yes", "y", "", "3 3"] {
        let (code, shown) = ask(answer);
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains("3 users of us-east-1 http"), "{shown}");
        assert!(shown.contains("not confirmed; nothing was sent"), "{shown}");
        assert!(shown.contains("user-0001") && shown.contains(&simulator.endpoint), "no plan: {shown}");
    }
    assert_eq!(simulator.requests(), 0);
    assert!(!room.exists("out.csv"));
    let (code, shown) = ask("3");
    assert_eq!(code, Some(0), "{shown}");
    assert_true_and_once(&room.table("out.csv"), &simulator.seen());
    assert_eq!(simulator.requests(), 3);
}

#[test]
fn a_roster_on_standard_input_leaves_no_one_to_ask() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let (mut ours, theirs) = terminal();
    let mut command = room.unasked(&simulator, &["-", "-o", "out.csv"]);
    command.stdin(std::fs::File::open(room.path("users.csv")).unwrap());
    command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    let shown = converse(&mut ours, &[]);
    assert_eq!(child.wait().unwrap().code(), Some(2), "{shown}");
    assert!(shown.contains("--confirm PLAN or --yes"), "{shown}");
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn an_encrypted_table_does_not_garble_a_terminal() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let key = room.run(&["keygen", "-o", "key.txt"]).expect(0).stderr;
    let key = key.split_whitespace().last().unwrap();
    let refused = room.job(&simulator, &["users.csv", "-o", "-", "-r", key]);
    let (code, shown) = on_a_terminal(refused, &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("would garble the terminal") && shown.contains("--armor"), "{shown}");
    assert_eq!(simulator.requests(), 0);
    let (code, shown) = on_a_terminal(room.job(&simulator, &["users.csv", "-o", "-", "-a", "-r", key]), &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("-----BEGIN AGE ENCRYPTED FILE-----"), "{shown}");
}

#[test]
fn off_a_terminal_no_control_character_is_printed() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--faults", "error-after=0.3"]));
    room.write("users.csv", "user_id,x\nann,\nbob\nmissing-1,\n\u{1b}[31mred,\nbell\u{7},\nann,\n");
    for (number, progress) in ["auto", "bar", "log", "none"].into_iter().enumerate() {
        for (at, log) in ["text", "json"].into_iter().enumerate() {
            let batch = format!("b{number}{at}");
            let output = format!("{batch}.csv");
            let arguments =
                ["users.csv", "-o", &output, "--batch", &batch, "-vv", "--progress", progress, "--log-format", log];
            let preview = Ran::of(
                room.unasked(&simulator, &arguments).args(["--dry-run"]).env("TERM", "xterm").output().unwrap(),
            );
            let ran = Ran::of(room.job(&simulator, &arguments).env("TERM", "xterm").output().unwrap()).expect(1);
            for ran in [preview, ran] {
                for text in [&ran.stdout, &ran.stderr] {
                    let control = text.chars().find(|c| c.is_control() && *c != '\n');
                    assert_eq!(control, None, "{progress} {log}: {text:?}");
                }
            }
        }
    }
    let status = room.run(&["status", "--state-dir", "state"]).expect(0);
    assert!(!status.stdout.contains(|c: char| c.is_control() && c != '\n'), "{status}");
}

#[test]
fn quiet_prints_nothing_but_errors() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let ran = room.reset(&simulator, &["users.csv", "-o", "out.csv", "-q"]).expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    room.write("out2.csv", "precious");
    room.reset(&simulator, &["users.csv", "-o", "out2.csv", "-q", "--batch", "b"]).expect(2).says("error: ");
}

#[test]
fn quiet_tells_why_a_run_failed() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("users.csv", "user_id\nann\nmissing-1\n");
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "-q"]).expect(1).says("1 failed").says("ResourceNotFound");
    let stopped = ["users.csv", "-o", "late.csv", "-q", "--batch", "late", "--rate", "1", "--deadline", "0s"];
    room.reset(&simulator, &stopped).expect(3).says("stopped: ");
}

#[test]
fn bad_news_is_seen_whole_at_every_width() {
    let simulator = Simulator::start(&[]);
    for width in [60, 80, 120] {
        let room = Room::new();
        let users: Vec<String> =
            (0..40).map(|n| if n < 12 { format!("missing-{n}") } else { format!("u-{n}") }).collect();
        room.write("users.csv", format!("user_id\n{}\n", users.join("\n")));
        let (mut ours, theirs) = terminal();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&theirs, size).unwrap();
        let mut command = room.job(&simulator, &["users.csv", "-o", "out.csv", "--rate", "30"]);
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let mut child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop((command, theirs));
        let shown = converse(&mut ours, &[]);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{shown}");
        let frames: Vec<&str> = shown.split(['\r', '\n']).filter(|frame| frame.contains("/40")).collect();
        let last = frames.last().unwrap_or_else(|| panic!("{shown:?}"));
        for part in ["failed 12", "eta "] {
            assert!(last.contains(part), "{width}: {last:?}");
        }
        for frame in frames {
            let seen: String = frame
                .split('\u{1b}')
                .enumerate()
                .map(|(at, part)| match at {
                    0 => part.to_owned(),
                    _ => part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest).to_owned(),
                })
                .collect();
            assert!(seen.trim_end().chars().count() < usize::from(width), "{width}: {seen:?}");
        }
    }
}

#[test]
fn no_word_from_outside_moves_the_cursor() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let name = "us\u{1b}]0;owned\u{7}\u{202e}ers.csv";
    room.write(name, "user_id\nann\n");
    let ran = room.reset(&simulator, &[name, "-o", "o\u{1b}[2Jut.csv", "--batch", "b", "--exclude", "no\u{9b}31m.csv"]);
    let status = room.run(&["status", "b", "--state-dir", "state"]);
    let page = room.run(&["decrypt", "no\u{1b}[2J.age", "-i", "x"]);
    room.reset(&simulator, &[name, "-o", "o\u{1b}[2Jut.csv", "--batch", "b"]).expect(0).says("\\u{1b}[2J");
    let shown = room.run(&["status", "b", "--state-dir", "state"]).expect(0);
    assert!(shown.stdout.contains("\\u{1b}[2J"), "{shown}");
    for ran in [ran, status, page, shown] {
        for text in [&ran.stdout, &ran.stderr] {
            let odd = text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
            assert_eq!(odd, None, "{text:?}");
        }
    }
}
