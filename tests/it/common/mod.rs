//! What the tests share: a private room to run the built binary in, a simulator
//! to run it against, and the truth about what happened there.
//!
//! Invariant: nothing here looks into the program; what is known comes from the
//! exit code, the two streams, the files left behind, and the simulator.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod between;
pub(crate) mod hostile;
pub(crate) mod moto;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_finspace-reset");

/// The columns that the output adds, as the README promises them.
pub(crate) const COLUMNS: [&str; 10] = [
    "status",
    "temporary_password",
    "password_expires_at",
    "reset_at",
    "attempts",
    "client_token",
    "request_id",
    "error_code",
    "error_message",
    "input_line",
];

/// Longer than anything takes on the slowest machine: only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A simulator in a process of its own.
pub(crate) struct Simulator {
    child: Child,
    pub endpoint: String,
    env: Vec<(String, String)>,
}

impl Simulator {
    /// Starts one and waits until it listens.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(BIN)
            .arg("simulator")
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let mut env = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").and_then(|line| line.split_once('=')).expect(&line);
            env.push((name.to_owned(), value.to_owned()));
            if name == "AWS_SECRET_ACCESS_KEY" {
                break;
            }
        }
        let endpoint = env.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").expect("an endpoint").1.clone();
        Self { child, endpoint, env }
    }

    /// What it has seen.
    pub(crate) fn seen(&self) -> Seen {
        let state: Value = serde_json::from_str(&self.get("/_simulator/state")).unwrap();
        let users = state["users"].as_object().expect("users");
        let users = users
            .iter()
            .map(|(id, user)| {
                let passwords = user["passwords"].as_array().unwrap();
                let passwords = passwords.iter().map(|password| password.as_str().unwrap().to_owned()).collect();
                (id.clone(), User { passwords, resets: user["resets"].as_u64().unwrap() })
            })
            .collect();
        Seen { requests: state["requests"]["reset"].as_u64().unwrap(), users, state }
    }

    /// Reset requests that arrived, whatever became of them.
    pub(crate) fn requests(&self) -> u64 {
        let state: Value = serde_json::from_str(&self.get("/_simulator/state?users=false")).unwrap();
        state["requests"]["reset"].as_u64().unwrap()
    }

    fn get(&self, path: &str) -> String {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).expect("the simulator lives");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.contains(" 200 "), "{head}");
        body.to_owned()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a simulator has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub requests: u64,
    pub users: BTreeMap<String, User>,
    pub state: Value,
}

/// A user who was reset.
#[derive(Debug, PartialEq)]
pub(crate) struct User {
    /// The last one is current.
    pub passwords: Vec<String>,
    pub resets: u64,
}

impl Seen {
    pub(crate) fn current(&self, id: &str) -> &str {
        self.users.get(id).unwrap_or_else(|| panic!("{id:?} was never reset")).passwords.last().unwrap()
    }

    /// Users reset more than once.
    pub(crate) fn twice(&self) -> Vec<&str> {
        self.users.iter().filter(|(_, user)| user.resets > 1).map(|(id, _)| id.as_str()).collect()
    }

    /// Every password there ever was.
    pub(crate) fn passwords(&self) -> impl Iterator<Item = &str> {
        self.users.values().flat_map(|user| user.passwords.iter().map(String::as_str))
    }
}

/// A port that nothing listens on.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder of a test's own.
pub(crate) struct Room {
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("finspace-reset-test-").tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A roster of so many users, named `user-0001` and on.
    pub(crate) fn roster(&self, name: &str, users: usize) -> Vec<String> {
        let ids: Vec<String> = (1..=users).map(|number| format!("user-{number:04}")).collect();
        self.write(name, format!("user_id\n{}\n", ids.join("\n")));
        ids
    }

    /// The program, in this room, with nothing of the caller's environment that
    /// could matter.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(BIN);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER")
            .env("AWS_SECRET_ACCESS_KEY", "simulated/secret/of/the/superuser/000000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program with these arguments alone.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program runs"))
    }

    /// `run` against a simulator's endpoint, with consent and without a ceiling.
    pub(crate) fn job<S: AsRef<OsStr>>(&self, simulator: &Simulator, arguments: &[S]) -> Command {
        let mut command = self.unasked(simulator, arguments);
        command.arg("--yes");
        command
    }

    /// `run` against a simulator's endpoint, without consent.
    pub(crate) fn unasked<S: AsRef<OsStr>>(&self, simulator: &Simulator, arguments: &[S]) -> Command {
        self.at(&simulator.endpoint, arguments)
    }

    /// `run` against an endpoint, without consent.
    pub(crate) fn at<S: AsRef<OsStr>>(&self, endpoint: &str, arguments: &[S]) -> Command {
        let mut command = self.command(&["run"]);
        command.args(arguments).args(["--state-dir", "state", "--endpoint-url", endpoint]);
        if !arguments.iter().any(|argument| argument.as_ref() == "--rate") {
            command.args(["--rate", "unlimited"]);
        }
        command
    }

    /// Runs [`Room::job`] to its end.
    pub(crate) fn reset<S: AsRef<OsStr>>(&self, simulator: &Simulator, arguments: &[S]) -> Ran {
        Ran::of(self.job(simulator, arguments).output().expect("the program runs"))
    }

    /// Starts [`Room::job`].
    pub(crate) fn start<S: AsRef<OsStr>>(&self, simulator: &Simulator, arguments: &[S]) -> Running {
        Running::of(self.job(simulator, arguments))
    }

    /// The table in an output file.
    pub(crate) fn table(&self, name: &str) -> Table {
        Table::parse(self.read(name).as_bytes())
    }

    /// Every file below the room.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found
    }

    /// The one ledger of real batches.
    pub(crate) fn ledger(&self) -> PathBuf {
        let found: Vec<PathBuf> = fs::read_dir(self.path("state"))
            .expect("a state folder")
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "ledger"))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    /// The name of the one batch.
    pub(crate) fn batch(&self) -> String {
        self.ledger().file_stem().unwrap().to_str().unwrap().to_owned()
    }

    /// `status --format json` of the one batch.
    pub(crate) fn status(&self) -> Value {
        let ran = self.run(&["status", "--state-dir", "state", "--format", "json"]).expect(0);
        let all: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        all[0].clone()
    }
}

