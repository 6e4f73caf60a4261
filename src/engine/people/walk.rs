//! Reads all users of a directory, to find those of a roster among them.
//!
//! Invariant: a page that can't be had ends the walk; whoever was not met is
//! missing only when the last page was read.

use futures::future::LocalBoxFuture;

use super::{Pages, People, PeopleError, Place};
use crate::engine::dispatch::ask::Inquiry;
use crate::service::directory::{Directory, DirectoryPage};
use crate::service::{Failure, ServiceFacts};

/// A walk through all users.
pub(crate) struct Walk<'a, D> {
    directory: &'a D,
    people: &'a People,
    /// The page to ask for next.
    next: Option<Place>,
    pages: Pages,
}

impl<'a, D: Directory> Walk<'a, D> {
    /// A walk that begins with the first page.
    pub(crate) fn new(directory: &'a D, people: &'a People) -> Self {
        Self { directory, people, next: Some(Place::Start), pages: Pages::default() }
    }
}

impl<D: Directory> Inquiry for Walk<'_, D> {
    type Question = Place;
    type Answer = DirectoryPage;
    type Error = PeopleError;

    fn facts(&self) -> ServiceFacts {
        self.directory.facts()
    }

    fn next(&mut self) -> Result<Option<Place>, PeopleError> {
        Ok(self.next.take())
    }

    fn put(&self, place: &Place) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        self.directory.page(None, place.token())
    }

    fn answered(&mut self, _: Place, answer: Result<DirectoryPage, Failure>) -> Result<(), PeopleError> {
        let page = answer.map_err(|failure| PeopleError::Unlisted(failure.to_string()))?;
        self.people.take(&page.users)?;
        self.next = self.pages.follow(page.next)?;
        Ok(())
    }
}
