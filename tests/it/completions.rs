//! What a Tab does, in the shells themselves.

use std::fs;
use std::process::{Command, Stdio};

use crate::common::{Room, converse, have, terminal};

/// A line as it is typed up to the Tab, and the words it must become. The files of the room are `roster-1.csv` and
/// `roster-2.csv`; in `folder` there is one, `only.csv`.
const TABS: &[(&str, &str)] = &[
    ("sta", "status"),
    ("run --dry", "run --dry-run"),
    ("run roster-1.csv --recipients-f", "run roster-1.csv --recipients-file"),
    ("run roster-1.csv --progress b", "run roster-1.csv --progress bar"),
    ("run roster-1", "run roster-1.csv"),
    ("run roster-1.csv --exclude roster-2", "run roster-1.csv --exclude roster-2.csv"),
    ("decrypt --passphrase-f", "decrypt --passphrase-file"),
    ("list-users --per", "list-users --permission-group"),
    ("reset-user-password --cli-input-y", "reset-user-password --cli-input-yaml"),
    ("completions fi", "completions fish"),
];

fn room(shell: &str) -> Room {
    let room = Room::new();
    for name in ["roster-1.csv", "roster-2.csv"] {
        room.write(name, "user_id\na\n");
    }
    fs::create_dir(room.path("folder")).unwrap();
    room.write("folder/only.csv", "user_id\na\n");
    room.write("script", room.run(&["completions", shell]).expect(0).stdout);
    room
}

/// Types a line and Tab for each of [`TABS`] on a terminal, and returns what the shell then called `finspace-reset` with.
/// Its prompt is `type: `.
fn typed(shell: &Command, tabs: &[(&str, &str)]) -> String {
    let lines: Vec<String> = tabs.iter().map(|(line, _)| format!("finspace-reset {line}\t ")).collect();
    let answers: Vec<(&str, &str)> =
        lines.iter().map(|line| ("type:", line.as_str())).chain([("type:", "exit")]).collect();
    let (mut ours, theirs) = terminal();
    let end = || Stdio::from(theirs.try_clone().unwrap());
    // A terminal without tricks, and an end to a shell that waits for something else.
    let mut bounded = Command::new("timeout");
    bounded.args(["--foreground", "60"]).arg(shell.get_program()).args(shell.get_args());
    bounded.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "dumb");
    bounded.current_dir(shell.get_current_dir().unwrap());
    let mut child = bounded.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop((bounded, theirs));
    let shown = converse(&mut ours, &answers);
    child.wait().unwrap();
    shown
}

#[test]
fn bash_completes_what_a_command_takes() {
    let room = room("bash");
    room.write("rc", "PS1='type: '\nfinspace-reset() { printf 'got<%s>\\n' \"$*\"; }\n. ./script\n");
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--rcfile", "rc", "-i"]).current_dir(room.path("")).env("HISTFILE", "/dev/null");
    let shown = typed(&shell, TABS);
    for (line, words) in TABS {
        assert!(shown.contains(&format!("got<{words}>")), "{line:?}\n{shown}");
    }
    // Nothing typed yet: a file is wanted, and there is only one.
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--rcfile", "../rc", "-i"]).current_dir(room.path("folder"));
    room.write("rc", room.read("rc").replace("./script", "../script"));
    let shown = typed(&shell, &[("run ", "run only.csv")]);
    assert!(shown.contains("got<run only.csv>"), "{shown}");
}

#[test]
fn zsh_completes_what_a_command_takes() {
    if !have(&["zsh"]) {
        return;
    }
    let room = room("zsh");
    room.write(
        ".zshrc",
        "PS1='type: '\nfinspace-reset() { printf 'got<%s>\\n' \"$*\"; }\n\
         autoload -Uz compinit\ncompinit -u -d ./dump\n. ./script\n",
    );
    let mut shell = Command::new("zsh");
    shell.args(["-d", "-i"]).current_dir(room.path("")).env("ZDOTDIR", room.path("")).env("HOME", room.path(""));
    let shown = typed(&shell, TABS);
    for (line, words) in TABS {
        assert!(shown.contains(&format!("got<{words}>")), "{line:?}\n{shown}");
    }
}

#[test]
fn fish_completes_what_a_command_takes() {
    if !have(&["fish"]) {
        return;
    }
    let room = room("fish");
    // clap_complete's Fish script leaves out the values that an argument without a flag takes.
    for (line, words) in TABS.iter().filter(|(line, _)| !line.starts_with("completions")) {
        let mut shell = Command::new("fish");
        shell.args(["--no-config", "--command"]).arg(format!(". ./script; complete -C 'finspace-reset {line}'"));
        shell.current_dir(room.path("")).env("HOME", room.path(""));
        let proposed = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        let last = words.rsplit(' ').next().unwrap();
        let there = proposed.lines().any(|proposal| proposal.split('\t').next() == Some(last));
        assert!(there, "{line:?}: {proposed}");
    }
}

#[test]
fn every_script_is_one_that_its_shell_reads() {
    let room = Room::new();
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        if have(&[shell]) {
            room.write("script", &room.run(&["completions", shell]).expect(0).stdout);
            let checked = Command::new(shell).args(check).arg(room.path("script")).output().unwrap();
            assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
        }
    }
}
