//! Passwords and the synced files that they stand in: the one place that knows what may
//! be erased unasked.
//!
//! Invariant: a file is announced before it bears its name and counts as a
//! delivery only after it does. Whatever it replaces stops counting when it is
//! announced, so that a crash in between errs on the side of keeping passwords.

use std::path::{Path, PathBuf};

use rusqlite::{Params, params};

use super::{Ledger, LedgerError};
use crate::model::{Millis, UserNumber, hex};
use crate::process::files;

/// A set of users, a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserSet(Vec<u8>);

/// Stands where a file's digest does, for the users whose passwords were given up.
const GIVEN_UP: &str = "given up";

impl UserSet {
    /// Adds a user.
    pub(crate) fn insert(&mut self, user: UserNumber) {
        let byte = user as usize / 8;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (user % 8);
    }

    /// Returns true if a user is in it.
    pub(crate) fn contains(&self, user: UserNumber) -> bool {
        self.0.get(user as usize / 8).is_some_and(|byte| byte & (1 << (user % 8)) != 0)
    }

    /// Returns the number of its users.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Returns true if nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn extend(&mut self, other: &[u8]) {
        if self.0.len() < other.len() {
            self.0.resize(other.len(), 0);
        }
        for (byte, more) in self.0.iter_mut().zip(other) {
            *byte |= more;
        }
    }
}

/// The owner of a file that stands where an output is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This batch's; what is in it can be written again.
    Ours,
    /// This batch's, and it holds passwords that are nowhere else.
    Sole,
    /// Somebody else's.
    Foreign,
}

/// Passwords that stand in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// The number of their users.
    pub users: u64,
    /// The files they were written to and that are gone.
    pub gone: Vec<PathBuf>,
}

impl Ledger {
    /// Remembers a file's digest before it is put in its place, so that this
    /// batch knows its own output again even after a crash right behind.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn record_publication(&self, path: &str, digest: &str) -> Result<(), LedgerError> {
        let fail = |error| self.error(error);
        let transaction = self.db.unchecked_transaction().map_err(fail)?;
        self.db
            .execute(
                "DELETE FROM deliveries WHERE sole = 0
                 AND digest IN (SELECT digest FROM publications WHERE path = ?1 AND path <> '-' AND digest <> ?2)",
                [path, digest],
            )
            .map_err(fail)?;
        self.db
            .execute(
                "INSERT OR REPLACE INTO publications (digest, path, at) VALUES (?1, ?2, ?3)",
                params![digest, path, Millis::now().0],
            )
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Records whose passwords stand in a file that is in its place and synced.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn record_delivery(&self, digest: &str, users: &UserSet) -> Result<(), LedgerError> {
        self.db
            .execute(
                "INSERT OR REPLACE INTO deliveries (digest, users, sole) VALUES (?1, ?2, 0)",
                params![digest, users.0],
            )
            .map(drop)
            .map_err(|error| self.error(error))
    }

