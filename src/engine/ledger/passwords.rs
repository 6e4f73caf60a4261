//! The passwords of a batch whose service takes them from the caller: made here,
//! and sealed before a request may carry them.
//!
//! Invariant: a user's password is sealed in the transaction of the claim that
//! lets its request leave, and every later request of the user carries the same
//! one, in every later run, until the service itself refuses it. That makes a
//! ledger of format 2: a sealed password says nothing of success.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::schema::Format;
use super::vault::{Vault, VaultError};
use super::{Ledger, LedgerError};
use crate::model::{PASSWORD_LIFE, Password, Status, Task, UserNumber};
use crate::service::PasswordMaker;

/// The fact that tells how long a temporary password lives, in milliseconds.
const LIFE: &str = "password_life";

impl Ledger {
    /// Returns true if the passwords of this batch are made here.
    #[must_use]
    pub(crate) fn makes_passwords(&self) -> bool {
        self.format == Format::Passwords
    }

    /// Returns the time for which a repeat is safe, which is `window` where
    /// repeats go by a token; none where it is safe for ever.
    #[must_use]
    pub(super) fn window(&self, window: Duration) -> Option<Duration> {
        (!self.makes_passwords()).then_some(window)
    }

    /// Keeps the life of temporary passwords, where the service has no fixed one.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) fn keep_password_life(&self, life: Duration) -> Result<(), LedgerError> {
        if self.makes_passwords() { self.set(LIFE, &life.as_millis().to_string()) } else { Ok(()) }
    }

    /// Returns the life of temporary passwords.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn password_life(&self) -> Result<Duration, LedgerError> {
        let kept = self.get(LIFE)?.and_then(|text| text.parse().ok()).map(Duration::from_millis);
        Ok(kept.unwrap_or(PASSWORD_LIFE))
    }

    /// Returns the condition on a row of `passwords` that its user may have the
    /// password now. In format 1 each of them has.
    pub(super) fn live_passwords(&self) -> String {
        if !self.makes_passwords() {
            return "1".into();
        }
        let (pending, failed) = (Status::Pending as u8, Status::Failed as u8);
        format!(
            "(EXISTS (SELECT 1 FROM claims c WHERE passwords.n BETWEEN c.first AND c.last AND c.seq >
                 coalesce((SELECT max(seq) FROM outcomes WHERE n = passwords.n), -1))
             OR coalesce((SELECT status FROM outcomes WHERE n = passwords.n ORDER BY seq DESC LIMIT 1), {pending})
                 NOT IN ({pending}, {failed}))"
        )
    }

    /// Gives each user of a claim its password, within the transaction that is
    /// open: the one that was sealed before, else a new one.
    pub(super) fn give_passwords(&self, tasks: &mut [Task], maker: &dyn PasswordMaker) -> rusqlite::Result<()> {
        for task in tasks {
            let sealed: Option<Vec<u8>> = self
                .db
                .prepare_cached("SELECT sealed FROM passwords WHERE n = ?1")?
                .query_row([task.number], |row| row.get(0))
                .optional()?;
            task.password = Some(match sealed {
                Some(sealed) => self.vault()?.unseal(&task.user_id, &sealed).map_err(broken)?,
                None => self.seal_another(task.number, &task.user_id, maker)?,
            });
        }
        Ok(())
    }

    /// Makes a new password for a user and seals it, within the transaction that
    /// is open.
    pub(super) fn seal_another(
        &self,
        number: UserNumber,
        user_id: &str,
        maker: &dyn PasswordMaker,
    ) -> rusqlite::Result<Password> {
        let password = maker.make();
        let sealed = self.vault()?.seal(user_id, &password).map_err(broken)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO passwords (n, sealed) VALUES (?1, ?2)")?
            .execute(params![number, sealed])?;
        Ok(password)
    }

    fn vault(&self) -> rusqlite::Result<&Vault> {
        self.vault.as_ref().ok_or_else(|| broken(VaultError::Missing(self.place.key.clone())))
    }
}

fn broken(error: VaultError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
