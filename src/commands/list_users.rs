//! `list-users`: a CSV of the users FinSpace knows, which `run` takes as it is.
//!
//! Invariant: the file has the same columns whatever was asked for, and appears
//! whole or not at all.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use futures::future::LocalBoxFuture;

use super::args::{AwsArgs, PoolArgs, connection, date};
#[cfg(feature = "cognito")]
use super::list_pool_users;

use crate::commands::environment;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::output::deliver;
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::limits::{Bounds, THROTTLE_PATIENCE};
use crate::engine::dispatch::pacer::{Pacer, Rate};
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, Destination, PublishError};
use crate::model::Millis;
use crate::service::finspace::{self, Client, Page, UserFacts};
use crate::service::{Failure, Service, ServiceFacts};
use crate::ui::Printer;

/// A page is asked for this often.
const ATTEMPTS: u32 = 8;
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
    let columns = client.facts().user_columns;
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns).map_err(failed)?;
    let mut list = List { client, args, table, next: Some(Place::Start), seen: HashSet::new(), pages: 0, count: 0 };
    let bounds =
        Bounds { concurrency: 1, max_attempts: ATTEMPTS, deadline: None, throttle_patience: THROTTLE_PATIENCE };
    let stop = ask(&mut list, Pacer::start(Rate::Unlimited), &bounds, &mut |_| {}).await?;
    if let Some(why) = stop.reason() {
        return Err(Error::List(why));
    }
    let List { table, count, .. } = list;
    let bytes = table.into_inner().map_err(|error| PublishError::Write("the list".into(), error.into_error()))?;
    deliver(&output, |file, failed| file.write_all(&bytes).map_err(failed))?;
    if output.as_os_str() != "-" {
        printer.note(format!("{count} users: {}", output.display()));
    }
    Ok(Exit::Success)
}

fn failed(error: csv::Error) -> Error {
    PublishError::Write("the list".into(), error.into()).into()
}

/// The beginning of a page.
enum Place {
    Start,
    Page(String),
}

/// A list of users on its way, page by page.
struct List {
    client: Client,
    args: ListUsersArgs,
    table: csv::Writer<Vec<u8>>,
    /// The page to ask for next.
    next: Option<Place>,
    /// The pages that were asked for: one that comes again would never end.
    seen: HashSet<String>,
    pages: u32,
    count: u64,
}

impl Inquiry for List {
    type Question = Place;
    type Answer = Page;
    type Error = Error;

    fn facts(&self) -> ServiceFacts {
        self.client.facts()
    }

    fn next(&mut self) -> Result<Option<Place>, Error> {
        Ok(self.next.take())
    }

    fn put(&self, place: &Place) -> LocalBoxFuture<'static, Result<Page, Failure>> {
        let (client, group) = (self.client.clone(), self.args.permission_group.clone());
        let page = match place {
            Place::Start => None,
            Place::Page(token) => Some(token.clone()),
        };
        Box::pin(async move { client.users(group.as_deref(), page).await })
    }

    fn answered(&mut self, _: Place, answer: Result<Page, Failure>) -> Result<(), Error> {
        let page = answer.map_err(|failure| Error::List(failure.to_string()))?;
        for user in page.users.iter().filter(|user| wanted(user, &self.args)) {
            let last_login = user.last_login.map(|at| Millis(at).to_string()).unwrap_or_default();
            let cells = [
                &user.user_id,
                &user.email_address,
                &user.first_name,
                &user.last_name,
                &user.status,
                &user.kind,
                &user.api_access,
                &last_login,
            ];
            self.table.write_record(cells).map_err(failed)?;
            self.count += 1;
        }
        self.pages += 1;
        if let Some(next) = &page.next
            && (!self.seen.insert(next.clone()) || self.pages >= PAGES)
        {
            let text =
                format!("after {} pages the service still points to another, or to one it gave before", self.pages);
            return Err(Error::List(text));
        }
        self.next = page.next.map(Place::Page);
        Ok(())
    }
}

fn wanted(user: &UserFacts, args: &ListUsersArgs) -> bool {
    let is = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(has));
    let away = args.not_logged_in_since.is_none_or(|since| user.last_login.is_none_or(|at| at < since.0));
    is(&args.status, &user.status) && is(&args.kind, &user.kind) && away
}
