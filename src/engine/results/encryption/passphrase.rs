//! Passphrases: asked on the terminal, or the first line of a file.

use std::path::Path;

use age::secrecy::{ExposeSecret, SecretString};

use super::EncryptionError;
use super::text::{bytes_of, text_of};

/// The most work done for a passphrase that somebody else chose.
pub(super) const MAX_WORK_FACTOR: u8 = 22;

/// Asks for a passphrase on the terminal, or reads the first line of a file.
///
/// # Errors
/// There is no terminal, or the file can't be read.
pub(crate) fn passphrase(file: Option<&Path>, confirm: bool) -> Result<SecretString, EncryptionError> {
    if let Some(path) = file {
        let bytes = bytes_of(path).map_err(|error| EncryptionError::of_file(path, error))?;
        let text = text_of(path, &bytes)?;
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        return Ok(SecretString::from(line.to_owned()));
    }
    let first = ask("Passphrase: ")?;
    if confirm && ask("Again: ")?.expose_secret() != first.expose_secret() {
        return Err(EncryptionError::PassphraseMismatch);
    }
    Ok(first)
}

/// Asks for a secret on the terminal.
pub(super) fn ask(prompt: &str) -> Result<SecretString, EncryptionError> {
    rpassword::prompt_password(prompt).map(SecretString::from).map_err(EncryptionError::Passphrase)
}

/// Returns what is odd about a passphrase in a file: a blank at either end is
/// part of it, and nobody sees it.
pub(crate) fn oddity(secret: &SecretString) -> Option<&'static str> {
    let text = secret.expose_secret();
    let odd = |c: Option<char>| c.is_some_and(char::is_whitespace);
    (odd(text.chars().next()) || odd(text.chars().next_back())).then_some(
        "the passphrase begins or ends with a blank, which is part of it; remove it from the file if it is not meant",
    )
}
