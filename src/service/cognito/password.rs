//! Temporary passwords that this program makes, within a user pool's policy.
//!
//! Invariant: each password of its length that keeps the policy and begins and
//! ends with a letter is as likely as any other: a draw that does not fit is
//! thrown away, never folded or mended. No password is left in memory that is
//! not wiped.

use rand::RngCore;
use zeroize::{Zeroize, Zeroizing};

use super::pool::{LONGEST_PASSWORD, PasswordPolicy};
use crate::model::Password;

/// The characters, letters first: none that reads as another (`I O l 0 1`), no
/// symbol that a shell, a spreadsheet or a CSV takes for more than it is.
const ALPHABET: &[u8; CHARACTERS as usize] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#%*_-";
/// The number of characters.
const CHARACTERS: u8 = 63;
/// The number of letters among them.
const LETTERS: u8 = 49;
/// The shortest password that is made: some 94 bits.
const SHORTEST: usize = 16;

impl PasswordPolicy {
    /// The strictest wishes that a pool can have, but for the length.
    pub(super) const STRICT: Self = Self { length: 0, uppercase: true, lowercase: true, numbers: true, symbols: true };

    /// Makes a password that keeps the policy.
    pub(super) fn make(&self, random: &mut impl RngCore) -> Password {
        let length = self.length.clamp(SHORTEST, LONGEST_PASSWORD);
        loop {
            // As long as it gets: growing would leave a copy behind.
            let mut text = String::with_capacity(length);
            for at in 0..length {
                let most = if at == 0 || at + 1 == length { LETTERS } else { CHARACTERS };
                text.push(char::from(ALPHABET[usize::from(below(most, random))]));
            }
            if self.allows(&text) {
                return Password::new(text);
            }
            text.zeroize();
        }
    }

    /// Returns true if a password of this program's making keeps the policy.
    pub(super) fn allows(&self, text: &str) -> bool {
        let has = |wanted: bool, kind: fn(&u8) -> bool| !wanted || text.bytes().any(|byte| kind(&byte));
        (self.length..=LONGEST_PASSWORD).contains(&text.len())
            && has(self.uppercase, u8::is_ascii_uppercase)
            && has(self.lowercase, u8::is_ascii_lowercase)
            && has(self.numbers, u8::is_ascii_digit)
            && has(self.symbols, u8::is_ascii_punctuation)
    }
}

