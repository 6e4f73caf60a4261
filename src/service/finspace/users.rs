//! Reading users: one, or page by page.

use aws_sdk_finspacedata as sdk;

use super::{Client, OWN_ERRORS};
use crate::service::Failure;
use crate::service::aws::http::PAGE_LIMIT;

/// FinSpace's facts of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserFacts {
    /// The user ID.
    pub user_id: String,
    /// The e-mail address.
    pub email_address: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// `CREATING`, `ENABLED` or `DISABLED`.
    pub status: String,
    /// `SUPER_USER` or `APP_USER`.
    pub kind: String,
    /// `ENABLED` or `DISABLED`.
    pub api_access: String,
    /// Milliseconds since the epoch; none where the user never signed in, or
    /// where this list doesn't tell.
    pub last_login: Option<i64>,
}

/// Some users, and where the next ones begin.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The users.
    pub users: Vec<UserFacts>,
    /// The token of the next page; none at the end.
    pub next: Option<String>,
}

/// Users a page: the most the API gives.
const PAGE: i32 = 100;

/// Takes the facts from any of the API's three shapes of a user.
macro_rules! facts {
    ($user:expr, $last_login:expr) => {{
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        UserFacts {
            user_id: text($user.user_id()),
            email_address: text($user.email_address()),
            first_name: text($user.first_name()),
            last_name: text($user.last_name()),
            status: text($user.status().map(|status| status.as_str())),
            kind: text($user.r#type().map(|kind| kind.as_str())),
            api_access: text($user.api_access().map(|access| access.as_str())),
            last_login: $last_login,
        }
    }};
}

#[allow(deprecated, reason = "the whole service is; see the README")]
impl Client {
    /// One user.
    ///
    /// # Errors
    /// The user does not exist, or as for any request.
    pub(crate) async fn user(&self, user_id: &str) -> Result<UserFacts, Failure> {
        let user = self.connection.call(self.sdk.get_user().user_id(user_id).send(), OWN_ERRORS).await?;
        if user.user_id() != Some(user_id) {
            return Err(Failure::unreadable("the answer is about no user, or another one", None));
        }
        Ok(facts!(user, told(user.last_login_time())))
    }

    /// The settings of a request whose answer is a page.
    fn long_answers(&self) -> sdk::config::Builder {
        sdk::Config::builder().http_client(self.connection.http().bounded(PAGE_LIMIT))
    }

    /// A page of all users, or of a permission group's.
    ///
    /// # Errors
    /// As for any request.
    pub(crate) async fn users(&self, group: Option<&str>, page: Option<String>) -> Result<Page, Failure> {
        match group {
            None => {
                let call = self.sdk.list_users().max_results(PAGE).set_next_token(page);
                let call = call.customize().config_override(self.long_answers());
                let page = self.connection.call(call.send(), OWN_ERRORS).await?;
                if page.users.is_none() {
                    return Err(Failure::unreadable("the answer holds no list of users", None));
                }
                let users = page.users().iter().map(|user| facts!(user, told(user.last_login_time()))).collect();
                Ok(Page { users, next: next(page.next_token()) })
            }
            Some(group) => {
                let call = self.sdk.list_users_by_permission_group().permission_group_id(group);
                let call = call.max_results(PAGE).set_next_token(page).customize().config_override(self.long_answers());
                let page = self.connection.call(call.send(), OWN_ERRORS).await?;
                if page.users.is_none() {
                    return Err(Failure::unreadable("the answer holds no list of users", None));
                }
                let users = page.users().iter().map(|user| facts!(user, None)).collect();
                Ok(Page { users, next: next(page.next_token()) })
            }
        }
    }
}

/// The name of the next page, unless this was the last.
fn next(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

/// The API tells 0 where there is no time.
fn told(time: i64) -> Option<i64> {
    (time > 0).then_some(time)
}
