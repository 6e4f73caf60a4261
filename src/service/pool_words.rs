//! A user pool in words, for previews and summaries.

use serde::Serialize;

/// A user pool, as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PoolWords {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its rules for a password.
    pub password_policy: String,
    /// The life of a temporary password.
    pub password_days: u64,
}

impl PoolWords {
    /// Returns the lines of a preview, each with its name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Self { id, name, password_policy, password_days } = self;
        let days = if *password_days == 1 { "1 day".to_owned() } else { format!("{password_days} days") };
        let called = if name.is_empty() { id.clone() } else { format!("{id}, called {name:?}") };
        [
            ("user pool", called),
            ("its policy", password_policy.clone()),
            ("expiry", format!("{days} after the reset")),
            (
                "quota",
                "30/s for the account in this region, shared with its users' own recoveries and password changes"
                    .into(),
            ),
        ]
        .into_iter()
    }
}
