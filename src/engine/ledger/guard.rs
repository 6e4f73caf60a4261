//! The guard across batches: who of a roster was reset by another batch of the
//! same target while the passwords of that reset still live.
//!
//! Invariant: looking writes nothing and opens no key. A million users against a
//! dozen ledgers of a million cost well under a second where nobody is in both:
//! each ledger keeps its users' fingerprints in order, and two ordered lists are
//! walked side by side.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::state_dir::{StateDir, StateError};
use super::{Ledger, LedgerError, LedgerPaths, UserSet, read, schema};
use crate::model::{BatchName, Millis, RowKind, Status, Target, UserNumber};

/// Bytes of a fingerprint and of a user's number, both little-endian.
const ENTRY: usize = 12;

/// A user's fingerprint: the same in every ledger and every version.
fn fingerprint(user_id: &str) -> u64 {
    let digest = Sha256::digest(user_id.as_bytes());
    u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
}

/// The users of a run, eight bytes each.
#[derive(Default)]
pub(crate) struct Roll(Vec<u64>);

impl Roll {
    /// Adds a user.
    pub(crate) fn add(&mut self, user_id: &str) {
        self.0.push(fingerprint(user_id));
    }

    fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Walks an ordered list of entries along the roll; returns the numbers of
    /// those that are in both. The roll is sorted.
    fn meets(&self, entries: &[u8]) -> Vec<UserNumber> {
        let mut met = Vec::new();
        let mut ours = self.0.iter().peekable();
        for entry in entries.chunks_exact(ENTRY) {
            let (theirs, number) = split(entry);
            while ours.next_if(|own| **own < theirs).is_some() {}
            if ours.peek().is_some_and(|own| **own == theirs) {
                met.push(number);
            }
        }
        met.sort_unstable();
        met
    }
}

fn split(entry: &[u8]) -> (u64, UserNumber) {
    let theirs = u64::from_le_bytes(std::array::from_fn(|at| entry[at]));
    (theirs, UserNumber::from_le_bytes(std::array::from_fn(|at| entry[8 + at])))
}

/// Users of a roster whom another batch has reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Overlap {
    /// The other batch.
    pub batch: String,
    /// The number of users that it has reset, or may have.
    pub users: u64,
    /// One of them.
    #[serde(skip)]
    pub example: String,
    /// The time of the last of these resets.
    #[serde(rename = "last_at")]
    pub latest: Millis,
    /// True if a run of it is under way, which has some of them to do.
    #[serde(skip)]
    pub is_running: bool,
}

impl Overlap {
    /// Returns what is to be told of users who will be reset all the same.
    pub(crate) fn remark(&self) -> String {
        let before = if self.is_running { "" } else { " before" };
        format!("{} of the users to do {}", self.users, self.deed(before))
    }

    /// Returns what the batch, of which more is to be said, does or did to them.
    fn deed(&self, more: &str) -> String {
        let Self { batch, latest, example, is_running, .. } = self;
        if *is_running {
            return format!("are reset by batch {batch}{more}, which is running now ({example:?} is one of them)");
        }
        format!("were reset by batch {batch}{more}, the last at {latest} ({example:?} is one of them)")
    }
}

/// A roster whose users another batch has reset.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} of these users {}{}; {}{}continue that batch with --batch {}, or reset them again on purpose in a batch of a new name with --batch NEW",
    .first.users, .first.deed(" of the same target"), more(*.others), if .first.is_running { "wait for its end, " } else { "" }, begun(.own.as_deref()), .first.batch
)]
pub(crate) struct ResetElsewhere {
    first: Overlap,
    others: usize,
    /// The batch that is refused, if it has begun already.
    own: Option<String>,
}

/// A roster whose batch has begun goes on there: in another one, all whom it has
/// reset would be reset again.
fn begun(own: Option<&str>) -> String {
    own.map_or_else(String::new, |own| {
        format!("go on with this roster's own batch with --batch {own} (it resets them, too), ")
    })
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => ", and some by another batch".into(),
        others => format!(", and some by {others} other batches"),
    }
}

