//! The simulator's own window: unsigned, read only, for tests and the curious.
//!
//! Invariant: nothing asked here changes or counts anything.

use hyper::Method;
use hyper::http::request::Parts;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::accounts::Account;
use super::answer::{Answer, Refusal};
use super::api::Api;
use super::metrics::Metrics;
use super::query::Query;

const PREFIX: &str = "/_simulator/";

/// The answer, if the request is one for this window.
pub(super) fn answer(api: &Api, head: &Parts) -> Option<Answer> {
    let page = head.uri.path().strip_prefix(PREFIX)?;
    let query = Query(head.uri.query().unwrap_or_default());
    let answer = match (&head.method, page) {
        (&Method::GET, "state") => state(api, query),
        (&Method::GET, "user") => user(api, query),
        _ => Err(Refusal::unknown_operation()),
    };
    Some(answer.unwrap_or_else(Answer::from))
}

fn state(api: &Api, query: Query<'_>) -> Result<Answer, Refusal> {
    let with_users = query.text("users")?.as_deref() != Some("false");
    let state = api.state();
    let accounts = state.service.accounts().all();
    Ok(Answer::json(&StateShape {
        metrics: &state.world.metrics,
        users_reset: accounts.len(),
        users: with_users.then_some(Accounts(accounts)),
    }))
}

/// A user who was never reset has an empty history.
fn user(api: &Api, query: Query<'_>) -> Result<Answer, Refusal> {
    let id = query.text("id")?;
    let id = id.ok_or_else(|| Refusal::validation("id", "id is missing: send id=USER_ID."))?;
    let state = api.state();
    let account = state.service.accounts().get(&id);
    Ok(Answer::json(&account.map_or(NEVER, AccountShape::of)))
}

#[derive(Serialize)]
struct StateShape<'a> {
    #[serde(flatten)]
    metrics: &'a Metrics,
    users_reset: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Accounts<'a>>,
}

/// Users by ID, written as they are read: there may be a million.
struct Accounts<'a>(&'a [Account]);

impl Serialize for Accounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for account in self.0 {
            map.serialize_entry(&*account.id, &AccountShape::of(account))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct AccountShape<'a> {
    /// The last one is current.
    passwords: &'a [Box<str>],
    resets: u64,
    /// Of a user pool: the state that the last reset left the user in.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// Of a user pool: the times that every session was ended.
    #[serde(skip_serializing_if = "is_zero")]
    sign_outs: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

const NEVER: AccountShape<'static> = AccountShape { passwords: &[], resets: 0, status: None, sign_outs: 0 };

impl<'a> AccountShape<'a> {
    fn of(account: &'a Account) -> Self {
        let Account { passwords, resets, status, sign_outs, .. } = account;
        AccountShape { passwords, resets: *resets, status: *status, sign_outs: *sign_outs }
    }
}
