//! Laws of the operations that need no socket: targets, constraints, names, passwords and pages.

use std::time::Instant;

use hyper::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::simulator::{Api, Config, Service};

const POOL: &str = "us-east-1_Test";
const GOOD: &str = "Abcdef1!";

fn api_with(settings: &str, users: PoolUsers, config: Config) -> Api {
    let settings = settings.parse().unwrap();
    let service = Service::Cognito(Box::new(Pool { id: POOL.to_owned(), settings, users }));
    Api::new(Config { verify_signatures: false, service, ..config })
}

fn api(settings: &str, users: PoolUsers) -> Api {
    api_with(settings, users, Config::default())
}

/// Status and body, in which an error's code is `__type`.
fn raw(api: &Api, target: &str, body: &[u8]) -> (u16, Value) {
    let request = Request::builder()
        .method("POST")
        .uri("/")
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.1");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let answer = api.answer(&Call { head: &head, body, now: Instant::now(), time: Timestamp::now() });
    assert_eq!(answer.media, "application/x-amz-json-1.1");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["__type"].as_str(), answer.code, "the code is in the header, too");
    (answer.status.as_u16(), body)
}

fn call(api: &Api, operation: &str, mut body: Value) -> (u16, Value) {
    body.as_object_mut().unwrap().entry("UserPoolId").or_insert(POOL.into());
    raw(api, &format!("{TARGET}{operation}"), body.to_string().as_bytes())
}

/// The error's code; no text is success.
fn set(api: &Api, name: &str, password: &str) -> String {
    let body = json!({"Username": name, "Password": password, "Permanent": false});
    let (status, body) = call(api, "AdminSetUserPassword", body);
    assert_eq!(status == 200, body == json!({}), "{body}");
    body["__type"].as_str().unwrap_or_default().to_owned()
}

/// The user names on the first page that passes a filter.
fn found(api: &Api, filter: &str) -> Vec<String> {
    let (status, body) = call(api, "ListUsers", json!({"Filter": filter}));
    assert_eq!(status, 200, "{filter}: {body}");
    body["Users"].as_array().unwrap().iter().map(|user| user["Username"].as_str().unwrap().to_owned()).collect()
}

fn listed(users: &[(&str, &str)]) -> PoolUsers {
    let users = users.iter().map(|(name, email)| {
        let mut user = PoolUser::new(*name);
        user.sub = format!("sub-of-{name}");
        (*email).clone_into(&mut user.email);
        user
    });
    PoolUsers::Listed(users.collect())
}

#[test]
fn only_a_post_of_json_with_a_target_is_an_operation() {
    let api = api("", PoolUsers::Anyone);
    for target in ["", "AdminSetUserPassword", "AWSCognitoIdentityProviderService.AdminDeleteUser"] {
        let (status, body) = raw(&api, target, b"{}");
        assert_eq!((status, &body["__type"]), (400, &"UnknownOperationException".into()));
    }
    for body in ["", "[]", "null", "{", r#"{"UserPoolId":1}"#] {
        let (status, body) = raw(&api, "AWSCognitoIdentityProviderService.ListUsers", body.as_bytes());
        assert_eq!((status, &body["__type"]), (400, &"SerializationException".into()));
    }
}

#[test]
fn what_breaks_a_constraint_changes_nobody() {
    let api = api("", PoolUsers::Anyone);
    let long = "x".repeat(129);
    for name in ["", " ", "a b", "a\n", &long] {
        assert_eq!(set(&api, name, GOOD), "InvalidParameterException", "{name:?}");
    }
    let long = format!("{GOOD}{}", "x".repeat(249));
    for password in ["", "Abc def1!", &long] {
        assert_eq!(set(&api, "ann", password), "InvalidParameterException", "{password:?}");
    }
    for (pool, code) in [
        ("", "InvalidParameterException"),
        ("Test", "InvalidParameterException"),
        ("us-east-1_", "InvalidParameterException"),
        ("us-east-1_Te-st", "InvalidParameterException"),
        ("us-east-1_Other", "ResourceNotFoundException"),
    ] {
        for operation in ["AdminSetUserPassword", "ListUsers", "DescribeUserPool", "AdminUserGlobalSignOut"] {
            let body = json!({"UserPoolId": pool, "Username": "ann", "Password": GOOD});
            let (status, body) = call(&api, operation, body);
            assert_eq!((status, body["__type"].as_str()), (400, Some(code)), "{pool} {operation}");
        }
    }
    assert_eq!(set(&api, "ann", "Short1!"), "InvalidPasswordException");
    assert_eq!(set(&api, "missing-ann", GOOD), "UserNotFoundException");
    assert_eq!(api.state().world.metrics.resets, 0);
    for name in [".", "..", "a/b", "é", "=1+1"] {
        assert_eq!(set(&api, name, GOOD), "", "{name}");
    }
    assert_eq!(api.state().world.metrics.resets, 5);
}

