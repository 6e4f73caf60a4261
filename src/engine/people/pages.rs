//! The end of a list that comes page by page.
//!
//! Invariant: a list ends, whatever the service says: no page comes twice, and
//! there is a last one.

use std::collections::HashSet;

use crate::model::digest_of;

/// More pages than this are no list: ten million users have some 170,000.
const MOST: u32 = 200_000;

/// A list that would never end.
#[derive(Debug, thiserror::Error)]
#[error("after {0} pages the service still points to another, or to one it gave before")]
pub(crate) struct PagesError(u32);

/// The beginning of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The list's own.
    Start,
    /// That of a later page, as the service calls it.
    Page(String),
}

impl Place {
    /// Returns the service's word for the page, if it has one.
    #[must_use]
    pub(crate) fn token(&self) -> Option<String> {
        match self {
            Self::Start => None,
            Self::Page(token) => Some(token.clone()),
        }
    }
}

/// The pages that were asked for, some bytes each.
#[derive(Debug)]
pub(crate) struct Pages {
    seen: HashSet<[u8; 8]>,
    count: u32,
    most: u32,
}

impl Default for Pages {
    fn default() -> Self {
        Self::up_to(MOST)
    }
}

impl Pages {
    /// A list of at most so many pages.
    #[must_use]
    pub(crate) fn up_to(most: u32) -> Self {
        Self { seen: HashSet::new(), count: 0, most }
    }

    /// Takes note of a page that came, and of the one that it points to.
    ///
    /// # Errors
    /// That one was asked for before, or there are too many.
    pub(crate) fn follow(&mut self, next: Option<String>) -> Result<Option<Place>, PagesError> {
        self.count += 1;
        if let Some(token) = &next {
            let digest = digest_of(&[token.as_bytes()]);
            let is_new = self.seen.insert(std::array::from_fn(|at| digest[at]));
            if !is_new || self.count >= self.most {
                return Err(PagesError(self.count));
            }
        }
        Ok(next.map(Place::Page))
    }
}
