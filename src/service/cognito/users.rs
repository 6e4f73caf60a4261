//! The users of a pool, page by page.

use aws_sdk_cognitoidentityprovider::types::UserType;
use futures::future::LocalBoxFuture;

use super::client::Client;
use super::failure::OWN_ERRORS;
use super::remedy;
use crate::model::IdForm;
use crate::service::directory::{Directory, DirectoryPage, DirectoryUser, Filter, PAGE};
use crate::service::{Failure, Service, ServiceFacts};

impl Directory for Client {
    fn facts(&self) -> ServiceFacts {
        ServiceFacts { refused: remedy::LIST, ..Service::facts(self) }
    }

    fn page(
        &self,
        filter: Option<Filter>,
        next: Option<String>,
    ) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        let client = self.clone();
        Box::pin(async move {
            let call = client.sdk.list_users().user_pool_id(client.id.as_str()).set_pagination_token(next);
            let call = call.set_filter(filter.map(|filter| filter.text())).limit(i32::try_from(PAGE).unwrap_or(60));
            let call = call.customize().config_override(client.long_answers());
            let page = client.connection.call(Box::pin(call.send()), OWN_ERRORS).await?;
            let Some(users) = &page.users else {
                return Err(Failure::unreadable("the answer holds no list of users", None));
            };
            Ok(DirectoryPage {
                // Whom no request can name is nobody to speak of.
                users: users.iter().map(user).filter(|user| IdForm::UserName.check(&user.username).is_ok()).collect(),
                next: page.pagination_token.clone().filter(|token| !token.is_empty()),
            })
        })
    }
}

fn user(user: &UserType) -> DirectoryUser {
    let attribute = |name: &str| {
        let found = user.attributes().iter().find(|attribute| attribute.name() == name);
        found.and_then(|attribute| attribute.value()).unwrap_or_default().to_owned()
    };
    let is_true = |name: &str| attribute(name) == "true";
    DirectoryUser {
        username: user.username().unwrap_or_default().to_owned(),
        sub: attribute("sub"),
        email: attribute("email"),
        email_verified: is_true("email_verified"),
        phone_number: attribute("phone_number"),
        phone_number_verified: is_true("phone_number_verified"),
        preferred_username: attribute("preferred_username"),
        status: user.user_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        enabled: user.enabled(),
        created_at: user.user_create_date().and_then(|at| at.to_millis().ok()),
    }
}