/// A run that is going on.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    pub(crate) fn of(mut command: Command) -> Self {
        Self { child: Some(command.spawn().expect("the program runs")) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        // One that has ended meanwhile is not waited for yet: its number is still its own.
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ran {
        Ran::of(self.child.take().unwrap().wait_with_output().unwrap())
    }

    /// SIGKILL, and what it had printed.
    pub(crate) fn kill(mut self) -> Ran {
        let mut child = self.child.take().unwrap();
        let _ = child.kill();
        Ran::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Self { status, stdout: text(stdout), stderr: text(stderr) }
    }

    /// The exit code; none after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Insists that standard error says this.
    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "missing: {part}\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// An output file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        let mut records = reader.records().map(|record| {
            let record = record.expect("every row is as wide as the header");
            record.iter().map(str::to_owned).collect::<Vec<_>>()
        });
        let header = records.next().expect("a header");
        let rows = records.collect();
        Self { header, rows }
    }

    pub(crate) fn column(&self, name: &str) -> Vec<&str> {
        let at = self.header.iter().position(|known| known == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// How many rows have this status.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.column("status").iter().filter(|word| **word == status).count()
    }
}

/// What every test asks in the end: each `succeeded` row holds that user's
/// current password, and nobody was reset more than once.
#[track_caller]
pub(crate) fn assert_true_and_once(table: &Table, seen: &Seen) {
    assert_true(table, seen);
    assert_eq!(seen.twice(), Vec::<&str>::new(), "reset more than once");
}

/// Each `succeeded` row holds that user's current password, and everyone who
/// was reset is in the table.
#[track_caller]
pub(crate) fn assert_true(table: &Table, seen: &Seen) {
    let id = table.header.iter().find(|name| name.to_lowercase().replace(['_', '-', ' '], "") == "userid");
    let ids = table.column(id.unwrap_or(&table.header[0]));
    let rows = ids.iter().zip(table.column("status")).zip(table.column("temporary_password"));
    for ((id, status), password) in rows {
        if status == "succeeded" {
            assert_eq!(password, seen.current(id), "the password of {id} is not the current one");
        } else {
            assert_eq!(password, "", "{id} is {status} and has a password");
        }
    }
    for id in seen.users.keys() {
        assert!(ids.contains(&id.as_str()), "{id} was reset and is not in the table");
    }
}

/// The commands of a help page, each on one line.
pub(crate) fn examples(help: &str) -> Vec<String> {
    let whole = help.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| line.starts_with("finspace-reset "));
    lines.map(|line| line.trim_end_matches('|').trim().to_owned()).collect()
}

/// Waits until something is so. It is asked again and again: time decides
/// nothing here, only a hang ends it.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A pseudo-terminal: our end, and the one for a program.
pub(crate) fn terminal() -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs =
        rustix::fs::open(&name, rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY, rustix::fs::Mode::empty());
    let size = rustix::termios::Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&ours, size).unwrap();
    (ours.into(), theirs.unwrap().into())
}

/// Reads a terminal to its end; each time its words appear behind what was
/// answered before, types the answer. Tells all that was shown.
pub(crate) fn converse(terminal: &mut fs::File, answers: &[(&str, &str)]) -> String {
    let mut shown = Vec::new();
    let mut from = 0;
    let mut answers = answers.iter().peekable();
    let mut buffer = [0; 4096];
    // The last program that leaves makes the read fail with EIO.
    while let Ok(got @ 1..) = terminal.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..got]);
        while let Some((words, answer)) = answers.peek() {
            let new = String::from_utf8_lossy(&shown[from..]).into_owned();
            let Some(at) = new.find(words) else { break };
            // The question goes on to its colon.
            if !new[at..].contains(':') {
                break;
            }
            // A control character is typed alone: Enter would answer the question first.
            let enter = if answer.ends_with(char::is_control) { "" } else { "\n" };
            write!(terminal, "{answer}{enter}").unwrap();
            from = shown.len();
            answers.next();
        }
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Runs a command on a terminal of its own; tells its code and all it showed.
pub(crate) fn on_a_terminal(mut command: Command, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    let (mut ours, theirs) = terminal();
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(theirs);
    let shown = converse(&mut ours, answers);
    (child.wait().unwrap().code(), shown)
}

/// The same command as the leader of a session, whose terminal then turns Ctrl-C into a signal.
pub(crate) fn session_leader(command: &Command) -> Command {
    let mut leader = Command::new("setsid");
    leader.arg("-cw").arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        leader.envs(value.map(|value| (name, value)));
    }
    leader.current_dir(command.get_current_dir().unwrap());
    leader
}

/// Whether these programs are there; insists on it where `FINSPACE_RESET_REQUIRE_INTEROP=1`
/// asks for that.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn have(programs: &[&str]) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &&&str| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    let missing: Vec<&&str> = programs.iter().filter(|program| !there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(
        std::env::var_os("FINSPACE_RESET_REQUIRE_INTEROP").is_none_or(|value| value != "1"),
        "missing programs: {missing:?}"
    );
    eprintln!("skipped: missing programs: {missing:?}");
    false
}