/// The result of a look at the other ledgers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The batches that have reset users of the roster.
    pub overlaps: Vec<Overlap>,
    /// Ledgers that could not be looked into, with the causes; to be told, not to
    /// stop for.
    pub unread: Vec<LedgerError>,
}

impl Found {
    /// Refuses what was found, naming the batch that has most of the users, and `own`
    /// if that has begun.
    ///
    /// # Errors
    /// Another batch has reset some.
    pub(crate) fn refuse(self, own: Option<&BatchName>) -> Result<(), ResetElsewhere> {
        let mut overlaps = self.overlaps.into_iter();
        match overlaps.next() {
            Some(first) => Err(ResetElsewhere { first, others: overlaps.len(), own: own.map(ToString::to_string) }),
            None => Ok(()),
        }
    }
}

/// The other batches of a target that did something within the life of a
/// password: those in which users of a roster may be found.
pub(crate) struct Others<'a> {
    state: &'a StateDir,
    batches: Vec<BatchName>,
    unread: Vec<LedgerError>,
}

impl<'a> Others<'a> {
    /// Finds the batches of `target` besides `own` that did something within the
    /// life of their passwords.
    ///
    /// # Errors
    /// The state folder can't be read.
    pub(crate) fn find(state: &'a StateDir, target: &Target, own: &BatchName) -> Result<Self, StateError> {
        let mut others = Self { state, batches: Vec::new(), unread: Vec::new() };
        for batch in state.batches()?.into_iter().filter(|batch| batch != own) {
            let recent = others.open(&batch).and_then(|ledger| {
                Ok(ledger.target()? == target.to_string() && ledger.is_used_since(ledger.oldest_life()?)?)
            });
            match recent {
                Ok(true) => others.batches.push(batch),
                Ok(false) => {}
                Err(error) => others.unread.push(error),
            }
        }
        Ok(others)
    }

    /// Returns true if nobody needs to be looked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Looks for the users of the roll. Users in doubt, or claimed by a run, count
    /// as reset, and those whom a run that is under way has to do.
    pub(crate) fn look(self, mut roll: Roll) -> Found {
        roll.sort();
        let mut found = Found::default();
        for batch in &self.batches {
            // Asked first: who ends meanwhile has recorded whom it reset.
            let runs = self.state.holder(batch).is_some();
            match self.open(batch).and_then(|ledger| ledger.reset_since(ledger.oldest_life()?, &roll, runs)) {
                Ok(overlap) => found.overlaps.extend(overlap),
                Err(error) => found.unread.push(error),
            }
        }
        found.overlaps.sort_by_key(|overlap| std::cmp::Reverse(overlap.users));
        found.unread.extend(self.unread);
        found
    }

    fn open(&self, batch: &BatchName) -> Result<Ledger, LedgerError> {
        Ledger::glance(&LedgerPaths::new(self.state.folder(), batch))
    }
}

impl Ledger {
    /// Returns the moment since which a password that was set is still good.
    fn oldest_life(&self) -> Result<Millis, LedgerError> {
        let life = i64::try_from(self.password_life()?.as_millis()).unwrap_or(i64::MAX);
        Ok(Millis(Millis::now().0.saturating_sub(life)))
    }

