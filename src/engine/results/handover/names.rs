//! File names made of values.
//!
//! Invariant: a name is safe on every file system, and no two are the same, not
//! even where upper and lower case don't count.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::model::hex;

/// Characters of a value that its file's name shows.
const SHOWN: usize = 48;

/// Names that Windows keeps for itself.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The names that were given.
#[derive(Default)]
pub(super) struct Names {
    given: HashSet<String>,
}

impl Names {
    /// Returns the name of a value's file. One that can't show the value as it
    /// is ends in a piece of its digest.
    pub(super) fn of(&mut self, value: &str) -> String {
        let shown: String = value.chars().take(SHOWN).map(|c| if is_safe(c) { c } else { '_' }).collect();
        let shown = shown.trim_start_matches(['.', '-']).trim_end_matches('.');
        let low = shown.to_lowercase();
        let is_reserved = RESERVED.contains(&low.split('.').next().unwrap_or_default())
            || ["com", "lpt"]
                .iter()
                .any(|port| low.strip_prefix(port).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
        let mut stem = if shown == value && !shown.is_empty() && !is_reserved {
            shown.to_owned()
        } else {
            let digest = hex(&Sha256::digest(value.as_bytes())[..6]);
            if shown.is_empty() { format!("value-{digest}") } else { format!("{shown}-{digest}") }
        };
        let mut number = 1;
        let first = stem.clone();
        while !self.given.insert(stem.to_lowercase()) {
            number += 1;
            stem = format!("{first}~{number}");
        }
        format!("{stem}.csv.age")
    }
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_value_is_its_files_name() {
        let mut names = Names::default();
        assert_eq!(names.of("Sales"), "Sales.csv.age");
        assert_eq!(names.of("ann@example.com"), "ann@example.com.csv.age");
        assert_eq!(names.of("sales"), "sales~2.csv.age");
        assert!(names.of("../../etc/passwd").starts_with("_.._etc_passwd-"));
        for odd in ["", ".", "..", "con", "NUL.txt", "com1", "-rf", "a\nb", "é", "a b", "x."] {
            let name = names.of(odd);
            assert!(name.trim_end_matches(".csv.age").contains('-') && !name.starts_with(['-', '.']), "{odd:?} {name}");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_made_name_takes_nobodys_place() {
        let mut names = Names::default();
        let made = names.of("a b");
        let stolen = names.of(made.trim_end_matches(".csv.age"));
        assert_ne!(made.to_lowercase(), stolen.to_lowercase());
    }

    proptest! {
        #[test]
        fn names_are_safe_and_never_the_same(values in proptest::collection::hash_set(any::<String>(), 1..40)) {
            let mut names = Names::default();
            let made: Vec<String> = values.iter().map(|value| names.of(value)).collect();
            let folded: HashSet<String> = made.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(folded.len(), values.len());
            for name in made {
                prop_assert!(name.len() < 120 && name.chars().all(|c| is_safe(c) || c == '~'), "{}", name);
                prop_assert!(!name.starts_with(['.', '-']), "{}", name);
            }
        }
    }
}