    /// Returns the owner of the file with this digest.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn whose(&self, digest: &str) -> Result<Whose, LedgerError> {
        let mut whose = Whose::Foreign;
        let closed = self.closed_at()?.is_some();
        self.each_with(
            &format!(
                "SELECT coalesce(d.sole, 0), d.users FROM publications p LEFT JOIN {} d ON d.digest = p.digest
                 WHERE p.digest = ?1",
                self.deliveries_table()?
            ),
            params![digest],
            |row| {
                // A file that never held a password is nobody's only copy.
                let users: Option<Vec<u8>> = row.get(1)?;
                let is_bare = users.is_some_and(|users| users.iter().all(|byte| *byte == 0));
                whose = if !is_bare && (closed || row.get(0)?) { Whose::Sole } else { Whose::Ours };
                Ok(())
            },
        )?;
        Ok(whose)
    }

    /// Passwords that were never written to a file; none if there are none.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn undelivered(&self) -> Result<Option<Undelivered>, LedgerError> {
        self.undelivered_where(|_, _| true)
    }

    /// Passwords that stand in no file now: never written to one, or to one that
    /// is no longer in its place as it was written.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn standing_nowhere(&self) -> Result<Option<Undelivered>, LedgerError> {
        self.undelivered_where(stands)
    }

    /// Notes whose passwords stand in no file now, since they are about to be erased.
    ///
    /// # Errors
    /// The ledger can't be read or written.
    pub(super) fn give_up(&self) -> Result<(), LedgerError> {
        let (users, _) = self.nowhere(stands)?;
        if users.is_empty() {
            return Ok(());
        }
        let mut all = self.given_up()?;
        all.extend(&users.0);
        self.db
            .execute(
                "INSERT OR REPLACE INTO deliveries (digest, users, sole) VALUES (?1, ?2, 1)",
                params![GIVEN_UP, all.0],
            )
            .map(drop)
            .map_err(|error| self.error(error))
    }

    /// Returns the users whose passwords were erased while they stood in no file.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn given_up(&self) -> Result<UserSet, LedgerError> {
        let mut users = UserSet::default();
        let sql = format!("SELECT users FROM {} WHERE digest = ?1", self.deliveries_table()?);
        self.each_with(&sql, params![GIVEN_UP], |row| {
            users = UserSet(row.get(0)?);
            Ok(())
        })?;
        Ok(users)
    }

    fn undelivered_where(&self, stands: impl Fn(&Path, &str) -> bool) -> Result<Option<Undelivered>, LedgerError> {
        let (users, gone) = self.nowhere(stands)?;
        Ok((!users.is_empty()).then(|| Undelivered { users: users.len(), gone }))
    }

    /// Returns the users whose sealed passwords stand in none of the files that stand,
    /// and the files that don't.
    fn nowhere(&self, stands: impl Fn(&Path, &str) -> bool) -> Result<(UserSet, Vec<PathBuf>), LedgerError> {
        let mut delivered = UserSet::default();
        let mut gone = Vec::new();
        for (path, digest, users) in self.delivered_files()? {
            if stands(&path, &digest) {
                delivered.extend(&users.0);
            } else if !gone.contains(&path) {
                gone.push(path);
            }
        }
        let mut users = UserSet::default();
        self.each(&format!("SELECT n FROM passwords WHERE {}", self.live_passwords()), |row| {
            let user = row.get(0)?;
            if !delivered.contains(user) {
                users.insert(user);
            }
            Ok(())
        })?;
        Ok((users, gone))
    }

    /// Every file that holds passwords, its digest, and whose. Of a ledger that an older
    /// program left, the file that stands as it was published holds all of them.
    pub(super) fn delivered_files(&self) -> Result<Vec<(PathBuf, String, UserSet)>, LedgerError> {
        let mut files = Vec::new();
        let table = self.deliveries_table()?;
        self.each(
            &format!("SELECT p.path, d.digest, d.users FROM {table} d JOIN publications p ON p.digest = d.digest ORDER BY p.at"),
            |row| {
                files.push((PathBuf::from(row.get::<_, String>(0)?), row.get(1)?, UserSet(row.get(2)?)));
                Ok(())
            },
        )?;
        if files.is_empty() {
            files.extend(self.published_by_an_older_program()?);
        }
        Ok(files)
    }

    fn published_by_an_older_program(&self) -> Result<Option<(PathBuf, String, UserSet)>, LedgerError> {
        let Some(last) = self.publications()?.into_iter().find(|file| file.path != "-") else { return Ok(None) };
        let path = PathBuf::from(&last.path);
        if !is_as_written(&path, &last.digest) {
            return Ok(None);
        }
        let users = self.users(
            "SELECT r.n FROM rows r JOIN outcomes o ON o.n = r.n WHERE r.kind IN (0, 3) AND o.status = 1 AND o.at <= ?1",
            params![last.at],
        )?;
        Ok(Some((path, last.digest, users)))
    }

    /// Returns the users whose numbers a query gives.
    pub(super) fn users(&self, sql: &str, parameters: impl Params) -> Result<UserSet, LedgerError> {
        let mut users = UserSet::default();
        self.each_with(sql, parameters, |row| {
            users.insert(row.get(0)?);
            Ok(())
        })?;
        Ok(users)
    }

    /// The table of deliveries; an empty one where a ledger that is only read has none.
    fn deliveries_table(&self) -> Result<&'static str, LedgerError> {
        Ok(if self.has_table("deliveries")? { "deliveries" } else { "(SELECT '' digest, x'' users, 0 sole WHERE 0)" })
    }
}

/// Returns true if a delivered file stands still. Where standard output went is not
/// known: it was a file, and synced.
fn stands(path: &Path, digest: &str) -> bool {
    path == Path::new("-") || is_as_written(path, digest)
}

/// Returns true if a file stands as it was written, byte for byte.
fn is_as_written(path: &Path, digest: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file())
        && std::fs::File::open(path).and_then(files::digest).is_ok_and(|found| hex(found) == digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::LedgerPaths;
    use crate::model::Target;

    #[test]
    fn a_set_of_users_holds_what_was_put_in() {
        let mut set = UserSet::default();
        let users = [0, 7, 8, 1000];
        for user in users {
            set.insert(user);
        }
        for user in 0..1100 {
            assert_eq!(set.contains(user), users.contains(&user), "{user}");
        }
        let mut other = UserSet::default();
        other.insert(2000);
        other.extend(&set.0);
        assert!(other.contains(1000) && other.contains(2000));
    }

    #[test]
    fn only_what_stands_in_a_file_counts_and_what_a_file_replaces_counts_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let batch = "b".parse().unwrap();
        let paths = LedgerPaths::new(folder.path(), &batch);
        let ledger = Ledger::create(&paths, &batch, &Target::Simulated).unwrap();
        for user in 0..4 {
            ledger.db.execute("INSERT INTO passwords (n, sealed) VALUES (?1, x'00')", [user]).unwrap();
        }
        let users = |ledger: &Ledger| ledger.undelivered().unwrap().map(|left| left.users);
        let set = |users: &[u32]| {
            let mut set = UserSet::default();
            for user in users {
                set.insert(*user);
            }
            set
        };
        assert_eq!(users(&ledger), Some(4));
        ledger.record_publication("/a.csv", "one").unwrap();
        assert_eq!(users(&ledger), Some(4), "announced is not delivered");
        ledger.record_delivery("one", &set(&[0, 1, 2])).unwrap();
        assert_eq!(users(&ledger), Some(1));
        ledger.record_publication("/b.csv", "two").unwrap();
        ledger.record_delivery("two", &set(&[3])).unwrap();
        assert_eq!(users(&ledger), None);
        // Another roster's results replace the first ones.
        ledger.record_publication("/a.csv", "three").unwrap();
        assert_eq!(users(&ledger), Some(3), "what was replaced counts no more");
        ledger.record_delivery("three", &set(&[0, 1])).unwrap();
        assert_eq!(users(&ledger), Some(1));
        let nowhere = ledger.standing_nowhere().unwrap().unwrap();
        assert_eq!((nowhere.users, nowhere.gone.len()), (4, 2));
        assert_eq!(ledger.whose("three").unwrap(), Whose::Ours);
        assert_eq!(ledger.whose("four").unwrap(), Whose::Foreign);
    }
}
