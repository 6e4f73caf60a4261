//! The README's scheduling recipes, night after night.
//!
//! The commands are read from the README and run as cron, systemd and Kubernetes
//! would run them; only folders, the endpoint and the programs for the alarm and
//! the ping stand elsewhere. A later night is made by moving the ledger's times
//! back.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{BIN, Ran, Room, Simulator, Table, closed_port};

/// The first block of this kind in the README.
fn recipe(kind: &str) -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = text.split(&format!("```{kind}\n")).nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("no recipe for {kind}")).to_owned()
}

/// What a scheduler runs each night.
struct Job {
    command: String,
    env: Vec<(String, String)>,
    stdin: Option<String>,
    output: &'static str,
    summary: &'static str,
    /// Whether the command pings after success, and prints on failure alone.
    is_whole: bool,
}

fn cron() -> Job {
    let text = recipe("crontab");
    let lines = || text.lines().filter(|line| !line.starts_with('#'));
    let is_env = |line: &&str| line.split_once('=').is_some_and(|(name, _)| !name.contains([' ', '*']));
    let env = lines().filter(is_env).map(|line| line.split_once('=').unwrap());
    let line = lines().find(|line| !is_env(line)).expect("a line with a command");
    // Five fields of time and the user come first.
    let command = line.split_whitespace().skip(6).collect::<Vec<_>>().join(" ");
    assert!(!command.replace("\\%", "").contains('%'), "a bare % ends the command");
    Job {
        command: command.replace("\\%", "%"),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        stdin: None,
        output: "/srv/leavers/results-{date}.csv.age",
        summary: "/srv/leavers/summary.json",
        is_whole: true,
    }
}

fn systemd() -> Job {
    let text = recipe("ini");
    let service = text.split("# /etc/systemd/system/").nth(1).expect("a service");
    let all =
        |key: &str| service.lines().filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect::<Vec<_>>();
    let one = |key: &str| all(key).into_iter().next().unwrap_or_else(|| panic!("no {key}"));
    // The specifiers of the unit, and the credential where it was loaded from.
    let specified = |text: &str| text.replace("%S/", "/var/lib/").replace("%d/aws", "/etc/finspace-reset/credentials");
    let env = all("Environment=").into_iter().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), specified(value))
    });
    let ping = one("ExecStartPost=-");
    let run = one("ExecStart=").replace("%%", "%").replace("$$", "$");
    Job {
        command: format!("{run} && {ping}"),
        env: env.collect(),
        stdin: Some(one("StandardInput=file:")),
        output: "/var/lib/finspace-reset/results/{date}.csv.age",
        summary: "/var/lib/finspace-reset/results/summary.json",
        is_whole: true,
    }
}

fn kubernetes() -> Job {
    let text = recipe("yaml");
    let arguments = text.split_once("args: [").and_then(|(_, rest)| rest.split_once(']')).expect("arguments").0;
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let env = text.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("- { name: ")?.strip_suffix(" }")?.split_once(", value: ")?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    Job {
        command: format!("exec /usr/bin/finspace-reset {}", arguments.join(" "))
            .replace("$(JOB)", "leavers-$(date +%F)"),
        env: env.collect(),
        stdin: None,
        output: "/leavers/results-leavers-{date}.csv.age",
        summary: "/leavers/summary.json",
        is_whole: false,
    }
}

/// A machine with a scheduled job.
struct Site {
    room: Room,
    simulator: Simulator,
    endpoint: String,
    job: Job,
}

/// A night's end.
struct Night {
    ran: Ran,
    summary: Value,
    output: String,
    pings: usize,
}

impl Site {
    fn new(job: Job) -> Self {
        let simulator = Simulator::start(&[]);
        let site = Self { room: Room::new(), endpoint: simulator.endpoint.clone(), simulator, job };
        let folders =
            ["srv/leavers", "etc/finspace-reset", "var/lib/finspace-reset/results", "leavers", "config", "bin"];
        for folder in folders.into_iter().chain(["state"]) {
            fs::create_dir_all(site.room.path(folder)).unwrap();
        }
        site.room.run(&["keygen", "-o", "key.txt"]).expect(0);
        let keys = site.room.read("key.txt");
        let key = keys.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        for folder in ["etc/finspace-reset", "config"] {
            site.room.write(&format!("{folder}/keys.txt"), key);
            site.room.write(&format!("{folder}/break-glass.csv"), "user_id\nbreak-glass\n");
        }
        let credentials = "[default]\naws_access_key_id = AKIASIMULATEDSUPERUSER\naws_secret_access_key = simulated/secret/of/the/superuser/000000\n";
        site.room.write("etc/finspace-reset/credentials", credentials);
        site.program("finspace-reset", &format!("exec {BIN} \"$@\""));
        site.program("curl", "echo \"$@\" >> pings");
        site
    }