    /// Returns true if anything was sent for this batch.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn has_begun(&self) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM claims) OR EXISTS (SELECT 1 FROM outcomes)";
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|error| self.error(error))
    }

    /// Returns true if anything happened in this batch since then.
    fn is_used_since(&self, since: Millis) -> Result<bool, LedgerError> {
        Ok(self.newest_record()?.is_some_and(|at| at >= since))
    }

    /// Returns the users of the roll whom this batch has reset since then, or may
    /// have.
    fn reset_since(&self, since: Millis, roll: &Roll, runs: bool) -> Result<Option<Overlap>, LedgerError> {
        let to_do = if runs { self.users_of_rows()? } else { UserSet::default() };
        self.overlap(since, roll, &to_do).map_err(|error| self.error(error))
    }

    /// Returns the users who have a row of their own, and are not left alone.
    fn users_of_rows(&self) -> Result<UserSet, LedgerError> {
        self.users("SELECT n FROM rows WHERE kind = ?1 AND n IS NOT NULL", params![RowKind::User as u8])
    }

    fn overlap(&self, since: Millis, roll: &Roll, to_do: &UserSet) -> rusqlite::Result<Option<Overlap>> {
        let (batch, example) = (self.batch.clone(), String::new());
        let mut overlap = Overlap { batch, users: 0, example, latest: since, is_running: false };
        let mut standing = self
            .db
            .prepare("SELECT status, coalesce(since, at), seq FROM outcomes WHERE n = ?1 ORDER BY seq DESC LIMIT 1")?;
        let mut claim = self.db.prepare("SELECT max(at), max(seq) FROM claims WHERE ?1 BETWEEN first AND last")?;
        let any_claim: bool = self.db.query_row("SELECT EXISTS (SELECT 1 FROM claims)", [], |row| row.get(0))?;
        for number in roll.meets(&self.fingerprints()?) {
            let newest: Option<(Status, i64, i64)> =
                standing.query_row([number], |row| Ok((read::status(row, 0)?, row.get(1)?, row.get(2)?))).optional()?;
            let claimed: (Option<i64>, Option<i64>) =
                if any_claim { claim.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))? } else { (None, None) };
            let settled = newest.map_or(0, |newest| newest.2);
            let at = match (newest, claimed) {
                (_, (Some(at), Some(seq))) if seq > settled => at,
                (Some((Status::Succeeded | Status::Unknown, at, _)), _) => at,
                (None, _) if to_do.contains(number) => {
                    overlap.is_running = true;
                    Millis::now().0
                }
                _ => continue,
            };
            if Millis(at) < since {
                continue;
            }
            if overlap.users == 0 {
                let sql = "SELECT user_id FROM users WHERE n = ?1";
                overlap.example = self.db.query_row(sql, [number], |row| row.get(0))?;
            }
            overlap.users += 1;
            overlap.latest = overlap.latest.max(Millis(at));
        }
        Ok((overlap.users > 0).then_some(overlap))
    }

    /// The users' fingerprints in order, as stored, or made from the users where
    /// an older program wrote the ledger.
    fn fingerprints(&self) -> rusqlite::Result<Vec<u8>> {
        let there: bool = self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'fingerprints')",
            [],
            |row| row.get(0),
        )?;
        let stored: Option<Vec<u8>> = if there {
            self.db.query_row("SELECT sorted FROM fingerprints", [], |row| row.get(0)).optional()?
        } else {
            None
        };
        match stored {
            Some(stored) => Ok(stored),
            None => made(&self.db),
        }
    }

    /// Stores the fingerprints of all users, within the transaction that is open.
    pub(super) fn store_fingerprints(&self) -> rusqlite::Result<()> {
        self.db
            .execute("INSERT OR REPLACE INTO fingerprints (part, sorted) VALUES (0, ?1)", params![made(&self.db)?])
            .map(drop)
    }

    /// Opens a ledger to look a few things up in it, unchecked.
    fn glance(place: &LedgerPaths) -> Result<Self, LedgerError> {
        Self::from_db(place, schema::open(&place.ledger, schema::Open::Glance)?)
    }
}

