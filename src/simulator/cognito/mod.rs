//! The admin API of Amazon Cognito user pools, as far as it has to do with users and their passwords.
//!
//! Invariant: of what an operation checks, the caller's permission comes first, then the request's
//! constraints, then the pool, the user, the password's policy and its history.

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod directory;
mod filter;
mod pool;
mod refusals;
mod users;

pub use self::pool::{PasswordPolicy, Pool, PoolError, PoolSettings};
pub use self::users::{PoolUser, PoolUserStatus, PoolUsers, PoolUsersError};

use self::directory::{Directory, Shape};
use self::filter::Filter;
use self::pool::Emails;
use self::users::is_valid_name;
use super::accounts::Accounts;
use super::answer::{Answer, Refusal};
use super::keys::Caller;
use super::metrics::Metrics;
use super::operations::{Call, Operations, World};
use super::pages::page_start;

const TARGET: &str = "AWSCognitoIdentityProviderService.";
const MAX_PAGE: usize = 60;
const MAX_PASSWORD: usize = 256;
const MAX_POOL_ID: usize = 55;

/// The service and everything it remembers.
#[derive(Debug)]
pub(super) struct Cognito {
    id: String,
    settings: PoolSettings,
    directory: Directory,
    accounts: Accounts,
}

/// The operation that a request's target names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    AdminSetUserPassword,
    AdminUserGlobalSignOut,
    DescribeUserPool,
    ListUsers,
    UpdateUserPool,
}

impl Operation {
    fn of(call: &Call<'_>) -> Option<Operation> {
        let header = |name: &str| call.head.headers.get(name)?.to_str().ok();
        let json = header(CONTENT_TYPE.as_str()).is_some_and(|media| media.starts_with("application/x-amz-json-1."));
        if call.head.method != Method::POST || call.head.uri.path() != "/" || !json {
            return None;
        }
        match header("x-amz-target")?.strip_prefix(TARGET)? {
            "AdminSetUserPassword" => Some(Operation::AdminSetUserPassword),
            "AdminUserGlobalSignOut" => Some(Operation::AdminUserGlobalSignOut),
            "DescribeUserPool" => Some(Operation::DescribeUserPool),
            "ListUsers" => Some(Operation::ListUsers),
            "UpdateUserPool" => Some(Operation::UpdateUserPool),
            _ => None,
        }
    }
}

impl Operations for Cognito {
    fn signing_name(&self) -> &'static str {
        "cognito-idp"
    }

    fn count(&self, call: &Call<'_>, metrics: &mut Metrics) -> bool {
        let Some(operation) = Operation::of(call) else { return false };
        match operation {
            Operation::AdminSetUserPassword => metrics.reset_arrived(call.now),
            Operation::AdminUserGlobalSignOut => metrics.requests.sign_out += 1,
            Operation::DescribeUserPool => metrics.requests.describe_pool += 1,
            Operation::ListUsers => metrics.requests.list_users += 1,
            Operation::UpdateUserPool => metrics.requests.update_pool += 1,
        }
        true
    }

    fn execute(&mut self, call: &Call<'_>, caller: Caller, world: &mut World) -> Result<Answer, Refusal> {
        let operation = Operation::of(call).ok_or_else(Refusal::unknown_operation)?;
        if !caller.superuser {
            return Err(refusals::denied());
        }
        let PoolBody { user_pool_id } = body(call)?;
        match operation {
            _ if !is_pool_id(&user_pool_id) => Err(refusals::invalid(
                "userPoolId",
                "Member must satisfy regular expression pattern: [\\w-]+_[0-9a-zA-Z]+",
            )),
            // Constraints come before the pool's existence.
            Operation::AdminSetUserPassword => self.set_password(&user_pool_id, body(call)?, world),
            Operation::AdminUserGlobalSignOut => self.sign_out(&user_pool_id, &body(call)?, world),
            Operation::DescribeUserPool => {
                self.exists(&user_pool_id)?;
                Ok(refusals::json(&Description { user_pool: self.describe() }))
            }
            Operation::ListUsers => self.list_users(&user_pool_id, &body(call)?),
            Operation::UpdateUserPool => self.update(&user_pool_id, body(call)?),
        }
    }

    fn throttling(&self) -> Refusal {
        refusals::too_many()
    }

    fn write(&self, refusal: Refusal) -> Answer {
        refusals::write(&refusal)
    }

    fn accounts(&self) -> &Accounts {
        &self.accounts
    }
}

impl Cognito {
    pub(super) fn new(pool: Pool) -> Cognito {
        let Pool { id, settings, users } = pool;
        let directory = Directory::new(users, &settings);
        Cognito { id, settings, directory, accounts: Accounts::default() }
    }

    fn exists(&self, pool: &str) -> Result<(), Refusal> {
        if pool == self.id { Ok(()) } else { Err(refusals::no_such_pool(pool)) }
    }

    /// The user that a name in a request stands for.
    fn user(&mut self, pool: &str, name: &str) -> Result<PoolUser, Refusal> {
        if !is_valid_name(name) {
            let constraint = "Member must have 1 to 128 characters and satisfy regular expression pattern: \
                              [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+";
            return Err(refusals::invalid("username", constraint));
        }
        self.exists(pool)?;
        self.directory.resolve(name).ok_or_else(refusals::no_such_user)
    }

