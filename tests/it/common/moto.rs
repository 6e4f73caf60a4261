//! moto, an imitation of AWS that nobody here wrote, as the judge of user pools: it knows which password signs
//! a user in, and what comes of that.
//!
//! Invariant: one moto serves the whole test process and ends with it; every test makes pools of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The region that pools lie in.
const REGION: &str = "us-east-1";

/// The password that everybody has before a run.
pub(crate) const OLD: &str = "Before-the-run-everybody-has-this-password-1";

/// A running moto.
pub(crate) struct Moto {
    pub address: String,
    /// Ends when its standard input does, which is when this process ends.
    _child: Child,
}

/// The reason for which moto refuses: its code.
pub(crate) type Refused = String;

impl Moto {
    /// The moto of this process; none if it is not installed, which fails where
    /// `FINSPACE_RESET_REQUIRE_INTEROP=1` asks for that.
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) fn get() -> Option<&'static Moto> {
        static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
        let moto = MOTO.get_or_init(Self::start).as_ref();
        if moto.is_none() {
            let missing = "there is no moto; install tests/fixtures/moto.txt into target/moto, as it says";
            let required = std::env::var("FINSPACE_RESET_REQUIRE_INTEROP").is_ok_and(|value| value == "1");
            assert!(!required, "{missing}");
            eprintln!("skipped: {missing}");
        }
        moto
    }

    fn start() -> Option<Moto> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = root.join("target/moto/bin/python");
        let python = if own.exists() { own } else { "python3".into() };
        let mut child = Command::new(python)
            .arg(root.join("tests/fixtures/serve_moto.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stdout.take()?).lines();
        let address = lines.find_map(|line| line.ok().filter(|line| line.starts_with("127.0.0.1:")))?;
        Some(Moto { address, _child: child })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One request of the API.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        call(&self.address, operation, body).expect("moto answers")
    }

    /// Makes a pool. The settings are members of `CreateUserPool`.
    pub(crate) fn pool(&'static self, mut settings: Value) -> Pool {
        settings["PoolName"] = "a test's".into();
        let made = self.call("CreateUserPool", &settings).expect("a pool");
        let id = made["UserPool"]["Id"].as_str().unwrap().to_owned();
        let flows = json!(["ALLOW_ADMIN_USER_PASSWORD_AUTH"]);
        let client = json!({"UserPoolId": id, "ClientName": "a test's", "ExplicitAuthFlows": flows});
        let client = self.call("CreateUserPoolClient", &client).expect("a client");
        let client = client["UserPoolClient"]["ClientId"].as_str().unwrap().to_owned();
        Pool { moto: self, id, client }
    }
}

/// One request of the API to an address; an error is a connection that broke.
pub(crate) fn call(address: &str, operation: &str, body: &Value) -> std::io::Result<Result<Value, Refused>> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: AWSCognitoIdentityProviderService.{operation}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=A/20260101/{REGION}/cognito-idp/aws4_request, \
         SignedHeaders=host, Signature=0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let whole = answer.split_once("\r\n\r\n").and_then(|(head, body)| Some((head, serde_json::from_str(body).ok()?)));
    let Some((head, body)): Option<(&str, Value)> = whole else {
        return Err(std::io::Error::other("no answer, or half of one"));
    };
    if head.split(' ').nth(1) == Some("200") {
        return Ok(Ok(body));
    }
    Ok(Err(body["__type"].as_str().unwrap_or("an error without a code").to_owned()))
}

/// A user pool in moto.
pub(crate) struct Pool {
    moto: &'static Moto,
    pub id: String,
    client: String,
}

/// The outcome of a sign-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The password is right, and has to be changed; the session goes on with this.
    NewPassword(String),
    /// The password is right and stays.
    In,
    /// It is not.
    Refused(Refused),
}

impl Pool {
    /// Adds a confirmed user, who has the password [`OLD`]; tells their user name.
    pub(crate) fn add(&self, name: &str, email: &str) -> String {
        let mut body = json!({"UserPoolId": self.id, "Username": name, "MessageAction": "SUPPRESS"});
        if !email.is_empty() {
            body["UserAttributes"] = json!([{"Name": "email", "Value": email}]);
        }
        let made = self.moto.call("AdminCreateUser", &body).expect("a user");
        let name = made["User"]["Username"].as_str().unwrap().to_owned();
        let body = json!({"UserPoolId": self.id, "Username": name, "Password": OLD, "Permanent": true});
        self.moto.call("AdminSetUserPassword", &body).expect("a password");
        name
    }

    /// Adds so many users, named `user-0001` and on.
    pub(crate) fn add_many(&self, count: usize) -> Vec<String> {
        (1..=count).map(|number| self.add(&format!("user-{number:04}"), "")).collect()
    }

    pub(crate) fn sign_in(&self, name: &str, password: &str) -> SignIn {
        let parameters = json!({"USERNAME": name, "PASSWORD": password});
        let body = json!({"UserPoolId": self.id, "ClientId": self.client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": parameters});
        match self.moto.call("AdminInitiateAuth", &body) {
            Ok(answer) if answer["ChallengeName"] == "NEW_PASSWORD_REQUIRED" => {
                SignIn::NewPassword(answer["Session"].as_str().unwrap().to_owned())
            }
            Ok(answer) if answer["AuthenticationResult"].is_object() => SignIn::In,
            Ok(answer) => SignIn::Refused(answer.to_string()),
            Err(code) => SignIn::Refused(code),
        }
    }

    /// Changes a temporary password in the session that it opened.
    pub(crate) fn change(&self, name: &str, session: &str, password: &str) -> Result<Value, Refused> {
        let responses = json!({"USERNAME": name, "NEW_PASSWORD": password});
        let body = json!({"UserPoolId": self.id, "ClientId": self.client, "Session": session,
            "ChallengeName": "NEW_PASSWORD_REQUIRED", "ChallengeResponses": responses});
        self.moto.call("AdminRespondToAuthChallenge", &body)
    }

    /// The state that the pool has a user in.
    pub(crate) fn status(&self, name: &str) -> String {
        let body = json!({"UserPoolId": self.id, "Username": name});
        self.moto.call("AdminGetUser", &body).expect("a user")["UserStatus"].as_str().unwrap().to_owned()
    }

    /// Users of these whose password is not the one that is told, or need not be changed.
    pub(crate) fn locked_out<'a>(&self, told: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
        let wrong = told.filter(|(name, password)| !matches!(self.sign_in(name, password), SignIn::NewPassword(_)));
        wrong.map(|(name, _)| name.to_owned()).collect()
    }
}
