//! The users of the simulated environment.
//!
//! Invariant: a listed population holds each user ID once, every ID fits the API's constraint, and
//! the order of the list is the order in which pages tell it.

use std::collections::HashSet;
use std::io::Read;

use super::words::words;

/// The users of the environment.
#[derive(Clone, Debug, Default)]
pub enum Population {
    /// Every valid user ID exists and is enabled, apart from those that begin with `missing`. Lists
    /// hold the users reset so far.
    #[default]
    Anyone,
    /// These users and no others.
    Listed(Vec<User>),
}

/// A user as the API tells of them. Empty text is a member that the answer leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user ID.
    pub user_id: String,
    /// The e-mail address.
    pub email_address: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// True if the user may sign in.
    pub status: UserStatus,
    /// Superuser or not.
    pub user_type: UserType,
    /// True if FinSpace issues credentials for the user.
    pub api_access: ApiAccess,
    /// The last sign-in, if there was one.
    pub last_login_at: Option<jiff::Timestamp>,
    /// IDs of the permission groups the user is in. A group exists if a user is in it.
    pub permission_groups: Vec<String>,
}

impl User {
    /// An enabled user of the application, nothing else known.
    #[must_use]
    pub fn new(user_id: impl Into<String>) -> User {
        User {
            user_id: user_id.into(),
            email_address: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            status: UserStatus::Enabled,
            user_type: UserType::AppUser,
            api_access: ApiAccess::Disabled,
            last_login_at: None,
            permission_groups: Vec::new(),
        }
    }
}

words! {
    /// True if the user may sign in.
    UserStatus { Creating = "CREATING", Enabled = "ENABLED", Disabled = "DISABLED" }
}
words! {
    /// The kind of user.
    UserType { SuperUser = "SUPER_USER", AppUser = "APP_USER" }
}
words! {
    /// True if the user may call the API.
    ApiAccess { Enabled = "ENABLED", Disabled = "DISABLED" }
}

/// The API's constraint on user IDs and permission groups (1 to 26 characters) and client tokens (1
/// to 128), all with the pattern `.*\S.*`: at least one character is not blank, and none is a line
/// break, which the pattern's dot does not match.
#[must_use]
pub fn is_valid_identifier(text: &str, max_characters: usize) -> bool {
    let line_break = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    !text.trim().is_empty() && !text.contains(line_break) && text.chars().count() <= max_characters
}

/// The longest user ID, in characters.
pub(super) const MAX_ID: usize = 26;

/// The reason for which a population could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PopulationError {
    /// It is no CSV, or can't be read.
    #[error("population: {0}; write a CSV with a header and one user a line")]
    Csv(#[from] csv::Error),
    /// The one column that must be there is not.
    #[error("population: there is no column user_id; name it in the header")]
    NoUserId,
    /// The ID breaks the API's constraint.
    #[error("population, line {line}: '{user_id}' can't be a user ID; write 1 to 26 characters, not all blank")]
    UserId { line: u64, user_id: String },
    /// The ID stands twice.
    #[error("population, line {line}: user '{user_id}' was there before; remove one of the two")]
    Duplicate { line: u64, user_id: String },
    /// A value that is none of its column's words.
    #[error("population, line {line}: '{value}' is no {column}; write {expected}")]
    Value { line: u64, column: &'static str, value: String, expected: &'static str },
}

