//! The README tells the truth: its commands run, its tables are the program's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::{BIN, COLUMNS, Ran, Room, Simulator, closed_port, examples};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// A room with the samples in it.
fn room() -> Room {
    let room = Room::new();
    fs::create_dir(room.path("samples")).unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/samples")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), room.path("samples").join(entry.file_name())).unwrap();
    }
    room
}

/// The text below a heading, to the next one of whatever level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let from = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &text[from + heading.len() + 2..];
    &rest[..rest.find("\n#").unwrap_or(rest.len())]
}

/// The commands of the console blocks in a text.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| block.lines().filter_map(|line| line.strip_prefix("$ "))).collect()
}

/// The cells of the tables in a text, without their headers.
fn cells(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn the_first_command_resets_the_sample_roster() {
    let text = readme();
    let line = text.lines().find_map(|line| line.strip_prefix("$ cargo run --release -- ")).expect("the first command");
    let words: Vec<&str> = line.split_whitespace().collect();
    let room = room();
    for _ in 0..2 {
        room.run(&words).expect(0);
        assert!(room.table("results.csv").column("status").iter().all(|status| *status == "succeeded"));
    }
    assert_eq!(commands(&text)[1], "cargo test");
}

#[test]
fn the_end_of_the_service_is_told_in_the_first_screen() {
    let text = readme();
    let first_screen: String = text.lines().take(25).collect();
    for words in ["2026-10-07", "--endpoint-url", "What still works", "What does not", "cargo run --release --"] {
        assert!(first_screen.contains(words), "{words}");
    }
}

#[test]
fn every_sample_runs_as_its_row_says() {
    let text = readme();
    let commands = text.split('`').filter(|part| part.starts_with("finspace-reset run samples/"));
    let mut ran = 0;
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let room = room();
        let expected = i32::from(command.contains("bad-rows"));
        room.run(&words).expect(expected);
        assert!(room.exists("results.csv"), "{command}");
        ran += 1;
    }
    assert_eq!(ran, 6);
}

/// A shell in which the README's commands work: the program, the files that
/// they name, and a simulator at `$URL`.
struct Shell {
    room: Room,
    simulator: Simulator,
    /// A simulated user pool, where one is asked.
    pool: Option<Simulator>,
    key: String,
}

/// Users of the examples: those who leave, and those who stay.
const LEAVERS: [&str; 3] = ["ujzde8gxd6ncf10epf91dhodzd", "gone-1", "gone-2"];

