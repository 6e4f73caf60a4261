//! The Amazon `FinSpace` Data API, as far as it has to do with users and their passwords.
//!
//! Invariant: of what an operation checks, the caller's permission comes first, then the request's
//! constraints, then the user's existence.

use std::time::{Duration, Instant};

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

mod directory;
mod store;

use self::directory::{Directory, no_such_user};
use self::store::Store;
use super::Config;
use super::accounts::Accounts;
use super::answer::{Answer, Refusal};
use super::keys::{Caller, Issued};
use super::metrics::Metrics;
use super::operations::{Call, Operations, World};
use super::pages::page_start;
use super::population::{MAX_ID, is_valid_identifier};
use super::query::Query;

const MAX_TOKEN: usize = 128;
const MAX_PAGE: u64 = 100;
const MAX_MINUTES: u64 = 60;

/// The service and everything it remembers.
#[derive(Debug)]
pub(super) struct FinSpace {
    credential_life: Option<Duration>,
    directory: Directory,
    store: Store,
}

/// The operation that a method and a raw path stand for, its label still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'a> {
    ResetUserPassword(&'a str),
    GetUser(&'a str),
    ListUsers,
    ListUsersByPermissionGroup(&'a str),
    GetProgrammaticAccessCredentials,
}

impl<'a> Operation<'a> {
    fn of(call: &Call<'a>) -> Option<Self> {
        Self::from(&call.head.method, call.head.uri.path())
    }

    /// Splits the path before anything is decoded, so that an encoded slash stays part of its label.
    /// Dot segments are taken out first, as everything on the way to the real service does.
    fn from(method: &Method, raw_path: &'a str) -> Option<Self> {
        let mut segments = Vec::with_capacity(4);
        for segment in raw_path.strip_prefix('/')?.split('/') {
            match segment {
                "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other),
            }
        }
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["user", id, "password"]) => Some(Operation::ResetUserPassword(id)),
            ("GET", ["user", id]) => Some(Operation::GetUser(id)),
            ("GET", ["user"]) => Some(Operation::ListUsers),
            ("GET", ["permission-group", id, "users"]) => Some(Operation::ListUsersByPermissionGroup(id)),
            ("GET", ["credentials", "programmatic"]) => Some(Operation::GetProgrammaticAccessCredentials),
            _ => None,
        }
    }
}

impl Operations for FinSpace {
    fn signing_name(&self) -> &'static str {
        "finspace-api"
    }

    fn count(&self, call: &Call<'_>, metrics: &mut Metrics) -> bool {
        let Some(operation) = Operation::of(call) else { return false };
        match operation {
            Operation::ResetUserPassword(_) => metrics.reset_arrived(call.now),
            Operation::GetUser(_) => metrics.requests.get_user += 1,
            Operation::ListUsers | Operation::ListUsersByPermissionGroup(_) => metrics.requests.list_users += 1,
            Operation::GetProgrammaticAccessCredentials => metrics.requests.credentials += 1,
        }
        true
    }

    fn execute(&mut self, call: &Call<'_>, caller: Caller, world: &mut World) -> Result<Answer, Refusal> {
        let operation = Operation::of(call).ok_or_else(Refusal::unknown_operation)?;
        let query = Query(call.head.uri.query().unwrap_or_default());
        if operation == Operation::GetProgrammaticAccessCredentials {
            return self.credentials(world, caller, query, call.now);
        }
        if !caller.superuser {
            return Err(Refusal::access_denied());
        }
        match operation {
            Operation::ResetUserPassword(raw) => {
                let id = identifier(raw, "userId")?;
                self.reset_user_password(&id, call, world)
            }
            Operation::GetUser(raw) => {
                let user = self.directory.user(&identifier(raw, "userId")?)?;
                Ok(Answer::json(&user))
            }
            Operation::ListUsersByPermissionGroup(raw) => {
                let group = identifier(raw, "permissionGroupId")?;
                self.list_users(Some(&group), query)
            }
            _ => self.list_users(None, query),
        }
    }

    fn throttling(&self) -> Refusal {
        Refusal::throttling()
    }

    fn accounts(&self) -> &Accounts {
        self.store.accounts()
    }
}

