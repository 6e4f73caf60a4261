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
    cell.trim_matches(|c: char| c.is_whitespace() && (!is_hidden(c) || matches!(c, '\t' | '\n' | '\r')))
}

/// Checks that a user ID can be sent.
///
/// # Errors
/// The constraint that the ID breaks, in words.
pub(crate) fn check_user_id(id: &str) -> Result<(), String> {
    // Nearly every ID there is, told at a glance.
    let plain = id.len() <= MAX_USER_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !id.starts_with('.') && !id.is_empty() {
        return Ok(());
    }
    if trim_user_id(id).is_empty() {
        return Err("the user ID is blank; the API wants 1 to 26 characters, one of them not blank".into());
    }
    let mut hidden: Vec<char> = id.chars().filter(|&c| is_hidden(c)).collect();
    if !hidden.is_empty() {
        hidden.dedup();
        let names: Vec<String> = hidden.iter().take(3).map(|&c| format!("U+{:04X}", u32::from(c))).collect();
        let names = names.join(", ");
        return Err(if hidden.iter().all(|c| matches!(c, '\n' | '\r')) {
            format!("the user ID holds a line break ({names}), which the API's pattern does not allow")
        } else {
            format!("the user ID holds a character that can't be seen ({names}); no ID has one, so it was not meant")
        });
    }
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
