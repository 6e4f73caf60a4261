//! Seals temporary passwords while they rest in a ledger.
//!
//! Invariant: a password is sealed with AES-256-GCM-SIV (RFC 8452), each with a
//! random nonce, under a key of its batch, bound to the batch and the user; the key lives in a file of its own
//! (0600) and nowhere else, so destroying that file ends every sealed password.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use rand::rngs::OsRng;
use rand::{Rng, TryRngCore};
use zeroize::Zeroizing;

use crate::model::{Millis, Password};
use crate::process::files;

const KEY_BYTES: usize = 32;

/// A fault of a vault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The key file is gone, though sealed passwords need it.
    #[error(
        "the key {0} that seals this batch's passwords is missing; put it back, or give the passwords up with `finspace-reset close BATCH --discard-passwords`"
    )]
    Missing(PathBuf),
    /// The key file is not a key.
    #[error(
        "{0} is not a key of {KEY_BYTES} bytes; put the right file back, or give the passwords up with `finspace-reset close BATCH --discard-passwords`"
    )]
    NotAKey(PathBuf),
    /// A sealed password does not open.
    #[error(
        "a sealed password does not open with {0}: the ledger or the key was changed; put the right pair back, or give the passwords up with `finspace-reset close BATCH --discard-passwords`"
    )]
    Broken(PathBuf),
    /// The key file can't be read or written.
    #[error("the key {0}: {1}; make it a file of your own in a folder that you can write, or name another --state-dir")]
    Io(PathBuf, #[source] io::Error),
}

/// The sealing key of one batch.
pub(crate) struct Vault {
    /// `Less safe` in that it leaves the nonces to us.
    key: LessSafeKey,
    batch: String,
    path: PathBuf,
}

impl Vault {
    /// Makes a new key, durable before this returns.
    ///
    /// # Errors
    /// The file can't be written, or is there already.
    pub(crate) fn create(path: &Path, batch: &str) -> Result<Self, VaultError> {
        let fail = |error| VaultError::Io(path.to_owned(), error);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        OsRng.try_fill_bytes(&mut *key).map_err(|error| fail(io::Error::other(error)))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
        file.write_all(&*key).and_then(|()| file.sync_all()).map_err(fail)?;
        sync_folder(path).map_err(fail)?;
        Self::with_key(&*key, batch, path)
    }

    /// Opens the key of an open batch.
    ///
    /// # Errors
    /// The file is missing or not a key.
    pub(crate) fn open(path: &Path, batch: &str) -> Result<Self, VaultError> {
        let mut key = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        let file = files::open_own(path, File::options().read(true));
        let read = file.and_then(|file| file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key));
        match read {
            Ok(KEY_BYTES) => {}
            Ok(_) => return Err(VaultError::NotAKey(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VaultError::Missing(path.to_owned()));
            }
            Err(error) => return Err(VaultError::Io(path.to_owned(), error)),
        }
        // A copy restored from a backup may have come back with wider access.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        Self::with_key(&key, batch, path)
    }

    fn with_key(key: &[u8], batch: &str, path: &Path) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).map_err(|Unspecified| VaultError::NotAKey(path.to_owned()))?;
        Ok(Self { key: LessSafeKey::new(key), batch: batch.to_owned(), path: path.to_owned() })
    }

    /// Keeps a key whose ledger is gone under another name: the ledger may come
    /// back, and nothing else opens its passwords. Returns that name.
    ///
    /// # Errors
    /// The file can't be renamed.
    pub(crate) fn set_aside(path: &Path) -> Result<Option<PathBuf>, VaultError> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(None);
        }
        let aside = path.with_extension(format!("key-of-{}", Millis::now().0));
        fs::rename(path, &aside).map_err(|error| VaultError::Io(path.to_owned(), error))?;
        Ok(Some(aside))
    }

    /// Overwrites and removes the key file; sealed passwords are lost with it.
    /// A key that is gone already is no error.
    ///
    /// # Errors
    /// The file can't be overwritten or removed.
    pub(crate) fn destroy(path: &Path) -> Result<(), VaultError> {
        let fail = |error| VaultError::Io(path.to_owned(), error);
        match files::open_own(path, File::options().write(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fail(error)),
            Ok(mut file) => file.write_all(&[0; KEY_BYTES]).and_then(|()| file.sync_all()).map_err(fail)?,
        }
        fs::remove_file(path).and_then(|()| sync_folder(path)).map_err(fail)
    }

    /// Seals a user's password.
    ///
    /// # Errors
    /// Never for passwords of any length that a service sends.
    pub(crate) fn seal(&self, user_id: &str, password: &Password) -> Result<Vec<u8>, VaultError> {
        let password = password.expose().as_bytes();
        // Of the thread's generator, which the system seeds: aws-lc's own gathers
        // entropy for a tenth of a second when it is first asked.
        let nonce: [u8; NONCE_LEN] = rand::rng().random();
        // Room for all of it from the start: nothing is left behind by growing.
        let mut sealed = Vec::with_capacity(NONCE_LEN + password.len() + AES_256_GCM_SIV.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(password);
        let about = Aad::from(self.about(user_id));
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::from(&nonce), about, &mut sealed[NONCE_LEN..])
            .map_err(|Unspecified| VaultError::Broken(self.path.clone()))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens a user's sealed password.
    ///
    /// # Errors
    /// It was sealed for another user or batch, or changed since.
    pub(crate) fn unseal(&self, user_id: &str, sealed: &[u8]) -> Result<Password, VaultError> {
        let broken = || VaultError::Broken(self.path.clone());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let about = Aad::from(self.about(user_id));
        let nonce = Nonce::from(nonce);
        let text = self.key.open_in_place(nonce, about, &mut opened).map_err(|Unspecified| broken())?;
        std::str::from_utf8(text).map(|text| Password::new(text.to_owned())).map_err(|_| broken())
    }

    /// Returns the facts that a sealed password is bound to. A batch name holds no
    /// line break.
    fn about(&self, user_id: &str) -> Vec<u8> {
        [self.batch.as_bytes(), b"\n", user_id.as_bytes()].concat()
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_password_opens_for_its_own_user_batch_and_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let vault = Vault::create(&path, "a").unwrap();
        let sealed = vault.seal("alice", &Password::new("s3cret=\",".into())).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        let again = Vault::open(&path, "a").unwrap();
        assert_eq!(again.unseal("alice", &sealed).unwrap().expose(), "s3cret=\",");
        assert!(again.unseal("bob", &sealed).is_err());
        assert!(Vault::open(&path, "b").unwrap().unseal("alice", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(again.unseal("alice", &changed).is_err());
        assert!(again.unseal("alice", &sealed[..10]).is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        Vault::destroy(&path).unwrap();
        assert!(matches!(Vault::open(&path, "a"), Err(VaultError::Missing(_))));
        Vault::destroy(&path).unwrap();
    }
}
