//! The way on from where a batch stands: who a repeat helps, who needs a
//! correction first, and the commands to type.
//!
//! Invariant: summary, `status` and report take their advice from here; who
//! fails again is the ledger's word ([`Cause::in_vain`]), and a command that is
//! advised names the batch as this one was named.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::engine::ledger::{Cause, Doubt};
use crate::model::{BatchName, Counts, Millis, shell_word};
use crate::ui::format::{counted, counted_are};

/// Causes that a line names at most.
const CODES: usize = 3;

/// The words by which a command finds a batch.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The batch.
    pub batch: String,
    /// The state folder, if one was named.
    pub state_dir: Option<PathBuf>,
    /// True for a rehearsal.
    pub simulated: bool,
}

impl Place {
    /// The words for `batch`, with the state folder as it was typed.
    pub(super) fn new(batch: &BatchName, state_dir: Option<&Path>, simulated: bool) -> Self {
        // The command may be typed in another folder.
        let state_dir = state_dir.map(|typed| std::path::absolute(typed).unwrap_or_else(|_| typed.to_owned()));
        Self { batch: batch.to_string(), state_dir, simulated }
    }

    /// Returns the command line that does `verb` to the batch.
    pub(super) fn command(&self, verb: &str, flags: &str) -> String {
        let mut line = format!("finspace-reset {verb} {}", self.batch);
        let folder = self.state_dir.as_ref().map(|folder| format!("--state-dir {}", shell_word(folder.as_os_str())));
        for words in [flags, if self.simulated { "--simulate" } else { "" }, folder.as_deref().unwrap_or_default()] {
            if !words.is_empty() {
                line.push(' ');
                line.push_str(words);
            }
        }
        line
    }
}

/// A cause of failures or doubts, for machines.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CauseJson {
    error_code: String,
    users: u64,
    first_line: u64,
    repeat_helps: bool,
}

impl From<&Cause> for CauseJson {
    fn from(cause: &Cause) -> Self {
        let Cause { code, users, in_vain, first_line } = cause;
        Self { error_code: code.clone(), users: *users, first_line: *first_line, repeat_helps: in_vain < users }
    }
}

/// Returns a cause in a line: `3 × Code, first in line 7`.
pub(super) fn cause(cause: &Cause) -> String {
    let Cause { code, users, first_line, .. } = cause;
    let code = if code.is_empty() { "no answer" } else { code };
    format!("{users} × {code}, first in line {first_line}")
}

/// A batch as far as its way on depends on it.
pub(super) struct Left<'a> {
    /// The rows by status.
    pub counts: Counts,
    /// The causes of failures and doubts.
    pub causes: &'a [Cause],
    /// Users in doubt.
    pub doubt: Doubt,
    /// Users who were reset and should be signed out, and are not.
    pub signed_in: u64,
    /// Users whose passwords were erased while they stood in no file.
    pub given_up: u64,
    /// True if the batch is closed.
    pub closed: bool,
    /// The words that name it.
    pub place: &'a Place,
}

