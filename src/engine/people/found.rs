//! The register, read: the user behind a spelling, and the rows to leave alone.
//!
//! Invariant: a spelling that is bound is never left alone, and one that was not
//! asked for is never sent to.

use rusqlite::{OptionalExtension, Row};
use sha2::{Digest, Sha256};

use super::register::{BOUND, People, PeopleError};
use super::{Fitness, Person, Refusal, Verdict};
use crate::service::directory::folded;

/// The findings, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    /// Spellings of the roster.
    pub spellings: u64,
    /// Those that mean a user whom this batch has reset, or may have.
    pub bound: u64,
    /// Those of them that are not the user's name, and may be somebody else's by now.
    pub bound_aliases: u64,
    /// Those that the directory was not asked about.
    pub not_asked: u64,
    /// Those of users who may not sign in.
    pub disabled: u64,
    /// Those that nobody bears.
    pub missing: u64,
    /// Those of users of other providers.
    pub federated: u64,
    /// Those of users who were never confirmed.
    pub unconfirmed: u64,
    /// Those that several users bear.
    pub ambiguous: u64,
    /// Those about which the directory gave no answer.
    pub unresolved: u64,
    /// Those that mean a user whom an earlier line means by another spelling.
    pub repeated: u64,
}

impl Tallies {
    /// Returns how many rows fail without a request.
    #[must_use]
    pub(crate) fn refused(&self) -> u64 {
        self.missing + self.federated + self.unconfirmed + self.ambiguous + self.unresolved
    }
}

