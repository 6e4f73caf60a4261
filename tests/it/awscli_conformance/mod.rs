//! `reset-user-password` does what the AWS CLI 2.9.19 does: every case of
//! `cases.rs` runs through both, each against a server of its own, and code,
//! standard output, message and requests are compared.
//!
//! Where Debian's `awscli` is not installed the comparison says so and passes;
//! `FINSPACE_RESET_REQUIRE_INTEROP=1` makes it fail instead.

mod cases;
pub(crate) mod server;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::{BIN, Ran, Room, Running};
use server::{Answer, Kind, Server};

/// Debian's. Another version may be first on the path.
const AWS: &str = "/usr/bin/aws";

/// Who runs a case.
#[derive(Clone, Copy, PartialEq)]
enum Program {
    Ours,
    Theirs,
}

/// What is compared.
#[derive(Debug, PartialEq)]
struct Done {
    code: i32,
    stdout: String,
    message: String,
    requests: Vec<String>,
    /// Whether it is told how to get a password that may have been made: we do.
    in_doubt: bool,
}

#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn have_aws() -> bool {
    if Path::new(AWS).is_file() {
        return true;
    }
    let required = std::env::var_os("FINSPACE_RESET_REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(!required, "{AWS} is missing: install Debian's awscli");
    eprintln!("skipped: {AWS} is missing");
    false
}