impl Shell {
    fn new() -> Self {
        let room = room();
        let population = "user_id,status,type,last_login_time
ujzde8gxd6ncf10epf91dhodzd,DISABLED,APP_USER,\ngone-1,DISABLED,APP_USER,\ngone-2,DISABLED,APP_USER,
here-1,ENABLED,APP_USER,2026-01-02T08:00:00Z\nhere-2,ENABLED,APP_USER,2026-09-01T08:00:00Z
root,ENABLED,SUPER_USER,2026-10-01T08:00:00Z\nbreak-glass,ENABLED,APP_USER,\nu-1,ENABLED,APP_USER,2026-09-01T08:00:00Z\n";
        room.write("population.csv", population).write("break-glass.csv", "user_id\nbreak-glass\n");
        room.run(&["keygen", "-o", "somebody.txt"]).expect(0);
        let key =
            room.read("somebody.txt").lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
        room.write("keys.txt", format!("# those who may open it\n{key}\n"));
        let managers: Vec<String> = LEAVERS.iter().map(|user| format!("{user},lee\n")).collect();
        room.write("leavers.csv", format!("user_id,manager\n{}", managers.concat()));
        room.write("managers.csv", format!("manager,recipient\nlee,{key}\n"));
        fs::create_dir(room.path("bin")).unwrap();
        for (name, script) in [("finspace-reset", &*format!("exec {BIN} \"$@\"")), ("your-link-tool", "cat >linked")] {
            room.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
            fs::set_permissions(room.path(format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let simulator = Simulator::start(&["--users", room.path("population.csv").to_str().unwrap()]);
        Self { room, simulator, pool: None, key }
    }

    /// Types a command as somebody would who consents.
    fn typed(&self, command: &str) -> Ran {
        let mut command = command.replace("https://finspace.example.internal", &self.simulator.endpoint);
        command = command.replace("age1…", &self.key);
        let asks = !["--yes", "--confirm", "--dry-run", "--simulate"].iter().any(|flag| command.contains(flag));
        if command.contains("finspace-reset run ") && asks {
            command.push_str(" --yes");
        }
        // Programs of this machine stay reachable: the shell and its tools.
        let path = format!("{}:/usr/bin:/bin", self.room.path("bin").display());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &command]).current_dir(self.room.path("")).env_clear();
        shell.env("PATH", path).env("HOME", self.room.path("")).env("AWS_EC2_METADATA_DISABLED", "true");
        shell.env("FINSPACE_RESET_STATE_DIR", self.room.path("state"));
        shell.env("URL", &self.simulator.endpoint).env("AWS_REGION", "us-east-1");
        if let Some(pool) = &self.pool {
            shell.env("POOL", "us-east-1_Simulated").env("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &pool.endpoint);
        }
        shell.env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER");
        shell.env("AWS_SECRET_ACCESS_KEY", "simulated/secret/of/the/superuser/000000");
        Ran::of(shell.stdin(Stdio::null()).output().unwrap())
    }

    /// Types the commands of a section one after the other.
    fn walk(&self, heading: &str) {
        let text = readme();
        let commands = commands(section(&text, heading));
        assert!(!commands.is_empty(), "{heading}");
        let mut plan = String::new();
        for command in commands {
            let command = command.replace("PLAN", &plan);
            let batch =
                if command.contains("BATCH") || command.contains("THAT") { self.room.batch() } else { String::new() };
            let command = command.replace("BATCH", &batch).replace("THAT", &batch);
            let ran = self.typed(&command);
            assert_eq!(ran.code(), Some(0), "$ {command}\n{ran}");
            plan = ran.stdout.lines().find_map(|line| line.strip_prefix("plan ")).unwrap_or(&plan).trim().to_owned();
        }
    }

    fn seen(&self) -> Vec<String> {
        self.simulator.seen().users.keys().cloned().collect()
    }
}

#[test]
fn the_demo_is_three_commands() {
    let text = readme();
    assert_eq!(commands(section(&text, "## Demo")).len(), 3);
    let shell = Shell::new();
    // Its own key opens what it wrote.
    let demo = section(&text, "## Demo");
    let [keygen, run, decrypt] = commands(demo).try_into().expect("three commands");
    shell.typed(keygen).expect(0);
    let keys = shell.room.read("key.txt");
    let key = keys.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    shell.typed(&run.replace("age1…", key)).expect(0);
    let opened = shell.typed(decrypt).expect(0).stdout;
    assert_eq!(opened.lines().count(), 2, "{opened}");
    assert!(opened.contains("ujzde8gxd6ncf10epf91dhodzd,ana@example.com,succeeded,"), "{opened}");
}

#[test]
fn a_rehearsal_can_be_repeated() {
    let shell = Shell::new();
    shell.walk("### Rehearse");
    shell.walk("### Rehearse");
    assert_eq!(shell.seen(), [""; 0]);
}

#[test]
fn a_plan_that_was_looked_at_is_run() {
    let shell = Shell::new();
    shell.walk("### Look first, then run exactly that");
    assert_eq!(shell.seen(), ["gone-1", "gone-2", "ujzde8gxd6ncf10epf91dhodzd"]);
}

#[test]
fn the_commands_for_an_incident_reset_all_but_those_who_have_to_work() {
    let shell = Shell::new();
    shell.walk("### In an incident");
    assert_eq!(shell.seen(), ["here-1", "here-2", "u-1"]);
    assert!(shell.room.read("incident.html").contains("<html"));
    assert_eq!(shell.room.status()["state"], "closed");
}

#[test]
fn a_mended_roster_resets_nobody_twice() {
    let shell = Shell::new();
    shell.room.write("leavers-mended.csv", shell.room.read("leavers.csv"));
    shell.room.write("leavers.csv", shell.room.read("leavers.csv").replace("gone-2", "gone-z"));
    shell.typed("finspace-reset run leavers.csv -R keys.txt -o results.csv.age --endpoint-url $URL").expect(1);
    let again = "finspace-reset run leavers-mended.csv -R keys.txt -o mended.csv.age --endpoint-url $URL";
    shell.typed(again).expect(2).says(&format!("--batch {}", shell.room.batch()));
    shell.walk("### Mend the roster");
    assert_eq!(shell.simulator.seen().twice(), [""; 0]);
    assert_eq!(shell.seen(), ["gone-1", "gone-2", "ujzde8gxd6ncf10epf91dhodzd"]);
}

#[test]
fn everyone_but_some_is_one_line() {
    let shell = Shell::new();
    shell.walk("### Everyone but");
    // Break-glass never signed in either; nor did those who left.
    assert_eq!(shell.seen(), ["gone-1", "gone-2", "here-1", "ujzde8gxd6ncf10epf91dhodzd"]);
}

#[test]
fn a_user_pool_is_reset_with_the_same_commands() {
    let mut shell = Shell::new();
    shell.room.write("pool.csv", "username,email,status\nann,ann@x.org,\nbob,bob@x.org,\nbreak-glass,,\n");
    let users = shell.room.path("pool.csv");
    shell.pool = Some(Simulator::start(&["--service", "cognito", "--users", users.to_str().unwrap()]));
    shell.walk("## Cognito user pools");
    let seen = shell.pool.as_ref().unwrap().seen();
    assert_eq!(seen.users.keys().collect::<Vec<_>>(), ["ann", "bob"]);
    assert_eq!(shell.seen(), [""; 0], "nobody at FinSpace");
}

#[test]
fn users_are_checked_without_a_reset() {
    let shell = Shell::new();
    shell.walk("### Check users");
    assert_eq!(shell.seen(), [""; 0]);
}

#[test]
fn results_are_handed_over_as_the_recipes_say() {
    let shell = Shell::new();
    shell.typed("finspace-reset run leavers.csv -R keys.txt -o results.csv.age --endpoint-url $URL").expect(0);
    shell.room.write("key.txt", shell.room.read("somebody.txt"));
    shell.walk("## Hand-over");
    let password = shell.simulator.seen().current(LEAVERS[0]).replace('"', "\"\"");
    assert!(shell.room.read("linked").contains(&password));
    let files: Vec<_> =
        fs::read_dir(shell.room.path("for-managers")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let opened = shell.room.run(&["decrypt", files[0].to_str().unwrap(), "-i", "key.txt"]).expect(0).stdout;
    assert_eq!(opened.lines().count(), 1 + LEAVERS.len(), "{opened}");
}

#[test]
fn one_user_is_reset_as_the_aws_cli_did() {
    let shell = Shell::new();
    let text = readme();
    let [before, after] = commands(section(&text, "## Coming from the AWS CLI")).try_into().expect("two commands");
    let same =
        |command: &str, from: &str| command.split_once(from).unwrap().1.split('#').next().unwrap().trim().to_owned();
    assert_eq!(same(before, "aws finspace-data"), same(after, "finspace-reset"));
    let ran = shell.typed(after).expect(0);
    assert_eq!(ran.stdout.trim_end(), shell.simulator.seen().current("u-1"));
}

#[test]
fn the_simulator_takes_its_flags() {
    let text = readme();
    let simulator = section(&text, "## The simulator");
    let [command] = commands(simulator).try_into().expect("one command");
    let words: Vec<&str> = command.split_whitespace().skip(2).collect();
    assert!(Simulator::start(&words).endpoint.starts_with("http://"));
    let table = cells(simulator);
    let room = room();
    for flag in table.iter().skip(1).map(|row| row[0].trim_matches('`')) {
        let flag = flag.replace("FILE", room.path("samples/finspace-users.csv").to_str().unwrap());
        let words: Vec<&str> = flag.split_whitespace().collect();
        assert!(Simulator::start(&words).endpoint.starts_with("http://"), "{flag}");
    }
}

/// A real run without an endpoint goes to a host that is gone.
#[test]
fn every_real_use_names_its_endpoint() {
    let mut all: Vec<String> = commands(&readme()).into_iter().map(str::to_owned).collect();
    let room = Room::new();
    for page in [&["--help"][..], &["run", "--help"], &["list-users", "--help"]] {
        let help = room.run(page).expect(0).stdout;
        all.extend(examples(&help));
    }
    let mut real = 0;
    for example in all {
        for command in example.split('|').filter(|command| !command.contains("--simulate")) {
            if ["finspace-reset run", "finspace-reset list-users", "reset-user-password"]
                .iter()
                .any(|name| command.contains(name))
            {
                // A user pool lives at AWS.
                let alive = command.contains("--user-pool-id $POOL");
                assert!(alive || command.contains("--endpoint-url $URL"), "{example}");
                real += 1;
            }
        }
    }
    assert!(real > 15, "{real}");
    for recipe in ["```crontab\n", "```ini\n", "```yaml\n"] {
        let text = readme();
        let block = text.split(recipe).nth(1).unwrap().split("```").next().unwrap();
        assert!(block.contains("AWS_ENDPOINT_URL"), "{recipe}");
    }
}

#[test]
fn every_flag_and_command_is_the_program_s() {
    let room = Room::new();
    let text = readme();
    let mut known = BTreeSet::new();
    let commands = cells(section(&text, "### Commands"));
    for row in commands.iter().skip(1) {
        for name in row[0].split(", ").map(|command| command.trim_matches('`').split(' ').next().unwrap()) {
            let help = room.run(&[name, "--help"]);
            // The AWS CLI's command has its flags and no such page.
            let help = if name == "reset-user-password" { continue } else { help.expect(0).stdout };
            known.extend(
                help.split([' ', '\n', ',', '[', '`']).filter(|word| word.starts_with("--")).map(str::to_owned),
            );
        }
    }
    // Other programs', and the AWS CLI's own command's.
    let foreign = [
        "--release",
        "--locked",
        "--no-default-features",
        "--path",
        "--retry",
        "--user-id",
        "--query",
        "--output",
        "--debug",
    ];
    let foreign = foreign.into_iter().chain(["--cli-input-json", "--cli-input-yaml"]);
    known.extend(foreign.map(str::to_owned));
    let words = text.split(|byte: char| !(byte.is_ascii_alphanumeric() || byte == '-'));
    let flags = words.filter(|word| word.len() > 3 && word.starts_with("--") && !word.starts_with("---"));
    let unknown: BTreeSet<&str> = flags.filter(|flag| !known.contains(*flag)).collect();
    assert_eq!(unknown, BTreeSet::new());
}

#[test]
fn every_link_leads_somewhere() {
    let text = readme();
    let anchors: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace([',', '`', ':'], ""))
        .collect();
    for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.iter().any(|known| known == anchor), "{link}"),
            None if link.starts_with("https://") => {}
            None => assert!(fs::exists(format!("{}/{link}", env!("CARGO_MANIFEST_DIR"))).unwrap(), "{link}"),
        }
    }
}