    fn set_password(&mut self, pool: &str, request: SetBody, world: &mut World) -> Result<Answer, Refusal> {
        let SetBody { username, password, permanent } = request;
        let length = password.chars().count();
        if length == 0 || length > MAX_PASSWORD || password.contains(char::is_whitespace) {
            let constraint = "Member must have 1 to 256 characters and satisfy regular expression pattern: [\\S]+";
            return Err(refusals::invalid("password", constraint));
        }
        let user = self.user(pool, &username)?;
        if let Some(complaint) = self.settings.policy.complaint(&password) {
            return Err(refusals::password(complaint));
        }
        world.carry_out(refusals::failed, |world| {
            let known = self.accounts.get(&user.username).map_or(&[][..], |account| &account.passwords);
            if self.settings.policy.remembers(known, &password) {
                return Err(refusals::history());
            }
            let place = self.accounts.place(&user.username);
            let account = self.accounts.at(place);
            let status = if permanent { PoolUserStatus::Confirmed } else { PoolUserStatus::ForceChangePassword };
            account.status = Some(status.word());
            if account.passwords.last().is_some_and(|current| **current == *password) {
                world.metrics.replays += 1;
            } else {
                world.metrics.resets += 1;
                account.resets += 1;
                account.passwords.push(password.into());
            }
            Ok(refusals::json(&Empty {}))
        })
    }

    fn sign_out(&mut self, pool: &str, request: &UserBody, world: &mut World) -> Result<Answer, Refusal> {
        let user = self.user(pool, &request.username)?;
        world.carry_out(refusals::failed, |_| {
            let place = self.accounts.place(&user.username);
            self.accounts.at(place).sign_outs += 1;
            Ok(refusals::json(&Empty {}))
        })
    }

    fn list_users(&mut self, pool: &str, request: &ListBody) -> Result<Answer, Refusal> {
        let most = match request.limit {
            None | Some(0) => MAX_PAGE,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| *limit <= MAX_PAGE)
                .ok_or_else(|| refusals::invalid("limit", "Member must have value less than or equal to 60"))?,
        };
        self.exists(pool)?;
        let filter = Filter::parse(request.filter.as_deref().unwrap_or_default()).map_err(refusals::filter)?;
        let start = match request.pagination_token.as_deref() {
            None => 0,
            Some(token) => page_start(token).ok_or_else(refusals::invalid_token)?,
        };
        let page = self.directory.page(filter.as_ref(), start, most, &self.accounts);
        let asked = request.attributes_to_get.as_deref();
        let users = page.users.into_iter().map(|user| Shape::of(user, asked)).collect::<Option<Vec<_>>>();
        let users = users.ok_or_else(refusals::no_such_attribute)?;
        Ok(refusals::json(&PageShape { users, pagination_token: page.token }))
    }

    fn describe(&self) -> PoolShape<'_> {
        let settings = &self.settings;
        let region = self.id.split('_').next().unwrap_or_default();
        let email = |emails| if settings.emails == emails { &["email"][..] } else { &[] };
        PoolShape {
            id: &self.id,
            name: "simulated",
            arn: format!("arn:aws:cognito-idp:{region}:000000000000:userpool/{}", self.id),
            policies: Policies { password_policy: settings.policy.clone() },
            alias_attributes: email(Emails::Aliases),
            username_attributes: email(Emails::Usernames),
            // A pool that was never told tells case apart, and its description is silent.
            username_configuration: settings
                .case_insensitive
                .then_some(UsernameConfiguration { case_sensitive: false }),
            estimated_number_of_users: self.directory.count(),
        }
    }

    /// Replaces the policy for passwords. Whatever else the request wants stays as it is.
    fn update(&mut self, pool: &str, request: UpdateBody) -> Result<Answer, Refusal> {
        self.exists(pool)?;
        if let Some(Policies { password_policy }) = request.policies {
            if !password_policy.is_possible() {
                return Err(refusals::invalid("policies.passwordPolicy", "Member must be a policy of Cognito's"));
            }
            self.settings.policy = password_policy;
        }
        Ok(refusals::json(&Empty {}))
    }
}

fn body<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refusal> {
    // A derived deserializer would take an array for an object.
    let first = call.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let parsed = first.filter(|first| **first == b'{').and_then(|_| serde_json::from_slice(call.body).ok());
    parsed.ok_or_else(refusals::unreadable)
}

/// `[\w-]+_[0-9a-zA-Z]+`, 55 characters at most.
fn is_pool_id(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let parts = text.rsplit_once('_');
    text.len() <= MAX_POOL_ID
        && parts.is_some_and(|(region, id)| {
            !region.is_empty()
                && region.chars().all(is_word)
                && !id.is_empty()
                && id.chars().all(|c| c.is_ascii_alphanumeric())
        })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PoolBody {
    #[serde(default)]
    user_pool_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct SetBody {
    username: String,
    password: String,
    permanent: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UserBody {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListBody {
    attributes_to_get: Option<Vec<String>>,
    limit: Option<i64>,
    pagination_token: Option<String>,
    filter: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UpdateBody {
    policies: Option<Policies>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    user_pool: PoolShape<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PoolShape<'a> {
    id: &'a str,
    name: &'a str,
    arn: String,
    policies: Policies,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    alias_attributes: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    username_attributes: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    username_configuration: Option<UsernameConfiguration>,
    estimated_number_of_users: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policies {
    password_policy: PasswordPolicy,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsernameConfiguration {
    case_sensitive: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PageShape {
    users: Vec<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination_token: Option<String>,
}

#[cfg(test)]
mod tests;
