//! The HTTP clients of a connection.
//!
//! Invariant: an answer is bounded before anything collects it, so that memory
//! stays flat whatever a server sends; what is longer breaks off like an answer
//! that was lost. hyper bounds its head: 100 headers, about 400 KiB. That is
//! left so: the services send about ten, an answer that is lost for its head
//! costs a retry with the same token, and the SDK's client has no switch for it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::Limited;

use super::error::ConnectionError;
use super::insecure;
use super::proxy::Proxy;

/// The longest answer about one user.
pub(crate) const ANSWER_LIMIT: usize = 64 << 10;

/// The longest page of a list, or answer with credentials.
pub(crate) const PAGE_LIMIT: usize = 4 << 20;

/// The certificates that a server is believed by.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// Whoever the system's authorities vouch for.
    System,
    /// Whoever these authorities vouch for.
    Bundle(TlsContext),
    /// Anybody.
    Anyone,
}

impl Trust {
    /// Reads a PEM file of authorities.
    ///
    /// # Errors
    /// It can't be read, or holds none.
    pub(super) fn bundle(path: PathBuf) -> Result<Self, ConnectionError> {
        let context = || {
            let pem = std::fs::read(&path).map_err(|error| error.to_string())?;
            if !pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
                return Err("holds no certificate".to_owned());
            }
            let trust = TrustStore::empty().with_pem_certificate(pem);
            TlsContext::builder().with_trust_store(trust).build().map_err(|error| error.to_string())
        };
        context().map(Self::Bundle).map_err(|what| ConnectionError::BadBundle(path, what))
    }
}

/// A pool of connections, which may go through a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pool: SharedHttpClient,
    through: Option<Arc<str>>,
}

impl Http {
    /// A pool for an endpoint of this scheme, through its proxy.
    ///
    /// # Errors
    /// The proxy can't be used.
    pub(super) fn for_endpoint(
        scheme: &str,
        trust: &Trust,
        proxy: Option<&Proxy>,
        idle: usize,
    ) -> Result<Self, ConnectionError> {
        let config = proxy.map(|proxy| proxy.config(scheme)).transpose()?;
        let pool = match (scheme, trust) {
            ("http", _) => plain(config, idle),
            (_, Trust::Anyone) => insecure::client(proxy),
            (_, Trust::System) => over_tls(None, config, idle),
            (_, Trust::Bundle(context)) => over_tls(Some(context.clone()), config, idle),
        };
        Ok(Self { pool, through: proxy.map(|proxy| proxy.shown().clone()) })
    }

    /// A pool for the services that issue credentials: HTTPS through the
    /// proxy, HTTP directly to the machine's or the container's own.
    ///
    /// # Errors
    /// The proxy can't be used.
    pub(super) fn for_credentials(trust: &Trust, proxy: Option<(Proxy, String)>) -> Result<Self, ConnectionError> {
        let Some((proxy, past)) = proxy else { return Self::for_endpoint("https", trust, None, 1) };
        let config = proxy.config("https")?.no_proxy(past);
        let pool = match trust {
            Trust::Anyone => insecure::client(Some(&proxy)),
            Trust::System => over_tls(None, Some(config), 1),
            Trust::Bundle(context) => over_tls(Some(context.clone()), Some(config), 1),
        };
        Ok(Self { pool, through: None })
    }

    /// A pool for an endpoint on this machine.
    pub(super) fn direct(idle: usize) -> Self {
        Self { pool: plain(None, idle), through: None }
    }

    /// Returns a client whose answers may have this many bytes.
    #[must_use]
    pub(crate) fn bounded(&self, limit: usize) -> SharedHttpClient {
        SharedHttpClient::new(Bounded { http: self.clone(), limit })
    }

    /// Returns the proxy that requests go through, as it may be shown.
    #[must_use]
    pub(crate) fn through(&self) -> Option<&str> {
        self.through.as_deref()
    }
}

fn plain(proxy: Option<ProxyConfig>, idle: usize) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().pool_max_idle_per_host(idle);
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(proxy.clone());
        builder.build_http()
    })
}

fn over_tls(trust: Option<TlsContext>, proxy: Option<ProxyConfig>, idle: usize) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().pool_max_idle_per_host(idle);
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(proxy.clone());
        let mut builder = builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Some(trust) = trust.clone() {
            builder.set_tls_context(trust);
        }
        builder.build()
    })
}

#[derive(Clone, Debug)]
struct Bounded {
    http: Http,
    limit: usize,
}

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let pool = self.http.pool.http_connector(settings, components);
        SharedHttpConnector::new(BoundedConnector { pool, through: self.http.through.clone(), limit: self.limit })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.http.pool.validate_base_client_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some(Cow::Borrowed("1.x"))))
    }
}

#[derive(Debug)]
struct BoundedConnector {
    pool: SharedHttpConnector,
    through: Option<Arc<str>>,
    limit: usize,
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, limit, through) = (self.pool.call(request), self.limit, self.through.clone());
        HttpConnectorFuture::new(async move {
            match answer.await {
                Ok(answer) => Ok(bounded(answer, limit)),
                Err(error) => Err(told(error, through)),
            }
        })
    }
}

fn bounded(answer: HttpResponse, limit: usize) -> HttpResponse {
    answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, limit)))
}

/// An error on the way through a proxy.
#[derive(Debug)]
struct ThroughProxy {
    proxy: Arc<str>,
    source: BoxError,
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}", self.proxy)
    }
}

impl std::error::Error for ThroughProxy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// The same error, naming the proxy. One that hyper has no kind for, like a
/// head that is too large, broke the exchange off: it is one of the network's.
fn told(error: ConnectorError, through: Option<Arc<str>>) -> ConnectorError {
    let (timeout, user, kind) = (error.is_timeout(), error.is_user(), error.as_other());
    let source = error.into_source();
    let source = match through {
        Some(proxy) => Box::new(ThroughProxy { proxy, source }),
        None => source,
    };
    match kind {
        _ if timeout => ConnectorError::timeout(source),
        _ if user => ConnectorError::user(source),
        Some(kind) => ConnectorError::other(source, Some(kind)),
        None => ConnectorError::io(source),
    }
}