    fn program(&self, name: &str, script: &str) {
        self.room.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.room.path(format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the recipe says, where this machine has it.
    fn here(&self, text: &str) -> String {
        let root = self.room.path("").display().to_string();
        let mut text = text.replace("https://finspace.example.internal", &self.endpoint);
        for folder in ["/srv/", "/etc/finspace-reset/", "/var/lib/"] {
            text = text.replace(folder, &format!("{root}{}", &folder[1..]));
        }
        for program in ["finspace-reset", "curl"] {
            text = text.replace(&format!("/usr/bin/{program}"), &format!("{root}bin/{program}"));
        }
        for folder in ["/leavers/", "/config/", "/state/"] {
            text = text.replace(&format!(" {folder}"), &format!(" {root}{}", &folder[1..]));
            if let Some(rest) = text.strip_prefix(folder) {
                text = format!("{root}{}{rest}", &folder[1..]);
            }
        }
        text
    }

    /// Writes the list, and runs the job in the night of `date`.
    fn night(&self, date: &str, users: &[&str]) -> Night {
        let list = format!("user_id\n{}", users.iter().map(|user| format!("{user}\n")).collect::<String>());
        for folder in ["srv/leavers", "leavers"] {
            self.room.write(&format!("{folder}/leavers.csv"), &list);
        }
        self.program("date", &format!("[ \"$*\" = +%F ] && echo {date}"));
        let stdin = match &self.job.stdin {
            Some(file) => fs::File::open(self.here(file)).unwrap().into(),
            None => Stdio::null(),
        };
        let mut command = Command::new("sh");
        command.args(["-c", &self.here(&self.job.command)]).current_dir(self.room.path("")).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.room.path("bin").display()));
        command.env("HOME", self.room.path("")).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.job.env.iter().map(|(name, value)| (name, self.here(value))));
        if !self.job.env.iter().any(|(name, _)| name == "AWS_SHARED_CREDENTIALS_FILE") {
            // Kubernetes has them from a secret.
            command.env("AWS_SHARED_CREDENTIALS_FILE", self.room.path("etc/finspace-reset/credentials"));
        }
        let ran = Ran::of(command.stdin(stdin).output().unwrap());
        let summary = self.here(self.job.summary);
        Night {
            summary: serde_json::from_str(
                &fs::read_to_string(&summary).unwrap_or_else(|error| panic!("{error}\n{ran}")),
            )
            .unwrap(),
            output: self.here(self.job.output).replace("{date}", date),
            pings: if self.room.exists("pings") { self.room.read("pings").lines().count() } else { 0 },
            ran,
        }
    }

    /// The table in a night's results.
    fn table(&self, night: &Night) -> Table {
        let opened = self.room.run(&["decrypt", &night.output, "-i", "key.txt"]).expect(0);
        Table::parse(opened.stdout.as_bytes())
    }

    /// Lets this much time go by: all times in the ledger move back.
    fn wait_days(&self, days: i64) {
        let mut ledgers = self.room.files();
        ledgers.retain(|path| path.extension().is_some_and(|extension| extension == "ledger"));
        assert_eq!(ledgers.len(), 1, "{ledgers:?}");
        let ledger = rusqlite::Connection::open(&ledgers[0]).unwrap();
        let times = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND (c.name IN ('at', 'since') OR c.name LIKE '%\\_at' ESCAPE '\\')";
        let columns: Vec<(String, String)> = ledger
            .prepare(times)
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(columns.len() > 4, "{columns:?}");
        let past = days * 24 * 3_600_000;
        for (table, column) in columns {
            ledger.execute(&format!("UPDATE {table} SET {column} = {column} - ?1"), [past]).unwrap();
        }
        ledger.execute("UPDATE batch SET value = value - ?1 WHERE key IN ('created_at', 'closed_at')", [past]).unwrap();
    }
}

