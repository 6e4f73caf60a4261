//! Identities: secret keys in files, some of them protected by a passphrase.
//!
//! Invariant: where a passphrase is wanted and nobody can be asked, that is the
//! error, and not that no key fits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use age::armor::ArmoredReader;
use age::cli_common::UiCallbacks;
use age::secrecy::SecretString;
use age::{Callbacks, Identity, IdentityFile, encrypted, ssh};

use super::EncryptionError;
use super::error::plain;
use super::passphrase::{MAX_WORK_FACTOR, ask};
use super::text::{bytes_of, text_of};

/// Asks what age and its plugins want to know.
#[derive(Clone)]
pub(super) struct Asking {
    given: Option<SecretString>,
    unanswered: Arc<AtomicBool>,
}

impl Asking {
    /// Answers with the passphrase that was given in a file, if one was.
    pub(super) fn new(given: Option<SecretString>) -> Self {
        Self { given, unanswered: Arc::default() }
    }

    /// Returns true if a passphrase was wanted and nobody could be asked.
    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }
}

impl Callbacks for Asking {
    fn display_message(&self, message: &str) {
        UiCallbacks.display_message(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        UiCallbacks.confirm(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        UiCallbacks.request_public_string(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        let asked = self.given.clone().or_else(|| ask(&format!("{description}: ")).ok());
        if asked.is_none() {
            self.unanswered.store(true, Ordering::Relaxed);
        }
        asked
    }
}

/// The identities in a file: one of age that is protected, one of SSH, or lines
/// of age's.
pub(super) fn in_file(name: &str, asking: &Asking) -> Result<Vec<Box<dyn Identity>>, EncryptionError> {
    let fail = |why: String| EncryptionError::Identity(name.to_owned(), why);
    let path = Path::new(name);
    let bytes = bytes_of(path).map_err(|error| fail(error.to_string()))?;
    let text;
    let content = if bytes.starts_with(b"age-encryption.org/") {
        bytes.as_slice()
    } else {
        text = text_of(path, &bytes)?;
        text.trim_start().as_bytes()
    };
    let protected = encrypted::Identity::from_buffer(
        // It is read when the passphrase is known: it owns what it reads.
        ArmoredReader::new(std::io::Cursor::new(content.to_vec())),
        Some(name.to_owned()),
        asking.clone(),
        Some(MAX_WORK_FACTOR),
    );
    match protected {
        Ok(Some(identity)) => return Ok(vec![Box::new(identity)]),
        Ok(None) => {
            return Err(fail("it is encrypted to keys and not with a passphrase; decrypt it first".into()));
        }
        Err(_) => {}
    }
    match ssh::Identity::from_buffer(content, Some(name.to_owned())) {
        Ok(ssh::Identity::Unsupported(key)) => return Err(fail(unsupported(&key))),
        Ok(identity) => return Ok(vec![Box::new(identity.with_callbacks(asking.clone()))]),
        Err(_) => {}
    }
    if [&b"ssh-"[..], b"ecdsa-", b"sk-", b"age1"].iter().any(|start| content.starts_with(start)) {
        return Err(fail("that is a public key; name the file with the secret one".into()));
    }
    let file = IdentityFile::from_buffer(content).map_err(|error| fail(plain(&error)))?;
    let identities = file.with_callbacks(asking.clone()).into_identities().map_err(|error| fail(plain(&error)))?;
    Ok(identities.into_iter().map(|identity| identity as Box<dyn Identity>).collect())
}

/// The reason, in one short sentence, why an SSH key can't be used.
fn unsupported(key: &ssh::UnsupportedKey) -> String {
    use ssh::UnsupportedKey::{EncryptedPem, EncryptedSsh, Hardware, Type};
    match key {
        EncryptedPem => "its old PEM form of protection can't be read; rewrite it with `ssh-keygen -p -f FILE`".into(),
        EncryptedSsh(cipher) => format!("it is protected with {cipher}, which can't be read"),
        Hardware(kind) => format!("a key of the kind {kind} lives in hardware and can't decrypt"),
        Type(kind) => format!("age can't decrypt with a key of the kind {kind}"),
    }
}