#[test]
fn the_same_password_again_is_the_same_state() {
    let api = api("", PoolUsers::Anyone);
    for password in [GOOD, GOOD, "Other-12", GOOD] {
        assert_eq!(set(&api, "ann", password), "");
    }
    let state = api.state();
    let account = state.service.accounts().get("ann").unwrap();
    assert_eq!(account.passwords.len(), 3);
    assert_eq!((account.resets, state.world.metrics.resets, state.world.metrics.replays), (3, 3, 1));
    assert_eq!(account.status, Some("FORCE_CHANGE_PASSWORD"));
}

#[test]
fn a_history_refuses_the_current_password_and_those_before_it() {
    let api = api("history=2", PoolUsers::Anyone);
    let violation = "PasswordHistoryPolicyViolationException";
    for (password, expected) in
        [(GOOD, ""), (GOOD, violation), ("Other-12", ""), (GOOD, violation), ("Third-12", ""), (GOOD, "")]
    {
        assert_eq!(set(&api, "ann", password), expected, "{password}");
    }
}

#[test]
fn every_spelling_of_a_user_is_that_user() {
    let users = || listed(&[("Ann", "Ann@Example.com"), ("ben", "")]);
    let spellings = ["Ann", "sub-of-Ann", "Ann@Example.com", "ann", "ann@example.com"];
    for (settings, valid, name) in [
        ("", 2, "Ann"),
        ("email-aliases", 3, "Ann"),
        ("email-usernames", 3, "Ann"),
        ("email-aliases,case-insensitive", 5, "ann"),
    ] {
        let api = api(settings, users());
        for (at, spelling) in spellings.iter().enumerate() {
            let expected = if at < valid { "" } else { "UserNotFoundException" };
            assert_eq!(set(&api, spelling, &format!("Password-{at}")), expected, "{settings} {spelling}");
        }
        let state = api.state();
        assert_eq!(state.service.accounts().all().len(), 1, "{settings}");
        assert_eq!(state.service.accounts().get(name).unwrap().passwords.len(), valid, "{settings}");
    }
}

#[test]
fn an_address_is_an_alias_once_it_is_verified() {
    let mut users = vec![PoolUser::new("ann"), PoolUser::new("ben")];
    for user in &mut users {
        "x@example.com".clone_into(&mut user.email);
    }
    users[0].email_verified = false;
    let api = api("email-aliases", PoolUsers::Listed(users));
    assert_eq!(set(&api, "x@example.com", GOOD), "");
    assert!(api.state().service.accounts().get("ben").is_some());
}