impl Night {
    /// Insists on an exit status, and that the summary, the alarm and the ping tell of the same.
    #[track_caller]
    fn expect(self, code: i32, site: &Site, pings: usize) -> Self {
        let Self { ran, summary, .. } = &self;
        assert_eq!(ran.code(), Some(code), "{ran}");
        assert_eq!(summary["exit_code"], code, "{summary}\n{ran}");
        if site.job.is_whole {
            assert_eq!(ran.stdout.is_empty() && ran.stderr.is_empty(), code == 0, "cron mails what is printed: {ran}");
            assert_eq!(self.pings, pings, "the dead man's switch\n{ran}");
        }
        self
    }
}

const NEW: [&str; 4] = ["ann", "bob", "break-glass", "cem"];
const GROWN: [&str; 5] = ["ann", "bob", "break-glass", "cem", "dora"];

/// Three nights, and the ninetieth.
fn nights(job: Job) {
    let site = Site::new(job);
    let seen = || site.simulator.seen();

    let first = site.night("2026-11-01", &NEW).expect(0, &site, 1);
    let table = site.table(&first);
    assert_eq!(table.column("status"), ["succeeded", "succeeded", "excluded", "succeeded"]);
    crate::common::assert_true_and_once(&table, &seen());
    assert_eq!(first.summary["closed"], true, "{}", first.summary);
    assert!(site.room.files().iter().all(|path| path.extension().is_none_or(|extension| extension != "key")));

    site.wait_days(1);
    let second = site.night("2026-11-02", &GROWN).expect(0, &site, 2);
    let table = site.table(&second);
    assert_eq!(table.column("status"), ["earlier", "earlier", "excluded", "earlier", "succeeded"]);
    assert_eq!(table.column("temporary_password")[4], seen().current("dora"));
    assert!(table.column("temporary_password")[..4].iter().all(|password| password.is_empty()));
    let told = table.column("error_message")[0].to_owned();
    assert!(told.contains(&first.output), "{told}");
    assert_eq!(site.table(&first).column("temporary_password")[0], seen().current("ann"));

    site.wait_days(1);
    let third = site.night("2026-11-03", &GROWN).expect(0, &site, 3);
    assert_eq!(third.summary["this_run"]["requests"].as_u64().unwrap_or(0), 0, "{}", third.summary);
    assert_eq!(site.simulator.requests(), 4);

    site.wait_days(87);
    let late = site.night("2027-01-29", &GROWN).expect(2, &site, 3);
    assert!(late.ran.stderr.contains("--batch") || !site.job.is_whole, "{}", late.ran);
    assert_eq!(site.simulator.requests(), 4);

    // The job is not spoilt: a list that grows goes on.
    let mut users = GROWN.to_vec();
    users.push("emil");
    let again = site.night("2027-01-30", &users).expect(0, &site, 4);
    let table = site.table(&again);
    assert_eq!(table.count("earlier"), 4);
    assert_eq!(table.column("temporary_password")[5], seen().current("emil"));
    assert_eq!(seen().twice(), [""; 0]);
}

#[test]
fn cron_s_line_is_right_on_every_night() {
    nights(cron());
}

#[test]
fn the_unit_is_right_on_every_night() {
    nights(systemd());
}

#[test]
fn the_cron_job_of_kubernetes_is_right_on_every_night() {
    nights(kubernetes());
}

#[test]
fn a_night_with_an_empty_list_is_a_good_one() {
    let site = Site::new(cron());
    site.night("2026-11-01", &NEW).expect(0, &site, 1);
    site.night("2026-11-02", &[]).expect(0, &site, 2);
    site.night("2026-11-03", &GROWN).expect(0, &site, 3);
    assert_eq!(site.simulator.requests(), 4);
}

#[test]
fn a_night_in_which_somebody_fails_raises_the_alarm_and_strands_nobody() {
    let site = Site::new(cron());
    let users = ["ann", "missing-bob"];
    let first = site.night("2026-11-01", &users).expect(1, &site, 0);
    assert_eq!(site.table(&first).column("status"), ["succeeded", "failed"]);
    // Closed, and yet the next night tries again, with the one who is new.
    let users = ["ann", "missing-bob", "cem"];
    let second = site.night("2026-11-02", &users).expect(1, &site, 0);
    let table = site.table(&second);
    assert_eq!(table.column("status"), ["earlier", "failed", "succeeded"]);
    assert_eq!(table.column("temporary_password")[2], site.simulator.seen().current("cem"));
    // Without the one who fails, all is well.
    site.night("2026-11-03", &["ann", "cem"]).expect(0, &site, 1);
    assert_eq!(site.simulator.seen().twice(), [""; 0]);
}