impl People {
    /// Returns whom a spelling of the roster means.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn verdict(&self, spelling: &str) -> Result<Verdict, PeopleError> {
        let sql = "SELECT s.username, s.tied, s.fitness, s.asked, s.why, s.rank, p.line, p.listed_as
                   FROM spellings s LEFT JOIN persons p ON p.username = s.username
                   WHERE s.key = ?1 AND s.text = ?2";
        let read = |row: &Row<'_>| -> rusqlite::Result<Verdict> {
            let refusal = self.refusal(row)?;
            let bound = row.get::<_, Option<i64>>(5)? == Some(BOUND);
            Ok(match (row.get::<_, Option<String>>(0)?, row.get::<_, Option<u64>>(6)?) {
                (Some(username), Some(first_line)) => Verdict::Person(Person {
                    username,
                    first_line,
                    excluded_as: row.get(7)?,
                    refusal: refusal.filter(|_| !bound),
                }),
                _ => refusal.map_or(Verdict::NotAsked, Verdict::Nobody),
            })
        };
        let found = self.db.prepare_cached(sql)?.query_row([&folded(spelling), spelling], read).optional()?;
        Ok(found.unwrap_or(Verdict::NotAsked))
    }

    /// Returns the reason for which a spelling is nobody to send to, from the first columns of a verdict.
    fn refusal(&self, row: &Row<'_>) -> rusqlite::Result<Option<Refusal>> {
        let (tied, asked): (bool, bool) = (row.get(1)?, row.get(3)?);
        if tied {
            return Ok(Some(Refusal::Ambiguous));
        }
        let is_met = row.get::<_, Option<String>>(0)?.is_some();
        Ok(match row.get::<_, Option<String>>(4)? {
            // Somebody was met, perhaps: who else bears the spelling is not known.
            Some(why) if !self.complete.get() => Some(Refusal::Unresolved(why)),
            _ if is_met => Fitness::from_number(row.get(2)?).refusal(),
            _ if self.complete.get() => Some(Refusal::Missing),
            _ => asked.then_some(Refusal::Missing),
        })
    }

    /// Returns true if a spelling, of an exclude list perhaps, means a user of the
    /// roster.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn is_in_roster(&self, spelling: &str) -> Result<bool, PeopleError> {
        let sql = "SELECT p.line IS NOT NULL FROM spellings s JOIN persons p ON p.username = s.username
                   WHERE s.key = ?1 AND s.text = ?2";
        let found =
            self.db.prepare_cached(sql)?.query_row([&folded(spelling), spelling], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(false))
    }

    /// Walks along the roster's spellings that fail without a request: each with
    /// the name that the ledger has for it. A user is named once.
    ///
    /// # Errors
    /// The file can't be read, or `visit` failed.
    pub(crate) fn refused<E: From<PeopleError>>(
        &self,
        mut visit: impl FnMut(&str, Refusal) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |error: rusqlite::Error| E::from(PeopleError::from(error));
        let sql = "SELECT s.username, s.tied, s.fitness, s.asked, s.why, s.rank, s.text
                   FROM spellings s LEFT JOIN persons p ON p.username = s.username
                   WHERE s.line IS NOT NULL AND (s.rank IS NULL OR s.rank >= 0)
                   AND (p.line IS NULL OR p.line = s.line) ORDER BY s.id";
        let mut statement = self.db.prepare(sql).map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let Some(refusal) = self.refusal(row).map_err(fail)? else { continue };
            let username: Option<String> = row.get(0).map_err(fail)?;
            let name = match username {
                Some(username) if refusal != Refusal::Ambiguous => username,
                _ => row.get(6).map_err(fail)?,
            };
            visit(&name, refusal)?;
        }
        Ok(())
    }

    /// Counts what was found.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn tallies(&self) -> Result<Tallies, PeopleError> {
        let mut tallies = Tallies::default();
        let sql = "SELECT s.username, s.tied, s.fitness, s.asked, s.why, s.rank, s.line, p.line, s.text = s.username
                   FROM spellings s LEFT JOIN persons p ON p.username = s.username WHERE s.line IS NOT NULL";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            tallies.spellings += 1;
            let (line, first): (u64, Option<u64>) = (row.get(6)?, row.get(7)?);
            let is_found = row.get::<_, Option<String>>(0)?.is_some();
            let counter = if row.get::<_, Option<i64>>(5)? == Some(BOUND) {
                tallies.bound_aliases += u64::from(row.get::<_, Option<bool>>(8)? == Some(false));
                &mut tallies.bound
            } else if first.is_some_and(|first| first != line) {
                &mut tallies.repeated
            } else {
                match self.refusal(row)? {
                    Some(Refusal::Missing) => &mut tallies.missing,
                    Some(Refusal::Federated) => &mut tallies.federated,
                    Some(Refusal::Unconfirmed) => &mut tallies.unconfirmed,
                    Some(Refusal::Ambiguous) => &mut tallies.ambiguous,
                    Some(Refusal::Unresolved(_)) => &mut tallies.unresolved,
                    None if !is_found => &mut tallies.not_asked,
                    None if row.get::<_, i64>(2)? == Fitness::Disabled as i64 => &mut tallies.disabled,
                    None => continue,
                }
            };
            *counter += 1;
        }
        Ok(tallies)
    }

    /// Returns a digest of what the register says, for the name of the plan and
    /// of what a ledger's rows are made from.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn digest(&self) -> Result<[u8; 32], PeopleError> {
        let mut digest = Sha256::new();
        let sql = "SELECT s.username, s.tied, s.fitness, s.asked, s.why, s.rank, s.text, p.line, p.listed_as
                   FROM spellings s LEFT JOIN persons p ON p.username = s.username
                   WHERE s.line IS NOT NULL ORDER BY s.id";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut add = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        };
        while let Some(row) = rows.next()? {
            add(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?);
            add(&row.get::<_, Option<String>>(0)?.unwrap_or_default());
            add(&self.refusal(row)?.map_or_else(String::new, |refusal| refusal.code("UserNotFound").into()));
            add(&row.get::<_, Option<u64>>(7)?.unwrap_or_default().to_string());
            add(&row.get::<_, Option<String>>(8)?.unwrap_or_default());
        }
        Ok(digest.finalize().into())
    }

    /// Counts spellings of exclude lists about which the directory gave no answer.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn silent_exclusions(&self) -> Result<u64, PeopleError> {
        if self.complete.get() {
            return Ok(0);
        }
        let sql = "SELECT count(*) FROM spellings WHERE listed AND rank IS NULL AND why IS NOT NULL";
        Ok(self.db.query_row(sql, [], |row| row.get(0))?)
    }
}
