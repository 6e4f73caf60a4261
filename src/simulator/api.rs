//! The operations: from a request that has arrived whole to its answer.
//!
//! Invariant: one lock is held from the first look at a request to its answer, so every request
//! is executed at one instant, in the order of arrival. Nothing here waits or writes to a socket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::Config;
use super::answer::{Answer, Refusal, StopReason};
use super::directory::{Directory, no_such_user, page_start};
use super::faults::{Fault, FaultInjector};
use super::keys::{Caller, Issued, Keyring};
use super::metrics::Metrics;
use super::population::{MAX_ID, is_valid_identifier};
use super::quota::Bucket;
use super::sigv4;
use super::store::Store;

const MAX_TOKEN: usize = 128;
const MAX_PAGE: u64 = 100;
const MAX_MINUTES: u64 = 60;

/// The API and everything it remembers.
#[derive(Debug)]
pub(super) struct Api {
    verify_signatures: bool,
    credential_life: Option<Duration>,
    latency: Duration,
    refusal_latency: Duration,
    jitter: Duration,
    directory: Directory,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub store: Store,
    pub metrics: Metrics,
    keyring: Keyring,
    quota: Option<Bucket>,
    mischief: FaultInjector,
    rng: StdRng,
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

impl Api {
    pub(super) fn new(config: Config) -> Api {
        Api {
            verify_signatures: config.verify_signatures,
            credential_life: config.credential_life,
            latency: config.latency,
            refusal_latency: config.refusal_latency.unwrap_or(config.latency),
            jitter: config.jitter,
            directory: Directory::new(config.population),
            state: Mutex::new(State {
                store: Store::new(config.token_ttl, config.replay),
                metrics: Metrics::default(),
                keyring: Keyring::new(),
                quota: config.quota.map(Bucket::new),
                mischief: FaultInjector::new(config.faults, config.seed),
                rng: StdRng::seed_from_u64(config.seed),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Executes a request and says how to answer it.
    pub(super) fn answer(&self, head: &Parts, body: &[u8], now: Instant, time: Timestamp) -> Answer {
        let state = &mut *self.state();
        let operation = Operation::from(&head.method, head.uri.path());
        let metrics = &mut state.metrics;
        metrics.requests.total += 1;
        match operation {
            Some(Operation::ResetUserPassword(_)) => metrics.reset_arrived(now),
            Some(Operation::GetUser(_)) => metrics.requests.get_user += 1,
            Some(Operation::ListUsers | Operation::ListUsersByPermissionGroup(_)) => {
                metrics.requests.list_users += 1;
            }
            Some(Operation::GetProgrammaticAccessCredentials) => metrics.requests.credentials += 1,
            None => {}
        }

        let result = match operation {
            Some(operation) => self
                .admit(state, head, body, now, time)
                .and_then(|caller| self.execute(state, caller, operation, head.uri.query(), body, now)),
            None => Err(Refusal::unknown_operation()),
        };
        let mut answer = result.unwrap_or_else(|refusal| {
            match refusal.status.as_u16() {
                403 => state.metrics.refused += 1,
                429 => state.metrics.throttled += 1,
                _ => {}
            }
            refusal.into()
        });
        answer.request_id = uuid::Builder::from_random_bytes(state.rng.random()).into_uuid();
        let latency = if answer.status.as_u16() == 429 { self.refusal_latency } else { self.latency };
        answer.delay = self.delay(latency, &mut state.rng);
        answer
    }

    fn delay(&self, latency: Duration, rng: &mut StdRng) -> Duration {
        if self.jitter.is_zero() {
            return latency;
        }
        let swing = rng.random_range(0.0..2.0);
        (latency + self.jitter.mul_f64(swing)).saturating_sub(self.jitter)
    }

    /// The stations that all operations share: signature and quota.
    fn admit(
        &self,
        state: &mut State,
        head: &Parts,
        body: &[u8],
        now: Instant,
        time: Timestamp,
    ) -> Result<Caller, Refusal> {
        let caller = if self.verify_signatures {
            sigv4::verify(head, body, &mut state.keyring, now, time)?
        } else {
            Caller { superuser: true }
        };
        let passes = state.quota.as_mut().is_none_or(|bucket| bucket.take(now));
        if passes { Ok(caller) } else { Err(Refusal::throttling()) }
    }

    fn execute(
        &self,
        state: &mut State,
        caller: Caller,
        operation: Operation<'_>,
        query: Option<&str>,
        body: &[u8],
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let query = Query(query.unwrap_or_default());
        if operation == Operation::GetProgrammaticAccessCredentials {
            return self.credentials(state, caller, query, now);
        }
        if !caller.superuser {
            return Err(Refusal::access_denied());
        }
        match operation {
            Operation::ResetUserPassword(raw) => {
                let id = identifier(raw, "userId")?;
                self.reset_user_password(state, &id, body, now)
            }
            Operation::GetUser(raw) => {
                let user = self.directory.user(&identifier(raw, "userId")?)?;
                Ok(Answer::json(&user))
            }
            Operation::ListUsersByPermissionGroup(raw) => {
                let group = identifier(raw, "permissionGroupId")?;
                self.list_users(state, Some(&group), query)
            }
            _ => self.list_users(state, None, query),
        }
    }

    fn reset_user_password(
        &self,
        state: &mut State,
        user_id: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let token = client_token(body)?;
        if !self.directory.exists(user_id) {
            return Err(no_such_user());
        }
        let fault = state.mischief.next();
        let before = match fault {
            Some(Fault::DropBefore) => Some(Answer::ok("").ending(StopReason::Dropped)),
            Some(Fault::ErrorBefore) => Some(Refusal::internal().into()),
            _ => None,
        };
        if let (Some(fault), Some(answer)) = (fault, before) {
            state.metrics.faults.count(fault);
            return Ok(answer);
        }

        let reset = state.store.reset(user_id, token.as_deref(), now, &mut state.rng);
        let reset = reset
            .map_err(|_| Refusal::conflict("This client token stands for another user's reset: make a new one."))?;
        let executed = if reset.replayed { &mut state.metrics.replays } else { &mut state.metrics.resets };
        *executed += 1;
        let answer = Answer::json(&ResetShape { user_id, temporary_password: reset.password });
        if let Some(fault) = fault {
            state.metrics.faults.count(fault);
        }
        Ok(spoil(answer, fault))
    }

    fn list_users(&self, state: &State, group: Option<&str>, query: Query<'_>) -> Result<Answer, Refusal> {
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
        let page = self.directory.page(group, start, length, state.store.users())?;
        Ok(Answer::json(&page))
    }

    fn credentials(
        &self,
        state: &mut State,
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
            credentials: state.keyring.issue(caller, life, now, &mut state.rng),
            duration_in_minutes: life.as_secs().div_ceil(60).max(1),
        }))
    }
}

/// Makes of a good answer what a fault after execution leaves of it.
fn spoil(answer: Answer, fault: Option<Fault>) -> Answer {
    match fault {
        // The first two never come here.
        None | Some(Fault::DropBefore | Fault::ErrorBefore) => answer,
        Some(Fault::DropAfter) => answer.ending(StopReason::Dropped),
        Some(Fault::ErrorAfter) => Refusal::internal().into(),
        Some(Fault::Truncate) => answer.ending(StopReason::Truncated),
        Some(Fault::Garbage) => {
            // The password is in it, as it would be: nobody may print such a body.
            let garbage = [b"<html>", &answer.body[..], b"</html>"].concat();
            Answer::ok(garbage)
        }
        Some(Fault::Empty) => Answer::ok(Bytes::from_static(b"{}")),
        Some(Fault::Hang) => answer.ending(StopReason::Hung),
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

/// A query string; of a repeated parameter the first counts.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(pub &'a str);

impl Query<'_> {
    pub(super) fn text(self, name: &'static str) -> Result<Option<String>, Refusal> {
        let mut pairs = self.0.split('&').map(|p| p.split_once('=').unwrap_or((p, "")));
        let Some((_, value)) = pairs.find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        match percent_decode_str(value).decode_utf8() {
            Ok(text) => Ok(Some(text.into_owned())),
            Err(_) => Err(Refusal::validation(name, format!("{name} must be UTF-8."))),
        }
    }

    /// A whole number from 1 to `max`.
    fn number(self, name: &'static str, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n| (1..=max).contains(n));
        number.map(Some).ok_or_else(|| {
            let message = format!("{name} must be a whole number from 1 to {max}.");
            Refusal::validation(name, message)
        })
    }
}

#[cfg(test)]
mod tests;
