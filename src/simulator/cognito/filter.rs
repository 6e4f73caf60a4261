//! Filters of `ListUsers`: `username = "ann"`, `email ^= "ann@"`.
//!
//! Invariant: user name, `sub` and `status` are compared as they are written; every other attribute in any
//! case, as the developer guide has it.

use super::users::PoolUser;

/// Attributes that can be searched and that no simulated user has.
const OTHERS: [&str; 5] = ["phone_number", "name", "given_name", "family_name", "preferred_username"];

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub attribute: Attribute,
    pub prefix: bool,
    /// In lower case where case does not count.
    pub value: String,
}

/// An attribute that can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Username,
    Sub,
    Email,
    /// `cognito:user_status`.
    UserStatus,
    /// `status`: `Enabled` or `Disabled`.
    Enabled,
    /// One that no user has.
    Other,
}

/// The reason for which a filter can't be used, in Cognito's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterError {
    Unreadable,
    Attribute,
}

impl Filter {
    /// Reads a filter; no text is none.
    pub(super) fn parse(text: &str) -> Result<Option<Filter>, FilterError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let end = text.find(['=', '^', ' ']).ok_or(FilterError::Unreadable)?;
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let (prefix, rest) = match (rest.strip_prefix("^="), rest.strip_prefix('=')) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(FilterError::Unreadable),
        };
        let value = quoted(rest.trim()).ok_or(FilterError::Unreadable)?;
        let attribute = match name.trim_matches('"') {
            "username" => Attribute::Username,
            "sub" => Attribute::Sub,
            "email" => Attribute::Email,
            "cognito:user_status" => Attribute::UserStatus,
            "status" => Attribute::Enabled,
            other if OTHERS.contains(&other) => Attribute::Other,
            _ => return Err(FilterError::Attribute),
        };
        let value = if attribute.any_case() { value.to_lowercase() } else { value };
        Ok(Some(Filter { attribute, prefix, value }))
    }

    pub(super) fn matches(&self, user: &PoolUser) -> bool {
        let text = match self.attribute {
            Attribute::Username => &*user.username,
            Attribute::Sub => &*user.sub,
            Attribute::Email if user.email.is_empty() => return false,
            Attribute::Email => &*user.email,
            Attribute::UserStatus => user.status.word(),
            Attribute::Enabled if user.enabled => "Enabled",
            Attribute::Enabled => "Disabled",
            Attribute::Other => return false,
        };
        let matches = |text: &str| if self.prefix { text.starts_with(&self.value) } else { *text == self.value };
        if self.attribute.any_case() { matches(&text.to_lowercase()) } else { matches(text) }
    }
}

impl Attribute {
    fn any_case(self) -> bool {
        matches!(self, Attribute::Email | Attribute::UserStatus)
    }
}

/// The text between two quotation marks, in which a backslash makes a character of the next one.
fn quoted(text: &str) -> Option<String> {
    let mut characters = text.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_matched() {
        let mut user = PoolUser::new("Ann");
        user.email = "Ann@Example.com".to_owned();
        user.sub = "s-1".to_owned();
        let matches = |text: &str| Filter::parse(text).unwrap().unwrap().matches(&user);
        for yes in [
            r#"username = "Ann""#,
            r#"username="Ann""#,
            r#""username" = "Ann""#,
            r#"username ^= "A""#,
            r#"sub = "s-1""#,
            r#"email = "ann@example.COM""#,
            r#"email ^= "ANN@""#,
            r#"cognito:user_status = "confirmed""#,
            r#"status = "Enabled""#,
            r#"username ^= """#,
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in [
            r#"username = "ann""#,
            r#"username = "An""#,
            r#"sub = "S-1""#,
            r#"status = "enabled""#,
            r#"name = "Ann""#,
            r#"email = """#,
        ] {
            assert!(!matches(no), "{no}");
        }
        assert!(Filter::parse(r#"username = "a\"b\\c""#).unwrap().unwrap().matches(&PoolUser::new("a\"b\\c")));
        assert_eq!(Filter::parse("  "), Ok(None));
    }

    #[test]
    fn nonsense_is_told_and_nothing_panics() {
        let unreadable = Err(FilterError::Unreadable);
        for text in ["username", "=", "username =", "username = Ann", r#"username = "Ann"#, r#"username = "A" x"#] {
            assert_eq!(Filter::parse(text), unreadable, "{text}");
        }
        for text in [r#"username != "A""#, r#"username = "A\"#, "é", r#"username = "Ann\""#] {
            assert_eq!(Filter::parse(text), unreadable, "{text}");
        }
        assert_eq!(Filter::parse(r#"custom:team = "a""#), Err(FilterError::Attribute));
    }
}
