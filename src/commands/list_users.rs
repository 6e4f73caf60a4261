//! `list-users`: a CSV of the users FinSpace knows, which `run` takes as it is.
//!
//! Invariant: the file has the same columns whatever was asked for, and appears
//! whole or not at all.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use futures::future::LocalBoxFuture;

use super::args::{AwsArgs, PoolArgs, connection, date};
#[cfg(feature = "cognito")]
use super::list_pool_users;
use super::listing::{List, Listed, list};
use crate::commands::environment;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::dispatch::pacer::Rate;
use crate::engine::people::Pages;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, Destination};
use crate::model::Millis;
use crate::service::finspace::{self, Client, Page, UserFacts};
use crate::service::{Failure, Service, ServiceFacts};
use crate::ui::Printer;

/// More pages than this are no list: a million users have ten thousand.
const PAGES: u32 = 100_000;

/// Flags of `list-users`.
#[derive(Debug, Args)]
pub(crate) struct ListUsersArgs {
    /// Write to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Only users of this status
    #[arg(long, value_name = "STATUS", conflicts_with = "user_pool_id", value_parser = clap::builder::PossibleValuesParser::new(["ENABLED", "DISABLED", "CREATING"]), ignore_case = true)]
    pub status: Option<String>,
    /// Only users of this type
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "user_pool_id", value_parser = clap::builder::PossibleValuesParser::new(["APP_USER", "SUPER_USER"]), ignore_case = true)]
    pub kind: Option<String>,
    /// Only users of this permission group; FinSpace tells no last login of those
    #[arg(long, value_name = "ID", conflicts_with = "user_pool_id")]
    pub permission_group: Option<String>,
    /// Only users who have not signed in since DATE (2026-01-31, or with a time), or never
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with_all = ["permission_group", "user_pool_id"])]
    pub not_logged_in_since: Option<Millis>,
    /// Ways to reach the service
    #[command(flatten)]
    pub aws: AwsArgs,
    /// The user pool, where the service is Amazon Cognito
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Runs `finspace-reset list-users`.
///
/// # Errors
/// The service can't be asked, or the file can't be written.
pub(super) async fn run(args: ListUsersArgs, printer: &Printer) -> Result<Exit, Error> {
    let output = args.output.clone().unwrap_or_else(|| "-".into());
    // Who is told of a file in the way only at the end has waited for nothing.
    if output.as_os_str() != "-" {
        results::check(&Destination::resolve(&output)?, Replaces::Nothing)?;
    }
    let mut args = args;
    args.aws.endpoint_url = environment::endpoint_url(args.aws.endpoint_url.take())?;
    let options = args.pool.connection(connection(&args.aws))?;
    #[cfg(feature = "cognito")]
    if let Some(pool) = &args.pool.user_pool_id {
        return list_pool_users::run(pool, &options, &output, printer).await;
    }
    let (client, _) = finspace::connect(&options, 1).await?;
    client.connection().identity().await?;
    list(Users { client, args }, (Rate::Unlimited, Pages::up_to(PAGES)), &output, printer).await
}

/// FinSpace's users, as far as they are wanted.
struct Users {
    client: Client,
    args: ListUsersArgs,
}

impl Listed for Users {
    type Page = Page;

    fn facts(&self) -> ServiceFacts {
        self.client.facts()
    }

    fn page(&self, token: Option<String>) -> LocalBoxFuture<'static, Result<Page, Failure>> {
        let (client, group) = (self.client.clone(), self.args.permission_group.clone());
        Box::pin(async move { client.users(group.as_deref(), token).await })
    }

    fn write(&self, page: Page, list: &mut List) -> csv::Result<Option<String>> {
        for user in page.users.iter().filter(|user| wanted(user, &self.args)) {
            let last_login = user.last_login.map(|at| Millis(at).to_string()).unwrap_or_default();
            list.add([
                &user.user_id,
                &user.email_address,
                &user.first_name,
                &user.last_name,
                &user.status,
                &user.kind,
                &user.api_access,
                &last_login,
            ])?;
        }
        Ok(page.next)
    }
}

fn wanted(user: &UserFacts, args: &ListUsersArgs) -> bool {
    let is = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(has));
    let away = args.not_logged_in_since.is_none_or(|since| user.last_login.is_none_or(|at| at < since.0));
    is(&args.status, &user.status) && is(&args.kind, &user.kind) && away
}
