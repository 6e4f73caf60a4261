//! Settings that no connection can be made of.
//!
//! Invariant: every message names the setting and what to do about it, and
//! none holds a password.

use std::path::PathBuf;

/// A connection that can't be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The profile that was named is not there.
    #[error("the profile {0:?} is in no AWS config file; check --profile and AWS_PROFILE")]
    NoProfile(String),
    /// A config file that can't be parsed.
    #[error("the AWS config files can't be read: {0}; repair them, or name others with AWS_CONFIG_FILE")]
    BadConfig(String),
    /// A config file that is there and can't be opened.
    #[error("{0}: {1}; make it readable, or name another file with {2} (/dev/null for none)")]
    UnreadableFile(PathBuf, String, &'static str),
    /// A profile that points at a section which is not there.
    #[error(
        "the profile names `services = {0}`, and there is no section [services {0}] in the AWS config file; add it, or take the line out"
    )]
    NoServices(String),
    /// A variable that is no text.
    #[error("the environment variable {0} is not UTF-8; set it anew or unset it")]
    NotText(&'static str),
    /// No region anywhere.
    #[error("no region is set; name one with --region, AWS_REGION or the profile's `region`")]
    NoRegion,
    /// A region that is no host label.
    #[error(
        "the region {0:?} is none: letters, digits and hyphens, like us-east-1; check --region, AWS_REGION and the profile's `region`"
    )]
    BadRegion(String),
    /// A region without the kind of endpoint that is asked for.
    #[error(
        "there is no endpoint in the region {region}: {why}; unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT (in the profile: use_fips_endpoint, use_dualstack_endpoint), or name an endpoint with --endpoint-url"
    )]
    NoEndpoint {
        /// The region.
        region: String,
        /// The rules' own words.
        why: String,
    },
    /// An endpoint that is no URL, or one that can't be used.
    #[error(
        "the endpoint {url:?} {why}; name it as https://HOST[:PORT][/PATH] with --endpoint-url or AWS_ENDPOINT_URL"
    )]
    BadEndpoint {
        /// The endpoint without its password.
        url: String,
        /// The fault.
        why: &'static str,
    },
    /// A proxy that can't be used.
    #[error("the proxy {url:?} of {variable} {why}; name it as http://[USER:PASSWORD@]HOST:PORT, or unset it")]
    BadProxy {
        /// The variable, in capitals.
        variable: String,
        /// The proxy without its password.
        url: String,
        /// The fault.
        why: &'static str,
    },
    /// A CA bundle that can't be used.
    #[error("the CA bundle {0}: {1}; name a PEM file of certificates with --ca-bundle or AWS_CA_BUNDLE")]
    BadBundle(PathBuf, String),
    /// A key without its secret.
    #[error("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; set both, or unset both to use a profile")]
    HalfAKey,
    /// A part of the credentials that can't be signed with.
    #[error("the {what} {fault}, and no request can be signed with that; copy it anew, without line ends")]
    Unsignable {
        /// The part, or the variable that holds it.
        what: &'static str,
        /// The fault; never the value.
        fault: String,
    },
    /// No credentials at the start.
    #[error(
        "no AWS credentials found in the environment, the config files, the container or the machine; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile, or see --simulate"
    )]
    NoCredentials,
    /// The source of the credentials failed.
    #[error("the AWS credentials can't be loaded: {0}; check --profile, AWS_PROFILE and the config files")]
    BadCredentials(String),
    /// An SSO session that is over, or was never begun.
    #[error("the AWS credentials can't be loaded: {0}; sign in with: {1}")]
    SignIn(String, String),
}

/// A URL as it may be shown: whatever stands before an `@` is left out.
pub(super) fn without_password(url: &str) -> String {
    let Some((before, after)) = url.rsplit_once('@') else { return url.to_owned() };
    let scheme = before.find("://").map_or("", |at| &before[..at + 3]);
    format!("{scheme}***:***@{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("http://h:1/p", "http://h:1/p"),
            ("http://u:p@h:1", "http://***:***@h:1"),
            ("http://u:p@x@h", "http://***:***@h"),
            ("http://u:p/q@h", "http://***:***@h"),
            ("u:p@h", "***:***@h"),
            ("u:p://x@h", "u:p://***:***@h"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
    }
}