impl Population {
    /// Reads a CSV with the columns `user_id`, `email_address`, `first_name`, `last_name`,
    /// `status`, `type`, `api_access`, `last_login_time` (RFC 3339) and `permission_groups`
    /// (separated by spaces). Only `user_id` is required; an empty cell is the default of
    /// [`User::new`]; other columns are ignored.
    ///
    /// # Errors
    /// A [`PopulationError`] that names the line.
    pub fn from_csv(reader: impl Read) -> Result<Population, PopulationError> {
        let mut csv = csv::Reader::from_reader(reader);
        let headers = csv.headers()?.clone();
        let column = |name: &str| headers.iter().position(|h| h.trim() == name);
        let id_column = column("user_id").ok_or(PopulationError::NoUserId)?;
        let columns = [
            "email_address",
            "first_name",
            "last_name",
            "status",
            "type",
            "api_access",
            "last_login_time",
            "permission_groups",
        ]
        .map(column);

        let mut users = Vec::new();
        let mut seen = HashSet::new();
        for record in csv.into_records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let user_id = record.get(id_column).unwrap_or_default().to_owned();
            if !is_valid_identifier(&user_id, MAX_ID) {
                return Err(PopulationError::UserId { line, user_id });
            }
            if !seen.insert(user_id.clone()) {
                return Err(PopulationError::Duplicate { line, user_id });
            }
            let cells = columns.map(|at| at.and_then(|at| record.get(at)).unwrap_or_default());
            users.push(user_from(user_id, cells, line)?);
        }
        Ok(Population::Listed(users))
    }
}

fn user_from(user_id: String, cells: [&str; 8], line: u64) -> Result<User, PopulationError> {
    let [email, first, last, status, user_type, api_access, login, groups] = cells;
    let mut user = User::new(user_id);
    email.clone_into(&mut user.email_address);
    first.clone_into(&mut user.first_name);
    last.clone_into(&mut user.last_name);
    let refused =
        |column, value: &str, expected| PopulationError::Value { line, column, value: value.to_owned(), expected };
    if !status.is_empty() {
        user.status = UserStatus::from_word(status).ok_or_else(|| refused("status", status, UserStatus::WORDS))?;
    }
    if !user_type.is_empty() {
        user.user_type = UserType::from_word(user_type).ok_or_else(|| refused("type", user_type, UserType::WORDS))?;
    }
    if !api_access.is_empty() {
        user.api_access =
            ApiAccess::from_word(api_access).ok_or_else(|| refused("api_access", api_access, ApiAccess::WORDS))?;
    }
    if !login.is_empty() {
        let time = login.parse();
        let time = time.map_err(|_| refused("last_login_time", login, "a time such as 2026-01-31T09:30:00Z"))?;
        user.last_login_at = Some(time);
    }
    user.permission_groups = groups.split_whitespace().map(str::to_owned).collect();
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constraint_is_the_apis() {
        for good in ["a", " a ", "é", "=1+1", "日本", &"x".repeat(26), &"本".repeat(26)] {
            assert!(is_valid_identifier(good, MAX_ID), "{good:?}");
        }
        let long = "本".repeat(27);
        for bad in ["", " ", "\t", "\u{3000}", "a\nb", "a\r", "\u{2028}a", &long] {
            assert!(!is_valid_identifier(bad, MAX_ID), "{bad:?}");
        }
    }

    #[test]
    fn a_population_is_read_by_column_name() {
        let csv = "type,user_id,note,status,last_login_time,permission_groups,first_name\n\
                   SUPER_USER,\"a,b\",x,DISABLED,2026-01-31T09:30:00Z,g1 g2,Ann\n\
                   ,é,,,,,\n";
        let Ok(Population::Listed(users)) = Population::from_csv(csv.as_bytes()) else {
            panic!("it is a good population");
        };
        assert_eq!(users[0].user_id, "a,b");
        assert_eq!(users[0].user_type, UserType::SuperUser);
        assert_eq!(users[0].status, UserStatus::Disabled);
        assert_eq!(users[0].permission_groups, ["g1", "g2"]);
        assert_eq!(users[0].first_name, "Ann");
        assert!(users[0].last_login_at.is_some());
        assert_eq!(users[1], User::new("é"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |csv: &str| Population::from_csv(csv.as_bytes()).unwrap_err().to_string();
        assert!(error("id\na\n").contains("no column user_id"));
        assert!(error("user_id\na\n \n").contains("line 3: ' ' can't be"));
        assert!(error("user_id\na\nb\na\n").contains("line 4: user 'a' was there"));
        assert!(error("user_id,status\na,ON\n").contains("line 2: 'ON' is no status; write CREA"));
        assert!(error("user_id,last_login_time\na,now\n").contains("line 2: 'now' is no last_l"));
        assert!(error("user_id,status\na\n").contains("line: 2"));
    }
}
