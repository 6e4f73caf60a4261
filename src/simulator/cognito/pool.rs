//! A user pool: its ID, its settings, its users.
//!
//! Invariant: the settings are those of the pool's description; what the description says is what is
//! enforced.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::users::PoolUsers;

/// The characters that Cognito counts as symbols.
const SYMBOLS: &str = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";
const SHORTEST: u32 = 6;
const LONGEST: u32 = 99;
const MAX_HISTORY: u32 = 24;
const MAX_DAYS: u32 = 365;

/// A user pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// `{region}_{id}`. Every other pool is missing.
    pub id: String,
    /// The pool's settings.
    pub settings: PoolSettings,
    /// The users that exist.
    pub users: PoolUsers,
}

impl Pool {
    /// A pool with Cognito's own defaults in which anyone exists.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Pool {
        Pool { id: id.into(), settings: PoolSettings::default(), users: PoolUsers::Anyone }
    }
}

/// The settings of a user pool. Written `email-aliases,case-insensitive,length=12,history=3,days=30`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolSettings {
    /// User names and e-mail addresses are the same in any case: `case-insensitive`.
    pub case_insensitive: bool,
    /// The way in which e-mail addresses name users.
    pub emails: Emails,
    /// The rules for passwords.
    pub policy: PasswordPolicy,
}

/// The part that e-mail addresses play in a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emails {
    /// None: only user name and `sub` name a user.
    #[default]
    Attribute,
    /// A second name besides the user name: `email-aliases`.
    Aliases,
    /// The name that users sign in with: `email-usernames`.
    Usernames,
}

/// The rules for the passwords of a pool, as its description has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PasswordPolicy {
    /// The fewest characters: `length=N`.
    pub minimum_length: u32,
    /// True if a password needs an upper-case letter; `no-uppercase` if not.
    pub require_uppercase: bool,
    /// True if a password needs a lower-case letter; `no-lowercase` if not.
    pub require_lowercase: bool,
    /// True if a password needs a digit; `no-numbers` if not.
    pub require_numbers: bool,
    /// True if a password needs a symbol; `no-symbols` if not.
    pub require_symbols: bool,
    /// The number of a user's latest passwords that may not come again: `history=N`.
    #[serde(skip_serializing_if = "is_zero")]
    pub password_history_size: u32,
    /// The life of a temporary password; 0 stands for 7: `days=N`.
    pub temporary_password_validity_days: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        PasswordPolicy {
            minimum_length: 8,
            require_uppercase: true,
            require_lowercase: true,
            require_numbers: true,
            require_symbols: true,
            password_history_size: 0,
            temporary_password_validity_days: 7,
        }
    }
}

impl PasswordPolicy {
    /// True if Cognito would take this policy for a pool's.
    pub(super) fn is_possible(&self) -> bool {
        (SHORTEST..=LONGEST).contains(&self.minimum_length)
            && self.password_history_size <= MAX_HISTORY
            && self.temporary_password_validity_days <= MAX_DAYS
    }

    /// Returns what is wrong with a password, if anything.
    pub(super) fn complaint(&self, password: &str) -> Option<&'static str> {
        let lacks = |required: bool, is: &dyn Fn(char) -> bool| required && !password.contains(is);
        if password.chars().count() < self.minimum_length as usize {
            Some("Password not long enough")
        } else if lacks(self.require_uppercase, &char::is_uppercase) {
            Some("Password must have uppercase characters")
        } else if lacks(self.require_lowercase, &char::is_lowercase) {
            Some("Password must have lowercase characters")
        } else if lacks(self.require_numbers, &|c| c.is_ascii_digit()) {
            Some("Password must have numeric characters")
        } else if lacks(self.require_symbols, &|c| SYMBOLS.contains(c)) {
            Some("Password must have symbol characters")
        } else {
            None
        }
    }

    /// True if a password is among the latest of these, the last of which is current.
    pub(super) fn remembers(&self, passwords: &[Box<str>], password: &str) -> bool {
        let latest = passwords.iter().rev().take(self.password_history_size as usize);
        latest.into_iter().any(|known| **known == *password)
    }
}