#[test]
fn filters_find_users_by_each_name() {
    let api = api("", listed(&[("Ann", "Ann@Example.com"), ("andy", "ann@example.com"), ("ben", "")]));
    for (filter, expected) in [
        ("", &["Ann", "andy", "ben"][..]),
        (r#"username = "Ann""#, &["Ann"]),
        (r#"username = "ann""#, &[]),
        (r#"username ^= "an""#, &["andy"]),
        (r#"sub = "sub-of-ben""#, &["ben"]),
        (r#"email = "ann@example.com""#, &["Ann", "andy"]),
        (r#"email ^= "ANN@""#, &["Ann", "andy"]),
        (r#"status = "Disabled""#, &[]),
    ] {
        assert_eq!(found(&api, filter), expected, "{filter}");
    }
    for filter in ["username", r#"username = "Ann"#, r#"custom:team = "a""#] {
        let (status, body) = call(&api, "ListUsers", json!({"Filter": filter}));
        assert_eq!((status, &body["__type"]), (400, &"InvalidParameterException".into()), "{filter}");
    }
}

#[test]
fn where_anyone_exists_names_are_found_and_subs_remembered() {
    let api = api("", PoolUsers::Anyone);
    assert_eq!(found(&api, ""), [""; 0]);
    assert_eq!(found(&api, r#"username = "missing-1""#), [""; 0]);
    assert_eq!(found(&api, r#"email = "a@b.c""#), ["a@b.c"]);
    let (_, body) = call(&api, "ListUsers", json!({"Filter": r#"username = "ann""#}));
    let sub = body["Users"][0]["Attributes"][0]["Value"].as_str().unwrap().to_owned();
    assert_eq!(found(&api, &format!(r#"sub = "{sub}""#)), ["ann"]);
    assert_eq!(set(&api, &sub, GOOD), "");
    assert_eq!(found(&api, ""), ["ann"]);
    for (name, status, enabled) in [
        ("federated-1", "EXTERNAL_PROVIDER", true),
        ("unconfirmed-1", "UNCONFIRMED", true),
        ("disabled-1", "CONFIRMED", false),
        ("ann", "CONFIRMED", true),
    ] {
        let (_, body) = call(&api, "ListUsers", json!({"Filter": format!(r#"username = "{name}""#)}));
        assert_eq!((&body["Users"][0]["UserStatus"], &body["Users"][0]["Enabled"]), (&status.into(), &enabled.into()));
    }
    let (_, body) = call(&api, "ListUsers", json!({}));
    assert_eq!(body["Users"][0]["UserStatus"], "FORCE_CHANGE_PASSWORD");
}

#[test]
fn pages_hold_everyone_once_and_sixty_at_most() {
    let names: Vec<String> = (0..130).map(|n| format!("user-{n}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let api = api("", listed(&pairs));
    let (mut sizes, mut all, mut token) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let (status, page) = call(&api, "ListUsers", json!({"PaginationToken": token, "AttributesToGet": ["sub"]}));
        assert_eq!(status, 200);
        let users = page["Users"].as_array().unwrap().clone();
        sizes.push(users.len());
        all.extend(users.iter().map(|user| user["Username"].as_str().unwrap().to_owned()));
        token = page["PaginationToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((sizes, all), (vec![60, 60, 10], names.clone()));
    assert_eq!(call(&api, "ListUsers", json!({"Limit": 7})).1["Users"].as_array().map(Vec::len), Some(7));
    for wrong in [json!({"Limit": 61}), json!({"PaginationToken": "x"}), json!({"AttributesToGet": ["email"]})] {
        let (status, body) = call(&api, "ListUsers", wrong);
        assert_eq!((status, &body["__type"]), (400, &"InvalidParameterException".into()));
    }
}

#[test]
fn the_description_is_what_is_enforced() {
    let api = api("length=12,history=3,days=30,no-symbols,email-aliases,case-insensitive", listed(&[("ann", "")]));
    let describe = || call(&api, "DescribeUserPool", json!({})).1["UserPool"].take();
    let pool = describe();
    let policy = &pool["Policies"]["PasswordPolicy"];
    assert_eq!((&policy["MinimumLength"], &policy["TemporaryPasswordValidityDays"]), (&12.into(), &30.into()));
    assert_eq!((&policy["RequireSymbols"], &policy["PasswordHistorySize"]), (&false.into(), &3.into()));
    assert_eq!((&pool["AliasAttributes"], pool.get("UsernameAttributes")), (&json!(["email"]), None));
    assert_eq!(
        (&pool["UsernameConfiguration"]["CaseSensitive"], &pool["EstimatedNumberOfUsers"]),
        (&false.into(), &1.into())
    );
    assert_eq!(set(&api, "ANN", "Abcdefghij1"), "InvalidPasswordException");
    assert_eq!(set(&api, "ANN", "Abcdefghijk1"), "");
    let policy = json!({"MinimumLength": 20, "RequireSymbols": false});
    assert_eq!(call(&api, "UpdateUserPool", json!({"Policies": {"PasswordPolicy": policy}})).0, 200);
    assert_eq!(set(&api, "ann", "Abcdefghijkl1"), "InvalidPasswordException");
    assert_eq!(describe()["Policies"]["PasswordPolicy"]["MinimumLength"], 20);
    let policy = json!({"MinimumLength": 5});
    assert_eq!(call(&api, "UpdateUserPool", json!({"Policies": {"PasswordPolicy": policy}})).0, 400);
}

#[test]
fn sign_outs_are_counted_and_faults_meet_what_changes_users() {
    let config = Config { faults: "error-after=1".parse().unwrap(), ..Config::default() };
    let api = api_with("", PoolUsers::Anyone, config);
    for operation in ["AdminSetUserPassword", "AdminUserGlobalSignOut"] {
        let (status, body) = call(&api, operation, json!({"Username": "ann", "Password": GOOD}));
        assert_eq!((status, &body["__type"]), (500, &"InternalErrorException".into()));
    }
    assert_eq!(call(&api, "ListUsers", json!({})).0, 200);
    let (_, body) = call(&api, "AdminUserGlobalSignOut", json!({"Username": "missing"}));
    assert_eq!(body["__type"], "UserNotFoundException");
    let state = api.state();
    assert_eq!(state.service.accounts().get("ann").unwrap().sign_outs, 1);
    assert_eq!((state.world.metrics.requests.sign_out, state.world.metrics.requests.reset), (2, 1));
}

#[test]
fn past_the_quota_is_too_many_requests() {
    let config = Config { quota: Some("0,burst=1".parse().unwrap()), ..Config::default() };
    let api = api_with("", PoolUsers::Anyone, config);
    assert_eq!(set(&api, "ann", GOOD), "");
    assert_eq!(set(&api, "ben", GOOD), "TooManyRequestsException");
    assert_eq!(api.state().world.metrics.throttled, 1);
}