fn command(program: Program, room: &Room, server: &Server, case: &cases::Case) -> Command {
    let place = |text: &str| {
        let text = text.replace("{URL}", &server.url).replace("{DIR}", &folder(room));
        text.replace("{HOST}", server.url.split("://").last().unwrap())
    };
    for (name, content) in case.files {
        room.write(name, place(content));
    }
    if let Some(ca) = &server.ca {
        room.write("ca.pem", ca);
    }
    let mut command = match program {
        Program::Ours => Command::new(BIN),
        Program::Theirs => Command::new(AWS),
    };
    if program == Program::Theirs {
        command.arg("finspace-data");
    }
    command.arg("reset-user-password").args(case.args.iter().map(|word| place(word)));
    command
        .current_dir(room.path(""))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder(room))
        .env("LC_ALL", "C.UTF-8")
        .env("AWS_CONFIG_FILE", room.path("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", room.path("credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER")
        .env("AWS_SECRET_ACCESS_KEY", "simulated/secret/of/the/superuser/000000")
        .envs(case.env.iter().map(|(name, value)| (*name, place(value))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Nobody without an endpoint is to leave this machine.
    if server.ca.is_none() && !case.env.iter().any(|(name, _)| *name == "HTTPS_PROXY") {
        command.env("HTTPS_PROXY", &server.url);
    }
    for name in case.without {
        command.env_remove(name);
    }
    command
}

fn folder(room: &Room) -> String {
    room.path("").to_str().unwrap().trim_end_matches('/').to_owned()
}

fn carry_out(program: Program, case: &cases::Case) -> Done {
    let room = Room::new();
    let server = Server::start(case.server);
    let mut child = command(program, &room, &server, case).spawn().expect("the program runs");
    // Who doesn't read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(case.stdin.as_bytes());
    let ran = Ran::of(child.wait_with_output().unwrap());
    let place = |text: &str| text.replace(&server.url, "{URL}").replace(&folder(&room), "{DIR}");
    let (message, in_doubt) = match message(&ran.stderr).rsplit_once("\nThe password may have been changed already: ") {
        Some((message, _)) => (message.to_owned(), true),
        None => (message(&ran.stderr), false),
    };
    let in_doubt = if program == Program::Ours { in_doubt } else { case.in_doubt };
    Done {
        code: ran.code().unwrap_or(-1),
        stdout: place(&ran.stdout),
        message: if ran.code() == Some(0) { String::new() } else { place(&message) },
        requests: without_chance(server.seen().requests),
        in_doubt,
    }
}

/// What is said after the usage block, with no program's name.
fn message(stderr: &str) -> String {
    let text = stderr.trim();
    let told = ["aws: error: ", "finspace-reset: error: "].iter().find_map(|name| text.split_once(name));
    match told {
        Some((_, told)) => told.trim().to_owned(),
        None if text.starts_with("usage:") => {
            text.split_once("Unknown options").map(|(_, told)| format!("Unknown options{told}")).unwrap_or_default()
        }
        None => text.to_owned(),
    }
}

/// Requests with random tokens told apart by their order alone.
fn without_chance(requests: Vec<String>) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let name = |request: String| {
        // The spaces of Python's JSON are nobody's business.
        let request = request.replace("\": \"", "\":\"");
        // Nor is the version that a tunnel is asked for in.
        let request = request.replace(" HTTP/1.0 ", " HTTP/1.1 ");
        let Some((before, rest)) = request.split_once("\"clientToken\":") else { return request };
        let Some((token, after)) = rest.trim_start_matches('"').split_once('"') else { return request };
        let Ok(uuid) = uuid::Uuid::parse_str(token) else { return request };
        assert_eq!(uuid.get_version_num(), 4, "{token}");
        if !tokens.iter().any(|known| known == token) {
            tokens.push(token.to_owned());
        }
        let number = tokens.iter().position(|known| known == token).unwrap();
        format!("{before}\"clientToken\":\"random {number}\"{after}")
    };
    requests.into_iter().map(name).collect()
}

fn judge(case: &cases::Case) -> Result<(), String> {
    let ours = carry_out(Program::Ours, case);
    let theirs = carry_out(Program::Theirs, case);
    let name = case.name;
    let Some(differs) = &case.differs else {
        return if ours == theirs { Ok(()) } else { Err(format!("{name}:\n  ours   {ours:?}\n  theirs {theirs:?}")) };
    };
    if ours == theirs {
        return Err(format!("{name}: no difference any more, yet one is told: {}", differs.why));
    }
    let as_told = ours.code == differs.code
        && ours.message.starts_with(differs.message)
        && ours.stdout.starts_with(differs.stdout)
        && ours.in_doubt == case.in_doubt
        && (differs.requests.is_none_or(|requests| ours.requests.len() == requests))
        && (differs.requests.is_some() || ours.requests == theirs.requests);
    if as_told { Ok(()) } else { Err(format!("{name} ({}):\n  ours   {ours:?}\n  theirs {theirs:?}", differs.why)) }
}

#[test]
fn every_case_ends_as_with_the_aws_cli() {
    let names: BTreeSet<&str> = cases::CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases::CASES.len(), "two cases have one name");
    if !have_aws() {
        return;
    }
    let chosen = std::env::var("FINSPACE_RESET_CASE").unwrap_or_default();
    let cases: Vec<&cases::Case> =
        cases::CASES.iter().filter(|case| chosen.split('|').any(|part| case.name.contains(part))).collect();
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                wrong.extend(judge(case).err());
            }
            wrong
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn an_interrupt_ends_in_130_and_tells_the_token() {
    let case = cases::Case {
        server: Kind::Says(&[Answer::Silence]),
        ..cases::case("", &["--user-id", "u", "--endpoint-url", "{URL}"])
    };
    for program in [Program::Ours, Program::Theirs] {
        if program == Program::Theirs && !have_aws() {
            continue;
        }
        let room = Room::new();
        let server = Server::start(case.server);
        let running = Running::of(command(program, &room, &server, &case));
        let mut requests = Vec::new();
        crate::common::wait_until("the request", || {
            requests.extend(server.seen().requests);
            !requests.is_empty()
        });
        running.signal(rustix::process::Signal::INT);
        let ran = running.wait();
        assert_eq!((ran.code(), ran.stdout.as_str()), (Some(130), "\n"));
        if program == Program::Ours {
            let token = requests[0].split("\"clientToken\":\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(ran.stderr.contains(&format!("--client-token {token}")), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_password_that_nobody_could_read_is_no_success() {
    let room = Room::new();
    let server = Server::start(Kind::Simulator(&[]));
    let case = cases::case("", &["--user-id", "u", "--endpoint-url", "{URL}"]);
    for output in ["json", "text", "table", "yaml", "yaml-stream"] {
        let mut command = command(Program::Ours, &room, &server, &case);
        command.args(["--output", output]).stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code(), Some(255), "{}", ran.stderr);
        let token = ran.stderr.split("--client-token ").nth(1).expect("a token").split_whitespace().next().unwrap();
        // With that token the password comes out after all, and it is the current one.
        let mut again = self::command(Program::Ours, &room, &server, &case);
        again.args(["--client-token", token, "--query", "temporaryPassword", "--output", "text"]);
        let again = Ran::of(again.output().unwrap()).expect(0);
        assert!(!again.stdout.trim().is_empty());
    }
    assert_eq!(server.seen().requests, ["10 requests", "\"u\" reset 5 times"]);
}

#[test]
fn debugging_tells_neither_a_password_nor_a_key() {
    let room = Room::new();
    let server = Server::start(Kind::Simulator(&[]));
    let case = cases::case(
        "",
        &["--user-id", "u", "--endpoint-url", "{URL}", "--debug", "--query", "temporaryPassword", "--output", "text"],
    );
    let ran =
        Ran::of(command(Program::Ours, &room, &server, &case).env("RUST_LOG", "trace").output().unwrap()).expect(0);
    assert!(ran.stderr.contains("client_token"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(ran.stdout.trim()), "{}", ran.stderr);
    assert!(!ran.stderr.contains("simulated/secret"), "{}", ran.stderr);
}
