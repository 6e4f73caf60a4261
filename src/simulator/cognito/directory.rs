//! The pool's directory: who a name stands for, and the users in pages.
//!
//! Invariant: a user name, a `sub` and, where the pool has it so, an e-mail address name one user between
//! them. In a pool that does not tell case apart, names are kept in lower case, and the filter on user names
//! finds them so alone.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::filter::{Attribute, Filter};
use super::pool::{Emails, PoolSettings};
use super::users::{PoolUser, PoolUserStatus, PoolUsers};
use crate::simulator::accounts::{Account, Accounts};
use crate::simulator::pages::page_token;

/// Names that begin so are special where anyone exists.
const MISSING: &str = "missing";
const FEDERATED: &str = "federated";
const UNCONFIRMED: &str = "unconfirmed";
const DISABLED: &str = "disabled";

#[derive(Debug)]
pub(super) struct Directory {
    case_insensitive: bool,
    emails: Emails,
    users: Users,
}

#[derive(Debug)]
enum Users {
    /// Anyone exists; the names behind the `sub`s that were told.
    Anyone(HashMap<String, Arc<str>>),
    Listed(Listed),
}

#[derive(Debug)]
struct Listed {
    users: Vec<PoolUser>,
    by_name: HashMap<String, usize>,
    by_sub: HashMap<String, usize>,
    /// In lower case; one address may be several users'.
    by_email: HashMap<String, Vec<usize>>,
}

/// A page of users.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub users: Vec<PoolUser>,
    pub token: Option<String>,
}

/// A user as `ListUsers` tells of them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shape {
    username: String,
    attributes: Vec<AttributeShape>,
    user_create_date: f64,
    user_last_modified_date: f64,
    enabled: bool,
    user_status: PoolUserStatus,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeShape {
    name: &'static str,
    value: String,
}

impl Shape {
    /// The user with the attributes that were asked for; `None` if one of them is not there.
    pub(super) fn of(user: PoolUser, asked: Option<&[String]>) -> Option<Shape> {
        let mut attributes = vec![AttributeShape { name: "sub", value: user.sub }];
        if !user.email.is_empty() {
            attributes.push(AttributeShape { name: "email", value: user.email });
            attributes.push(AttributeShape { name: "email_verified", value: user.email_verified.to_string() });
        }
        if let Some(asked) = asked {
            attributes.retain(|attribute| asked.iter().any(|name| name == attribute.name));
            if attributes.len() < asked.len() {
                return None;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "JSON 1.1 tells times as floating seconds")]
        let created = user.created_at.as_millisecond() as f64 / 1000.0;
        Some(Shape {
            username: user.username,
            attributes,
            user_create_date: created,
            user_last_modified_date: created,
            enabled: user.enabled,
            user_status: user.status,
        })
    }
}

impl Directory {
    pub(super) fn new(users: PoolUsers, settings: &PoolSettings) -> Directory {
        let case_insensitive = settings.case_insensitive;
        let users = match users {
            PoolUsers::Anyone => Users::Anyone(HashMap::new()),
            PoolUsers::Listed(users) => Users::Listed(Listed::new(users, case_insensitive)),
        };
        Directory { case_insensitive, emails: settings.emails, users }
    }

    /// The estimate in the pool's description.
    pub(super) fn count(&self) -> usize {
        match &self.users {
            // Whoever has to choose asks for the few they want rather than for everyone.
            Users::Anyone(_) => i32::MAX as usize,
            Users::Listed(listed) => listed.users.len(),
        }
    }

    /// The user that a name stands for: a user name, a `sub` or an alias.
    pub(super) fn resolve(&mut self, name: &str) -> Option<PoolUser> {
        let folded = fold(name, self.case_insensitive);
        match &mut self.users {
            Users::Anyone(subs) => {
                let known = subs.get(name).map(|name| anyone(name));
                known.or_else(|| told(subs, Some(&folded)))
            }
            Users::Listed(listed) => {
                let at = listed.by_name.get(&*folded).or_else(|| listed.by_sub.get(name)).copied();
                let at = at.or_else(|| listed.with_email(name, self.case_insensitive, self.emails))?;
                Some(listed.users[at].clone())
            }
        }
    }

    /// The users from a place on that pass the filter, so many at most.
    pub(super) fn page(&mut self, filter: Option<&Filter>, start: usize, most: usize, accounts: &Accounts) -> Page {
        if let Some(filter) = filter.filter(|filter| !filter.prefix)
            && let Some(users) = self.exactly(filter)
        {
            return Page { users: users.into_iter().skip(start).take(most).collect(), token: None };
        }
        let passes = |user: &PoolUser| filter.is_none_or(|filter| filter.matches(user));
        match &mut self.users {
            Users::Anyone(subs) => {
                let known = accounts.all();
                cut(known.len(), start, most, |at| {
                    let user = told(subs, Some(&known[at].id)).map(|user| since(user, Some(&known[at])));
                    user.filter(passes)
                })
            }
            Users::Listed(listed) => cut(listed.users.len(), start, most, |at| {
                let user = &listed.users[at];
                let user = since(user.clone(), accounts.get(&user.username));
                passes(&user).then_some(user)
            }),
        }
    }

