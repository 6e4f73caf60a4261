//! Answers that nobody should give: what they prove about a user, what they
//! don't, and when they stop a run.

use std::time::Duration;

use crate::common::hostile::{Hostile, Reply, http};
use crate::common::{Ran, Room, Table, closed_port};

/// Runs a roster of so many users against an endpoint, with quick retries' worth of flags.
fn go(room: &Room, endpoint: &str, users: usize, more: &[&str]) -> (Ran, Table) {
    room.roster("users.csv", users);
    let mut words = vec!["users.csv", "-o", "out.csv", "--yes"];
    words.extend(more);
    let ran = Ran::of(room.at(endpoint, &words).output().unwrap());
    (ran, room.table("out.csv"))
}

fn own(code: &str) -> Reply {
    let status = match code {
        "ResourceNotFoundException" => "404 Not Found",
        "ConflictException" => "409 Conflict",
        "AccessDeniedException" => "403 Forbidden",
        "ThrottlingException" => "429 Too Many Requests",
        "InternalServerException" => "500 Oops",
        _ => "400 Bad Request",
    };
    Reply::Refuse(http(status, Some(code), r#"{"message":"no"}"#))
}

/// What a proxy, a web site or a broken wire may answer in the API's place.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let page = "<html><h1>Hello</h1></html>";
    vec![
        ("404", http("404 Not Found", None, page)),
        ("400", http("400 Bad Request", None, page)),
        ("403", http("403 Forbidden", None, page)),
        ("405", http("405 Method Not Allowed", None, "")),
        ("407", http("407 Proxy Authentication Required", None, "")),
        ("409", http("409 Conflict", None, "{}")),
        ("413", http("413 Content Too Large", None, page)),
        ("418", http("418 I'm a teapot", None, "")),
        ("301", http("301 Moved", None, "")),
        ("302", b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("101", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec()),
        ("another operation's code", http("404 Not Found", Some("UnknownOperationException"), "{}")),
        ("the code on another status", http("400 Bad Request", Some("ResourceNotFoundException"), "{}")),
        ("a redirect with the code", http("302 Found", Some("ResourceNotFoundException"), "{}")),
        ("a page", http("200 OK", None, page)),
        ("no password", http("200 OK", None, "{}")),
        ("the code on a 200", http("200 OK", Some("ResourceNotFoundException"), "{}")),
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("an empty password", http("200 OK", None, r#"{"temporaryPassword":""}"#)),
        ("a control character", http("200 OK", None, r#"{"temporaryPassword":"a\u0007bcdefgh"}"#)),
        ("somebody else", http("200 OK", None, r#"{"userId":"zoe","temporaryPassword":"abcdefgh"}"#)),
        ("cut", b"HTTP/1.1 404 Not Found\r\ncontent-length: 500\r\n\r\n{\"mess".to_vec()),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec()),
        ("a bad header", b"HTTP/1.1 404 Not Found\r\nbad name: x\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("HTTP/2.0", b"HTTP/2.0 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("garbage", b"\x00\x01\x02 what is this\r\n\r\n".to_vec()),
        ("a banner", b"220 mail.example ESMTP ready\r\n".to_vec()),
        ("502", http("502 Bad Gateway", None, page)),
    ]
}

#[test]
fn a_lost_answer_followed_by_a_foreign_refusal_leaves_the_user_in_doubt() {
    for (name, bytes) in foreign() {
        let endpoint = Hostile::start(move |asked| match (asked.user.as_str(), asked.nth) {
            ("user-0001", 0) => Reply::Drop,
            ("user-0001", _) => Reply::Refuse(bytes.clone()),
            _ => Reply::Reset,
        });
        let room = Room::new();
        let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--max-attempts", "3"]);
        assert_eq!(endpoint.resets("user-0001"), 1, "{name}");
        let status = table.column("status");
        assert_eq!(status[0], "unknown", "{name}: {status:?} {ran}");
        assert!(!ran.stderr.contains("NoCredentials"), "{name}: {ran}");
        endpoint.judge(&table);
    }
}

#[test]
fn a_foreign_refusal_of_what_was_carried_out_is_no_proof() {
    for (name, bytes) in foreign() {
        let endpoint = Hostile::start(move |asked| match asked.user.as_str() {
            "user-0002" => Reply::Done(bytes.clone()),
            _ => Reply::Reset,
        });
        let room = Room::new();
        let (ran, table) = go(&room, &endpoint.endpoint, 4, &["--max-attempts", "2", "--concurrency", "1"]);
        assert_eq!(endpoint.resets("user-0002"), 1, "{name}");
        assert_eq!(table.column("status")[1], "unknown", "{name}: {ran}");
        endpoint.judge(&table);
    }
}

#[test]
fn a_doubt_ends_with_a_password_or_with_the_services_own_word() {
    let ends = [("ResourceNotFoundException", "failed"), ("ValidationException", "failed")];
    let stays = ["ConflictException", "AccessDeniedException", "InternalServerException"];
    for (code, status) in ends.into_iter().chain(stays.map(|code| (code, "unknown"))) {
        let endpoint = Hostile::start(move |asked| match (asked.user.as_str(), asked.nth) {
            ("user-0001", 0) => Reply::Refuse(Vec::new()),
            ("user-0001", _) => own(code),
            _ => Reply::Reset,
        });
        let room = Room::new();
        let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--max-attempts", "3"]);
        assert_eq!(table.column("status")[0], status, "{code}: {ran}");
        endpoint.judge(&table);
    }
    // And with a password it ends well, by the same token.
    let endpoint = Hostile::start(|asked| if asked.nth == 0 { Reply::Drop } else { Reply::Reset });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &[]);
    ran.expect(0);
    endpoint.judge(&table);
    assert_eq!((table.count("succeeded"), endpoint.resets("user-0001")), (3, 1));
}

#[test]
fn an_endpoint_that_is_not_the_api_stops_the_run_after_a_handful() {
    for (name, bytes) in foreign() {
        if ["two lengths", "a bad header", "HTTP/2.0", "garbage", "a banner", "502", "403"].contains(&name) {
            // No answers at all, a server that fails, a refusal: rules of their own.
            continue;
        }
        let endpoint = Hostile::start(move |_| Reply::Refuse(bytes.clone()));
        let room = Room::new();
        let (ran, table) = go(&room, &endpoint.endpoint, 60, &["--rate", "50", "--concurrency", "4"]);
        let ran = ran.expect(3).says("does not answer as the API does").says("--endpoint-url");
        assert!(endpoint.total() <= 5 + 4, "{name}: {} requests: {ran}", endpoint.total());
        assert_eq!(table.count("failed"), 0, "{name}");
        // A 2xx may mean that it was done; a refusal from a stranger does not.
        let doubtful =
            ["page", "password", "200", "204", "character", "somebody"].iter().any(|part| name.contains(part));
        assert!(table.count("pending") >= 60 - 8, "{name}: {ran}");
        assert_eq!(table.count("unknown") > 0, doubtful, "{name}: {:?} {ran}", table.column("status"));
    }
}

#[test]
fn an_endpoint_that_stops_being_the_api_stops_the_run_after_ten() {
    let endpoint = Hostile::start(|asked| match asked.total {
        0..20 => Reply::Reset,
        _ => Reply::Refuse(http("302 Found", None, "")),
    });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 90, &["--rate", "100", "--concurrency", "4"]);
    ran.expect(3).says("does not answer as the API does");
    assert_eq!((table.count("succeeded"), table.count("failed")), (20, 0));
    assert!(endpoint.total() <= 20 + 10 + 4, "{}", endpoint.total());
    assert!(table.count("pending") >= 55, "{:?}", table.column("status"));
    endpoint.judge(&table);
}

#[test]
fn what_is_no_http_is_a_lost_answer_and_is_asked_for_again() {
    for (name, bytes) in foreign() {
        let endpoint = Hostile::start(move |asked| match asked.nth {
            0 if asked.user == "user-0002" => Reply::Done(bytes.clone()),
            _ => Reply::Reset,
        });
        let room = Room::new();
        let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--concurrency", "1"]);
        if name == "403" {
            // The caller may have lost a permission: the user is not asked for again in this run.
            assert_eq!(table.column("status")[1], "unknown", "{ran}");
        } else {
            ran.expect(0);
            assert_eq!(table.count("succeeded"), 3, "{name}");
        }
        endpoint.judge(&table);
    }
}

#[test]
fn what_an_answer_says_is_bounded() {
    let long = "x".repeat(50_000);
    let id = "y".repeat(300_000);
    let endpoint = Hostile::start(move |asked| match asked.user.as_str() {
        "user-0001" => Reply::Done(http("200 OK", None, &format!(r#"{{"temporaryPassword":"{long}"}}"#))),
        "user-0002" => Reply::Refuse(http(
            "404 Not Found",
            Some("ResourceNotFoundException"),
            &format!(r#"{{"message":"{long}"}}"#),
        )),
        _ => {
            let body = r#"{"userId":"{user}","temporaryPassword":"{password}"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nx-amzn-requestid: {id}\r\nconnection: close\r\n\r\n{body}");
            Reply::Done(head.into_bytes())
        }
    });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--max-attempts", "2"]);
    assert_eq!(table.column("status")[..2], ["unknown", "failed"], "{ran}");
    assert!(room.read("out.csv").len() < 4000, "{}", room.read("out.csv").len());
    assert!(ran.stderr.len() < 10_000);
    endpoint.judge(&table);
}

#[test]
fn a_check_takes_only_the_services_own_word_and_settles_no_doubt() {
    // Anybody's 404 is no word of the service.
    let endpoint = Hostile::start(|asked| match asked.method.as_str() {
        "GET" if asked.user == "user-0002" => Reply::Refuse(http("404 Not Found", None, "<html>")),
        "GET" => {
            let body = format!(r#"{{"userId":"{}","status":"ENABLED","type":"APP_USER"}}"#, asked.user);
            Reply::Refuse(http("200 OK", None, &body))
        }
        _ => Reply::Reset,
    });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--check-users", "--max-attempts", "2"]);
    ran.expect(0).says("could not be checked");
    assert_eq!(table.count("succeeded"), 3);
    endpoint.judge(&table);

    // The service's word settles nobody who was reset, unanswered, before.
    let endpoint = Hostile::start(|asked| match (asked.method.as_str(), asked.user.as_str()) {
        ("POST", "user-0002") if asked.nth == 0 => Reply::Drop,
        ("GET", _) | (_, "user-0003") => own("ResourceNotFoundException"),
        _ => Reply::Reset,
    });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--max-attempts", "1", "--batch", "b"]);
    assert_eq!(table.column("status"), ["succeeded", "unknown", "failed"], "{ran}");
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--max-attempts", "1", "--batch", "b", "--check-users"]);
    assert_eq!(table.column("status"), ["succeeded", "succeeded", "failed"], "{ran}");
    ran.says("it is in doubt");
    endpoint.judge(&table);
}

#[test]
fn a_refused_check_is_told_and_an_endpoint_that_is_not_the_api_stops_it() {
    let endpoint = Hostile::start(|_| Reply::Refuse(http("404 Not Found", None, "<html>")));
    let room = Room::new();
    room.roster("users.csv", 40);
    let words = ["users.csv", "-o", "out.csv", "--yes", "--check-users", "--rate", "50"];
    let ran = Ran::of(room.at(&endpoint.endpoint, &words).output().unwrap());
    ran.expect(3).says("stopped while users were checked").says("does not answer as the API does");
    assert_eq!(endpoint.asked("POST"), 0);
    assert!(endpoint.total() <= 10, "{}", endpoint.total());
}

#[test]
fn throttling_without_end_stops_the_run() {
    let endpoint = Hostile::start(|_| own("ThrottlingException"));
    let room = Room::new();
    let patience = ["--throttle-patience", "1s"];
    let (ran, table) = go(&room, &endpoint.endpoint, 40, &patience);
    ran.expect(3).says("as too many").says("next: run the same command again");
    assert_eq!(table.count("pending"), 40);
    assert!(endpoint.total() < 400, "{}", endpoint.total());
    let words = ["users.csv", "-o", "out.csv", "--yes", "--check-users", "--throttle-patience", "1s"];
    Ran::of(room.at(&endpoint.endpoint, &words).output().unwrap()).expect(3).says("as too many");
}

#[test]
fn a_run_without_a_read_time_out_still_ends_at_its_deadline() {
    let endpoint = Hostile::start(|asked| match asked.user.as_str() {
        "user-0002" => Reply::Hang,
        _ => Reply::After(Duration::from_millis(1), Box::new(Reply::Reset)),
    });
    let room = Room::new();
    let (ran, table) =
        go(&room, &endpoint.endpoint, 3, &["--read-timeout", "0", "--deadline", "3s", "--drain", "500ms"]);
    ran.expect(3).says("--deadline");
    assert_eq!(table.column("status"), ["succeeded", "unknown", "succeeded"]);
    endpoint.judge(&table);
}

#[test]
fn the_aws_clis_command_knows_a_doubt_when_it_sees_one() {
    // Whose the answer says the password is, the AWS CLI prints: so does this.
    for (name, bytes) in foreign().into_iter().filter(|(name, _)| *name != "somebody else") {
        let endpoint = Hostile::start(move |asked| match asked.nth {
            0 => Reply::Drop,
            _ => Reply::Refuse(bytes.clone()),
        });
        let room = Room::new();
        let words = ["reset-user-password", "--user-id", "ann", "--endpoint-url", &endpoint.endpoint];
        let ran = Ran::of(room.command(&words).env("AWS_MAX_ATTEMPTS", "2").output().unwrap());
        assert_ne!(ran.code(), Some(0), "{name}: {ran}");
        assert!(ran.stderr.contains("may have been changed already"), "{name}: {ran}");
        assert!(!ran.stderr.contains("locate credentials"), "{name}: {ran}");
    }
    let endpoint = Hostile::start(|asked| match asked.nth {
        0 => Reply::Refuse(Vec::new()),
        _ => own("ResourceNotFoundException"),
    });
    let room = Room::new();
    let ran = room.run(&["reset-user-password", "--user-id", "ann", "--endpoint-url", &endpoint.endpoint]).expect(254);
    assert!(!ran.stderr.contains("may have been changed"), "{ran}");
}

#[test]
fn a_list_that_points_to_itself_ends() {
    let endpoint = Hostile::start(|_| Reply::Refuse(http("200 OK", None, r#"{"users":[],"nextToken":"a"}"#)));
    let room = Room::new();
    let ran = room.run(&["list-users", "--endpoint-url", &endpoint.endpoint]).expect(3);
    ran.says("still points to another");
    assert!(endpoint.total() <= 3, "{}", endpoint.total());
    let endpoint = Hostile::start(|_| Reply::Refuse(http("200 OK", None, "<html>")));
    room.run(&["list-users", "--endpoint-url", &endpoint.endpoint]).expect(3).says("does not answer as the API does");
}

#[test]
fn a_connection_that_breaks_off_is_told_in_plain_words() {
    let endpoint = Hostile::start(|asked| if asked.user == "user-0002" { Reply::Drop } else { Reply::Reset });
    let room = Room::new();
    let (ran, table) = go(&room, &endpoint.endpoint, 3, &["--concurrency", "1", "--max-attempts", "2"]);
    ran.expect(1);
    assert_eq!(table.column("error_code")[1], "ConnectionLost");
    let told = table.column("error_message")[1];
    assert!(told.contains("the connection broke off before an answer came"), "{told}");
    for word in ["other:", "client error", "SendRequest"] {
        assert!(!told.contains(word), "{word}: {told}");
    }
    // So is one that never stood.
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    let words = ["users.csv", "-o", "other.csv", "--batch", "other", "--yes", "--max-attempts", "1"];
    let ran = Ran::of(room.at(&nowhere, &words).output().unwrap()).expect(3);
    assert!(ran.stderr.contains("onnection refused") && !ran.stderr.contains("client error"), "{ran}");
}
