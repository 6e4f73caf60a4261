//! The contents of an input: the API's rule for user IDs, and the words for its
//! breaches.

use super::text::is_hidden;

/// The columns of `list-users`, which `run` takes as they are.
pub(crate) const USER_COLUMNS: [&str; 8] =
    ["user_id", "email_address", "first_name", "last_name", "status", "type", "api_access", "last_login_time"];

/// The longest user ID the API takes, in Unicode characters.
pub(crate) const MAX_USER_ID: usize = 26;

/// Returns a cell without the white space around it. What can't be seen is no
/// white space: it stays, and makes the ID one that can't be sent.
#[must_use]
pub(crate) fn trim_user_id(cell: &str) -> &str {
    // Nearly every cell has none, told by its ends.
    if let [first, .., last] = cell.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return cell;
    }
    cell.trim_matches(|c: char| c.is_whitespace() && (!is_hidden(c) || matches!(c, '\t' | '\n' | '\r')))
}

/// The longest user name that a user pool takes, in Unicode characters.
const MAX_USER_NAME: usize = 128;

/// The columns of `list-users` of a user pool, which `run` takes as they are.
pub(crate) const POOL_COLUMNS: [&str; 6] = ["username", "sub", "email", "status", "enabled", "created_at"];

/// The form of user IDs, which is the service's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IdForm {
    /// FinSpace's user IDs.
    #[default]
    FinSpace,
    /// The user names of a user pool, and what stands for them.
    UserName,
}

impl IdForm {
    /// Checks that an ID can be sent.
    ///
    /// # Errors
    /// The constraint that the ID breaks, in words.
    pub(crate) fn check(self, id: &str) -> Result<(), String> {
        match self {
            Self::FinSpace => check_user_id(id),
            Self::UserName => check_user_name(id),
        }
    }

    /// Returns the headers that name the column of the IDs, in their plain form.
    #[must_use]
    pub(crate) fn headers(self) -> &'static [&'static str] {
        match self {
            Self::FinSpace => &["userid"],
            Self::UserName => &["userid", "username"],
        }
    }

    /// Returns the word that messages have for the column of the IDs.
    #[must_use]
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::FinSpace => "user_id",
            Self::UserName => "username",
        }
    }

    /// Returns the columns that `list-users` writes, and the name under which
    /// results carry the account's status, which gives way to the reset's.
    #[must_use]
    pub(crate) fn listed(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::FinSpace => (&USER_COLUMNS, "finspace_status"),
            Self::UserName => (&POOL_COLUMNS, "cognito_status"),
        }
    }
}

/// Checks that a user name, or an alias of one, can be sent.
fn check_user_name(id: &str) -> Result<(), String> {
    if trim_user_id(id).is_empty() {
        return Err("the user name is blank; the API wants 1 to 128 characters and no blanks".into());
    }
    refuse_hidden("user name", id)?;
    let length = id.chars().count();
    if length > MAX_USER_NAME {
        Err(format!("the user name has {length} characters; the API takes at most {MAX_USER_NAME}"))
    } else if id.contains(char::is_whitespace) {
        Err("the user name holds white space, which the API's pattern does not allow".into())
    } else {
        Ok(())
    }
}

/// Refuses characters that can't be seen in a `what`.
fn refuse_hidden(what: &str, id: &str) -> Result<(), String> {
    let mut hidden: Vec<char> = id.chars().filter(|&c| is_hidden(c)).collect();
    if hidden.is_empty() {
        return Ok(());
    }
    hidden.dedup();
    let names: Vec<String> = hidden.iter().take(3).map(|&c| format!("U+{:04X}", u32::from(c))).collect();
    let names = names.join(", ");
    Err(if hidden.iter().all(|c| matches!(c, '\n' | '\r')) {
        format!("the {what} holds a line break ({names}), which the API's pattern does not allow")
    } else {
        format!("the {what} holds a character that can't be seen ({names}); no ID has one, so it was not meant")
    })
}

/// Checks that a user ID can be sent.
///
/// # Errors
/// The constraint that the ID breaks, in words.
pub(crate) fn check_user_id(id: &str) -> Result<(), String> {
    // Nearly every ID there is, told at a glance.
    let plain = id.len() <= MAX_USER_ID && id.bytes().filter(u8::is_ascii_graphic).count() == id.len();
    if plain && !id.starts_with('.') && !id.is_empty() {
        return Ok(());
    }
    if trim_user_id(id).is_empty() {
        return Err("the user ID is blank; the API wants 1 to 26 characters, one of them not blank".into());
    }
    refuse_hidden("user ID", id)?;
    let length = id.chars().count();
    if length > MAX_USER_ID {
        Err(format!("the user ID has {length} characters; the API takes at most {MAX_USER_ID}"))
    } else if id == "." || id == ".." {
        Err("a user ID of . or .. is lost on the way, as part of the URL's path".into())
    } else {
        Ok(())
    }
}

/// Something wrong with an input file: a fact with its place, and a remedy.
#[derive(Debug, thiserror::Error)]
#[error("{place} {fact}; {remedy}")]
pub(crate) struct InputError {
    place: String,
    fact: String,
    remedy: String,
}

impl InputError {
    /// A fact about the input `name`, and what to do.
    #[must_use]
    pub(crate) fn new(name: &str, fact: String, remedy: impl Into<String>) -> Self {
        Self { place: format!("{name}:"), fact, remedy: remedy.into() }
    }

    /// The same, at a line.
    #[must_use]
    pub(crate) fn at(mut self, line: u64) -> Self {
        self.place = format!("{}{line}:", self.place);
        self
    }
}
