//! `run` over TLS: an authority of one's own, one that nobody knows, and none
//! that counts.

use crate::awscli_conformance::server::{Answer, Kind, Server};
use crate::common::{Ran, Room};

const OK: &[Answer] = &[Answer::Http("200 OK", r#"{"userId":"u","temporaryPassword":"p-4711"}"#)];

/// Runs one user against a server with a certificate of a private authority.
fn run(flags: &[&str]) -> (Room, Server, Ran) {
    let (room, server) = (Room::new(), Server::start(Kind::SaysOverTls(OK)));
    room.write("users.csv", "user_id\nu\n").write("ca.pem", server.ca.as_deref().unwrap());
    let words = ["users.csv", "-o", "out.csv", "--yes", "--max-attempts", "2"];
    let ran = Ran::of(room.at(&server.url, &words).args(flags).output().unwrap());
    (room, server, ran)
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named() {
    let (room, server, ran) = run(&["--ca-bundle", "ca.pem"]);
    ran.expect(0);
    assert_eq!((room.table("out.csv").column("temporary_password"), server.seen().requests.len()), (vec!["p-4711"], 1));
}

#[test]
fn verification_can_be_switched_off() {
    let (room, _, ran) = run(&["--no-verify-ssl"]);
    ran.expect(0);
    assert_eq!(room.table("out.csv").column("temporary_password"), ["p-4711"]);
}

#[test]
fn an_unknown_authority_is_told_and_nothing_is_sent() {
    let (room, server, ran) = run(&[]);
    assert!(matches!(ran.code(), Some(1 | 3)), "{ran}");
    assert!(ran.stderr.contains("CertificateError"), "{ran}");
    assert_eq!((room.exists("out.csv"), server.seen().requests.len()), (false, 0));
}

#[test]
fn a_bundle_that_is_none_is_refused() {
    let (_, server, ran) = run(&["--ca-bundle", "users.csv"]);
    ran.expect(2).says("users.csv").says("--ca-bundle");
    assert_eq!(server.seen().requests.len(), 0);
}
