//! The proxy on the way to an endpoint, from the environment as botocore reads
//! it: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in any case, the lower one first.
//!
//! Invariant: a proxy's password is sent to the proxy and shown to nobody.

use std::fmt;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;

use super::endpoint;
use super::error::{ConnectionError, without_password};

/// A proxy that a request goes through.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: String,
    shown: Arc<str>,
}

impl Proxy {
    /// Returns the proxy's URL as botocore shows it, without its password.
    #[must_use]
    pub(crate) fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// Returns the URL with its password, for whoever connects.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the SDK's settings for requests of this scheme.
    ///
    /// # Errors
    /// The SDK does not take the URL.
    pub(super) fn config(&self, scheme: &str) -> Result<ProxyConfig, ConnectionError> {
        let config = if scheme == "http" { ProxyConfig::http(&*self.url) } else { ProxyConfig::https(&*self.url) };
        config.map_err(|_| self.refused(scheme, "is not an http:// URL"))
    }

    fn refused(&self, scheme: &str, why: &'static str) -> ConnectionError {
        let variable = format!("{}_PROXY", scheme.to_ascii_uppercase());
        ConnectionError::BadProxy { variable, url: self.shown.to_string(), why }
    }

    fn read(text: &str, scheme: &str) -> Result<Self, ConnectionError> {
        let url = match text {
            _ if text.starts_with("http:") || text.starts_with("https:") => text.to_owned(),
            _ if text.starts_with("//") => format!("http:{text}"),
            _ => format!("http://{text}"),
        };
        let mut proxy = Self { shown: without_password(&url).into(), url };
        if proxy.url.matches("://").count() != 1 {
            return Err(proxy.refused(scheme, "is of another kind than http:// and https://"));
        }
        if !proxy.url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(proxy.refused(scheme, "holds a character that can't stand in a URL"));
        }
        let parsed = proxy.url.parse::<hyper::Uri>().map_err(|_| proxy.refused(scheme, "is not a URL"))?;
        if parsed.host().is_none_or(str::is_empty) {
            return Err(proxy.refused(scheme, "names no host"));
        }
        if endpoint::has_a_bad_port(&parsed) {
            return Err(proxy.refused(scheme, endpoint::BAD_PORT));
        }
        // A name without a password is no login: botocore leaves it out.
        let authority = parsed.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        if let Some((login, host)) = authority.rsplit_once('@')
            && !login.split_once(':').is_some_and(|(name, password)| !name.is_empty() && !password.is_empty())
        {
            proxy.url = format!("{}://{host}", parsed.scheme_str().unwrap_or("http"));
        }
        Ok(proxy)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The environment's words on proxies.
#[derive(Clone, Debug)]
pub(super) struct Proxies(Vec<(String, String)>);

impl Proxies {
    /// Reads the environment of this process.
    pub(super) fn of_environment() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let ours = |name: &str| name.to_ascii_lowercase().ends_with("_proxy") || name == "REQUEST_METHOD";
        Self(
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).filter(|(name, _)| ours(name)).collect(),
        )
    }

    /// Returns the proxy for an endpoint, if it has one. One on this machine
    /// has none, unless `loopback` says that it counts as any other.
    ///
    /// # Errors
    /// There is one, and it can't be used.
    pub(super) fn for_endpoint(&self, endpoint: &str, loopback: bool) -> Result<Option<Proxy>, ConnectionError> {
        let Some((scheme, rest)) = endpoint.split_once("://") else { return Ok(None) };
        let authority = rest.split('/').next().unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        if self.bypasses(authority) || (!loopback && is_loopback(authority)) {
            return Ok(None);
        }
        self.of(&scheme).map(|text| Proxy::read(&text, &scheme)).transpose()
    }

    /// Returns the proxy of a scheme, for hosts that are not known yet, and who goes past it.
    pub(super) fn for_scheme(&self, scheme: &str) -> Result<Option<(Proxy, String)>, ConnectionError> {
        let proxy = self.of(scheme).map(|text| Proxy::read(&text, scheme)).transpose()?;
        Ok(proxy.map(|proxy| (proxy, self.of("no").unwrap_or_default())))
    }

    /// The value of `KEY_PROXY` in any case. One whose end is lower case beats
    /// the others and, where it is empty, unsets them.
    fn of(&self, key: &str) -> Option<String> {
        let wanted = format!("{key}_proxy");
        let all = || self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&wanted));
        let mut value = all().rfind(|(_, value)| !value.is_empty()).map(|(_, value)| value.clone());
        // In a CGI script a caller's header `Proxy:` would be HTTP_PROXY.
        if key == "http" && self.0.iter().any(|(name, _)| name == "REQUEST_METHOD") {
            value = None;
        }
        match all().rfind(|(name, _)| name.ends_with("_proxy")) {
            Some((_, lower)) => Some(lower.clone()).filter(|lower| !lower.is_empty()),
            None => value,
        }
    }

    /// Returns true if `NO_PROXY` names a host: itself, a domain that it lies in,
    /// with or without the port, or `*`.
    fn bypasses(&self, authority: &str) -> bool {
        let Some(list) = self.of("no") else { return false };
        if list == "*" {
            return true;
        }
        let host = authority.to_ascii_lowercase();
        let alone = match host.rsplit_once(':') {
            Some((alone, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => alone,
            _ => &host,
        };
        let names = list.split(',').map(|name| name.trim().trim_start_matches('.').to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).any(|name| {
            let below = format!(".{name}");
            [alone, &host].iter().any(|host| **host == name || host.ends_with(&below))
        })
    }
}

/// Returns true if an authority is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(environment: &[(&str, &str)]) -> Proxies {
        Proxies(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn chosen(environment: &[(&str, &str)], endpoint: &str) -> Option<String> {
        proxies(environment).for_endpoint(endpoint, false).unwrap().map(|proxy| proxy.url)
    }

    #[test]
    fn variables_are_read_as_botocore_reads_them() {
        let some = |url: &str| Some(url.to_owned());
        for (environment, expected) in [
            (&[("HTTPS_PROXY", "http://p:1")][..], some("http://p:1")),
            (&[("https_proxy", "http://p:1")], some("http://p:1")),
            (&[("Https_Proxy", "p:1")], some("http://p:1")),
            (&[("HTTPS_PROXY", "//p:1")], some("http://p:1")),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")], some("http://b:2")),
            (&[("https_proxy", "http://b:2"), ("HTTPS_PROXY", "http://a:1")], some("http://b:2")),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "")], None),
            (&[("HTTP_PROXY", "http://p:1")], None),
            (&[("ALL_PROXY", "http://p:1")], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTPS_PROXY", "http://u@p:1")], some("http://p:1")),
            (&[("HTTPS_PROXY", "http://u:s@p:1")], some("http://u:s@p:1")),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "*")], None),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "test")], None),
            (&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "x, .API.test")], None),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "api.test:8443")], None),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "pi.test,10.0.0.0/8,*x")], some("http://p:1")),
        ] {
            assert_eq!(chosen(environment, "https://api.test:8443/v1"), expected, "{environment:?}");
        }
        let cgi = &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(chosen(cgi, "http://api.test"), None);
    }

    #[test]
    fn this_machine_is_never_proxied() {
        let environment = &[("HTTP_PROXY", "http://p:1")];
        for endpoint in ["http://127.0.0.1:80", "http://localhost", "http://LOCALHOST:1/v1", "http://[::1]:80"] {
            assert_eq!(chosen(environment, endpoint), None, "{endpoint}");
            assert!(proxies(environment).for_endpoint(endpoint, true).unwrap().is_some(), "{endpoint}");
        }
        assert!(chosen(environment, "http://localhost.test").is_some());
    }

    #[test]
    fn a_bad_proxy_is_refused_without_its_password() {
        for bad in [
            "foo bar",
            "http://",
            "http://p:",
            "http://p:0",
            "http://p:99999",
            "http://us:secret@p:9x",
            "socks5://p:1",
            "http://us:se cret@p",
            "http://us:secret@",
            "http://us:sec^ret@p:1",
        ] {
            let error = proxies(&[("HTTP_PROXY", bad)]).for_endpoint("http://api.test", false).unwrap_err().to_string();
            assert!(error.contains("HTTP_PROXY") && !error.contains("us:se"), "{bad}: {error}");
        }
    }
}
