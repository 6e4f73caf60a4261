//! Settings of the environment, read as botocore reads them.
//!
//! Invariant: a variable that can't be read is an error, never an unset one:
//! whoever set it meant something by it.

use super::error::ConnectionError;

/// Returns a variable of the environment; an empty one is not set.
pub(super) fn variable(name: &'static str) -> Result<Option<String>, ConnectionError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(ConnectionError::NotText(name)),
    }
}
