//! Finds out who is who: resolves the roster's user IDs in a user pool, before anything
//! is sent.
//!
//! Invariant: nothing here resets or writes. Whoever this batch has reset, or
//! may have, is not asked about; a user about whom no answer came is not sent to.

use std::time::Duration;

use super::inputs;
use super::job::Job;
use crate::commands::error::{CheckError, Error};
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::pacer::{Pacer, Rate};
use crate::engine::dispatch::stop::StopReason;
use crate::engine::ledger::{Ledger, Readiness, RowKind};
use crate::engine::people::{
    Lookups, People, PeopleError, Tallies, Walk, Whom, may_read_all_for_the_rest, pages_of, walk_is_shorter,
};
use crate::engine::plan::Plan;
use crate::engine::roster::Request;
use crate::service::directory::{Directory, Naming};
use crate::ui::format::{counted, human};
use crate::ui::{Printer, Progress};

/// Most rows left alone that are told by line.
const EXAMPLES: u64 = 10;

/// The directory that is asked, and what it said of itself.
pub(super) struct Asked<'a, D> {
    /// The directory.
    pub directory: &'a D,
    /// The names of its users.
    pub naming: &'a Naming,
    /// Their number, by its own estimate.
    pub users: u64,
}

/// Registers the roster's spellings and those of exclude lists. Nothing is asked.
///
/// # Errors
/// Roster or ledger can't be read, or there is no room for the register.
pub(super) fn gather(job: &Job, ledger: Option<&Ledger>) -> Result<People, Error> {
    let people = People::new()?;
    let bindings = ledger.map(Ledger::bindings).transpose()?;
    for row in job.roster.rows()? {
        let row = row?;
        if let Request::Reset(spelling) = &row.request {
            let bound = bindings.as_ref().map(|known| known.of(spelling)).transpose()?.flatten();
            people.add(spelling, row.line, bound.as_deref())?;
        }
    }
    people.added()?;
    for spelling in job.excluded.keys() {
        people.exclude(spelling)?;
    }
    people.settle()?;
    Ok(people)
}

/// Asks the directory whom the spellings mean, and tells what is odd.
///
/// # Errors
/// The service refuses, something says stop, or there is no room for the register.
pub(super) async fn find_out<D: Directory>(
    job: &mut Job,
    asked: Asked<'_, D>,
    ledger: Option<&Ledger>,
    printer: &Printer,
) -> Result<(), Error> {
    if let Some(people) = &mut job.people {
        people.name_by(asked.naming.clone());
    }
    let Some(people) = &job.people else { return Ok(()) };
    let resolver = Resolver { job, people, asked, ledger, printer };
    let limit = job.settings.sending.limit.unwrap_or(u64::MAX);
    let (listed, open) = people.open()?;
    if walk_is_shorter(resolver.asked.users, listed + open.min(limit)) {
        resolver.walk().await?;
    } else {
        resolver.look_up(limit).await?;
    }
    people.settle()?;
    resolver.tell()?;
    for list in &mut job.exclude_lists {
        if let Some(people) = &job.people {
            list.recount(|spelling| people.is_in_roster(spelling))?;
        }
    }
    inputs::tell_lists(&job.exclude_lists, printer);
    Ok(())
}

/// A question of a run to a directory.
struct Resolver<'a, D> {
    job: &'a Job,
    people: &'a People,
    asked: Asked<'a, D>,
    ledger: Option<&'a Ledger>,
    printer: &'a Printer,
}

