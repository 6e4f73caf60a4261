//! The promises that hold whatever service is asked: the same tests over the
//! FinSpace Data API and over a Cognito user pool, each with its simulator.

use std::os::unix::process::ExitStatusExt;

use crate::common::{Room, Running, Simulator, Table, assert_true_and_once};

/// A service, as its simulator and a run name it.
#[derive(Clone, Copy)]
struct Service {
    name: &'static str,
    simulator: &'static [&'static str],
    run: &'static [&'static str],
    no_such_user: &'static str,
}

const SERVICES: &[Service] = &[
    Service { name: "FinSpace", simulator: &[], run: &[], no_such_user: "ResourceNotFoundException" },
    #[cfg(feature = "cognito")]
    Service {
        name: "Cognito",
        simulator: &["--service", "cognito"],
        run: &["--user-pool-id", "us-east-1_Simulated"],
        no_such_user: "UserNotFoundException",
    },
];

impl Service {
    fn simulator(self, flags: &[&str]) -> Simulator {
        Simulator::start(&[self.simulator, flags].concat())
    }

    fn arguments<'a>(self, more: &[&'a str]) -> Vec<&'a str> {
        [&["users.csv", "-o", "out.csv"], self.run, more].concat()
    }
}

/// Holds a promise for every service, all at once.
fn each(promise: impl Fn(Service) + Sync) {
    std::thread::scope(|threads| {
        for service in SERVICES {
            let promise = &promise;
            threads.spawn(move || promise(*service));
        }
    });
}

fn passwords_stand(table: &Table, simulator: &Simulator, service: Service) {
    let seen = simulator.seen();
    assert_true_and_once(table, &seen);
    let mut passwords = table.column("temporary_password");
    passwords.sort_unstable();
    passwords.dedup();
    assert_eq!(passwords.len(), table.rows.len(), "{}: everyone has one of their own", service.name);
}

#[test]
fn everyone_is_reset_once_and_a_second_run_sends_nothing() {
    each(|service| {
        let (simulator, room) = (service.simulator(&[]), Room::new());
        room.roster("users.csv", 60);
        room.reset(&simulator, &service.arguments(&[])).expect(0);
        passwords_stand(&room.table("out.csv"), &simulator, service);
        assert_eq!(room.status()["state"], "closed", "{}", service.name);
        let before = simulator.requests();
        room.reset(&simulator, &service.arguments(&[])).expect(0);
        assert_eq!(simulator.requests(), before, "{}", service.name);
    });
}

#[test]
fn a_bad_wire_and_a_quota_cost_nobody_a_password() {
    each(|service| {
        let faults = "drop-before=0.1,drop-after=0.1,error-before=0.1,error-after=0.1";
        let (simulator, room) = (service.simulator(&["--faults", faults, "--quota", "200"]), Room::new());
        room.roster("users.csv", 200);
        room.reset(&simulator, &service.arguments(&["--max-attempts", "30"])).expect(0);
        passwords_stand(&room.table("out.csv"), &simulator, service);
    });
}

#[test]
fn a_kill_at_any_boundary_loses_nobody_and_resets_nobody_twice() {
    each(|service| {
        for point in ["claimed", "sending:5", "answered:5", "before-outcome", "outcome", "announced"] {
            let (simulator, room) = (service.simulator(&[]), Room::new());
            room.roster("users.csv", 12);
            let arguments = service.arguments(&["--rate", "40", "--concurrency", "4"]);
            let mut job = room.job(&simulator, &arguments);
            job.env("FINSPACE_RESET_DIE_AT", point);
            let killed = Running::of(job).wait();
            assert_eq!(killed.status.signal(), Some(9), "{} {point}: {killed}", service.name);
            room.reset(&simulator, &arguments).expect(0);
            passwords_stand(&room.table("out.csv"), &simulator, service);
        }
    });
}

#[test]
fn an_answer_that_never_comes_leaves_a_user_in_doubt_without_a_password() {
    each(|service| {
        let (simulator, room) = (service.simulator(&["--faults", "error-after=1"]), Room::new());
        room.roster("users.csv", 4);
        let arguments = service.arguments(&["--max-attempts", "1"]);
        room.reset(&simulator, &arguments);
        let table = room.table("out.csv");
        assert_eq!(table.count("unknown"), 4, "{}: {table:?}", service.name);
        assert!(table.column("temporary_password").iter().all(|password| password.is_empty()), "{}", service.name);
        let text = room.read("out.csv");
        assert!(simulator.seen().passwords().all(|password| !text.contains(password)), "{}", service.name);
        assert_eq!(room.status()["counts"]["unknown"], 4, "{}", service.name);
    });
}

#[test]
fn users_that_are_not_there_fail_alone() {
    each(|service| {
        let (simulator, room) = (service.simulator(&[]), Room::new());
        room.write("users.csv", "user_id\nann\nmissing-1\nbob\n");
        room.reset(&simulator, &service.arguments(&[])).expect(1);
        let table = room.table("out.csv");
        assert_eq!(table.column("status"), ["succeeded", "failed", "succeeded"], "{}", service.name);
        assert_eq!(table.column("error_code")[1], service.no_such_user);
        assert_true_and_once(&table, &simulator.seen());
    });
}

#[test]
fn credentials_that_are_refused_stop_the_run() {
    each(|service| {
        let (simulator, room) = (service.simulator(&[]), Room::new());
        room.roster("users.csv", 40);
        let mut job = room.job(&simulator, &service.arguments(&["--concurrency", "1"]));
        job.env("AWS_SECRET_ACCESS_KEY", "wrong");
        let ran = Running::of(job).wait().expect(3);
        assert!(ran.stderr.contains("InvalidSignatureException"), "{}: {ran}", service.name);
        assert!(simulator.seen().users.is_empty(), "{}", service.name);
    });
}
