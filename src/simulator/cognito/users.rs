//! The users of a simulated user pool.
//!
//! Invariant: a list holds each user name and each `sub` once, every name fits the API's constraint, and the
//! order of the list is the order in which pages tell it.

use std::collections::HashSet;
use std::io::Read;

use jiff::Timestamp;

use crate::simulator::words::words;

/// The longest user name, in characters.
const MAX_NAME: usize = 128;

/// The space of names that a `sub` nobody gave is made in.
const SUBS: uuid::Uuid = uuid::Uuid::from_u128(0x6b1f_0b0e_61b7_4b0c_a5a7_3f0e_9d26_51c4);

/// The users of a pool.
#[derive(Clone, Debug)]
pub enum PoolUsers {
    /// Every valid user name exists, apart from those that begin with `missing`. Names that begin with
    /// `federated`, `unconfirmed` and `disabled` are such users'. A name that is an e-mail address is its
    /// user's address, too. Lists hold the users that something was done to so far.
    Anyone,
    /// These users and no others.
    Listed(Vec<PoolUser>),
}

/// A user as the API tells of them. Empty text is a member that the answer leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUser {
    /// The user name.
    pub username: String,
    /// The ID that never changes.
    pub sub: String,
    /// The e-mail address.
    pub email: String,
    /// True if the address is verified; only then it is an alias.
    pub email_verified: bool,
    /// The user's state before anything was done.
    pub status: PoolUserStatus,
    /// True if the user may sign in.
    pub enabled: bool,
    /// The time the user was made.
    pub created_at: Timestamp,
}

words! {
    /// The state of a user.
    PoolUserStatus {
        Unconfirmed = "UNCONFIRMED", Confirmed = "CONFIRMED", ExternalProvider = "EXTERNAL_PROVIDER",
        ResetRequired = "RESET_REQUIRED", ForceChangePassword = "FORCE_CHANGE_PASSWORD", Archived = "ARCHIVED",
        Compromised = "COMPROMISED", Unknown = "UNKNOWN"
    }
}

