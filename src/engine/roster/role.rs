//! The use that a file of users is read for, and the remedies that help there.
//!
//! Invariant: no remedy for an exclude list names a flag, since those act on the
//! roster.

/// The use that a file of users is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To be reset.
    Roster,
    /// To be left alone. An only column without a header that reads as one is
    /// all users: one too many does no harm.
    ExcludeList,
}

/// The remedies for a file that can't be read as it stands.
pub(super) struct Remedies {
    pub empty: &'static str,
    pub no_column: &'static str,
    pub two_columns: &'static str,
    pub delimiter: &'static str,
}

impl Role {
    pub(super) fn remedies(self) -> &'static Remedies {
        match self {
            Self::Roster => &Remedies {
                empty: "give it a user_id column and a row for each user",
                no_column: "name the one that holds the user IDs with --id-column, or use --no-headers if the first row is a user",
                two_columns: "name the right one exactly with --id-column, or rename the other",
                delimiter: "name the right one with --delimiter, or call the column of the user IDs user_id in a header",
            },
            Self::ExcludeList => &Remedies {
                empty: "give it the user IDs to leave alone, one a line; if there are none, a line user_id says so",
                no_column: "call the column that holds the user IDs user_id, or leave only that column in it",
                two_columns: "rename all but the one that holds the user IDs",
                delimiter: "begin it with a line that names the right one, as in sep=;, or call the column of the user IDs user_id in a header",
            },
        }
    }
}
