//! Encrypts the output with age, and opens it again.
//!
//! Invariant: what is refused is refused before any reset; whatever is written
//! goes through [`Sealed::finish`], without which an age file is cut short.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::cli_common::{StdinGuard, read_identities, read_recipients};
use age::secrecy::{ExposeSecret, SecretString};
use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient, scrypt, x25519};

/// scrypt work of a passphrase: the automatic choice takes seconds for no gain.
const WORK_FACTOR: u8 = 18;

/// The most work done for a passphrase that somebody else chose.
const MAX_WORK_FACTOR: u8 = 22;

/// What can go wrong with encryption.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncryptionError {
    /// A recipient that is none.
    #[error(
        "{place}{recipient:?} is not a recipient ({why}); use an age1… key (see «finspace-reset keygen»), an ssh-ed25519 or ssh-rsa public key, or a plugin's key"
    )]
    Recipient {
        /// File and line, where it came from a file.
        place: String,
        /// What was given.
        recipient: String,
        /// What is wrong.
        why: String,
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
    /// A file that does not open.
    #[error("{0} can't be decrypted ({1}); {2}")]
    Decrypt(PathBuf, String, &'static str),
    /// Reading or writing failed.
    #[error("{0}: {1}; check the path, its folder and the disk")]
    Io(PathBuf, #[source] io::Error),
}

/// For whom the output is encrypted.
pub(crate) struct Encryption {
    recipients: Vec<Box<dyn Recipient + Send>>,
    readers: Vec<String>,
    armor: bool,
}

impl Encryption {
    /// Encrypts to public keys, given one by one and in files.
    ///
    /// # Errors
    /// A key can't be used, or a file can't be read.
    pub(crate) fn to_recipients(keys: &[String], files: &[PathBuf], armor: bool) -> Result<Self, EncryptionError> {
        let mut all: Vec<(String, String)> = keys.iter().map(|key| (String::new(), key.trim().to_owned())).collect();
        for path in files {
            let text =
                fs::read_to_string(path).map_err(|error| EncryptionError::RecipientsFile(path.clone(), error))?;
            let before = all.len();
            for (at, line) in text.lines().enumerate() {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    all.push((format!("{}:{}: ", path.display(), at + 1), line.to_owned()));
                }
            }
            if all.len() == before {
                return Err(EncryptionError::EmptyRecipientsFile(path.clone()));
            }
        }
        let mut recipients = Vec::new();
        let mut readers = Vec::new();
        for (place, key) in all {
            if key.starts_with("age1pq1") {
                return Err(EncryptionError::PostQuantum(place));
            }
            if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY") || key.contains("PRIVATE KEY") {
                return Err(EncryptionError::SecretKey(place));
            }
            let read = read_recipients(vec![key.clone()], vec![], vec![], None, &mut StdinGuard::new(true));
            match read {
                Ok(parsed) => recipients.extend(parsed),
                Err(error) => {
                    return Err(EncryptionError::Recipient { place, recipient: key, why: plain(&error) });
                }
            }
            readers.push(key);
        }
        Self { recipients, readers, armor }.tried()
    }

    /// Encrypts with a passphrase.
    ///
    /// # Errors
    /// The passphrase is empty.
    pub(crate) fn with_passphrase(passphrase: SecretString, armor: bool) -> Result<Self, EncryptionError> {
        if passphrase.expose_secret().is_empty() {
            return Err(EncryptionError::EmptyPassphrase);
        }
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(WORK_FACTOR);
        Self { recipients: vec![Box::new(recipient)], readers: vec!["whoever knows the passphrase".into()], armor }
            .tried()
    }

    /// Encrypts something, so that what can't work is known before any reset.
    fn tried(self) -> Result<Self, EncryptionError> {
        self.writer(io::sink())
            .and_then(|mut sealed| sealed.write_all(b"probe").map(|()| sealed))
            .and_then(Sealed::finish)
            .map_err(|error| EncryptionError::Encrypt(plain(&error)))?;
        Ok(self)
    }

    /// Who can open the file.
    #[must_use]
    pub(crate) fn readers(&self) -> &[String] {
        &self.readers
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

/// Asks for a passphrase on the terminal, or reads the first line of a file.
///
/// # Errors
/// There is no terminal, or the file can't be read.
pub(crate) fn passphrase(file: Option<&Path>, confirm: bool) -> Result<SecretString, EncryptionError> {
    if let Some(path) = file {
        let mut line = String::new();
        let read = fs::File::open(path).and_then(|file| BufReader::new(file).read_line(&mut line));
        read.map_err(|error| EncryptionError::Io(path.to_owned(), error))?;
        return Ok(SecretString::from(line.trim_end_matches(['\n', '\r']).to_owned()));
    }
    let ask =
        |prompt: &str| rpassword::prompt_password(prompt).map(SecretString::from).map_err(EncryptionError::Passphrase);
    let first = ask("Passphrase: ")?;
    if confirm && ask("Again: ")?.expose_secret() != first.expose_secret() {
        return Err(EncryptionError::PassphraseMismatch);
    }
    Ok(first)
}

/// Opens an encrypted file.
///
/// # Errors
/// No identity fits, the passphrase is wrong, or the file was changed or cut short.
pub(crate) fn decrypt(
    path: &Path,
    identities: &[String],
    passphrase_file: Option<&Path>,
    output: &mut dyn Write,
) -> Result<(), EncryptionError> {
    let io_error = |error| EncryptionError::Io(path.to_owned(), error);
    let broken = |error: &DecryptError| {
        let remedy = match error {
            DecryptError::NoMatchingKeys => "name the identity it was encrypted to with -i",
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                "check the passphrase or the identity"
            }
            _ => "check that the file is whole and is an age file",
        };
        EncryptionError::Decrypt(path.to_owned(), plain(error), remedy)
    };
    let input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(fs::File::open(path).map_err(io_error)?) };
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(BufReader::new(input))).map_err(|e| broken(&e))?;
    let keys: Vec<Box<dyn Identity>> = if decryptor.is_scrypt() {
        let mut identity = scrypt::Identity::new(passphrase(passphrase_file, false)?);
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        vec![Box::new(identity)]
    } else {
        read_identities(identities.to_vec(), Some(MAX_WORK_FACTOR), &mut StdinGuard::new(path.as_os_str() == "-"))
            .map_err(|error| EncryptionError::Identity(identities.join(", "), plain(&error)))?
    };
    let mut text = decryptor.decrypt(keys.iter().map(|key| &**key)).map_err(|error| broken(&error))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // Reading and writing fail for different reasons with different remedies.
        let got = text.read(&mut buffer).map_err(|error| {
            EncryptionError::Decrypt(
                path.to_owned(),
                plain(&error),
                "the file was changed or cut short; use a whole copy",
            )
        })?;
        if got == 0 {
            return Ok(());
        }
        output.write_all(&buffer[..got]).map_err(|error| EncryptionError::Io("the output".into(), error))?;
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
    written.map_err(|error| EncryptionError::Io(output.unwrap_or(Path::new("standard output")).to_owned(), error))?;
    Ok(public)
}

/// An error of age in plain text: its messages isolate their arguments with
/// invisible characters and may hold several lines.
fn plain(error: &impl std::fmt::Display) -> String {
    let text: String = error.to_string().chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
