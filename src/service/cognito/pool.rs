//! A user pool's own rules: its passwords, their life, and who is the same user.

use std::fmt;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{
    AliasAttributeType, PasswordPolicyType, UserPoolType, UsernameAttributeType, UsernameConfigurationType,
};

use crate::service::directory::{Attribute, Naming};

/// The life of a temporary password where the pool names none (API reference,
/// `TemporaryPasswordValidityDays`).
const USUAL_DAYS: u64 = 7;
/// The longest life that a pool can name.
const MOST_DAYS: u64 = 365;
/// The shortest password where the pool names no length.
const USUAL_LENGTH: usize = 8;
/// The longest password that the API takes.
pub(super) const LONGEST_PASSWORD: usize = 256;

/// A user pool by its own description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Its name.
    pub name: String,
    /// Its rules for a password.
    pub policy: PasswordPolicy,
    /// The life of a temporary password.
    pub password_life: Duration,
    /// The names of its users.
    pub naming: Naming,
    /// Users, by the service's own estimate.
    pub estimated_users: u64,
}

/// A user pool's rules for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PasswordPolicy {
    /// The fewest characters.
    pub length: usize,
    /// One upper-case letter at least.
    pub uppercase: bool,
    /// One lower-case letter at least.
    pub lowercase: bool,
    /// One digit at least.
    pub numbers: bool,
    /// One symbol at least.
    pub symbols: bool,
}

impl fmt::Display for PasswordPolicy {
    /// The rules in words: `12 characters or more, with upper case and digits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wants = [
            (self.uppercase, "upper case"),
            (self.lowercase, "lower case"),
            (self.numbers, "digits"),
            (self.symbols, "symbols"),
        ];
        let wants: Vec<&str> = wants.into_iter().filter(|(wanted, _)| *wanted).map(|(_, what)| what).collect();
        write!(f, "{} characters or more", self.length)?;
        match wants.split_last() {
            None => Ok(()),
            Some((last, [])) => write!(f, ", with {last}"),
            Some((last, others)) => write!(f, ", with {} and {last}", others.join(", ")),
        }
    }
}

impl Pool {
    /// Reads a pool's description.
    pub(super) fn of(described: &UserPoolType) -> Self {
        let policy = described.policies().and_then(|policies| policies.password_policy());
        let days = policy.and_then(|policy| u64::try_from(policy.temporary_password_validity_days()).ok());
        let days = days.filter(|days| *days > 0).unwrap_or(USUAL_DAYS).min(MOST_DAYS);
        let length =
            policy.and_then(PasswordPolicyType::minimum_length).and_then(|length| usize::try_from(length).ok());
        let wants = |wish: fn(&PasswordPolicyType) -> bool| policy.is_some_and(wish);
        Self {
            name: described.name().unwrap_or_default().to_owned(),
            policy: PasswordPolicy {
                length: length.unwrap_or(USUAL_LENGTH).min(LONGEST_PASSWORD),
                uppercase: wants(PasswordPolicyType::require_uppercase),
                lowercase: wants(PasswordPolicyType::require_lowercase),
                numbers: wants(PasswordPolicyType::require_numbers),
                symbols: wants(PasswordPolicyType::require_symbols),
            },
            password_life: Duration::from_hours(24 * days),
            naming: naming(described),
            estimated_users: u64::try_from(described.estimated_number_of_users()).unwrap_or(0),
        }
    }
}

/// Returns the names of a pool's users.
fn naming(described: &UserPoolType) -> Naming {
    let mut naming = Naming {
        case_sensitive: described.username_configuration().is_none_or(UsernameConfigurationType::case_sensitive),
        ..Naming::default()
    };
    for attribute in described.username_attributes() {
        naming.in_place.extend(match attribute {
            UsernameAttributeType::Email => Some(Attribute::Email),
            UsernameAttributeType::PhoneNumber => Some(Attribute::PhoneNumber),
            _ => None,
        });
    }
    for attribute in described.alias_attributes() {
        naming.beside.extend(match attribute {
            AliasAttributeType::Email => Some(Attribute::Email),
            AliasAttributeType::PhoneNumber => Some(Attribute::PhoneNumber),
            AliasAttributeType::PreferredUsername => Some(Attribute::PreferredUsername),
            _ => None,
        });
    }
    naming
}
