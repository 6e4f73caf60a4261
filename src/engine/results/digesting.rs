//! A writer that keeps the digest of what passes through it.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::model::hex;

/// An output, and the SHA-256 of what was written to it.
pub(super) struct Digesting<W> {
    output: W,
    hash: Sha256,
}

impl<W> Digesting<W> {
    /// Digests what is written to `output` from here on.
    pub(super) fn new(output: W) -> Self {
        Self { output, hash: Sha256::new() }
    }

    /// Returns the output, and the digest in hexadecimal.
    pub(super) fn finish(self) -> (W, String) {
        (self.output, hex(self.hash.finalize()))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
