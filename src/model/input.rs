//! What an input may hold: the API's rule for user IDs, and how its breaches
//! are told.

/// The columns of `list-users`, which `run` takes as they are.
pub(crate) const USER_COLUMNS: [&str; 8] =
    ["user_id", "email_address", "first_name", "last_name", "status", "type", "api_access", "last_login_time"];

/// The longest user ID the API takes, in Unicode characters.
pub(crate) const MAX_USER_ID: usize = 26;

/// Why a user ID can't be sent, if it can't.
///
/// # Errors
/// The API's constraint that the ID breaks, in words.
pub(crate) fn check_user_id(id: &str) -> Result<(), String> {
    // Nearly every ID there is, told at a glance.
    let plain = id.len() <= MAX_USER_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !id.starts_with('.') && !id.is_empty() {
        return Ok(());
    }
    let length = id.chars().count();
    if id.trim().is_empty() {
        Err("the user ID is blank; the API wants 1 to 26 characters, one of them not blank".into())
    } else if length > MAX_USER_ID {
        Err(format!("the user ID has {length} characters; the API takes at most {MAX_USER_ID}"))
    } else if id.contains(['\n', '\r']) {
        Err("the user ID holds a line break, which the API's pattern does not allow".into())
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
