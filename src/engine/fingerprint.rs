//! The name of a plan, which `--confirm` takes.
//!
//! Invariant: two plans share a name only if all that decides who is reset,
//! where the passwords go and who can open them agrees. 128 bits are bound to
//! all of it together; the byte of each part before them is a hint that tells
//! what changed, and nothing else rests on it.

use std::fmt;
use std::str::FromStr;

use hex::FromHex;

use crate::model::{digest_of, hex};

/// The number of parts that a plan is bound to.
const PARTS: usize = 9;

/// All that a plan is bound to, as texts.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// The roster as it was read.
    pub roster: String,
    /// The users left out of it.
    pub exclusions: String,
    /// The target of requests.
    pub target: String,
    /// The batch.
    pub batch: String,
    /// The identity that signs, as far as it is the same in two runs.
    pub caller: String,
    /// The output.
    pub output: String,
    /// The keys that can open it.
    pub readers: String,
    /// The flags that change who is reset.
    pub flags: String,
    /// The users' standings, and the most of them to reset.
    pub progress: String,
}

impl Binding {
    /// Returns the parts, each with the words that messages have for it.
    fn parts(&self) -> [(&'static str, &str); PARTS] {
        [
            ("the roster", &self.roster),
            ("the exclusions", &self.exclusions),
            ("the target", &self.target),
            ("the batch", &self.batch),
            ("the credentials", &self.caller),
            ("the output", &self.output),
            ("who can open it", &self.readers),
            ("the flags", &self.flags),
            ("the progress or --limit", &self.progress),
        ]
    }
}

/// The name of a plan: a byte of each part, and 128 bits of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hints: [u8; PARTS],
    whole: [u8; 16],
}

/// A plan that is not the one it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FingerprintError {
    /// The plan changed.
    #[error("the plan {theirs} no longer holds: {what} changed since the preview; look at it again with --dry-run")]
    Changed {
        /// The plan given to `--confirm`.
        theirs: String,
        /// The parts that differ.
        what: String,
    },
    /// Not a plan at all.
    #[error("{0:?} is not a plan; copy the one that --dry-run printed to --confirm")]
    NotAPlan(String),
}

impl Fingerprint {
    /// Returns the name of the plan that is bound so.
    pub(crate) fn of(binding: &Binding) -> Self {
        let parts = binding.parts().map(|(_, part)| part.as_bytes());
        let whole = digest_of(&parts);
        let mut name = Self { hints: parts.map(|part| digest_of(&[part])[0]), whole: [0; 16] };
        name.whole.copy_from_slice(&whole[..16]);
        name
    }

    /// Returns when `typed` names the plan that is bound so, or the same plan
    /// previewed without an output, which leaves the output open.
    ///
    /// # Errors
    /// It names another plan, whose differences are told, or is no plan.
    pub(crate) fn expect(typed: &str, binding: &Binding) -> Result<(), FingerprintError> {
        let theirs: Self = typed.parse()?;
        let open = Binding { output: String::new(), readers: String::new(), ..binding.clone() };
        let (ours, open) = (Self::of(binding), Self::of(&open));
        if theirs == ours || theirs == open {
            return Ok(());
        }
        let differences = |ours: &Self| -> Vec<&str> {
            let hints = ours.hints.iter().zip(theirs.hints).zip(binding.parts());
            hints.filter(|((ours, theirs), _)| *ours != theirs).map(|(_, (name, _))| name).collect()
        };
        let mut what = [differences(&ours), differences(&open)].into_iter().min_by_key(Vec::len).unwrap_or_default();
        if what.is_empty() {
            what.push("something");
        }
        Err(FingerprintError::Changed { theirs: theirs.to_string(), what: what.join(" and ") })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", hex(self.hints), hex(self.whole))
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let read = || {
            let (hints, whole) = text.trim().split_once('-')?;
            Some(Self { hints: FromHex::from_hex(hints).ok()?, whole: FromHex::from_hex(whole).ok()? })
        };
        read().ok_or_else(|| FingerprintError::NotAPlan(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Binding);

    fn binding() -> Binding {
        let text = str::to_owned;
        Binding {
            roster: text("a"),
            exclusions: text("i"),
            target: text("b"),
            batch: text("c"),
            caller: text("d"),
            output: text("e"),
            readers: text("f"),
            flags: text("g"),
            progress: text("h"),
        }
    }

    #[test]
    fn a_change_of_any_part_is_refused_and_named() {
        let typed = Fingerprint::of(&binding()).to_string();
        assert!(Fingerprint::expect(&format!(" {typed}\n"), &binding()).is_ok());
        let open = Binding { output: String::new(), readers: String::new(), ..binding() };
        assert!(Fingerprint::expect(&Fingerprint::of(&open).to_string(), &binding()).is_ok());
        assert!(Fingerprint::expect(&typed, &open).is_err());
        let changes: [(Change, &str); PARTS] = [
            (|b| b.roster.push('x'), "the roster"),
            (|b| b.exclusions.push('x'), "the exclusions"),
            (|b| b.target.push('x'), "the target"),
            (|b| b.batch.push('x'), "the batch"),
            (|b| b.caller.push('x'), "the credentials"),
            (|b| b.output.push('x'), "the output"),
            (|b| b.readers.push('x'), "who can open it"),
            (|b| b.flags.push('x'), "the flags"),
            (|b| b.progress.push('x'), "the progress or --limit"),
        ];
        for (change, word) in changes {
            let mut other = binding();
            change(&mut other);
            let error = Fingerprint::expect(&typed, &other).unwrap_err().to_string();
            assert!(error.contains(&format!("{word} changed")), "{error}");
        }
    }

    #[test]
    fn the_hints_alone_convince_nobody() {
        let ours = Fingerprint::of(&binding());
        let forged = Fingerprint { whole: [7; 16], ..ours.clone() };
        let error = Fingerprint::expect(&forged.to_string(), &binding()).unwrap_err().to_string();
        assert!(error.contains("something changed"), "{error}");
    }

    #[test]
    fn a_name_is_long_enough_and_anything_else_is_no_plan() {
        let name = Fingerprint::of(&binding()).to_string();
        assert_eq!(name.len(), 2 * PARTS + 1 + 32);
        for wrong in ["", "-", "yes", &name[1..], &name.replace('-', ""), "é-é", &format!("{name}0")] {
            assert!(matches!(wrong.parse::<Fingerprint>(), Err(FingerprintError::NotAPlan(_))), "{wrong}");
        }
    }
}
