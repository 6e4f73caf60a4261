//! Public keys: read one by one, from files and from tables.
//!
//! Invariant: an error names the place and a short form of the key, never a
//! secret one.

use std::path::Path;

use age::Recipient;
use age::cli_common::{StdinGuard, read_recipients};

use super::EncryptionError;
use super::error::plain;
use super::text::{bytes_of, text_of};

/// Characters of a key that an error shows.
const SHOWN: usize = 40;

/// A public key, and where it was read.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    place: String,
    /// The key itself.
    pub text: String,
}

impl Key {
    /// A key with its place: empty, or a file and line with a colon and a blank behind.
    #[must_use]
    pub(crate) fn new(place: String, text: &str) -> Self {
        Self { place, text: text.trim().to_owned() }
    }

    /// Makes sure that age can encrypt to it.
    ///
    /// # Errors
    /// The reason why not.
    pub(crate) fn check(&self) -> Result<(), EncryptionError> {
        self.parse().map(drop)
    }

    pub(super) fn parse(&self) -> Result<Vec<Box<dyn Recipient + Send>>, EncryptionError> {
        let (place, key) = (self.place.clone(), self.text.as_str());
        if key.starts_with("age1pq1") {
            return Err(EncryptionError::PostQuantum(place));
        }
        if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY") || key.contains("PRIVATE KEY") {
            return Err(EncryptionError::SecretKey(place));
        }
        let kind = key.split_whitespace().next().unwrap_or_default();
        let is_ssh = ["ssh-", "sk-ssh-", "ecdsa-", "sk-ecdsa-"].iter().any(|start| kind.starts_with(start));
        if is_ssh && !["ssh-ed25519", "ssh-rsa"].contains(&kind) {
            return Err(EncryptionError::UnsupportedSsh { place, kind: short(kind) });
        }
        read_recipients(vec![key.to_owned()], vec![], vec![], None, &mut StdinGuard::new(true)).map_err(|error| {
            // That it is none is said already; age repeats the key, which may be long.
            let why = match error {
                age::cli_common::ReadError::InvalidRecipient(_) => String::new(),
                error => format!(" ({})", plain(&error)),
            };
            EncryptionError::Recipient { place, recipient: short(key), why }
        })
    }
}

/// The beginning of a key, as far as a person reads.
fn short(key: &str) -> String {
    match key.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    }
}

/// The keys of a recipients file, one a line; `-` is standard input.
pub(super) fn in_file(path: &Path) -> Result<Vec<Key>, EncryptionError> {
    let bytes = bytes_of(path).map_err(|error| EncryptionError::RecipientsFile(path.to_owned(), error))?;
    let text = text_of(path, &bytes)?;
    let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<Key> = keys.map(|(at, line)| Key::new(format!("{name}:{at}: "), line)).collect();
    if keys.is_empty() {
        return Err(EncryptionError::EmptyRecipientsFile(path.to_owned()));
    }
    Ok(keys)
}
