//! `list-users`: a CSV of the users FinSpace knows, which `run` takes as it is.
//!
//! Invariant: the file has the same columns whatever was asked for, and appears
//! whole or not at all.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::args::{AwsArgs, connection, date};

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::output::deliver;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, Destination, PublishError};
use crate::model::{Millis, USER_COLUMNS};
use crate::service::aws::Cause;
use crate::service::finspace::{self, Client, Page, UserFacts};
use crate::ui::Printer;

/// A page is asked for this often.
const ATTEMPTS: u32 = 8;

/// Flags of `list-users`.
#[derive(Debug, Args)]
pub(crate) struct ListUsersArgs {
    /// Write to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Only users of this status
    #[arg(long, value_name = "STATUS", value_parser = clap::builder::PossibleValuesParser::new(["ENABLED", "DISABLED", "CREATING"]), ignore_case = true)]
    pub status: Option<String>,
    /// Only users of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = clap::builder::PossibleValuesParser::new(["APP_USER", "SUPER_USER"]), ignore_case = true)]
    pub kind: Option<String>,
    /// Only users of this permission group; FinSpace tells no last login of those
    #[arg(long, value_name = "ID")]
    pub permission_group: Option<String>,
    /// Only users who have not signed in since DATE (2026-01-31, or with a time), or never
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with = "permission_group")]
    pub not_logged_in_since: Option<Millis>,
    /// How to reach the service
    #[command(flatten)]
    pub aws: AwsArgs,
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
    let (client, _) = finspace::connect(&connection(&args.aws), 1).await?;
    client.identity().await?;
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| PublishError::Write("the list".into(), error.into());
    table.write_record(USER_COLUMNS).map_err(failed)?;
    let mut count = 0_u64;
    let mut next = None;
    loop {
        let page = page(&client, &args, next).await?;
        for user in page.users.iter().filter(|user| wanted(user, &args)) {
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
            table.write_record(cells).map_err(failed)?;
            count += 1;
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let bytes = table.into_inner().map_err(|error| PublishError::Write("the list".into(), error.into_error()))?;
    deliver(&output, &bytes)?;
    if output.as_os_str() != "-" {
        printer.note(format!("{count} users: {}", output.display()));
    }
    Ok(Exit::Success)
}

/// A page, asked for again while the service is busy or out of reach.
async fn page(client: &Client, args: &ListUsersArgs, next: Option<String>) -> Result<Page, Error> {
    let group = args.permission_group.as_deref();
    let mut tries = 0;
    loop {
        let failure = match client.users(group, next.clone()).await {
            Ok(page) => return Ok(page),
            Err(failure) => failure,
        };
        tries += 1;
        let passing = matches!(
            failure.cause,
            Cause::Throttled | Cause::Expired | Cause::Server | Cause::Unreachable | Cause::Unreadable
        );
        if !passing || tries >= ATTEMPTS {
            return Err(Error::List(failure));
        }
        let wait = Duration::from_millis(100 << tries.min(7));
        tokio::time::sleep(wait.max(failure.retry_after.unwrap_or_default())).await;
    }
}

fn wanted(user: &UserFacts, args: &ListUsersArgs) -> bool {
    let is = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(has));
    let away = args.not_logged_in_since.is_none_or(|since| user.last_login.is_none_or(|at| at < since.0));
    is(&args.status, &user.status) && is(&args.kind, &user.kind) && away
}
