//! The register of spellings: what each of them means, as far as it is known.
//!
//! Invariant: it rests in a nameless file, so that memory stays flat; it is
//! compared in full, never by digests. What a spelling means depends on the
//! users that were met and not on their order.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Fitness, PagesError, Whom};
use crate::service::directory::{Attribute, DirectoryUser, Naming, folded};

/// The rank of a spelling by which this batch has reset somebody, or may have.
pub(super) const BOUND: i64 = -1;

/// `rank`: how well the user bears the spelling, the lowest best; none while
/// nobody does. `tied`: several users bear it equally well.
const TABLES: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8192;
CREATE TABLE spellings (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    key TEXT NOT NULL,
    line INTEGER,
    listed INTEGER NOT NULL DEFAULT 0,
    asked INTEGER NOT NULL DEFAULT 0,
    why TEXT,
    rank INTEGER,
    tied INTEGER NOT NULL DEFAULT 0,
    username TEXT,
    fitness INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE persons (
    username TEXT PRIMARY KEY,
    line INTEGER,
    listed_as TEXT
) WITHOUT ROWID;
";

/// The obstacles to keeping a register.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    /// The file.
    #[error(
        "who is who can't be written down in a temporary file: {0}; make room, or name a folder that has some with TMPDIR"
    )]
    Scratch(#[from] rusqlite::Error),
    /// A list without an end.
    #[error("the users of the pool can't be read: {0}; run again, or check --endpoint-url")]
    Endless(#[from] PagesError),
    /// A page that can't be had.
    #[error("the users of the pool can't be read: {0}; run again")]
    Unlisted(String),
}

/// The register.
pub(crate) struct People {
    pub(super) db: Connection,
    naming: Naming,
    /// True once all users were read, so that whoever was not met is missing.
    pub(super) complete: Cell<bool>,
}

impl People {
    /// An empty register.
    ///
    /// # Errors
    /// The system gives no temporary file.
    pub(crate) fn new() -> Result<Self, PeopleError> {
        // SQLite makes a file without a name: nobody can open it, and it is gone
        // with this process, however that ends.
        let db = Connection::open("")?;
        db.execute_batch(TABLES)?;
        db.execute_batch("BEGIN")?;
        Ok(Self { db, naming: Naming::default(), complete: Cell::new(false) })
    }

    /// Adds a spelling of the roster, which has none twice. `bound`: the user
    /// whom this batch has reset by it, or may have.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn add(&self, spelling: &str, line: u64, bound: Option<&str>) -> Result<(), PeopleError> {
        let mut add = self.db.prepare_cached(
            "INSERT INTO spellings (text, key, line, asked, rank, username) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let rank = bound.map(|_| BOUND);
        add.execute(params![spelling, folded(spelling), line, bound.is_some(), rank, bound])?;
        Ok(())
    }

    /// Ends the adding; the spellings of exclude lists come after it.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn added(&self) -> Result<(), PeopleError> {
        Ok(self.db.execute_batch("CREATE INDEX keys ON spellings (key)")?)
    }

    /// Adds a spelling of an exclude list, which the roster may have too.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn exclude(&self, spelling: &str) -> Result<(), PeopleError> {
        let key = folded(spelling);
        let mut note = self.db.prepare_cached("UPDATE spellings SET listed = 1 WHERE key = ?1 AND text = ?2")?;
        if note.execute([&key, spelling])? == 0 {
            let add = "INSERT INTO spellings (text, key, listed) VALUES (?1, ?2, 1)";
            self.db.prepare_cached(add)?.execute([spelling, &key])?;
        }
        Ok(())
    }

    /// Takes the ways in which the directory names users.
    pub(crate) fn name_by(&mut self, naming: Naming) {
        self.naming = naming;
    }

    /// Returns the ways in which the directory names users.
    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Counts spellings that were not asked for: of exclude lists, and of the
    /// roster.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn open(&self) -> Result<(u64, u64), PeopleError> {
        let sql = "SELECT count(*) FILTER (WHERE listed), count(*) FILTER (WHERE NOT listed) FROM spellings
                   WHERE (rank IS NULL OR rank >= 0) AND NOT asked";
        Ok(self.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Returns the next spelling to ask for behind `after`. One that another's
    /// answer has found is asked for all the same: a better bearer may be there.
    pub(super) fn to_ask(&self, whom: Whom, after: i64) -> Result<Option<(i64, String)>, PeopleError> {
        let sql = "SELECT id, text FROM spellings
                   WHERE id > ?1 AND listed = ?2 AND (rank IS NULL OR rank >= 0) AND NOT asked ORDER BY id LIMIT 1";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found = self.db.prepare_cached(sql)?.query_row(params![after, whom == Whom::Excluded], row);
        Ok(found.optional()?)
    }

    /// Notes that a spelling was asked for.
    pub(super) fn note_asked(&self, id: i64) -> Result<(), PeopleError> {
        self.db.prepare_cached("UPDATE spellings SET asked = 1 WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Notes that a spelling was asked for and the directory gave no answer.
    pub(super) fn note_unanswered(&self, id: i64, why: &str) -> Result<(), PeopleError> {
        self.db.prepare_cached("UPDATE spellings SET why = ?2 WHERE id = ?1")?.execute(params![id, why])?;
        Ok(())
    }

    /// Returns true if a spelling means somebody by now, by this attribute or one that
    /// counts more.
    pub(super) fn is_found(&self, id: i64, by: Attribute) -> Result<bool, PeopleError> {
        let sql = "SELECT text, rank FROM spellings WHERE id = ?1";
        let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?));
        let (text, rank) = self.db.prepare_cached(sql)?.query_row([id], row)?;
        let at = self.naming.ways(&text).iter().position(|way| *way == by).and_then(|at| i64::try_from(at).ok());
        Ok(rank.zip(at).is_some_and(|(rank, at)| rank <= 2 * at + 1))
    }

    /// Takes users of the directory: those that bear a spelling are found.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn take(&self, users: &[DirectoryUser]) -> Result<(), PeopleError> {
        let mut find = self.db.prepare_cached(
            "SELECT id, text, rank, username FROM spellings WHERE key = ?1 AND (rank IS NULL OR rank >= 0)",
        )?;
        for user in users {
            for (attribute, name) in self.naming.names(user) {
                let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                let bearers: Vec<(i64, String, Option<i64>, Option<String>)> =
                    find.query_map([folded(name)], row)?.collect::<rusqlite::Result<_>>()?;
                for (id, text, known, username) in bearers {
                    let Some(rank) = self.rank(&text, attribute, name) else { continue };
                    self.meet(id, rank, user, known.zip(username))?;
                }
            }
        }
        Ok(())
    }

    /// Returns the rank of an attribute's value for a spelling; none if it doesn't fit.
    fn rank(&self, text: &str, attribute: Attribute, value: &str) -> Option<i64> {
        if self.naming.case_sensitive && text != value {
            return None;
        }
        let at = self.naming.ways(text).iter().position(|way| *way == attribute)?;
        i64::try_from(2 * at).ok().map(|rank| rank + i64::from(text != value))
    }

    fn meet(&self, id: i64, rank: i64, user: &DirectoryUser, known: Option<(i64, String)>) -> Result<(), PeopleError> {
        let fitness = Fitness::of(user) as i64;
        match known {
            Some((better, _)) if better < rank => return Ok(()),
            Some((same, other)) if same == rank && other != user.username => {
                self.db.prepare_cached("UPDATE spellings SET tied = 1 WHERE id = ?1")?.execute([id])?;
            }
            _ => {
                // The same user once more, as it stands now; else a better fit.
                let keeps_tie = known.is_some_and(|(same, _)| same == rank);
                let sql =
                    "UPDATE spellings SET rank = ?2, username = ?3, fitness = ?4, tied = tied AND ?5 WHERE id = ?1";
                self.db.prepare_cached(sql)?.execute(params![id, rank, user.username, fitness, keeps_tie])?;
            }
        }
        Ok(())
    }

    /// Counts spellings that were asked for and not found, though the directory
    /// may have their user in another case than filters look for.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn unsure(&self) -> Result<u64, PeopleError> {
        let mut unsure = 0;
        self.each_open(|people, text, _| {
            unsure += u64::from(!people.naming.is_sure_to_find(text));
            Ok(())
        })?;
        Ok(unsure)
    }

    /// Gives up on the spellings that filters did not find and might have
    /// missed, for a reason.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn give_up(&self, why: &str) -> Result<(), PeopleError> {
        self.each_open(
            |people, text, id| {
                if people.naming.is_sure_to_find(text) { Ok(()) } else { people.note_unanswered(id, why) }
            },
        )
    }

    fn each_open(&self, mut visit: impl FnMut(&Self, &str, i64) -> Result<(), PeopleError>) -> Result<(), PeopleError> {
        let mut after = 0;
        let sql = "SELECT id, text FROM spellings
                   WHERE id > ?1 AND rank IS NULL AND asked AND why IS NULL ORDER BY id LIMIT 1";
        let mut next = self.db.prepare(sql)?;
        while let Some((id, text)) =
            next.query_row([after], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()?
        {
            visit(self, &text, id)?;
            after = id;
        }
        Ok(())
    }

    /// Notes that all users were read: whoever was not met is not there.
    pub(crate) fn note_complete(&self) {
        self.complete.set(true);
    }

    /// Works out which line is each user's first, and whom exclude lists name.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn settle(&self) -> Result<(), PeopleError> {
        Ok(self.db.execute_batch(
            "DELETE FROM persons;
             INSERT INTO persons
             SELECT username, min(line), min(CASE WHEN listed THEN text END) FROM spellings
             WHERE username IS NOT NULL AND NOT tied GROUP BY username",
        )?)
    }
}
