//! Encrypts the output with age, and opens it again.
//!
//! Invariant: what is refused is refused before any reset; whatever is written
//! goes through [`Sealed::finish`], without which an age file is cut short.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use age::armor::{ArmoredWriter, Format};
use age::secrecy::{ExposeSecret, SecretString};
use age::stream::StreamWriter;
use age::{EncryptError, Encryptor, Recipient, scrypt, x25519};

use error::plain;

mod error;
mod identities;
mod open;
mod passphrase;
mod recipients;
mod scratch;
mod text;

pub(crate) use error::EncryptionError;
pub(crate) use open::{Opener, looks_encrypted};
pub(crate) use passphrase::passphrase;
pub(crate) use recipients::Key;
pub(crate) use scratch::Scratch;

/// scrypt work of a passphrase: the automatic choice takes seconds for no gain.
const WORK_FACTOR: u8 = 18;

/// For whom the output is encrypted.
pub(crate) struct Encryption {
    recipients: Vec<Box<dyn Recipient + Send>>,
    readers: Vec<String>,
    remark: Option<&'static str>,
    armor: bool,
}

impl Encryption {
    /// Encrypts to public keys, given one by one and in files.
    ///
    /// # Errors
    /// A key can't be used, or a file can't be read.
    pub(crate) fn to_recipients(keys: &[String], files: &[PathBuf], armor: bool) -> Result<Self, EncryptionError> {
        let mut all: Vec<Key> = keys.iter().map(|key| Key::new(String::new(), key)).collect();
        for path in files {
            all.extend(recipients::in_file(path)?);
        }
        Self::to_keys(&all, armor)
    }

    /// Encrypts to keys.
    ///
    /// # Errors
    /// A key can't be used.
    pub(crate) fn to_keys(keys: &[Key], armor: bool) -> Result<Self, EncryptionError> {
        let mut recipients = Vec::new();
        for key in keys {
            recipients.extend(key.parse()?);
        }
        let readers = keys.iter().map(|key| key.text.clone()).collect();
        Self { recipients, readers, remark: None, armor }.tried()
    }

    /// Encrypts with a passphrase.
    ///
    /// # Errors
    /// The passphrase is empty.
    pub(crate) fn with_passphrase(passphrase: SecretString, armor: bool) -> Result<Self, EncryptionError> {
        if passphrase.expose_secret().is_empty() {
            return Err(EncryptionError::EmptyPassphrase);
        }
        let remark = passphrase::oddity(&passphrase);
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(WORK_FACTOR);
        let readers = vec!["whoever knows the passphrase".into()];
        Self { recipients: vec![Box::new(recipient)], readers, remark, armor }.tried()
    }

    /// Encrypts something, so that what can't work is known before any reset.
    fn tried(self) -> Result<Self, EncryptionError> {
        self.writer(io::sink())
            .and_then(|mut sealed| sealed.write_all(b"probe").map(|()| sealed))
            .and_then(Sealed::finish)
            .map_err(|error| EncryptionError::Encrypt(plain(&error)))?;
        Ok(self)
    }

    /// Returns the keys that can open the file.
    #[must_use]
    pub(crate) fn readers(&self) -> &[String] {
        &self.readers
    }

    /// Returns a remark on the passphrase, if there is one.
    #[must_use]
    pub(crate) fn remark(&self) -> Option<&'static str> {
        self.remark
    }

    /// Starts an encrypted file.
    ///
    /// # Errors
    /// A recipient fails, or the header can't be written.
    pub(crate) fn writer<W: Write>(&self, output: W) -> io::Result<Sealed<W>> {
        let format = if self.armor { Format::AsciiArmor } else { Format::Binary };
        let recipients = self.recipients.iter().map(|recipient| &**recipient as &dyn Recipient);
        let encryptor =
            Encryptor::with_recipients(recipients).map_err(|error: EncryptError| io::Error::other(plain(&error)))?;
        let stream = encryptor.wrap_output(ArmoredWriter::wrap_output(output, format)?)?;
        Ok(Sealed(stream))
    }
}

/// An encrypted file being written.
pub(crate) struct Sealed<W: Write>(StreamWriter<ArmoredWriter<W>>);

impl<W: Write> Sealed<W> {
    /// Writes the end of the file, without which it does not open whole.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.0.finish()?.finish()
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes a new identity. Its secret goes to `output`; the public key is told.
///
/// # Errors
/// The file is there already or can't be written.
pub(crate) fn keygen(output: Option<&Path>, stdout: &mut dyn Write) -> Result<String, EncryptionError> {
    let identity = x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let text = SecretString::from(format!(
        "# created: {created}\n# public key: {public}\n{}\n",
        identity.to_string().expose_secret()
    ));
    let written = match output {
        None => stdout.write_all(text.expose_secret().as_bytes()).and_then(|()| stdout.flush()),
        Some(path) => OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all())),
    };
    written.map_err(|error| EncryptionError::of_file(output.unwrap_or(Path::new("standard output")), error))?;
    Ok(public)
}
