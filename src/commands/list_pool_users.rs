//! `list-users --user-pool-id`: the users of an Amazon Cognito user pool.

use std::path::Path;

use futures::future::LocalBoxFuture;

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::listing::{List, Listed, list};
use crate::engine::dispatch::pacer::Rate;
use crate::engine::people::Pages;
use crate::model::{Millis, UserPoolId};
use crate::service::aws::Options;
use crate::service::cognito::{self, Client};
use crate::service::directory::{Directory, DirectoryPage, DirectoryUser};
use crate::service::{Failure, ServiceFacts};
use crate::ui::Printer;

/// Pages a second: half of the quota, which is that of the account's programs.
const RATE: Rate = Rate::PerSecond(15.0);

/// Lists the users of a pool.
///
/// # Errors
/// The service can't be asked, or the file can't be written.
pub(super) async fn run(pool: &UserPoolId, options: &Options, output: &Path, printer: &Printer) -> Result<Exit, Error> {
    let (client, _) = cognito::connect(options, pool, 1).await?;
    client.connection().identity().await?;
    list(client, (RATE, Pages::default()), output, printer).await
}

impl Listed for Client {
    type Page = DirectoryPage;

    fn facts(&self) -> ServiceFacts {
        Directory::facts(self)
    }

    fn refused(&self) -> &'static str {
        cognito::remedy::LIST
    }

    fn page(&self, token: Option<String>) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        Directory::page(self, None, token)
    }

    fn write(&self, page: DirectoryPage, list: &mut List) -> csv::Result<Option<String>> {
        for user in &page.users {
            let DirectoryUser { username, sub, email, status, enabled, created_at, .. } = user;
            let enabled = if *enabled { "true" } else { "false" };
            let created_at = created_at.map(|at| Millis(at).to_string()).unwrap_or_default();
            list.add([username, sub, email, status, enabled, &created_at])?;
        }
        Ok(page.next)
    }
}
