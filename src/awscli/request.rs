//! The request, gathered from options and from the JSON or YAML beside them,
//! and checked as the AWS CLI's model does.
//!
//! Invariant: what comes out has a user ID of at least one character. The
//! maximum is the service's business.

use super::paramfile;
use super::python::Value;
use super::refusal::Refusal;
use super::yaml;
use crate::awscli::args::ResetUserPasswordArgs;

const USER_ID: &str = "userId";
const CLIENT_TOKEN: &str = "clientToken";

/// The request, its members in the order they were given.
pub(super) struct Request(Vec<(Value, Value)>);

impl Request {
    /// Gathers what the command line says.
    pub(super) fn gather(args: &ResetUserPasswordArgs) -> Result<Self, Refusal> {
        let mut given = Vec::new();
        for (key, option, typed) in
            [(USER_ID, "--user-id", &args.user_id), (CLIENT_TOKEN, "--client-token", &args.client_token)]
        {
            if let Some(typed) = typed {
                given.push((Value::Str(key.into()), paramfile::value(option, typed)?));
            }
        }
        let document = match (&args.cli_input_json, &args.cli_input_yaml) {
            (Some(_), Some(_)) => {
                return Err(Refusal::parameters("Only one --cli-input- parameter may be specified."));
            }
            (Some(typed), None) => Some(("--cli-input-json", json(typed)?)),
            (None, Some(typed)) => Some(("--cli-input-yaml", yaml(typed)?)),
            (None, None) => None,
        };
        if let Some((option, document)) = document {
            let entries = document.entries().map_err(|other| {
                let what = format!("Invalid type: expecting map, received <class '{}'>", other.class());
                Refusal::parsing(option, what)
            })?;
            for (key, value) in entries {
                if !given.iter().any(|(known, _)| *known == key) {
                    given.push((key, value));
                }
            }
        }
        Ok(Self(given))
    }

    /// The user ID and the client token.
    pub(super) fn checked(&self) -> Result<(String, Option<String>), Refusal> {
        let mut wrong = Vec::new();
        let known = [USER_ID, CLIENT_TOKEN];
        let find = |name: &str| self.0.iter().find(|(key, _)| matches!(key, Value::Str(key) if key == name));
        if find(USER_ID).is_none() {
            wrong.push(format!("Missing required parameter in input: \"{USER_ID}\""));
        }
        for (key, _) in &self.0 {
            if !matches!(key, Value::Str(key) if known.contains(&key.as_str())) {
                let known = known.join(", ");
                wrong.push(format!("Unknown parameter in input: \"{key}\", must be one of: {known}"));
            }
        }
        let [user_id, token] = known.map(|name| match find(name) {
            None => None,
            Some((_, Value::Str(text))) if text.is_empty() => {
                wrong.push(format!("Invalid length for parameter {name}, value: 0, valid min length: 1"));
                None
            }
            Some((_, Value::Str(text))) => Some(text.clone()),
            Some((_, value)) => {
                let class = value.class();
                wrong.push(format!(
                    "Invalid type for parameter {name}, value: {value}, type: <class '{class}'>, valid types: <class 'str'>"
                ));
                None
            }
        });
        match user_id {
            Some(user_id) if wrong.is_empty() => Ok((user_id, token)),
            _ => Err(Refusal::parameters(format!("Parameter validation failed:\n{}", wrong.join("\n")))),
        }
    }
}

fn json(typed: &str) -> Result<Value, Refusal> {
    let text = paramfile::document("--cli-input-json", typed)?;
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
    parsed.map(Value::from).map_err(|_| Refusal::parsing("cli-input-json", "Invalid JSON received."))
}

fn yaml(typed: &str) -> Result<Value, Refusal> {
    let text = paramfile::document("--cli-input-yaml", typed)?;
    yaml::read(&text).map_err(|_| Refusal::parsing("cli-input-yaml", "Invalid YAML received."))
}