/// The reason for which the settings of a pool could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No such setting.
    #[error(
        "pool: there is no setting '{0}'; there are case-insensitive, email-aliases, email-usernames, length=N, \
         no-uppercase, no-lowercase, no-numbers, no-symbols, history=N and days=N"
    )]
    Unknown(String),
    /// A number that is none, or that Cognito does not take.
    #[error("pool: '{0}' is out of range; write length=6 to 99, history=0 to 24, days=0 to 365")]
    Number(String),
}

impl FromStr for PoolSettings {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Self, PoolError> {
        let mut settings = PoolSettings::default();
        let policy = &mut settings.policy;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse().map_err(|_| PoolError::Number(word.to_owned()));
            match (name, value) {
                ("case-insensitive", "") => settings.case_insensitive = true,
                ("email-aliases", "") => settings.emails = Emails::Aliases,
                ("email-usernames", "") => settings.emails = Emails::Usernames,
                ("no-uppercase", "") => policy.require_uppercase = false,
                ("no-lowercase", "") => policy.require_lowercase = false,
                ("no-numbers", "") => policy.require_numbers = false,
                ("no-symbols", "") => policy.require_symbols = false,
                ("length", _) => policy.minimum_length = number()?,
                ("history", _) => policy.password_history_size = number()?,
                ("days", _) => policy.temporary_password_validity_days = number()?,
                _ => return Err(PoolError::Unknown(word.to_owned())),
            }
            if !policy.is_possible() {
                return Err(PoolError::Number(word.to_owned()));
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let settings: PoolSettings = " email-aliases, case-insensitive,length=12,history=3,days=30 ".parse().unwrap();
        assert!(settings.case_insensitive && settings.emails == Emails::Aliases);
        let policy = &settings.policy;
        assert_eq!((policy.minimum_length, policy.password_history_size), (12, 3));
        assert_eq!(policy.temporary_password_validity_days, 30);
        assert_eq!("".parse(), Ok(PoolSettings::default()));
        let error = |text: &str| text.parse::<PoolSettings>().unwrap_err().to_string();
        assert!(error("symbols").contains("no setting 'symbols'; there are case-"));
        assert!(error("email-aliases=no").contains("no setting 'email-aliases=no'"));
        for wrong in ["length=5", "length=100", "length=", "length", "history=25", "days=366", "days=-1"] {
            assert!(error(wrong).contains(&format!("'{wrong}' is out of range")), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_held_against_each_rule() {
        let policy = PasswordPolicy::default();
        for (password, expected) in [
            ("Abcdef1!", ""),
            ("Abcde1!", "Password not long enough"),
            ("abcdef1!", "Password must have uppercase characters"),
            ("ABCDEF1!", "Password must have lowercase characters"),
            ("Abcdefg!", "Password must have numeric characters"),
            ("Abcdefg1", "Password must have symbol characters"),
            ("Abcdef1§", "Password must have symbol characters"),
        ] {
            assert_eq!(policy.complaint(password).unwrap_or_default(), expected, "{password}");
        }
        let lax = "no-uppercase,no-lowercase,no-numbers,no-symbols,length=6".parse::<PoolSettings>().unwrap().policy;
        assert_eq!(lax.complaint("------"), None);
    }

    #[test]
    fn so_many_of_the_latest_passwords_are_remembered() {
        let passwords: Vec<Box<str>> = ["a", "b", "c"].map(Box::from).into();
        let remembered = |history, password| {
            PasswordPolicy { password_history_size: history, ..PasswordPolicy::default() }
                .remembers(&passwords, password)
        };
        assert!(!remembered(0, "c") && remembered(1, "c") && !remembered(1, "b"));
        assert!(remembered(2, "b") && !remembered(2, "a") && remembered(24, "a") && !remembered(24, "d"));
    }
}
