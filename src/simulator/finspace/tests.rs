//! Laws of the operations that need no socket: routes, labels and bodies.

use jiff::Timestamp;

use super::*;
use crate::simulator::Api;

fn api(config: Config) -> Api {
    Api::new(Config { verify_signatures: false, ..config })
}

/// Status, error code and body.
fn call(api: &Api, method: &str, uri: &str, body: &[u8]) -> (u16, &'static str, String) {
    let request = hyper::Request::builder().method(method).uri(uri).body(());
    let (head, ()) = request.unwrap().into_parts();
    let answer = api.answer(&Call { head: &head, body, now: Instant::now(), time: Timestamp::now() });
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    (answer.status.as_u16(), answer.code.unwrap_or(""), text)
}

#[test]
fn a_path_is_split_before_it_is_decoded() {
    let route = |method: Method, path| Operation::from(&method, path);
    assert_eq!(route(Method::POST, "/user/a%2Fpassword/password"), Some(Operation::ResetUserPassword("a%2Fpassword")));
    assert_eq!(route(Method::GET, "/user/password"), Some(Operation::GetUser("password")));
    assert_eq!(route(Method::GET, "/user"), Some(Operation::ListUsers));
    // What such user IDs come to on the way: no reset of anyone.
    assert_eq!(route(Method::POST, "/user/../password"), None);
    assert_eq!(route(Method::POST, "/user/./password"), None);
    assert_eq!(route(Method::POST, "/user/a/b/password"), None);
    assert_eq!(route(Method::GET, "/user/a/password"), None);
    assert_eq!(route(Method::GET, "/"), None);
    assert_eq!(route(Method::OPTIONS, "*"), None);
}

#[test]
fn what_breaks_the_constraints_is_400_and_resets_nobody() {
    let api = api(Config::default());
    let long = format!("/user/{}/password", "x".repeat(27));
    let paths = ["/user//password", "/user/%20/password", "/user/%FF/password", &long];
    for path in paths.into_iter().chain(["/user/a%0Ab/password"]) {
        let (status, code, body) = call(&api, "POST", path, b"{}");
        assert_eq!((status, code), (400, "ValidationException"), "{path}");
        assert!(body.contains(r#""reason":"userId""#), "{body}");
    }
    let long = format!(r#"{{"clientToken":"{}"}}"#, "x".repeat(129));
    let bodies = ["[]", r#"["t"]"#, "{", "null", r#"{"clientToken":1}"#, &long];
    for body in bodies.into_iter().chain([r#"{"clientToken":" "}"#, r#"{"clientToken":""}"#]) {
        let (status, code, _) = call(&api, "POST", "/user/a/password", body.as_bytes());
        assert_eq!((status, code), (400, "ValidationException"), "{body}");
    }
    assert_eq!(call(&api, "POST", "/user/a/password", b"\xff{").0, 400);
    assert_eq!(api.state().world.metrics.resets, 0);
    for body in ["", "{}", r#"{"clientToken":null}"#, r#"{"other":1}"#] {
        assert_eq!(call(&api, "POST", "/user/a/password", body.as_bytes()).0, 200, "{body}");
    }
    assert_eq!(api.state().world.metrics.resets, 4);
}

#[test]
fn lists_and_credentials_check_their_parameters() {
    let api = api(Config::default());
    for query in ["", "?maxResults=0", "?maxResults=101", "?maxResults=ten", "?maxResults=%FF"] {
        assert_eq!(call(&api, "GET", &format!("/user{query}"), b"").0, 400, "{query}");
    }
    assert_eq!(call(&api, "GET", "/user?maxResults=9&nextToken=x", b"").0, 400);
    assert_eq!(call(&api, "GET", "/user?maxResults=100", b"").2, r#"{"users":[]}"#);
    let path = "/credentials/programmatic";
    for query in ["", "?environmentId=", "?environmentId=e&durationInMinutes=61"] {
        assert_eq!(call(&api, "GET", &format!("{path}{query}"), b"").0, 400, "{query}");
    }
    let (status, _, body) = call(&api, "GET", &format!("{path}?environmentId=e"), b"");
    assert!(status == 200 && body.contains(r#""durationInMinutes":60"#), "{body}");
}

#[test]
fn anyone_exists_but_the_missing() {
    let api = api(Config::default());
    assert_eq!(call(&api, "GET", "/user/anna", b"").0, 200);
    let (status, code, body) = call(&api, "POST", "/user/missing-7/password", b"");
    assert_eq!((status, code), (404, "ResourceNotFoundException"));
    assert!(body.contains("reason"), "{body}");
    assert_eq!(call(&api, "GET", "/user/missing", b"").0, 404);
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let answers = |seed| {
        let faults = "error-after=0.3".parse().unwrap();
        let api = api(Config { faults, seed, ..Config::default() });
        let paths = (0..50).map(|i| format!("/user/u{i}/password"));
        paths.map(|path| call(&api, "POST", &path, b"")).collect::<Vec<_>>()
    };
    assert_eq!(answers(4), answers(4));
    assert_ne!(answers(4), answers(5));
}