/// Returns a number below `most`, which is at most 64, each as likely as any other.
fn below(most: u8, random: &mut impl RngCore) -> u8 {
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        random.fill_bytes(&mut *byte);
        let drawn = byte[0] & 63;
        if drawn < most {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn any_policy() -> impl Strategy<Value = PasswordPolicy> {
        (0_usize..300, any::<[bool; 4]>()).prop_map(|(length, [uppercase, lowercase, numbers, symbols])| {
            PasswordPolicy { length: length.min(LONGEST_PASSWORD), uppercase, lowercase, numbers, symbols }
        })
    }

    proptest! {
        #[test]
        fn every_password_keeps_its_policy(policy in any_policy(), seed in any::<u64>()) {
            let made = policy.make(&mut StdRng::seed_from_u64(seed));
            let text = made.expose();
            prop_assert!(policy.allows(text));
            prop_assert_eq!(text.len(), policy.length.max(16));
            let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
            prop_assert!(is_letter(text.chars().next()) && is_letter(text.chars().last()), "{}", text);
            prop_assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)));
            prop_assert!(!text.contains(['I', 'O', 'l', '0', '1']));
        }
    }

    #[test]
    fn the_alphabet_is_what_it_says() {
        assert!(ALPHABET[..usize::from(LETTERS)].iter().all(u8::is_ascii_alphabetic));
        assert!(!ALPHABET[usize::from(LETTERS)..].iter().any(u8::is_ascii_alphabetic));
        let mut sorted = ALPHABET.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ALPHABET.len());
    }

    /// The characters that Cognito counts as symbols (developer guide, password policies).
    const COGNITOS_SYMBOLS: &[u8] = b"^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";

    #[test]
    fn every_policy_that_a_pool_can_have_is_kept_by_the_pools_own_rules() {
        let mut random = StdRng::seed_from_u64(11);
        for (length, wants) in (6..=99).flat_map(|length| (0_u8..16).map(move |wants| (length, wants))) {
            let [uppercase, lowercase, numbers, symbols] = [1, 2, 4, 8].map(|bit| wants & bit != 0);
            let policy = PasswordPolicy { length, uppercase, lowercase, numbers, symbols };
            let made = policy.make(&mut random);
            let text = made.expose().as_bytes();
            let any = |is: fn(&u8) -> bool| text.iter().any(is);
            assert!(text.len() >= length && text.iter().all(u8::is_ascii_graphic), "{policy:?}");
            assert!(!uppercase || any(u8::is_ascii_uppercase), "{policy:?}");
            assert!(!lowercase || any(u8::is_ascii_lowercase), "{policy:?}");
            assert!(!numbers || any(u8::is_ascii_digit), "{policy:?}");
            assert!(!symbols || any(|byte| COGNITOS_SYMBOLS.contains(byte)), "{policy:?}");
            // Nothing stands there that the pool would count for nothing.
            let known = |byte: &u8| byte.is_ascii_alphanumeric() || COGNITOS_SYMBOLS.contains(byte);
            assert!(text.iter().all(known), "{policy:?}");
        }
    }

    /// No class that a policy wants stands at one place more often than at another: a
    /// draw that was mended rather than thrown away would show here.
    #[test]
    fn no_place_is_likelier_for_what_the_policy_wants() {
        let mut random = StdRng::seed_from_u64(13);
        let policy = PasswordPolicy { length: 16, ..PasswordPolicy::STRICT };
        let classes: [fn(&u8) -> bool; 4] =
            [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
        let mut counts = [[0_u32; 14]; 4];
        for _ in 0..20_000 {
            let made = policy.make(&mut random);
            for (at, byte) in made.expose().as_bytes()[1..15].iter().enumerate() {
                for (count, is) in counts.iter_mut().zip(classes) {
                    count[at] += u32::from(is(byte));
                }
            }
        }
        for (count, name) in counts.iter().zip(["upper case", "lower case", "digits", "symbols"]) {
            let expected = f64::from(count.iter().sum::<u32>()) / 14.0;
            let spread: f64 = count.iter().map(|seen| (f64::from(*seen) - expected).powi(2) / expected).sum();
            // Thirteen degrees of freedom: chance passes 50 once in some 300,000 seeds.
            assert!(spread < 50.0, "{name}: {spread}");
        }
    }

    #[test]
    fn a_policy_refuses_what_breaks_it() {
        let strict = PasswordPolicy { length: 8, ..PasswordPolicy::STRICT };
        assert!(strict.allows("Abcdef2!"));
        for broken in ["Abcde2!", "abcdef2!", "ABCDEF2!", "Abcdefg!", "Abcdefg2"] {
            assert!(!strict.allows(broken), "{broken}");
        }
        assert!(!strict.allows(&format!("Ab2!{}", "x".repeat(256))));
    }

    /// Chi-squared against an even spread, with a bound that chance passes once in
    /// a million seeds; the seed is fixed. Folding a byte into 63 or 49 fails it.
    #[test]
    fn no_character_is_likelier_than_another() {
        let mut random = StdRng::seed_from_u64(7);
        let free = PasswordPolicy { length: 16, uppercase: false, lowercase: false, numbers: false, symbols: false };
        let (mut inner, mut ends) = ([0_u32; 256], [0_u32; 256]);
        for _ in 0..40_000 {
            let made = free.make(&mut random);
            let bytes = made.expose().as_bytes();
            for byte in &bytes[1..15] {
                inner[usize::from(*byte)] += 1;
            }
            ends[usize::from(bytes[0])] += 1;
            ends[usize::from(bytes[15])] += 1;
        }
        for (counts, characters, bound) in [(&inner, &ALPHABET[..], 130.0), (&ends, &ALPHABET[..49], 110.0)] {
            let all: u32 = counts.iter().sum();
            let expected = f64::from(all) / f64::from(u8::try_from(characters.len()).unwrap());
            let spread: f64 = characters
                .iter()
                .map(|byte| (f64::from(counts[usize::from(*byte)]) - expected).powi(2) / expected)
                .sum();
            assert!(spread < bound, "{spread}");
        }
    }
}