#[test]
fn every_column_and_code_is_in_its_table() {
    let text = readme();
    for column in COLUMNS {
        assert!(text.contains(&format!("`{column}`")), "{column}");
    }
    let contract = ["| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 75 |", "| 130, 143 |"];
    for row in contract {
        assert!(text.contains(row), "{row}");
    }
    for status in ["succeeded", "failed", "unknown", "invalid", "duplicate", "earlier", "excluded", "pending"] {
        assert!(text.contains(&format!("| `{status}` |")), "{status}");
    }
}

/// Meets each error of the troubleshooting table as people do.
#[test]
fn every_error_in_troubleshooting_says_its_words() {
    let text = readme();
    let table = cells(section(&text, "## Troubleshooting"));
    let told: BTreeSet<&str> = table.iter().skip(1).map(|row| row[0].trim_matches('`')).collect();
    let shell = Shell::new();
    let run = |flags: &str| shell.typed(&format!("finspace-reset run leavers.csv --endpoint-url $URL {flags}"));
    let mut said = BTreeSet::new();
    let mut meet = |words: &'static str, code: i32, ran: Ran| {
        ran.expect(code).says(words);
        said.insert(words);
    };
    meet(
        "no region is set",
        2,
        shell.typed("AWS_REGION= finspace-reset run leavers.csv --dry-run --endpoint-url $URL"),
    );
    let unasked = "finspace-reset run leavers.csv -o x.csv --endpoint-url $URL # --yes";
    meet("no terminal to ask on", 2, shell.typed(unasked));
    shell.room.write("mine.csv", "precious\n");
    meet("exists and was not written by this batch", 2, run("-o mine.csv"));
    meet("nobody could open it", 2, run("-o x.csv.age"));
    let plan = run("-o r.csv.age -R keys.txt --limit 1 --dry-run").expect(0).stdout;
    let plan = plan.lines().find_map(|line| line.strip_prefix("plan ")).unwrap().trim().to_owned();
    meet("no longer holds", 2, run(&format!("-o r.csv.age -R keys.txt --confirm {plan}")));
    run("-o r.csv.age -R keys.txt --limit 1").expect(0);
    meet("belongs to the target", 2, run("-o r.csv.age -R keys.txt --region eu-west-1"));
    shell.typed("finspace-reset keygen -o other.txt").expect(0);
    meet("can't be decrypted", 2, shell.typed("finspace-reset decrypt r.csv.age -i other.txt"));
    let nowhere =
        format!("finspace-reset run leavers.csv --batch n -o n.csv --endpoint-url http://127.0.0.1:{}", closed_port());
    meet("gives no answer", 3, shell.typed(&nowhere));
    let stranger = "AWS_SECRET_ACCESS_KEY=wrong finspace-reset run leavers.csv --batch s -o s.csv --endpoint-url $URL";
    meet("refuses the caller", 3, shell.typed(stranger));
    let held = fs::File::create(shell.room.path("state/busy.lock")).unwrap();
    held.lock().unwrap();
    meet("is being worked on by", 75, run("--batch busy -o b.csv"));
    assert_eq!(said, told);
}
