//! Faults: how often a request that changes a user goes wrong, and how.
//!
//! Invariant: which request meets which fault follows from the seed and the request's place in the
//! order of those that got past validation, and from nothing else.

use std::str::FromStr;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    DropBefore,
    DropAfter,
    ErrorBefore,
    ErrorAfter,
    Truncate,
    Garbage,
    Empty,
    Hang,
}

impl Fault {
    /// Every fault with the name that a person writes.
    pub(super) const ALL: [(Fault, &'static str); 8] = [
        (Fault::DropBefore, "drop-before"),
        (Fault::DropAfter, "drop-after"),
        (Fault::ErrorBefore, "error-before"),
        (Fault::ErrorAfter, "error-after"),
        (Fault::Truncate, "truncate"),
        (Fault::Garbage, "garbage"),
        (Fault::Empty, "empty"),
        (Fault::Hang, "hang"),
    ];
}

/// The probability of each fault, from 0 to 1; together no more than 1. Written
/// `drop-after=0.03,error-before=0.01`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Close the connection without executing.
    pub drop_before: f64,
    /// Execute, then close the connection with no answer.
    pub drop_after: f64,
    /// Answer 500 without executing.
    pub error_before: f64,
    /// Execute, then answer 500.
    pub error_after: f64,
    /// Execute, then answer 200 with a body that ends too early.
    pub truncate: f64,
    /// Execute, then answer 200 with a body that is not JSON.
    pub garbage: f64,
    /// Execute, then answer 200 with `{}`.
    pub empty: f64,
    /// Execute, then never answer.
    pub hang: f64,
}

/// The reason for which faults could not be read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FaultsError {
    /// No such fault.
    #[error("faults: there is no '{0}'; there are {known}", known = known())]
    Unknown(String),
    /// A part without `=`.
    #[error("faults: '{0}' has no probability; write {0}=0.01")]
    Bare(String),
    /// Not a number from 0 to 1.
    #[error("faults: '{0}' is not a probability; write a number from 0 to 1, such as 0.01")]
    Probability(String),
    /// More than certain.
    #[error("faults: the probabilities add up to {0}; together they can't pass 1")]
    Sum(f64),
}

fn known() -> String {
    Fault::ALL.map(|(_, name)| name).join(", ")
}

impl Faults {
    fn probability(&self, fault: Fault) -> f64 {
        match fault {
            Fault::DropBefore => self.drop_before,
            Fault::DropAfter => self.drop_after,
            Fault::ErrorBefore => self.error_before,
            Fault::ErrorAfter => self.error_after,
            Fault::Truncate => self.truncate,
            Fault::Garbage => self.garbage,
            Fault::Empty => self.empty,
            Fault::Hang => self.hang,
        }
    }

    fn probability_mut(&mut self, fault: Fault) -> &mut f64 {
        match fault {
            Fault::DropBefore => &mut self.drop_before,
            Fault::DropAfter => &mut self.drop_after,
            Fault::ErrorBefore => &mut self.error_before,
            Fault::ErrorAfter => &mut self.error_after,
            Fault::Truncate => &mut self.truncate,
            Fault::Garbage => &mut self.garbage,
            Fault::Empty => &mut self.empty,
            Fault::Hang => &mut self.hang,
        }
    }

    fn sum(&self) -> f64 {
        Fault::ALL.iter().map(|&(f, _)| self.probability(f)).sum()
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Faults::default();
        for part in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| FaultsError::Bare(part.to_owned()))?;
            let &(fault, _) = Fault::ALL
                .iter()
                .find(|(_, known)| *known == name.trim())
                .ok_or_else(|| FaultsError::Unknown(name.trim().to_owned()))?;
            let value = value.trim();
            let probability = value.parse().ok().filter(|p| (0.0..=1.0).contains(p));
            *faults.probability_mut(fault) = probability.ok_or_else(|| FaultsError::Probability(value.to_owned()))?;
        }
        // Ten times 0.1 is a little more than 1 in floating point.
        match faults.sum() {
            sum if sum > 1.0 + 1e-9 => Err(FaultsError::Sum(sum)),
            _ => Ok(faults),
        }
    }
}

/// Decides, request by request. It has its own generator, so that passwords drawn between two
/// requests don't move the faults.
#[derive(Debug)]
pub(super) struct FaultInjector {
    faults: Faults,
    any: bool,
    rng: StdRng,
}

impl FaultInjector {
    pub(super) fn new(faults: Faults, seed: u64) -> FaultInjector {
        FaultInjector { any: faults.sum() > 0.0, faults, rng: StdRng::seed_from_u64(seed ^ 0x0F0F_F0F0_0F0F_F0F0) }
    }

    /// The fault that the next request meets, if any.
    pub(super) fn next(&mut self) -> Option<Fault> {
        if !self.any {
            return None;
        }
        let mut left: f64 = self.rng.random();
        Fault::ALL.iter().map(|&(fault, _)| fault).find(|&fault| {
            left -= self.faults.probability(fault);
            left < 0.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked_and_the_same_for_a_seed() {
        let faults: Faults = "drop-after=0.03, hang=0.2".parse().unwrap();
        let draw = |seed| {
            let mut mischief = FaultInjector::new(faults.clone(), seed);
            (0..20_000).map(|_| mischief.next()).collect::<Vec<_>>()
        };
        let first = draw(7);
        assert_eq!(first, draw(7));
        assert_ne!(first, draw(8));
        let count = |fault| first.iter().filter(|f| **f == Some(fault)).count();
        assert!((450..750).contains(&count(Fault::DropAfter)));
        assert!((3_700..4_300).contains(&count(Fault::Hang)));
        assert_eq!(count(Fault::Truncate), 0);
    }

    #[test]
    fn certainty_is_certain() {
        for (fault, name) in Fault::ALL {
            let mut mischief = FaultInjector::new(format!("{name}=1").parse().unwrap(), 1);
            assert!((0..1000).all(|_| mischief.next() == Some(fault)));
        }
        assert_eq!(FaultInjector::new(Faults::default(), 1).next(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let error = |text: &str| text.parse::<Faults>().unwrap_err().to_string();
        assert!(error("drop=0.1").contains("no 'drop'; there are drop-before, "));
        assert!(error("hang").contains("write hang=0.01"));
        assert!(error("hang=2").contains("'2' is not a probability"));
        assert!(error("hang=NaN").contains("not a probability"));
        assert!(error("hang=0.6,empty=0.6").contains("add up to 1.2"));
        assert_eq!("".parse(), Ok(Faults::default()));
    }
}