impl PoolUser {
    /// A confirmed, enabled user, nothing else known.
    #[must_use]
    pub fn new(username: impl Into<String>) -> PoolUser {
        let username = username.into();
        PoolUser {
            sub: uuid::Uuid::new_v5(&SUBS, username.as_bytes()).to_string(),
            username,
            email: String::new(),
            email_verified: true,
            status: PoolUserStatus::Confirmed,
            enabled: true,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// The API's constraint on user names: 1 to 128 letters, marks, symbols, numbers and punctuation. Everything
/// else is a blank, a control character or not assigned.
pub(super) fn is_valid_name(text: &str) -> bool {
    let is_other = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && !text.contains(is_other) && text.chars().count() <= MAX_NAME
}

/// The reason for which the users of a pool could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PoolUsersError {
    /// It is no CSV, or can't be read.
    #[error("users: {0}; write a CSV with a header and one user a line")]
    Csv(#[from] csv::Error),
    /// The one column that must be there is not.
    #[error("users: there is no column username; name it in the header")]
    NoUsername,
    /// The name breaks the API's constraint.
    #[error("users, line {line}: '{username}' can't be a user name; write 1 to 128 characters, none of them blank")]
    Username { line: u64, username: String },
    /// The name or the sub stands twice.
    #[error("users, line {line}: '{value}' was there before; remove one of the two")]
    Duplicate { line: u64, value: String },
    /// A value that is none of its column's words.
    #[error("users, line {line}: '{value}' is no {column}; write {expected}")]
    Value { line: u64, column: &'static str, value: String, expected: &'static str },
}

impl PoolUsers {
    /// Reads a CSV with the columns `username` (or `user_id`), `sub`, `email`, `status`, `enabled` and
    /// `created_at` (RFC 3339), which is what `list-users` writes of a pool, and `email_verified`. Only the
    /// first is required; an empty cell is the default of [`PoolUser::new`]; other columns are ignored.
    ///
    /// # Errors
    /// A [`PoolUsersError`] that names the line.
    pub fn from_csv(reader: impl Read) -> Result<PoolUsers, PoolUsersError> {
        let mut csv = csv::Reader::from_reader(reader);
        let headers = csv.headers()?.clone();
        let column = |name: &str| headers.iter().position(|h| h.trim() == name);
        let name_column = column("username").or_else(|| column("user_id")).ok_or(PoolUsersError::NoUsername)?;
        let columns = ["sub", "email", "status", "enabled", "created_at", "email_verified"].map(column);

        let mut users = Vec::new();
        let mut seen = HashSet::new();
        for record in csv.into_records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let username = record.get(name_column).unwrap_or_default().to_owned();
            if !is_valid_name(&username) {
                return Err(PoolUsersError::Username { line, username });
            }
            let cells = columns.map(|at| at.and_then(|at| record.get(at)).unwrap_or_default());
            let user = user_from(username, cells, line)?;
            for value in [&user.username, &user.sub] {
                if !seen.insert(value.clone()) {
                    return Err(PoolUsersError::Duplicate { line, value: value.clone() });
                }
            }
            users.push(user);
        }
        Ok(PoolUsers::Listed(users))
    }
}

fn user_from(username: String, cells: [&str; 6], line: u64) -> Result<PoolUser, PoolUsersError> {
    let [sub, email, status, enabled, created, verified] = cells;
    let mut user = PoolUser::new(username);
    let refused =
        |column, value: &str, expected| PoolUsersError::Value { line, column, value: value.to_owned(), expected };
    if !sub.is_empty() {
        sub.clone_into(&mut user.sub);
    }
    email.clone_into(&mut user.email);
    if !status.is_empty() {
        user.status =
            PoolUserStatus::from_word(status).ok_or_else(|| refused("status", status, PoolUserStatus::WORDS))?;
    }
    for (column, cell, is) in
        [("enabled", enabled, &mut user.enabled), ("email_verified", verified, &mut user.email_verified)]
    {
        if !cell.is_empty() {
            *is = cell.parse().map_err(|_| refused(column, cell, "true or false"))?;
        }
    }
    if !created.is_empty() {
        let time = created.parse();
        user.created_at = time.map_err(|_| refused("created_at", created, "a time such as 2026-01-31T09:30:00Z"))?;
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constraint_is_the_apis() {
        for good in ["a", ".", "..", "é", "=1+1", "日本", "a/b", "😀", "a@b.c", &"本".repeat(128)] {
            assert!(is_valid_name(good), "{good:?}");
        }
        for bad in ["", " ", "a b", "a\tb", "a\nb", "\u{3000}", "a\u{a0}", "a\0", &"本".repeat(129)] {
            assert!(!is_valid_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn users_are_read_by_column_name() {
        let csv = "note,username,sub,email,status,enabled,created_at\n\
                   x,\"a,b\",s-1,a@example.com,EXTERNAL_PROVIDER,false,2026-01-31T09:30:00Z\n\
                   ,é,,,,,\n";
        let Ok(PoolUsers::Listed(users)) = PoolUsers::from_csv(csv.as_bytes()) else {
            panic!("they are good users");
        };
        assert_eq!((&*users[0].username, &*users[0].sub, &*users[0].email), ("a,b", "s-1", "a@example.com"));
        assert_eq!((users[0].status, users[0].enabled), (PoolUserStatus::ExternalProvider, false));
        assert_eq!(users[1], PoolUser::new("é"));
        assert!(
            matches!(PoolUsers::from_csv("user_id\na\n".as_bytes()), Ok(PoolUsers::Listed(users)) if users.len() == 1)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |csv: &str| PoolUsers::from_csv(csv.as_bytes()).unwrap_err().to_string();
        assert!(error("id\na\n").contains("no column username"));
        assert!(error("username\na\na b\n").contains("line 3: 'a b' can't be"));
        assert!(error("username\na\nb\na\n").contains("line 4: 'a' was there"));
        assert!(error("username,sub\na,s\nb,s\n").contains("line 3: 's' was there"));
        assert!(error("username,status\na,ON\n").contains("line 2: 'ON' is no status; write UNCONF"));
        assert!(error("username,enabled\na,yes\n").contains("'yes' is no enabled; write true or false"));
        assert!(error("username,created_at\na,now\n").contains("line 2: 'now' is no created_at"));
    }
}