    /// The users that a filter for one name finds, without a look at everyone; `None` if it is for something
    /// else.
    fn exactly(&mut self, filter: &Filter) -> Option<Vec<PoolUser>> {
        let value = &*filter.value;
        let users: Vec<PoolUser> = match (&mut self.users, filter.attribute) {
            (Users::Anyone(subs), Attribute::Username) => {
                let kept = fold(value, self.case_insensitive) == value;
                told(subs, kept.then_some(value)).into_iter().collect()
            }
            (Users::Anyone(subs), Attribute::Sub) => subs.get(value).map(|name| anyone(name)).into_iter().collect(),
            (Users::Anyone(subs), Attribute::Email) => {
                told(subs, Some(value).filter(|value| value.contains('@'))).into_iter().collect()
            }
            (Users::Listed(listed), Attribute::Username) => listed.at(listed.by_name.get(value)),
            (Users::Listed(listed), Attribute::Sub) => listed.at(listed.by_sub.get(value)),
            (Users::Listed(listed), Attribute::Email) => listed.at(listed.by_email.get(value).into_iter().flatten()),
            _ => return None,
        };
        Some(users)
    }
}

impl Listed {
    fn new(mut users: Vec<PoolUser>, case_insensitive: bool) -> Listed {
        let (mut by_name, mut by_sub, mut by_email) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, user) in users.iter_mut().enumerate() {
            user.username = fold(&user.username, case_insensitive).into_owned();
            by_name.insert(user.username.clone(), at);
            by_sub.insert(user.sub.clone(), at);
            if !user.email.is_empty() {
                by_email.entry(user.email.to_lowercase()).or_insert_with(Vec::new).push(at);
            }
        }
        Listed { users, by_name, by_sub, by_email }
    }

    fn at<'a>(&self, places: impl IntoIterator<Item = &'a usize>) -> Vec<PoolUser> {
        places.into_iter().map(|&at| self.users[at].clone()).collect()
    }

    /// The first user whom this address names.
    fn with_email(&self, email: &str, case_insensitive: bool, emails: Emails) -> Option<usize> {
        let names = |user: &PoolUser| match emails {
            Emails::Attribute => false,
            Emails::Aliases => user.email_verified,
            Emails::Usernames => true,
        };
        let places = self.by_email.get(&email.to_lowercase())?;
        let is = |user: &PoolUser| names(user) && (case_insensitive || user.email == email);
        places.iter().copied().find(|&at| is(&self.users[at]))
    }
}

/// A name as a pool keeps it.
fn fold(name: &str, case_insensitive: bool) -> std::borrow::Cow<'_, str> {
    if case_insensitive { name.to_lowercase().into() } else { name.into() }
}

/// The user of this name where anyone exists.
fn anyone(name: &str) -> PoolUser {
    let mut user = PoolUser::new(name);
    if name.contains('@') {
        name.clone_into(&mut user.email);
    }
    if name.starts_with(FEDERATED) {
        user.status = PoolUserStatus::ExternalProvider;
    } else if name.starts_with(UNCONFIRMED) {
        user.status = PoolUserStatus::Unconfirmed;
    }
    user.enabled = !name.starts_with(DISABLED);
    user
}

/// The user of this name where anyone but the missing exists, whose `sub` names them from now on.
fn told(subs: &mut HashMap<String, Arc<str>>, name: Option<&str>) -> Option<PoolUser> {
    let user = anyone(name.filter(|name| !name.starts_with(MISSING))?);
    if !subs.contains_key(&user.sub) {
        subs.insert(user.sub.clone(), user.username.as_str().into());
    }
    Some(user)
}

/// A user after what was done to them.
fn since(mut user: PoolUser, account: Option<&Account>) -> PoolUser {
    let status = account.and_then(|account| account.status);
    user.status = status.and_then(PoolUserStatus::from_word).unwrap_or(user.status);
    user
}

/// One page of the `count` places of which some hold a user.
fn cut(count: usize, start: usize, most: usize, mut user_at: impl FnMut(usize) -> Option<PoolUser>) -> Page {
    let mut page = Page::default();
    for at in start..count {
        let Some(user) = user_at(at) else { continue };
        if page.users.len() == most {
            page.token = Some(page_token(at));
            break;
        }
        page.users.push(user);
    }
    page
}