#[test]
fn a_night_without_an_endpoint_continues_in_the_next() {
    let mut site = Site::new(cron());
    let there = std::mem::replace(&mut site.endpoint, format!("http://127.0.0.1:{}", closed_port()));
    let down = site.night("2026-11-01", &NEW).expect(3, &site, 0);
    assert!(!std::path::Path::new(&down.output).exists(), "a file without results");
    site.endpoint = there;
    let up = site.night("2026-11-02", &NEW).expect(0, &site, 1);
    assert_eq!(site.table(&up).count("succeeded"), 3);
}

#[test]
fn systemd_takes_the_unit_files() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: no systemd-analyze on this machine");
        return;
    }
    let room = Room::new();
    let units = recipe("ini");
    let mut names = Vec::new();
    for unit in units.split("# /etc/systemd/system/").skip(1) {
        let (name, text) = unit.split_once('\n').unwrap();
        // The programs are not installed where the tests run.
        let text = text.replace("/usr/bin/finspace-reset", BIN).replace("/usr/bin/curl", "/bin/true");
        room.write(name, text);
        names.push(name.to_owned());
    }
    assert_eq!(names, ["finspace-reset.service", "finspace-reset.timer", "finspace-reset-alarm.service"]);
    let analyze = |arguments: &[&str], names: &[String]| {
        let files = names.iter().map(|name| room.path(name));
        Ran::of(Command::new("systemd-analyze").args(arguments).args(files).output().unwrap())
    };
    let verified = analyze(&["verify", "--man=no"], &names);
    let about_ours: Vec<&str> = verified.stderr.lines().filter(|line| line.contains("finspace-reset")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{verified}");
    // 10 is unsafe, and below 2 is the best that systemd has a word for.
    analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20"], &names[..1]).expect(0);
}

#[test]
fn kubernetes_reads_every_field_of_the_cron_job() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        eprintln!("skipped: no kubectl on this machine");
        return;
    }
    let room = Room::new();
    room.write("job.yaml", recipe("yaml"));
    // Works without a cluster, and drops what Kubernetes does not know.
    let words = ["set", "image", "--local", "-o", "json", "-f"];
    let mut command = Command::new("kubectl");
    command.args(words).arg(room.path("job.yaml")).arg("finspace-reset=other").current_dir(room.path(""));
    let ran = Ran::of(command.env("HOME", room.path("")).output().unwrap()).expect(0);
    let job: Value = serde_json::from_str(&ran.stdout).unwrap();
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (value, wanted) in [
        (&job["spec"]["concurrencyPolicy"], "\"Forbid\""),
        (&job["spec"]["timeZone"], "\"Etc/UTC\""),
        (&job["spec"]["jobTemplate"]["spec"]["backoffLimit"], "0"),
        (&pod["securityContext"]["runAsNonRoot"], "true"),
        (&pod["securityContext"]["fsGroup"], "65532"),
        (&pod["securityContext"]["seccompProfile"]["type"], "\"RuntimeDefault\""),
        (&pod["automountServiceAccountToken"], "false"),
        (&container["securityContext"]["readOnlyRootFilesystem"], "true"),
        (&container["securityContext"]["allowPrivilegeEscalation"], "false"),
        (&container["securityContext"]["capabilities"]["drop"][0], "\"ALL\""),
        (
            &container["env"][3]["valueFrom"]["fieldRef"]["fieldPath"],
            "\"metadata.labels['batch.kubernetes.io/job-name']\"",
        ),
        (&container["envFrom"][0]["secretRef"]["name"], "\"finspace-reset-credentials\""),
    ] {
        assert_eq!(value.to_string(), wanted, "{pod:#}");
    }
    let mounts = container["volumeMounts"].as_array().unwrap().len();
    assert_eq!(mounts, pod["volumes"].as_array().unwrap().len());
    assert_eq!(container["args"].as_array().unwrap().len(), 18);
}
