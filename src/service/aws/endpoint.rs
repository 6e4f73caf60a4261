//! The place of a service: its region and its endpoint, as the AWS CLI and
//! botocore work them out.
//!
//! Invariant: what comes out can be signed for and sent to. The region is a
//! host label, and the endpoint is a URL of HTTP with a host and nothing that
//! would not reach the service: no password, no query, no white space.

use aws_smithy_runtime_api::client::endpoint::EndpointFuture;
use futures::FutureExt;

use super::environment::variable;
use super::error::{ConnectionError, without_password};
use super::options::Options;
use super::profile::Profile;

/// A service's names, as far as a connection depends on them.
pub(crate) struct ServiceNames {
    /// The ID in botocore's spelling: lower case, with underscores.
    pub id: &'static str,
    /// Variable that names an endpoint for this service alone.
    pub variable: &'static str,
    /// Returns the endpoint that AWS serves a region from, or the rules' objection.
    pub endpoint: fn(&str, Variant) -> Result<String, String>,
}

/// The kind of endpoint that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    /// With cryptography that is validated by FIPS 140.
    pub fips: bool,
    /// Reached by IPv6 too.
    pub dual_stack: bool,
}

/// Refuses dual stack in the isolated partitions: the AWS CLI's rules know none
/// there, the SDK's newer ones do.
///
/// # Errors
/// The region lies in one of them.
pub(crate) fn refuse_isolated_dual_stack(region: &str, variant: Variant) -> Result<(), String> {
    if !variant.dual_stack || !["us-iso", "aws-iso"].iter().any(|start| region.starts_with(start)) {
        return Ok(());
    }
    Err(if variant.fips {
        "FIPS and DualStack are enabled, but this partition does not support one or both".into()
    } else {
        "DualStack is enabled but this partition does not support DualStack".into()
    })
}

/// Returns the endpoint that an SDK's own rules give. They need nothing from
/// outside, so they never wait.
///
/// # Errors
/// The rules' objection.
pub(crate) fn by_rules(rules: EndpointFuture<'_>) -> Result<String, String> {
    match rules.now_or_never() {
        Some(Ok(endpoint)) => Ok(endpoint.url().to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the rules of its endpoints give no answer".into()),
    }
}

/// The place of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub region: String,
    pub endpoint: String,
    pub variant: Variant,
}

impl Place {
    /// Works out where the service is.
    ///
    /// # Errors
    /// Region or endpoint are missing or can't be used.
    pub(super) fn find(options: &Options, service: &ServiceNames, profile: &Profile) -> Result<Self, ConnectionError> {
        let (region, pseudo) = region(options, profile)?;
        let variant = Variant {
            fips: pseudo || profile.is_on("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            dual_stack: profile.is_on("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
        };
        let endpoint = match named(options, service, profile)? {
            Some(url) => {
                check(&url)?;
                url
            }
            None => (service.endpoint)(&region, variant)
                .map_err(|why| ConnectionError::NoEndpoint { region: region.clone(), why })?,
        };
        Ok(Self { region, endpoint, variant })
    }
}

/// `--region`, else the environment, else the profile. Not the machine's
/// metadata service, as the AWS CLI doesn't ask it either. The second value is
/// whether it was a pseudo-region that asks for FIPS, like `fips-us-east-1`.
fn region(options: &Options, profile: &Profile) -> Result<(String, bool), ConnectionError> {
    let typed = options.region.clone().filter(|region| !region.is_empty());
    let set = || variable("AWS_REGION")?.map_or_else(|| variable("AWS_DEFAULT_REGION"), |region| Ok(Some(region)));
    let region = match typed {
        Some(region) => region,
        None => set()?.or_else(|| profile.get("region").map(str::to_owned)).ok_or(ConnectionError::NoRegion)?,
    };
    let plain = region.replace("fips-", "").replace("-fips", "");
    if !is_host_label(&plain) {
        return Err(ConnectionError::BadRegion(region));
    }
    Ok((plain.clone(), plain != region))
}

/// Returns true if a region can stand in a host name; botocore refuses the others
/// too.
fn is_host_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The endpoint that somebody named, in botocore's order.
fn named(options: &Options, service: &ServiceNames, profile: &Profile) -> Result<Option<String>, ConnectionError> {
    if options.endpoint_url.is_some() {
        return Ok(options.endpoint_url.clone());
    }
    if profile.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
        return Ok(None);
    }
    if let Some(url) = variable(service.variable)? {
        return Ok(Some(url));
    }
    if let Some(url) = variable("AWS_ENDPOINT_URL")? {
        return Ok(Some(url));
    }
    if let Some(url) = profile.of_service(service.id, "endpoint_url")? {
        return Ok(Some(url));
    }
    Ok(profile.get("endpoint_url").map(str::to_owned))
}

/// Refuses a URL that no request can be sent to.
fn check(url: &str) -> Result<(), ConnectionError> {
    match fault(url) {
        None => Ok(()),
        Some(why) => Err(ConnectionError::BadEndpoint { url: without_password(url), why }),
    }
}

fn fault(url: &str) -> Option<&'static str> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !scheme.is_some_and(|scheme| scheme == "http" || scheme == "https") {
        return Some("is not an http:// or https:// URL");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("holds a space or another character that can't stand in a URL");
    }
    if url.contains('@') {
        return Some("holds a user name or a password, which no request would carry");
    }
    if url.contains(['?', '#']) {
        return Some("has a query or a fragment");
    }
    let Ok(parsed) = url.parse::<hyper::Uri>() else { return Some("is not a URL") };
    match parsed.host() {
        None | Some("") => Some("names no host"),
        Some(_) => has_a_bad_port(&parsed).then_some(BAD_PORT),
    }
}

/// The fault of a URL whose port nobody can listen at.
pub(super) const BAD_PORT: &str = "has a port that is none";

/// Returns true if a URL has a port that is none.
pub(super) fn has_a_bad_port(url: &hyper::Uri) -> bool {
    let authority = url.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let port = place.strip_prefix(url.host().unwrap_or_default()).and_then(|rest| rest.strip_prefix(':'));
    port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_host_label() {
        for good in ["us-east-1", "US-EAST-1", "aws-global", "foo", "a1", &"r".repeat(63)] {
            assert!(is_host_label(good), "{good}");
        }
        for bad in
            ["", "us-east-1 ", " us-east-1", "us-east-1\n", "-x", "x-", "123", "a.b", "us_east_1", "é", &"r".repeat(64)]
        {
            assert!(!is_host_label(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_endpoint_can_be_sent_to() {
        for good in [
            "http://127.0.0.1:8080",
            "https://finspace-api.us-east-1.amazonaws.com",
            "HTTPS://Host/v1/",
            "http://[::1]:80//",
            "http://a_b:1",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "foo",
            "foo://bar",
            "127.0.0.1:80",
            "localhost:80",
            "http:/127.0.0.1",
            "http://",
            "http://:80",
            "http://h:99999",
            "http://h:abc",
            "http://h:0",
            "http://h:",
            " http://h",
            "http://h ",
            "http://h\n",
            "http://a b",
            "http://h/a b",
            "http://é.test",
            "http://u:p@h",
            "http://u@h",
            "http://h?a=b",
            "http://h/#f",
        ] {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
    }
}
