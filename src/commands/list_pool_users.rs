//! `list-users --user-pool-id`: a CSV of a user pool's users, which `run` takes
//! as it is.
//!
//! Invariant: the file appears whole or not at all; the users of a large pool
//! wait for that in a nameless file, not in memory.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use futures::future::LocalBoxFuture;

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::output::deliver;
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::limits::{Bounds, THROTTLE_PATIENCE};
use crate::engine::dispatch::pacer::{Pacer, Rate};
use crate::engine::people::{Pages, Place};
use crate::engine::results::PublishError;
use crate::model::{Millis, UserPoolId};
use crate::service::aws::Options;
use crate::service::cognito::{self, Client};
use crate::service::directory::{Directory, DirectoryPage, DirectoryUser};
use crate::service::{Failure, ServiceFacts};
use crate::ui::Printer;

/// Pages a second: half of the quota, which is that of the account's programs.
const RATE: Rate = Rate::PerSecond(15.0);
/// Tries for one page.
const ATTEMPTS: u32 = 8;

/// Lists the users of a pool.
///
/// # Errors
/// The service can't be asked, or the file can't be written.
pub(super) async fn run(pool: &UserPoolId, options: &Options, output: &Path, printer: &Printer) -> Result<Exit, Error> {
    let (client, _) = cognito::connect(options, pool, 1).await?;
    client.connection().identity().await?;
    let held = tempfile::tempfile().map_err(|error| Error::System("no temporary file for the list", error))?;
    let mut table = csv::Writer::from_writer(held);
    table.write_record(Directory::facts(&client).user_columns).map_err(failed)?;
    let mut list = List { client, table, next: Some(Place::Start), pages: Pages::default(), count: 0 };
    let bounds =
        Bounds { concurrency: 1, max_attempts: ATTEMPTS, deadline: None, throttle_patience: THROTTLE_PATIENCE };
    let stop = ask(&mut list, Pacer::start(RATE), &bounds, &mut |_| {}).await?;
    if let Some(why) = stop.reason() {
        return Err(Error::List(why));
    }
    let List { table, count, .. } = list;
    let unwritten = |error| Error::from(PublishError::Write("the list".into(), error));
    let mut held = table.into_inner().map_err(|error| unwritten(error.into_error()))?;
    held.rewind().map_err(unwritten)?;
    deliver(output, |file, failed| io::copy(&mut held, file).map(drop).map_err(failed))?;
    if output.as_os_str() != "-" {
        printer.note(format!("{count} users: {}", output.display()));
    }
    Ok(Exit::Success)
}

fn failed(error: csv::Error) -> Error {
    PublishError::Write("the list".into(), error.into()).into()
}

/// A list of users on its way, page by page.
struct List {
    client: Client,
    table: csv::Writer<File>,
    next: Option<Place>,
    pages: Pages,
    count: u64,
}

impl Inquiry for List {
    type Question = Place;
    type Answer = DirectoryPage;
    type Error = Error;

    fn facts(&self) -> ServiceFacts {
        Directory::facts(&self.client)
    }

    fn next(&mut self) -> Result<Option<Place>, Error> {
        Ok(self.next.take())
    }

    fn put(&self, place: &Place) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        self.client.page(None, place.token())
    }

    fn answered(&mut self, _: Place, answer: Result<DirectoryPage, Failure>) -> Result<(), Error> {
        let page = answer.map_err(|failure| Error::List(failure.to_string()))?;
        for user in &page.users {
            let DirectoryUser { username, sub, email, status, enabled, created_at, .. } = user;
            let enabled = if *enabled { "true" } else { "false" };
            let created_at = created_at.map(|at| Millis(at).to_string()).unwrap_or_default();
            self.table.write_record([username, sub, email, status, enabled, &created_at]).map_err(failed)?;
            self.count += 1;
        }
        self.next = self.pages.follow(page.next).map_err(|endless| Error::List(endless.to_string()))?;
        Ok(())
    }
}
