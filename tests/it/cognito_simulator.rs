//! The simulated user pool over real HTTP, through the AWS CLI, which nobody here wrote; and the flags that
//! describe it.

use finspace_reset::simulator::{Config, Pool, PoolUser, PoolUsers, Service};

use crate::common::{Room, Simulator};
use crate::simulator::{Aws, aws_cli, state, with};

const POOL: &str = "eu-west-3_Test";

#[tokio::test]
async fn the_aws_cli_talks_to_it() {
    let Some(program) = aws_cli() else { return };
    let mut users: Vec<PoolUser> = (0..61).map(|n| PoolUser::new(format!("user-{n}"))).collect();
    users[0].email = "ann@example.com".to_owned();
    let settings = "email-aliases,case-insensitive,length=9,history=1,days=30".parse().unwrap();
    let pool = Pool { id: POOL.to_owned(), settings, users: PoolUsers::Listed(users) };
    let config = Config { service: Service::Cognito(Box::new(pool)), ..Config::default() };
    with(config, |endpoint| async move {
        let aws = Aws { program, service: "cognito-idp", endpoint: endpoint.clone() };
        let secret = finspace_reset::simulator::SECRET_ACCESS_KEY;
        let pool = ["--user-pool-id", POOL];
        let described = aws.json(&[&["describe-user-pool"], &pool[..]].concat()).await;
        let policy = &described["UserPool"]["Policies"]["PasswordPolicy"];
        assert_eq!((&policy["MinimumLength"], &policy["TemporaryPasswordValidityDays"]), (&9.into(), &30.into()));
        // The CLI puts the pages together.
        let listed = aws.json(&[&["list-users"], &pool[..]].concat()).await;
        assert_eq!(listed["Users"].as_array().map(Vec::len), Some(61));
        let filter = [&["list-users", "--filter", "email = \"ANN@example.com\""], &pool[..]].concat();
        assert_eq!(aws.json(&filter).await["Users"][0]["Username"], "user-0");

        let set = |name, password| {
            let command = ["admin-set-user-password", "--username", name, "--password", password, "--no-permanent"];
            [&command[..], &pool[..]].concat()
        };
        let done = aws.run(secret, &set("ANN@example.com", "Abcdef-12")).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        for (name, password, code) in [
            ("User-0", "Abcdef-12", "PasswordHistoryPolicyViolationException"),
            ("user-1", "Abcde-12", "InvalidPasswordException"),
            ("user-99", "Abcdef-12", "UserNotFoundException"),
        ] {
            let told = aws.error(secret, &set(name, password)).await;
            assert!(told.contains(code), "{told}");
        }
        let told = aws.error("wrong", &set("user-1", "Abcdef-12")).await;
        assert!(told.contains("InvalidSignatureException"), "{told}");
        let out = aws.run(secret, &[&["admin-user-global-sign-out", "--username", "user-0"], &pool[..]].concat()).await;
        assert!(out.status.success());

        let state = state(&endpoint).await;
        let user = &state["users"]["user-0"];
        assert_eq!((&user["passwords"][0], &user["resets"]), (&"Abcdef-12".into(), &1.into()));
        assert_eq!((&user["status"], &user["sign_outs"]), (&"FORCE_CHANGE_PASSWORD".into(), &1.into()));
        assert_eq!((&state["resets"], &state["refused"], &state["users_reset"]), (&1.into(), &1.into(), &1.into()));
    })
    .await;
}

#[test]
fn flags_describe_the_pool() {
    let room = Room::new();
    room.write("users.csv", "username\nann\n").write("wrong.csv", "name\nann\n");
    let simulator = Simulator::start(&["--service", "cognito", "--users", &room.path("users.csv").to_string_lossy()]);
    assert_eq!(simulator.seen().state["resets"], 0);
    for (flags, says) in [
        (&["--pool", "history=1"][..], "add --service cognito"),
        (&["--user-pool-id", POOL], "add --service cognito"),
        (&["--service", "cognito", "--pool", "history=99"], "history=0 to 24"),
        (&["--service", "cognito", "--pool", "symbols"], "no setting 'symbols'"),
        (&["--service", "cognito", "--users", "wrong.csv"], "no column username"),
        (&["--service", "cognito", "--users", "none.csv"], "none.csv"),
        (&["--service", "congito"], "cognito"),
    ] {
        room.run(&[&["simulator"], flags].concat()).expect(2).says(says);
    }
}
