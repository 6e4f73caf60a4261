//! Faults of encryption, and age's own errors in plain words.

use std::io;
use std::path::{Path, PathBuf};

/// A fault of encryption.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncryptionError {
    /// A recipient that is none.
    #[error(
        "{place}{recipient:?} is not a recipient{why}; use an age1… key (see `finspace-reset keygen`), an ssh-ed25519 or ssh-rsa public key, or a plugin's key"
    )]
    Recipient {
        /// File and line, where it came from a file.
        place: String,
        /// The recipient as given.
        recipient: String,
        /// The fault.
        why: String,
    },
    /// An SSH key of a kind that age does not encrypt to.
    #[error(
        "{place}age can't encrypt to a key of the kind {kind}; use an ssh-ed25519 or ssh-rsa key, or an age1… key (see `finspace-reset keygen`)"
    )]
    UnsupportedSsh {
        /// File and line, where it came from a file.
        place: String,
        /// Its first word.
        kind: String,
    },
    /// A post-quantum recipient.
    #[error("{0}post-quantum recipients (age1pq1…) are not supported yet; use an age1… key of the classic kind")]
    PostQuantum(String),
    /// A secret key where a public one belongs.
    #[error(
        "{0}that is a secret key; name its public key as the recipient, and keep the secret one out of command lines"
    )]
    SecretKey(String),
    /// A recipients file that can't be read.
    #[error("the recipients file {0}: {1}; check the path given to -R/--recipients-file")]
    RecipientsFile(PathBuf, #[source] io::Error),
    /// A recipients file without a key.
    #[error("the recipients file {0} holds no key; put one public key a line into it")]
    EmptyRecipientsFile(PathBuf),
    /// Both ways at once.
    #[error("a passphrase can't be combined with recipients; leave out -p/--passphrase or -r/-R")]
    PassphraseAndRecipients,
    /// The passphrase can't be had.
    #[error("no passphrase can be read: {0}; run on a terminal, or use --passphrase-file")]
    Passphrase(#[source] io::Error),
    /// Typed twice, differently.
    #[error("the two passphrases differ; run again")]
    PassphraseMismatch,
    /// An empty passphrase.
    #[error("the passphrase is empty; choose one, or encrypt to a recipient with -r")]
    EmptyPassphrase,
    /// Encryption does not work with these recipients.
    #[error("can't encrypt to these recipients ({0}); check -r and -R, and that a plugin's program is installed")]
    Encrypt(String),
    /// An identity that can't be read.
    #[error("the identity {0}: {1}; name a file with an AGE-SECRET-KEY or an SSH private key with -i")]
    Identity(String, String),
    /// A protected identity, and nobody to ask for its passphrase.
    #[error(
        "the identity {0} is protected by a passphrase, which can't be asked for without a terminal; run on a terminal, or put the passphrase into a file and name it with --passphrase-file"
    )]
    ProtectedIdentity(String),
    /// No identity at all.
    #[error("{0} is encrypted, and no identity is named; name the file with the identity it was encrypted to with -i")]
    NoIdentity(PathBuf),
    /// A file that does not open.
    #[error("{0} can't be decrypted ({1}); {2}")]
    Decrypt(PathBuf, String, &'static str),
    /// A text file in an encoding that can't be read.
    #[error("{0} is not a text file ({1}); save it as plain UTF-8 text")]
    NotText(PathBuf, &'static str),
    /// A file that is in no need of being opened, or something else.
    #[error("{0} is not an age file; if it is a plain CSV, it can be read as it is, else name the encrypted result")]
    NotEncrypted(PathBuf),
    /// A file without anything in it.
    #[error("{0} is empty; use a whole copy")]
    Empty(PathBuf),
    /// No file.
    #[error("there is no file {0}; check the name, and the folder it stands in")]
    Missing(PathBuf),
    /// A folder in the place of a file.
    #[error("{0} is a directory; name the file in it")]
    Directory(PathBuf),
    /// A file in the way.
    #[error("{0} exists and is not replaced; move it away, or choose another -o")]
    Exists(PathBuf),
    /// Reading or writing failed.
    #[error("{0}: {1}; check the path, its folder and the disk")]
    Io(PathBuf, #[source] io::Error),
}

impl EncryptionError {
    /// The error of a file that can't be opened, read or written.
    #[must_use]
    pub(crate) fn of_file(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            io::ErrorKind::IsADirectory => Self::Directory(path),
            io::ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::Io(path, error),
        }
    }

    /// The error behind a failed read of an opened file.
    #[must_use]
    pub(crate) fn of_reading(path: &Path, error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|error| Self::of_file(path, error))
    }
}

/// An error of age in plain text: its messages isolate their arguments with
/// invisible characters and may hold several lines.
pub(super) fn plain(error: &impl std::fmt::Display) -> String {
    let text: String = error.to_string().chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
