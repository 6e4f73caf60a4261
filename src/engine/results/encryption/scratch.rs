//! Encryption of scratch files, which only the process that made them reads.

use std::io::{self, BufReader, Read, Write};

use age::armor::{ArmoredWriter, Format};
use age::{Decryptor, Encryptor, Identity, Recipient, x25519};

use super::Sealed;

/// A key that never leaves the process.
pub(crate) struct Scratch(x25519::Identity);

impl Scratch {
    /// A new key.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Starts a scratch file.
    ///
    /// # Errors
    /// The output can't be written.
    pub(crate) fn writer<W: Write>(&self, output: W) -> io::Result<Sealed<W>> {
        let public = self.0.to_public();
        let encryptor = Encryptor::with_recipients(std::iter::once(&public as &dyn Recipient));
        let encryptor = encryptor.map_err(io::Error::other)?;
        Ok(Sealed(encryptor.wrap_output(ArmoredWriter::wrap_output(output, Format::Binary)?)?))
    }

    /// Reads a scratch file from its start.
    ///
    /// # Errors
    /// It is not one of this key's.
    pub(crate) fn reader(&self, input: impl Read + 'static) -> io::Result<Box<dyn Read>> {
        let decryptor = Decryptor::new_buffered(BufReader::new(input)).map_err(io::Error::other)?;
        let text = decryptor.decrypt(std::iter::once(&self.0 as &dyn Identity)).map_err(io::Error::other)?;
        Ok(Box::new(text))
    }
}
