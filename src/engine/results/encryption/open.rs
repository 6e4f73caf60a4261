//! Opens encrypted files.
//!
//! Invariant: whatever is read from an opened file was authenticated; an error
//! of reading is one of the file and never one of the output.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Identity, scrypt};

use super::EncryptionError;
use super::error::plain;
use super::identities::{self, Asking};
use super::passphrase::{MAX_WORK_FACTOR, oddity, passphrase};

/// The beginning of an age file that is not armored.
const AGE: &[u8] = b"age-encryption.org/";

/// The beginning of one that is.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED";

/// Bytes of a file that tell its kind.
const HEAD: usize = 4096;

/// The means to open encrypted files: identities, or a passphrase.
pub(crate) struct Opener<'a> {
    identities: &'a [String],
    passphrase: Option<SecretString>,
}

impl<'a> Opener<'a> {
    /// Takes files with identities, and a file with a passphrase: of the
    /// encrypted file, or of the identities.
    ///
    /// # Errors
    /// The passphrase's file can't be read.
    pub(crate) fn new(identities: &'a [String], passphrase_file: Option<&Path>) -> Result<Self, EncryptionError> {
        let passphrase = passphrase_file.map(|file| passphrase(Some(file), false)).transpose()?;
        Ok(Self { identities, passphrase })
    }

    /// Returns the passphrase's oddity, if it has one.
    #[must_use]
    pub(crate) fn oddity(&self) -> Option<&'static str> {
        self.passphrase.as_ref().and_then(oddity)
    }

    /// The plain text of an encrypted file.
    ///
    /// # Errors
    /// No identity fits, the passphrase is wrong, or it is no age file.
    pub(crate) fn open<'r>(&self, name: &Path, input: impl Read + 'r) -> Result<Opened<'r>, EncryptionError> {
        let broken = |error: &DecryptError| {
            let remedy = match error {
                DecryptError::NoMatchingKeys => {
                    "it was encrypted to another key than those that -i names: name the identity of a key that the run was given (`report` tells which)"
                }
                DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                    "check the passphrase or the identity"
                }
                _ => "check that the file is whole and is an age file",
            };
            EncryptionError::Decrypt(name.to_owned(), plain(error), remedy)
        };
        let mut input = BufReader::new(input);
        let head = input.fill_buf().map_err(|error| EncryptionError::of_file(name, error))?;
        if head.is_empty() {
            return Err(EncryptionError::Empty(name.to_owned()));
        }
        if !may_be_encrypted(head) {
            return Err(EncryptionError::NotEncrypted(name.to_owned()));
        }
        let input = skip_blanks(input).map_err(|error| EncryptionError::of_file(name, error))?;
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(input)).map_err(|error| broken(&error))?;
        let asking = Asking::new(self.passphrase.clone());
        let keys: Vec<Box<dyn Identity>> = if decryptor.is_scrypt() {
            let secret = self.passphrase.clone().map_or_else(|| passphrase(None, false), Ok)?;
            let mut identity = scrypt::Identity::new(secret);
            identity.set_max_work_factor(MAX_WORK_FACTOR);
            vec![Box::new(identity)]
        } else {
            if self.identities.is_empty() {
                return Err(EncryptionError::NoIdentity(name.to_owned()));
            }
            let mut keys = Vec::new();
            for identity in self.identities {
                if identity == "-" && name.as_os_str() == "-" {
                    return Err(EncryptionError::Identity("-".into(), "standard input is the file already".into()));
                }
                keys.extend(identities::in_file(identity, &asking)?);
            }
            keys
        };
        let text = decryptor.decrypt(keys.iter().map(|key| &**key)).map_err(|error| match error {
            _ if asking.is_unanswered() => EncryptionError::ProtectedIdentity(self.identities.join(", ")),
            error => broken(&error),
        })?;
        Ok(Opened { name: name.to_owned(), text: Box::new(text) })
    }
}

/// The plain text of an encrypted file.
pub(crate) struct Opened<'r> {
    name: PathBuf,
    text: Box<dyn Read + 'r>,
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer).map_err(|error| {
            let remedy = "the file was changed or cut short; use a whole copy";
            io::Error::other(EncryptionError::Decrypt(self.name.clone(), plain(&error), remedy))
        })
    }
}

/// Returns true if these bytes begin an age file, armored or not.
#[must_use]
pub(crate) fn looks_encrypted(head: &[u8]) -> bool {
    head.starts_with(AGE) || unblanked(head).starts_with(ARMOR)
}

/// Returns true unless these bytes, of which a pipe may give few at first, begin
/// something else.
fn may_be_encrypted(head: &[u8]) -> bool {
    let begins = |head: &[u8], mark: &[u8]| head.starts_with(&mark[..mark.len().min(head.len())]);
    begins(head, AGE) || begins(unblanked(head), ARMOR)
}

/// Without the blanks and the mark that mails and editors put before a text.
fn unblanked(head: &[u8]) -> &[u8] {
    head.trim_ascii_start().strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start()
}

/// Passes over what stands before an armored file, as in one that was pasted.
fn skip_blanks<'r, R: Read + 'r>(mut input: BufReader<R>) -> io::Result<impl BufRead + 'r> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    if !head.starts_with(AGE) && looks_encrypted(&head) {
        head = unblanked(&head).to_vec();
    }
    Ok(BufReader::new(Cursor::new(head).chain(input)))
}
