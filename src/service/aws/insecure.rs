//! HTTPS without checking the server's certificate, for `--no-verify-ssl`.
//!
//! The SDK's own connectors always verify, so this one puts hyper and rustls
//! together itself. Signatures are still checked; only the chain of trust and
//! the host's name are not.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::OnceLock;
use tower_service::Service;

use super::proxy::Proxy;

/// Returns an HTTP client that trusts every certificate, the proxy's too.
pub(super) fn client(proxy: Option<&Proxy>) -> SharedHttpClient {
    let crypto = Arc::new(aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(crypto.clone()).with_safe_default_protocol_versions();
    let Ok(versions) = versions else {
        // aws-lc offers every safe version; this would be a build without any.
        return aws_smithy_http_client::Builder::new().build_http();
    };
    let tls = versions.dangerous().with_custom_certificate_verifier(Arc::new(Trusting(crypto))).with_no_client_auth();
    let tunnel = proxy.and_then(|proxy| {
        // The matcher reads the login out of the URL.
        let target = Uri::from_static("https://endpoint/");
        Matcher::builder().https(proxy.url()).build().intercept(&target)
    });
    let made = OnceLock::new();
    http_client_fn(move |settings, _| {
        let connector = made.get_or_init(|| {
            let https = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
            let direct = https().build();
            let limit = settings.connect_timeout();
            let Some(tunnel) = &tunnel else { return connector(direct, limit) };
            let mut through = Tunnel::new(tunnel.uri().clone(), direct);
            if let Some(login) = tunnel.basic_auth() {
                through = through.with_auth(login.clone());
            }
            connector(https().wrap_connector(through), limit)
        });
        connector.clone()
    })
}

fn connector<C>(connect: C, limit: Option<Duration>) -> SharedHttpConnector
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
    InTime<C>: Connect,
{
    SharedHttpConnector::new(Connector(Client::builder(TokioExecutor::new()).build(InTime { connect, limit })))
}

/// Connects within the connect time-out, handshakes and all.
#[derive(Clone)]
struct InTime<C> {
    connect: C,
    limit: Option<Duration>,
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connect.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, limit) = (self.connect.call(to), self.limit);
        Box::pin(async move {
            match limit {
                None => connecting.await.map_err(Into::into),
                Some(limit) => tokio::time::timeout(limit, connecting).await?.map_err(Into::into),
            }
        })
    }
}

struct Connector<C>(Client<C, SdkBody>);

impl<C> std::fmt::Debug for Connector<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpConnector for Connector<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let response = client.request(request).await.map_err(|error| {
                if is_late(&error) { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
            })?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn is_late(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(<dyn StdError>::is::<tokio::time::error::Elapsed>)
}

/// Accepts every certificate.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
