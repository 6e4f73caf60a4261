//! Credentials that end in mid-run: a renewal that hangs or fails costs nobody
//! a status, and holds up neither a deadline nor a signal.

use std::process::Command;

use rustix::process::Signal;

use crate::common::hostile::{Hostile, Reply, http};
use crate::common::{Ran, Room, Running, wait_until};

/// An endpoint that calls the credentials expired from the sixth request on. The
/// second user's answer is lost each time.
fn endpoint() -> Hostile {
    Hostile::start(|asked| match asked.total {
        _ if asked.user == "user-0002" => Reply::Drop,
        5.. => Reply::Refuse(http("403 Forbidden", Some("ExpiredTokenException"), r#"{"message":"expired"}"#)),
        _ => Reply::Reset,
    })
}

/// The command with keys of a helper, which does `then` from its second call on.
fn with_helper(room: &Room, mut command: Command, then: &str) -> Command {
    let keys = r#"{"Version":1,"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"secret","SessionToken":"t"}"#;
    let (asked, helper) = (room.path("asked"), room.path("helper.sh"));
    let asked = asked.display();
    room.write(
        "helper.sh",
        format!("[ -e {asked} ] && {{ echo >> {asked}.again; {then}; }}\necho > {asked}\necho '{keys}'\n"),
    );
    room.write("config", format!("[default]\ncredential_process = sh {}\n", helper.display()));
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_CONFIG_FILE", room.path("config")).arg("--yes");
    command
}

/// Nobody failed, whoever was reset is known or in doubt, and the rest is pending.
fn assert_nobody_failed(room: &Room, endpoint: &Hostile, ran: &Ran) {
    let table = room.table("out.csv");
    endpoint.judge(&table);
    assert_eq!(table.count("failed"), 0, "{ran}");
    assert!(table.count("succeeded") > 0 && table.count("pending") > 0, "{ran}");
    assert_eq!(table.column("status")[1], "unknown", "{ran}");
}

const ARGUMENTS: [&str; 7] = ["users.csv", "-o", "out.csv", "--rate", "50", "--concurrency", "4"];

#[test]
fn a_renewal_that_fails_stops_the_run_and_fails_nobody() {
    let (room, endpoint) = (Room::new(), endpoint());
    room.roster("users.csv", 30);
    let command = with_helper(&room, room.at(&endpoint.endpoint, &ARGUMENTS), "echo no more >&2; exit 1");
    let ran = Ran::of({ command }.output().unwrap()).expect(3);
    assert!(ran.stderr.contains("the credentials can't be renewed") && ran.stderr.contains("no more"), "{ran}");
    assert_nobody_failed(&room, &endpoint, &ran);
}

#[test]
fn a_renewal_that_hangs_holds_up_neither_a_deadline_nor_a_signal() {
    for signal in [None, Some(Signal::TERM)] {
        let (room, endpoint) = (Room::new(), endpoint());
        room.roster("users.csv", 30);
        let deadline = if signal.is_some() { "10m" } else { "3s" };
        let arguments = [&ARGUMENTS[..], &["--deadline", deadline, "--read-timeout", "600"]].concat();
        let command = with_helper(&room, room.at(&endpoint.endpoint, &arguments), "exec sleep 500");
        let running = Running::of(command);
        wait_until("new credentials are asked for", || room.exists("asked.again"));
        if let Some(signal) = signal {
            running.signal(signal);
        }
        // The renewal itself is given a minute: it is not waited for.
        let start = std::time::Instant::now();
        let ran = running.wait().expect(if signal.is_some() { 143 } else { 3 });
        assert!(start.elapsed().as_secs() < 40, "{:?}: {ran}", start.elapsed());
        assert_nobody_failed(&room, &endpoint, &ran);
    }
}
