//! Looks users up one by one, by filters.
//!
//! Invariant: a user counts as found only if it bears the spelling that was
//! asked for: an endpoint that heeds no filter names nobody wrongly. Pages
//! follow one another to the last, as those without any user may come first.

use futures::future::LocalBoxFuture;

use super::{Pages, People, PeopleError, Place};
use crate::engine::dispatch::ask::Inquiry;
use crate::service::directory::{Directory, DirectoryPage, Filter};
use crate::service::{Failure, ServiceFacts};

/// More pages than this are no answer about one user, though the first ones may be empty.
const MOST: u32 = 1000;

/// The spellings to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Those of exclude lists.
    Excluded,
    /// So many of the roster's, in its order.
    Roster(u64),
}

/// Spellings on their way.
pub(crate) struct Lookups<'a, D> {
    directory: &'a D,
    people: &'a People,
    whom: Whom,
    left: u64,
    /// The spelling that was asked for last.
    after: i64,
    /// Questions that answers left open.
    open: Vec<Lookup>,
}

/// A spelling to look up.
pub(crate) struct Lookup {
    id: i64,
    filter: Filter,
    /// The filters to try if this one finds nobody, the next one last.
    others: Vec<Filter>,
    place: Place,
    pages: Pages,
}

impl<'a, D: Directory> Lookups<'a, D> {
    /// Lookups of those spellings that mean nobody yet.
    pub(crate) fn new(directory: &'a D, people: &'a People, whom: Whom) -> Self {
        let left = if let Whom::Roster(left) = whom { left } else { u64::MAX };
        Self { directory, people, whom, left, after: 0, open: Vec::new() }
    }
}

impl<D: Directory> Inquiry for Lookups<'_, D> {
    type Question = Lookup;
    type Answer = DirectoryPage;
    type Error = PeopleError;

    fn facts(&self) -> ServiceFacts {
        self.directory.facts()
    }

    fn next(&mut self) -> Result<Option<Lookup>, PeopleError> {
        if let Some(open) = self.open.pop() {
            return Ok(Some(open));
        }
        while self.left > 0 {
            let Some((id, spelling)) = self.people.to_ask(self.whom, self.after)? else {
                self.left = 0;
                break;
            };
            self.after = id;
            self.left -= 1;
            let mut filters = self.people.naming().filters(&spelling);
            filters.retain(Filter::is_short);
            filters.reverse();
            self.people.note_asked(id)?;
            if let Some(filter) = filters.pop() {
                return Ok(Some(Lookup {
                    id,
                    filter,
                    others: filters,
                    place: Place::Start,
                    pages: Pages::up_to(MOST),
                }));
            }
        }
        Ok(None)
    }

    fn put(&self, lookup: &Lookup) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        self.directory.page(Some(lookup.filter.clone()), lookup.place.token())
    }

    fn answered(&mut self, mut lookup: Lookup, answer: Result<DirectoryPage, Failure>) -> Result<(), PeopleError> {
        let page = match answer {
            Ok(page) => page,
            Err(failure) => return self.people.note_unanswered(lookup.id, &failure.to_string()),
        };
        self.people.take(&page.users)?;
        match lookup.pages.follow(page.next) {
            Err(endless) => return self.people.note_unanswered(lookup.id, &endless.to_string()),
            Ok(Some(next)) => {
                lookup.place = next;
                self.open.push(lookup);
            }
            // Another way that the user is named by may count less.
            Ok(None) if self.people.is_found(lookup.id, lookup.filter.attribute)? => {}
            Ok(None) => {
                if let Some(filter) = lookup.others.pop() {
                    self.open.push(Lookup { filter, place: Place::Start, pages: Pages::up_to(MOST), ..lookup });
                }
            }
        }
        Ok(())
    }
}