impl Left<'_> {
    /// Returns the number of users who fail again, however often it is repeated.
    pub(super) fn in_vain(&self) -> u64 {
        let all: u64 = self.causes.iter().map(|cause| cause.in_vain).sum();
        all.min(self.counts.failed)
    }

    /// Returns the steps that lead on, the most urgent first; of a rehearsal there
    /// are none, since each begins anew.
    pub(super) fn steps(&self) -> Vec<String> {
        if self.place.simulated {
            return Vec::new();
        }
        let steps = [self.repeat(), self.sign_out(), self.reset_anew(), self.correct_users(), self.correct_rows()];
        steps.into_iter().flatten().collect()
    }

    /// The step for those whom a repeat helps.
    fn repeat(&self) -> Option<String> {
        let Self { counts, doubt, place, .. } = self;
        let helped = counts.to_do() - self.in_vain();
        if doubt.can_settle > 0 && !self.closed {
            let (can, all) = (doubt.can_settle, counted(doubt.users, "unknown user"));
            return Some(match doubt.until.map(Millis) {
                Some(until) => format!(
                    "run the same command again by {until}: the answers of {can} of {all} can still be had without a new reset"
                ),
                None => format!("run the same command again: it settles {all} with the same passwords"),
            });
        }
        if helped == 0 {
            return None;
        }
        if self.closed {
            return Some(format!(
                "the batch is closed; the same command with --batch {} and another --output goes on with the {} left",
                place.batch,
                counted(helped, "user")
            ));
        }
        let what = if counts.pending > 0 { "to go on with the rest" } else { "to try them again" };
        let all = counted(counts.to_do() + counts.reset(), "user");
        let are = if helped == 1 { "is" } else { "are" };
        Some(format!("run the same command again {what}: {helped} of {all} {are} still to do"))
    }

    /// The step for those who keep their sessions.
    pub(super) fn sign_out(&self) -> Option<String> {
        let how = if self.closed {
            "end their sessions with `aws cognito-idp admin-user-global-sign-out`"
        } else {
            "run the same command again, with --sign-out, which resets nobody anew"
        };
        (self.signed_in > 0)
            .then(|| format!("{} reset and not signed out yet: {how}", counted_are(self.signed_in, "user")))
    }

    /// The step for those whose passwords nobody has.
    pub(super) fn reset_anew(&self) -> Option<String> {
        let are = if self.given_up == 1 { "was" } else { "were" };
        (self.given_up > 0).then(|| {
            format!(
                "{} {are} reset, and closing gave up what stood in no file, their passwords: `{}` makes a roster of them, to be reset with another --batch",
                counted(self.given_up, "user"),
                self.place.command("status", "--list given-up")
            )
        })
    }

    /// The step for those who fail again.
    pub(super) fn correct_users(&self) -> Option<String> {
        let users = self.in_vain();
        if users == 0 {
            return None;
        }
        let vain = || self.causes.iter().filter(|cause| cause.in_vain > 0);
        let mut codes: Vec<String> =
            vain().take(CODES).map(|cause| format!("{} × {}", cause.in_vain, cause.code)).collect();
        if vain().count() > CODES {
            codes.push("…".into());
        }
        Some(format!(
            "{}a repeat does not help {} ({}): correct or remove {} in the roster{}, and {}; `{}` lists the failed",
            if self.closed { "the batch is closed, and " } else { "" },
            counted(users, "user"),
            codes.join(", "),
            if users == 1 { "the entry" } else { "the entries" },
            if self.closed { " first" } else { "" },
            self.run_it(),
            self.place.command("status", "--list failed")
        ))
    }

    /// The step for rows that can't be sent.
    pub(super) fn correct_rows(&self) -> Option<String> {
        let rows = self.counts.invalid;
        let what = if rows == 1 { "it" } else { "them" };
        (rows > 0).then(|| {
            format!(
                "{} of the roster can't be sent as typed (invalid): correct {what}, and {}",
                counted(rows, "row"),
                self.run_it()
            )
        })
    }

    /// A corrected roster that is not named is another batch.
    fn run_it(&self) -> String {
        let mut with = format!("--batch {}", self.place.batch);
        for (is_needed, flag) in [
            (self.closed, "another --output"),
            // Without the list the command would reset whom it protects.
            (self.counts.excluded > 0, "the same --exclude"),
        ] {
            if is_needed {
                with.push_str(" and ");
                with.push_str(flag);
            }
        }
        format!("run it with {with}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause_of(code: &str, users: u64, in_vain: u64) -> Cause {
        Cause { code: code.into(), users, in_vain, first_line: 2 }
    }

    #[test]
    fn a_repeat_is_advised_only_where_it_helps() {
        let place = Place { batch: "b".into(), state_dir: None, simulated: false };
        let missing = || cause_of("ResourceNotFoundException", 3, 3);
        let lost = || cause_of("ReadTimeout", 2, 0);
        let counts = |failed, unknown, pending, invalid| Counts {
            succeeded: 1,
            failed,
            unknown,
            pending,
            invalid,
            ..Counts::default()
        };
        let again = "run the same command again";
        for (counts, causes, closed, told, untold) in [
            (
                counts(3, 0, 0, 0),
                vec![missing()],
                false,
                vec!["does not help 3 users (3 × Resource", "--batch b;"],
                again,
            ),
            (counts(5, 0, 0, 0), vec![missing(), lost()], false, vec![again, "2 of 6 users", "help 3 users"], "closed"),
            (counts(3, 0, 7, 0), vec![missing()], false, vec!["go on with the rest: 7 of 11", "help 3 users"], "try"),
            (counts(3, 0, 0, 0), vec![missing()], true, vec!["help 3 users", "roster first"], "goes on"),
            (counts(5, 0, 0, 0), vec![missing(), lost()], true, vec!["the 2 users left", "help 3 users"], again),
            (counts(0, 0, 2, 0), vec![], true, vec!["goes on with the 2 users left"], again),
            (counts(0, 0, 0, 1), vec![], false, vec!["1 row of the roster can't be sent"], again),
            (counts(0, 0, 0, 0), vec![], false, vec![], "run"),
        ] {
            let doubt = Doubt::default();
            let steps = Left { counts, causes: &causes, doubt, signed_in: 0, given_up: 0, closed, place: &place }
                .steps()
                .join("\n");
            for part in &told {
                assert!(steps.contains(part), "{part}: {steps}");
            }
            assert!(!steps.contains(untold), "{untold}: {steps}");
            assert_eq!(steps.is_empty(), told.is_empty(), "{steps}");
        }
    }

    #[test]
    fn a_doubt_without_a_window_has_no_hour() {
        let place = Place { batch: "b".into(), state_dir: None, simulated: false };
        let counts = Counts { unknown: 2, ..Counts::default() };
        let doubt = Doubt { users: 2, can_settle: 2, ..Doubt::default() };
        let steps =
            Left { counts, causes: &[], doubt, signed_in: 0, given_up: 0, closed: false, place: &place }.steps();
        assert_eq!(steps, ["run the same command again: it settles 2 unknown users with the same passwords"]);
    }

    #[test]
    fn a_command_names_the_batch_as_it_was_named() {
        let place = Place { batch: "b".into(), state_dir: Some("/a b".into()), simulated: true };
        assert_eq!(place.command("close", "--yes"), "finspace-reset close b --yes --simulate --state-dir '/a b'");
    }
}