impl FinSpace {
    pub(super) fn new(config: &mut Config) -> FinSpace {
        FinSpace {
            credential_life: config.credential_life,
            directory: Directory::new(std::mem::take(&mut config.population)),
            store: Store::new(config.token_ttl, config.replay),
        }
    }

    fn reset_user_password(&mut self, user_id: &str, call: &Call<'_>, world: &mut World) -> Result<Answer, Refusal> {
        let token = client_token(call.body)?;
        if !self.directory.exists(user_id) {
            return Err(no_such_user());
        }
        world.carry_out(
            || Refusal::internal().into(),
            |world| {
                let reset = self.store.reset(user_id, token.as_deref(), call.now, &mut world.rng);
                let reset = reset.map_err(|_| {
                    Refusal::conflict("This client token stands for another user's reset: make a new one.")
                })?;
                let metrics = &mut world.metrics;
                *(if reset.replayed { &mut metrics.replays } else { &mut metrics.resets }) += 1;
                Ok(Answer::json(&ResetShape { user_id, temporary_password: reset.password }))
            },
        )
    }

    fn list_users(&self, group: Option<&str>, query: Query<'_>) -> Result<Answer, Refusal> {
        let length = query
            .number("maxResults", MAX_PAGE)?
            .ok_or_else(|| Refusal::validation("maxResults", "maxResults is missing: send one from 1 to 100."))?;
        let start = match query.text("nextToken")? {
            None => 0,
            Some(token) => page_start(&token).ok_or_else(|| {
                let message = "nextToken is none that was given out: begin without one.";
                Refusal::validation("nextToken", message)
            })?,
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let page = self.directory.page(group, start, length, self.store.accounts().all())?;
        Ok(Answer::json(&page))
    }

    fn credentials(
        &self,
        world: &mut World,
        caller: Caller,
        query: Query<'_>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let environment = query.text("environmentId")?.unwrap_or_default();
        if !is_valid_identifier(&environment, MAX_ID) {
            let message = "environmentId must have 1 to 26 characters: send the environment's ID.";
            return Err(Refusal::validation("environmentId", message));
        }
        let minutes = query.number("durationInMinutes", MAX_MINUTES)?.unwrap_or(MAX_MINUTES);
        let asked = Duration::from_secs(minutes * 60);
        let life = self.credential_life.unwrap_or(asked);
        Ok(Answer::json(&CredentialsShape {
            credentials: world.keyring.issue(caller, life, now, &mut world.rng),
            duration_in_minutes: life.as_secs().div_ceil(60).max(1),
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResetShape<'a> {
    user_id: &'a str,
    temporary_password: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CredentialsShape {
    credentials: Issued,
    duration_in_minutes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResetBody {
    client_token: Option<String>,
}

/// The body's client token. No body is an empty object, as the protocol has it.
fn client_token(body: &[u8]) -> Result<Option<String>, Refusal> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Ok(None);
    };
    // A derived deserializer would take an array for an object.
    let parsed = Some(first).filter(|first| **first == b'{');
    let parsed = parsed.and_then(|_| serde_json::from_slice::<ResetBody>(body).ok());
    let Some(parsed) = parsed else {
        let message = "The body is not a JSON object with a text for clientToken: send such a one.";
        return Err(Refusal::validation("body", message));
    };
    match parsed.client_token {
        Some(token) if !is_valid_identifier(&token, MAX_TOKEN) => {
            let message = "clientToken must have 1 to 128 characters, not all blank and no line break.";
            Err(Refusal::validation("clientToken", message))
        }
        token => Ok(token),
    }
}

fn identifier(raw: &str, member: &'static str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(raw).decode_utf8();
    let valid = decoded.ok().filter(|id| is_valid_identifier(id, MAX_ID));
    valid.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        let message = format!("{member} must have 1 to 26 characters, not all blank and no line break.");
        Refusal::validation(member, message)
    })
}

#[cfg(test)]
mod tests;