impl<D: Directory> Resolver<'_, D> {
    /// Reads all users of the directory.
    async fn walk(&self) -> Result<(), Error> {
        let requests = pages_of(self.asked.users);
        self.announce(requests, &format!("all of its about {}", counted(self.asked.users, "user")));
        self.put(&mut Walk::new(self.asked.directory, self.people), requests).await?;
        self.people.note_complete();
        Ok(())
    }

    /// Looks spellings up: those of exclude lists, and of the roster until
    /// `limit` of its users can be sent to.
    async fn look_up(&self, limit: u64) -> Result<(), Error> {
        let (listed, open) = self.people.open()?;
        self.announce(listed + open.min(limit), &counted(listed + open.min(limit), "user ID"));
        let lookups = |whom| Lookups::new(self.asked.directory, self.people, whom);
        self.put(&mut lookups(Whom::Excluded), listed).await?;
        let mut asked = limit;
        loop {
            self.put(&mut lookups(Whom::Roster(asked)), open.min(asked)).await?;
            self.people.settle()?;
            let plan = Plan::build(self.job.scope(), self.ledger, false)?;
            asked = limit.saturating_sub(plan.ready());
            // Whoever is left alone makes room for another.
            if asked == 0 || self.people.open()?.1 == 0 {
                break;
            }
        }
        let unsure = self.people.unsure()?;
        if unsure == 0 {
            return Ok(());
        }
        let ids = counted(unsure, "user ID");
        if may_read_all_for_the_rest(self.asked.users, listed + open.min(limit)) {
            self.printer.note(format!("{ids} may be spelt otherwise in the pool, where no filter finds them"));
            return self.walk().await;
        }
        self.people.give_up("it may be spelt in another case there, and the pool is too large to look for that")?;
        Ok(())
    }

    fn announce(&self, requests: u64, what: &str) {
        let name = self.asked.directory.facts().name;
        let time = match self.job.settings.sending.rate {
            Rate::Unlimited => String::new(),
            #[allow(clippy::cast_precision_loss, reason = "a time for people")]
            Rate::PerSecond(rate) => Duration::try_from_secs_f64(requests as f64 / rate)
                .map_or_else(|_| String::new(), |time| format!(", {}", human(time))),
        };
        if requests > 0 {
            let requests = counted(requests, "request");
            self.printer.note(format!("asking {name} who is who: {what}, about {requests}{time}"));
        }
    }

    async fn put<I: Inquiry<Error = PeopleError>>(&self, inquiry: &mut I, requests: u64) -> Result<(), Error> {
        let settings = &self.job.settings;
        let mut progress = Progress::start(self.printer, settings.show, requests);
        let pacer = Pacer::start(settings.sending.rate);
        let stop = ask(inquiry, pacer, &self.job.bounds(), &mut |tally| progress.show(tally)).await;
        progress.finish();
        match stop? {
            StopReason::Finished => Ok(()),
            StopReason::Refused { why, remedy } => Err(CheckError::Refused { why, remedy }.into()),
            stop => Err(CheckError::Stopped(stop.reason().unwrap_or_default()).into()),
        }
    }

    /// Tells what was found, and the first rows that are left alone.
    fn tell(&self) -> Result<(), Error> {
        let tallies = self.people.tallies()?;
        let Tallies { spellings, bound, bound_aliases, not_asked, .. } = tallies;
        let parts = [
            (tallies.missing, "missing"),
            (tallies.federated, "federated"),
            (tallies.unconfirmed, "unconfirmed"),
            (tallies.ambiguous, "ambiguous"),
            (tallies.unresolved, "not found out"),
            (tallies.disabled, "disabled"),
            (tallies.repeated, "named twice"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let odd = if parts.is_empty() { "each a user of its own".into() } else { parts.join(", ") };
        let name = self.asked.directory.facts().name;
        let checked = counted(spellings - bound - not_asked, "user");
        self.printer.note(format!("checked {checked} with {name}: {odd}"));
        if bound_aliases > 0 {
            let rows = if bound_aliases == 1 { "1 row stands".into() } else { format!("{bound_aliases} rows stand") };
            self.printer.note(format!(
                "{rows} for the user whom this batch sent to before, by an address or another spelling, even if somebody else has it by now"
            ));
        }
        if tallies.refused() > 0 {
            self.tell_left_alone(tallies.refused())?;
        }
        let silent = self.people.silent_exclusions()?;
        if silent > 0 {
            let entries = if silent == 1 { "1 entry".into() } else { format!("{silent} entries") };
            self.printer.warning(format!(
                "{name} did not tell whom {entries} of --exclude mean: they protect nobody but a row that is spelt the same"
            ));
        }
        Ok(())
    }

    /// Tells the first of the rows that are left alone, of so many users.
    fn tell_left_alone(&self, refused: u64) -> Result<(), Error> {
        let mut told = 0;
        for row in self.job.roster.rows()? {
            if told == EXAMPLES {
                break;
            }
            let row = self.job.selection().row(row?)?;
            if let (RowKind::User, Readiness::LeftAlone(why)) = (row.kind, row.readiness) {
                told += 1;
                self.printer.note(format!("  line {}: {:?} {why}", row.line, row.user_id.unwrap_or_default()));
            }
        }
        if told == EXAMPLES && refused > told {
            self.printer.note(format!("  … and {} more", refused - told));
        }
        Ok(())
    }
}
