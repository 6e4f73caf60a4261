//! Targets, batch names and client tokens.
//!
//! Invariant: a user's client token depends on nothing but (target, batch, user
//! ID), so that it is the same on every retry, run and machine.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::{UserPoolId, hex};

/// The namespace of our UUIDv5 client tokens; changing it changes every token.
const TOKEN_NAMESPACE: Uuid = Uuid::from_u128(0x8f0d_5f0e_93a1_4e53_9c53_6f2b_7d1a_c2e4);

/// The place that requests go to. A simulated target never equals a real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The embedded simulator.
    Simulated,
    /// A region and the endpoint that serves it.
    Service {
        /// AWS region name.
        region: String,
        /// Endpoint URL without a trailing slash.
        endpoint: String,
    },
    /// A Cognito user pool behind one of these.
    Pool {
        /// The pool.
        id: UserPoolId,
        /// The place that serves it.
        at: Box<Target>,
    },
}

impl Target {
    /// A real target; the endpoint is brought into one spelling so that the
    /// same place gives the same tokens however it was typed.
    #[must_use]
    pub(crate) fn service(region: &str, endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/');
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                let scheme = scheme.to_ascii_lowercase();
                let host = host.to_ascii_lowercase();
                let default_port = if scheme == "https" { ":443" } else { ":80" };
                let host = host.strip_suffix(default_port).unwrap_or(&host);
                format!("{scheme}://{host}{path}")
            }
            None => endpoint.to_owned(),
        };
        Self::Service { region: region.to_owned(), endpoint }
    }

    /// Returns true for a user pool.
    #[must_use]
    pub(crate) fn is_pool(&self) -> bool {
        matches!(self, Self::Pool { .. })
    }

    /// The word on a target that has ended, with the way out.
    pub(crate) const ENDED: &'static str =
        "AWS ended FinSpace on 2026-10-07, and its host answers no more; name your endpoint with --endpoint-url";

    /// Returns true for AWS's own host of FinSpace, which AWS has ended.
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        let Self::Service { endpoint, .. } = self else { return false };
        let host = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        host.starts_with("finspace-api")
            && [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|aws| host.ends_with(aws))
    }

    /// The user pool `id` behind this target.
    #[must_use]
    pub(crate) fn in_pool(self, id: &UserPoolId) -> Self {
        Self::Pool { id: id.clone(), at: Box::new(self) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated => f.write_str("simulated"),
            Self::Service { region, endpoint } => write!(f, "{region} {endpoint}"),
            Self::Pool { id, at } => write!(f, "{at} user pool {id}"),
        }
    }
}

/// A batch's name: also the name of its ledger's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchName(String);

impl BatchName {
    /// The name a roster gets by itself: a digest of its user IDs.
    #[must_use]
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        Self(hex(&digest[..8]))
    }

    /// The name as text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BatchName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if starts && text.len() <= 64 && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a batch name is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit".into())
        }
    }
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The idempotency token of one user's reset.
#[must_use]
pub(crate) fn client_token(target: &Target, batch: &BatchName, user_id: &str) -> Uuid {
    // A UUIDv5 of the name (target, batch, user ID) (RFC 9562, 5.5), a part a
    // line: none of them can hold a line break. The uuid crate's own hashing
    // knows nothing of the processor's instructions for it.
    let mut hash = Sha1::new_with_prefix(TOKEN_NAMESPACE.as_bytes());
    match target {
        // Nothing is sent under it: a user pool knows no tokens.
        Target::Pool { .. } => hash.update(target.to_string()),
        Target::Simulated => hash.update("simulated"),
        Target::Service { region, endpoint } => {
            for part in [region, " ", endpoint] {
                hash.update(part);
            }
        }
    }
    for part in ["\n", batch.as_str(), "\n", user_id] {
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod token_tests {
    use super::*;

    #[test]
    fn tokens_are_uuids_of_version_5() {
        let batch: BatchName = "leavers".parse().unwrap();
        for target in [Target::Simulated, Target::service("eu-west-1", "https://api.example:8443/v1/")] {
            for user_id in ["", "u", "a\u{e9}b", "abcdefghijklmnopqrstuvwxyz"] {
                let name = format!("{target}\n{batch}\n{user_id}");
                let expected = Uuid::new_v5(&TOKEN_NAMESPACE, name.as_bytes());
                assert_eq!(client_token(&target, &batch, user_id), expected);
            }
        }
    }
}
