//! The keyring: who may sign, and the programmatic credentials issued so far.
//!
//! Invariant: an issued key is as mighty as the one that asked for it, needs its session token, and
//! is expired exactly from its end of life on. Expired ones are forgotten after an hour, so the ring
//! doesn't grow for ever.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::StdRng;
use sha2::Sha256;

use super::answer::Refusal;

pub(super) type HmacSha256 = Hmac<Sha256>;

const MAX_LIFE: Duration = Duration::from_hours(24);
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// Every key that is known.
#[derive(Debug)]
pub(super) struct Keyring {
    keys: HashMap<String, Key>,
}

#[derive(Debug)]
struct Key {
    secret: String,
    superuser: bool,
    session: Option<Session>,
    /// The last signing key derived, with the scope it is good for: one client keeps one scope for
    /// a day.
    derived: Option<(String, HmacSha256)>,
}

#[derive(Debug)]
struct Session {
    token: String,
    expires: Instant,
}

/// The user behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub superuser: bool,
}

/// Credentials just issued.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issued {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

impl Keyring {
    pub(super) fn new() -> Keyring {
        let key = |id: &str, secret: &str, superuser| {
            let key = Key { secret: secret.to_owned(), superuser, session: None, derived: None };
            (id.to_owned(), key)
        };
        let keys = [
            key(super::ACCESS_KEY_ID, super::SECRET_ACCESS_KEY, true),
            key(super::PLAIN_ACCESS_KEY_ID, super::PLAIN_SECRET_ACCESS_KEY, false),
        ];
        Keyring { keys: keys.into() }
    }

    /// Issues credentials for the caller, good for `life` from `now` on.
    pub(super) fn issue(&mut self, caller: Caller, life: Duration, now: Instant, rng: &mut StdRng) -> Issued {
        self.keys.retain(|_, key| {
            let session = key.session.as_ref();
            session.is_none_or(|s| now.saturating_duration_since(s.expires) < FORGET_AFTER)
        });
        let issued = Issued {
            access_key_id: format!("ASIASIMULATED{:016X}", rng.random::<u64>()),
            secret_access_key: Alphanumeric.sample_string(rng, 40),
            session_token: Alphanumeric.sample_string(rng, 120),
        };
        let key = Key {
            secret: issued.secret_access_key.clone(),
            superuser: caller.superuser,
            session: Some(Session {
                token: issued.session_token.clone(),
                // No life is longer than a day, so that the sum can't overflow.
                expires: now + life.min(MAX_LIFE),
            }),
            derived: None,
        };
        self.keys.insert(issued.access_key_id.clone(), key);
        issued
    }

    /// The caller that a key stands for, and the key derived from its secret for this scope.
    pub(super) fn open(
        &mut self,
        key_id: &str,
        session_token: Option<&[u8]>,
        scope: &Scope,
        now: Instant,
    ) -> Result<(Caller, HmacSha256), Refusal> {
        let key = self.keys.get_mut(key_id).ok_or_else(|| {
            Refusal::forbidden(
                "UnrecognizedClientException",
                "No such access key: sign with the ones that the simulator prints.",
            )
        })?;
        if session_token != key.session.as_ref().map(|s| s.token.as_bytes()) {
            return Err(Refusal::forbidden(
                "UnrecognizedClientException",
                "The session token does not belong to this access key: send the one issued with \
                 it, and none with a key that has none.",
            ));
        }
        if key.session.as_ref().is_some_and(|s| s.expires <= now) {
            return Err(Refusal::forbidden("ExpiredTokenException", "These credentials have expired: get new ones."));
        }
        let caller = Caller { superuser: key.superuser };
        if let Some((text, derived)) = &key.derived
            && text == scope.text
        {
            return Ok((caller, derived.clone()));
        }
        let derived = scope.derive(&key.secret);
        key.derived = Some((scope.text.to_owned(), derived.clone()));
        Ok((caller, derived))
    }
}

/// The scope of a signing key: `date/region/service/aws4_request`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub text: &'a str,
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl Scope<'_> {
    fn derive(&self, secret: &str) -> HmacSha256 {
        let start = format!("AWS4{secret}").into_bytes();
        let parts = [self.date, self.region, self.service, "aws4_request"];
        let key = parts.iter().fold(start, |key, part| hmac(&key).chain_update(part).finalize().into_bytes().to_vec());
        hmac(&key)
    }
}

fn hmac(key: &[u8]) -> HmacSha256 {
    // HMAC takes keys of any length; the default is never reached, and would verify nothing real.
    HmacSha256::new_from_slice(key).unwrap_or_else(|_| HmacSha256::new(&[0; 64].into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SCOPE: Scope = Scope {
        text: "20260101/us-east-1/finspace-api/aws4_request",
        date: "20260101",
        region: "us-east-1",
        service: "finspace-api",
    };

    #[test]
    fn issued_keys_inherit_need_their_token_and_end_in_time() {
        let mut keyring = Keyring::new();
        let mut rng = StdRng::seed_from_u64(1);
        let now = Instant::now();
        let life = Duration::from_secs(2);
        let caller = Caller { superuser: false };
        let issued = keyring.issue(caller, life, now, &mut rng);
        let id = issued.access_key_id.clone();
        let token = issued.session_token.as_bytes().to_vec();
        let mut code = |token: Option<&[u8]>, at| {
            keyring.open(&id, token, &SCOPE, at).map(|(c, _)| c).map_err(|refusal| refusal.code)
        };
        assert_eq!(code(Some(&token), now), Ok(caller));
        assert_eq!(code(Some(&token), now + life), Err("ExpiredTokenException"));
        assert_eq!(code(None, now), Err("UnrecognizedClientException"));
        assert_eq!(code(Some(b"x"), now), Err("UnrecognizedClientException"));
        let known = keyring.keys.len();
        keyring.issue(caller, life, now + life + FORGET_AFTER, &mut rng);
        assert_eq!(keyring.keys.len(), known, "the old one made room");
    }
}
