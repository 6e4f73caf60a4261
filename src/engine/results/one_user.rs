//! Finds one user's row in an opened result.
//!
//! Invariant: rows of other users go nowhere, and nothing is returned until the
//! row is found.

use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::column_names;
use super::encryption::EncryptionError;
use crate::engine::roster::{plain, reads_as};

/// A reason not to show a user's row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OneUserError {
    /// The file does not open whole.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The file is no table.
    #[error("{0} is not a CSV file ({1}); name a result of `finspace-reset run`")]
    NotCsv(PathBuf, csv::Error),
    /// It is not clear which column holds the users.
    #[error(
        "{file} has no such column of user IDs; name the column with the user IDs with --id-column, one of: {columns}"
    )]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The columns there are.
        columns: String,
    },
    /// The user is not in the file.
    #[error(
        "{file} holds no row of the user {user:?} in its column {column}; check the ID, upper and lower case differ"
    )]
    NoUser {
        /// The file.
        file: PathBuf,
        /// The user asked for.
        user: String,
        /// The column looked in.
        column: String,
    },
}

/// Returns the header and the user's first row, which holds the password where
/// later ones repeat the user.
///
/// # Errors
/// The file can't be read, or the user is not in it.
pub(crate) fn find(
    file: &Path,
    text: impl Read,
    user: &str,
    column: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, OneUserError> {
    let failed = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => EncryptionError::of_reading(file, error).into(),
        kind => OneUserError::NotCsv(file.to_owned(), std::io::Error::other(format!("{kind:?}")).into()),
    };
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.byte_headers().map_err(failed)?.clone();
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let Some(at) = id_column(&names, column) else {
        return Err(OneUserError::NoColumn { file: file.to_owned(), columns: names.join(", ") });
    };
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row).map_err(failed)? {
        if row.get(at).is_some_and(|id| id.trim_ascii() == user.trim_ascii().as_bytes()) {
            let mut written = csv::Writer::from_writer(Vec::new());
            let all = written.write_byte_record(&header).and_then(|()| written.write_byte_record(&row));
            all.map_err(failed)?;
            let bytes = written.into_inner().map_err(|error| failed(error.into_error().into()))?;
            return Ok(Zeroizing::new(bytes));
        }
    }
    Err(OneUserError::NoUser { file: file.to_owned(), user: user.to_owned(), column: names[at].clone() })
}

/// The column of the user IDs: the one that is named, else the one that reads
/// as `user_id`, else as `username`, else the only one that the input had.
fn id_column(names: &[String], column: Option<&str>) -> Option<usize> {
    let exact = column.and_then(|column| names.iter().position(|name| name == column));
    let wanted = column.map_or_else(|| vec!["userid".to_owned(), "username".to_owned()], |column| vec![plain(column)]);
    let read = || wanted.iter().find_map(|wanted| names.iter().position(|name| reads_as(name, wanted)));
    let only = || (column.is_none() && names.get(1).is_some_and(|name| name == column_names()[0])).then_some(0);
    exact.or_else(read).or_else(only)
}
