//! The directory: looks users up in the population and tells of them in the API's shapes.
//!
//! Invariant: the pages of a list, put together, hold everyone once, in the population's order.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use crate::simulator::accounts::Account;
use crate::simulator::answer::Refusal;
use crate::simulator::pages::page_token;
use crate::simulator::population::{ApiAccess, Population, User, UserStatus, UserType};

/// With [`Population::Anyone`], user IDs that begin with this don't exist.
const MISSING: &str = "missing";

#[derive(Debug)]
pub(super) struct Directory {
    /// `None` is anyone.
    listed: Option<Listed>,
}

#[derive(Debug)]
struct Listed {
    users: Vec<User>,
    by_id: HashMap<String, usize>,
}

/// `User` of the API; `UserByPermissionGroup` when it has a membership.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shape {
    user_id: String,
    status: UserStatus,
    #[serde(skip_serializing_if = "String::is_empty")]
    first_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email_address: String,
    r#type: UserType,
    api_access: ApiAccess,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership_status: Option<&'static str>,
}

/// One page of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    users: Vec<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Directory {
    pub(super) fn new(population: Population) -> Directory {
        let listed = match population {
            Population::Anyone => None,
            Population::Listed(users) => {
                let ids = users.iter().enumerate();
                let by_id = ids.map(|(at, user)| (user.user_id.clone(), at)).collect();
                Some(Listed { users, by_id })
            }
        };
        Directory { listed }
    }

    pub(super) fn exists(&self, id: &str) -> bool {
        match &self.listed {
            None => !id.starts_with(MISSING),
            Some(listed) => listed.by_id.contains_key(id),
        }
    }

    pub(super) fn user(&self, id: &str) -> Result<Shape, Refusal> {
        if !self.exists(id) {
            return Err(no_such_user());
        }
        let user = self.listed.as_ref().and_then(|listed| {
            let &at = listed.by_id.get(id)?;
            listed.users.get(at)
        });
        let user = user.map_or_else(|| Cow::Owned(User::new(id)), Cow::Borrowed);
        Ok(Shape::of(&user, None))
    }

    /// A page of everyone, or of a permission group; of those reset so far if anyone exists.
    pub(super) fn page(
        &self,
        group: Option<&str>,
        start: usize,
        length: usize,
        reset: &[Account],
    ) -> Result<Page, Refusal> {
        let in_group = |user: &User| group.is_none_or(|group| user.permission_groups.iter().any(|g| g == group));
        let count = self.listed.as_ref().map_or(reset.len(), |l| l.users.len());
        let user_at = |at: usize| match &self.listed {
            Some(listed) => Cow::Borrowed(&listed.users[at]),
            None => Cow::Owned(User::new(&*reset[at].id)),
        };
        if group.is_some() && !(0..count).any(|at| in_group(&user_at(at))) {
            return Err(Refusal::not_found(
                "No such permission group: a group exists if a user of the population is in it.",
            ));
        }
        let membership = group.map(|_| "ADDITION_SUCCESS");
        let mut users = Vec::new();
        for at in start..count {
            let user = user_at(at);
            if !in_group(&user) {
                continue;
            }
            if users.len() == length {
                let next_token = Some(page_token(at));
                return Ok(Page { users, next_token });
            }
            users.push(Shape::of(&user, membership));
        }
        let next_token = None;
        Ok(Page { users, next_token })
    }
}

pub(super) fn no_such_user() -> Refusal {
    Refusal::not_found("No such user: check the user ID, and the environment.")
}

impl Shape {
    fn of(user: &User, membership_status: Option<&'static str>) -> Shape {
        let login = user.last_login_at.map(jiff::Timestamp::as_millisecond);
        Shape {
            user_id: user.user_id.clone(),
            status: user.status,
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email_address: user.email_address.clone(),
            r#type: user.user_type,
            api_access: user.api_access,
            // The shape of a group's member has no such member.
            last_login_time: login.filter(|_| membership_status.is_none()),
            membership_status,
        }
    }
}