fn made(db: &Connection) -> rusqlite::Result<Vec<u8>> {
    let mut users: Vec<(u64, UserNumber)> = Vec::new();
    let mut statement = db.prepare("SELECT user_id, n FROM users ORDER BY n")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        users.push((fingerprint(row.get_ref(0)?.as_str()?), row.get(1)?));
    }
    users.sort_unstable();
    Ok(users.iter().flat_map(|(print, number)| print.to_le_bytes().into_iter().chain(number.to_le_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::ledger::NewRow;

    fn roll(ids: &[&str]) -> Roll {
        let mut roll = Roll::default();
        for id in ids {
            roll.add(id);
        }
        roll
    }

    fn ledger(state: &StateDir, name: &str, target: &Target, ids: &[String]) -> Ledger {
        let batch: BatchName = name.parse().unwrap();
        let mut ledger = Ledger::create(&LedgerPaths::new(state.folder(), &batch), &batch, target).unwrap();
        ledger.begin_run("test", Duration::from_secs(1)).unwrap();
        let rows = ids.iter().map(|id| Ok::<_, LedgerError>(NewRow::of_user(id)));
        ledger.import("key", rows).unwrap();
        ledger
    }

    fn outcome(ledger: &Ledger, number: u32, status: Status, at: Millis) {
        let sql = "INSERT INTO outcomes (n, seq, status, at, attempts, again) VALUES (?1, ?2, ?3, ?4, 1, 0)";
        let seq = ledger.next_seq + 1 + i64::from(number);
        ledger.db.execute(sql, params![number, seq, status as u8, at.0]).unwrap();
    }

    #[test]
    fn users_reset_in_doubt_or_claimed_by_another_batch_are_found_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let target = Target::service("us-east-1", "https://host.example");
        let ids: Vec<String> = ["ann", "bob", "cyd", "dan", "eve"].map(str::to_owned).into();
        let now = Millis::now();
        let there = ledger(&state, "there", &target, &ids);
        outcome(&there, 0, Status::Succeeded, now);
        outcome(&there, 1, Status::Unknown, now);
        outcome(&there, 2, Status::Failed, now);
        outcome(&there, 3, Status::Succeeded, Millis(now.0 - 8 * 24 * 3_600_000));
        let claimed = "INSERT INTO claims (seq, first, last, at) VALUES (?1, 4, 4, ?2)";
        there.db.execute(claimed, params![there.next_seq + 100, now.0]).unwrap();
        drop(there);
        drop(ledger(&state, "elsewhere", &Target::service("eu-west-1", "https://host.example"), &ids));
        std::fs::write(folder.path().join("broken.ledger"), "no ledger").unwrap();

        let own: BatchName = "own".parse().unwrap();
        let others = |own: &BatchName| Others::find(&state, &target, own).unwrap();
        let found = |ids: &[&str], own: &BatchName| others(own).look(roll(ids));
        let all = found(&["eve", "ann", "bob", "cyd", "dan", "zoe"], &own);
        assert_eq!(all.overlaps.len(), 1, "{all:?}");
        assert_eq!((all.overlaps[0].batch.as_str(), all.overlaps[0].users), ("there", 3));
        assert_eq!((all.overlaps[0].latest, all.overlaps[0].example.as_str()), (now, "ann"));
        assert_eq!(all.unread.len(), 1, "{all:?}");
        assert!(found(&["cyd", "dan", "zoe"], &own).overlaps.is_empty());
        assert!(found(&["ann"], &"there".parse().unwrap()).overlaps.is_empty(), "a batch is not its own other");
        // A ledger of an older program has no fingerprints.
        let older = rusqlite::Connection::open(folder.path().join("there.ledger")).unwrap();
        older.execute_batch("DROP TABLE fingerprints").unwrap();
        drop(older);
        assert_eq!(found(&["bob", "eve"], &own).overlaps[0].users, 2);
    }

    #[test]
    #[ignore = "a measurement: a million users against a dozen ledgers of a million"]
    #[allow(clippy::print_stdout, reason = "the figures are the point")]
    fn a_million_users_against_a_dozen_ledgers_of_a_million() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let target = Target::service("us-east-1", "https://host.example");
        for batch in 0..12 {
            let ids: Vec<String> = (0..1_000_000).map(|user| format!("user-{batch:02}-{user:07}")).collect();
            drop(ledger(&state, &format!("b{batch}"), &target, &ids));
        }
        let started = std::time::Instant::now();
        let mut roll = Roll::default();
        (0..1_000_000).for_each(|user| roll.add(&format!("other-{user:07}")));
        println!("roll: {:?}", started.elapsed());
        let found = Others::find(&state, &target, &"own".parse().unwrap()).unwrap().look(roll);
        println!("all: {:?}", started.elapsed());
        assert!(found.overlaps.is_empty() && found.unread.is_empty());
    }
}
