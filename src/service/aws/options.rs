//! The operator's wishes for a connection, as typed.

use std::path::PathBuf;
use std::time::Duration;

/// The operator's wishes on how to reach the service; the rest comes from the
/// environment and the config files.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `--region`.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--endpoint-url`.
    pub endpoint_url: Option<String>,
    /// `--ca-bundle`.
    pub ca_bundle: Option<PathBuf>,
    /// `--no-verify-ssl`.
    pub no_verify_ssl: bool,
    /// `--connect-timeout`; none waits for ever.
    pub connect_timeout: Option<Duration>,
    /// `--read-timeout`; none waits for ever.
    pub read_timeout: Option<Duration>,
    /// `--environment-id`.
    pub environment_id: Option<String>,
    /// Requests are signed; without, no credentials are looked for.
    pub sign: bool,
    /// A proxy counts for endpoints on this machine too, as for the AWS CLI.
    pub proxy_loopback: bool,
}
