//! A CSV of a service's users, asked for page by page, which `run` takes as it is.
//!
//! Invariant: the file appears whole or not at all, and a list ends whatever the
//! service says; its users wait in a nameless file, not in memory.

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
use crate::engine::dispatch::stop::StopReason;
use crate::engine::people::{Pages, Place};
use crate::engine::results::PublishError;
use crate::service::{Failure, ServiceFacts};
use crate::ui::Printer;
use crate::ui::format::counted;

/// Tries for one page.
const ATTEMPTS: u32 = 8;

/// A service's users, as a list has them.
pub(super) trait Listed {
    /// The answer to one request.
    type Page: 'static;

    /// Returns the service's facts.
    fn facts(&self) -> ServiceFacts;

    /// Returns the way out where the service refuses to list them.
    fn refused(&self) -> &'static str {
        self.facts().refused
    }

    /// Asks for a page; the first one has no token.
    fn page(&self, token: Option<String>) -> LocalBoxFuture<'static, Result<Self::Page, Failure>>;

    /// Writes a page's users down, and returns the next page's token.
    ///
    /// # Errors
    /// They can't be written.
    fn write(&self, page: Self::Page, list: &mut List) -> csv::Result<Option<String>>;
}

/// The list on its way.
pub(super) struct List {
    table: csv::Writer<File>,
    count: u64,
}

impl List {
    /// Adds one user.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn add<const N: usize>(&mut self, cells: [&str; N]) -> csv::Result<()> {
        self.count += 1;
        self.table.write_record(cells)
    }
}

/// Lists the users at a rate, on at most as many pages as `pages` says.
///
/// # Errors
/// The service can't be asked, or the file can't be written.
pub(super) async fn list(
    listed: impl Listed,
    (rate, pages): (Rate, Pages),
    output: &Path,
    printer: &Printer,
) -> Result<Exit, Error> {
    let held = tempfile::tempfile().map_err(|error| Error::System("no temporary file for the list", error))?;
    let mut table = csv::Writer::from_writer(held);
    table.write_record(listed.facts().user_columns).map_err(failed)?;
    let mut walk = Walk { listed, list: List { table, count: 0 }, next: Some(Place::Start), pages };
    let bounds =
        Bounds { concurrency: 1, max_attempts: ATTEMPTS, deadline: None, throttle_patience: THROTTLE_PATIENCE };
    let stop = ask(&mut walk, Pacer::start(rate), &bounds, &mut |_| {}).await?;
    let stop = match stop {
        StopReason::Refused { why, .. } => StopReason::Refused { why, remedy: walk.listed.refused() },
        stop => stop,
    };
    if let Some(why) = stop.reason() {
        return Err(Error::List(why));
    }
    let List { table, count } = walk.list;
    let mut held = table.into_inner().map_err(|error| unwritten(error.into_error()))?;
    held.rewind().map_err(unwritten)?;
    deliver(output, |file, failed| io::copy(&mut held, file).map(drop).map_err(failed))?;
    if output.as_os_str() != "-" {
        printer.note(format!("{}: {}", counted(count, "user"), output.display()));
    }
    if count == 0 {
        // A command that reads the list from a pipe takes it for a clean end.
        printer
            .warning("no user was found: the list is a header and nobody below it; check the target and the filters");
    }
    Ok(Exit::Success)
}

fn unwritten(error: io::Error) -> Error {
    PublishError::Write("the list".into(), error).into()
}

fn failed(error: csv::Error) -> Error {
    unwritten(error.into())
}

/// The walk from page to page.
struct Walk<L> {
    listed: L,
    list: List,
    /// The page to ask for next.
    next: Option<Place>,
    pages: Pages,
}

impl<L: Listed> Inquiry for Walk<L> {
    type Question = Place;
    type Answer = L::Page;
    type Error = Error;

    fn facts(&self) -> ServiceFacts {
        self.listed.facts()
    }

    fn next(&mut self) -> Result<Option<Place>, Error> {
        Ok(self.next.take())
    }

    fn put(&self, place: &Place) -> LocalBoxFuture<'static, Result<L::Page, Failure>> {
        self.listed.page(place.token())
    }

    fn answered(&mut self, _: Place, answer: Result<L::Page, Failure>) -> Result<(), Error> {
        let page = answer
            .map_err(|failure| Error::List(format!("{failure}; check the credentials, --region and --endpoint-url")))?;
        let next = self.listed.write(page, &mut self.list).map_err(failed)?;
        self.next = self.pages.follow(next).map_err(|endless| Error::List(endless.to_string()))?;
        Ok(())
    }
}
