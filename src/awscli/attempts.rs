//! One reset, tried as often as the AWS CLI would, and what its failures are
//! called there.
//!
//! Invariant: every try has the same client token, so that a repeat answers
//! with the same password; a failure that may have changed the password says
//! which token to repeat.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng;

use super::refusal::Refusal;
use crate::model::Target;
use crate::service::finspace::Client;
use crate::service::{Cause, Failure, Request, Reset, Service};

/// The longest wait before another try.
const LONGEST_WAIT: f64 = 20.0;

/// Characters that a path keeps as they are.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Resets `user_id`, trying `max` times.
pub(super) async fn reset(
    client: &Client,
    target: &Target,
    user_id: &str,
    token: &str,
    max: u32,
) -> Result<Reset, Refusal> {
    let mut in_doubt = false;
    let mut attempt = 1;
    loop {
        let failure = match client.reset(Request { user_id, token: Some(token), password: None }).await {
            Ok(reset) => return Ok(reset),
            Err(failure) => failure,
        };
        tracing::debug!(attempt, code = failure.code, status = failure.status, "no password: {}", failure.message);
        in_doubt = failure.proof().in_doubt(in_doubt);
        if attempt == max || !is_transient(&failure) {
            let refusal = match client.proxy().filter(|_| failure.code == "ConnectError") {
                Some(proxy) => Refusal::general(format!("Failed to connect to proxy URL: \"{proxy}\"")),
                None => told(&failure, target, user_id, (attempt == max).then(|| max - 1)),
            };
            return Err(if in_doubt { refusal.adding(&repeat(token)) } else { refusal });
        }
        let longest = 2f64.powi(i32::try_from(attempt - 1).unwrap_or(i32::MAX)).min(LONGEST_WAIT);
        tokio::time::sleep(Duration::from_secs_f64(rand::rng().random_range(0.0..longest))).await;
        attempt += 1;
    }
}

/// Returns the way to a password that may have been made.
pub(super) fn repeat(token: &str) -> String {
    format!(
        "The password may have been changed already: the old one may be dead. Repeat within 10 minutes with --client-token {token} to be told the same new one."
    )
}

/// Returns true for what the AWS CLI tries again, and for an answer that can't be read.
fn is_transient(failure: &Failure) -> bool {
    match failure.cause {
        Cause::Throttled | Cause::Unreachable | Cause::Lost | Cause::Unreadable => true,
        Cause::Server => matches!(failure.status, Some(500 | 502 | 503 | 504)) || is_late(failure),
        _ => is_late(failure),
    }
}

fn is_late(failure: &Failure) -> bool {
    matches!(failure.said.code.as_deref(), Some("RequestTimeout" | "RequestTimeoutException"))
}

fn told(failure: &Failure, target: &Target, user_id: &str, retries: Option<u32>) -> Refusal {
    let url = || match target {
        Target::Service { endpoint, .. } => {
            format!("{endpoint}/user/{}/password", utf8_percent_encode(user_id, PATH))
        }
        Target::Simulated | Target::Pool { .. } => target.to_string(),
    };
    match (failure.cause, failure.code.as_str()) {
        (Cause::Unreadable, _) => {
            Refusal::general(format!("Unable to parse response from ResetUserPassword: {}.", failure.message))
        }
        (Cause::Unreachable, "ConnectError") => {
            Refusal::general(format!("Could not connect to the endpoint URL: \"{}\"", url()))
        }
        (Cause::Unreachable, "CertificateError") => {
            Refusal::general(format!("SSL validation failed for {} {}", url(), failure.message))
        }
        (Cause::Unreachable, "ConnectTimeout") => {
            Refusal::general(format!("Connect timeout on endpoint URL: \"{}\"", url()))
        }
        (Cause::Lost, "ReadTimeout") => Refusal::general(format!("Read timeout on endpoint URL: \"{}\"", url())),
        (Cause::Unreachable | Cause::Lost, _) => Refusal::general(format!(
            "Connection was closed before we received a valid response from endpoint URL: \"{}\".",
            url()
        )),
        _ => answered(failure, retries),
    }
}

/// An answer that was an error.
fn answered(failure: &Failure, retries: Option<u32>) -> Refusal {
    let Some(status) = failure.status else {
        return Refusal::general(failure.to_string());
    };
    let code = failure.said.code.clone().unwrap_or_else(|| status.to_string());
    let message = match (&failure.said.message, status) {
        (Some(message), _) => message.as_str(),
        // Whoever says no word in 5xx has only the reason of its status line.
        (None, 500..) => reason(status),
        (None, _) => "",
    };
    let retries = retries.map(|retries| format!(" (reached max retries: {retries})")).unwrap_or_default();
    Refusal::service(format!(
        "An error occurred ({code}) when calling the ResetUserPassword operation{retries}: {message}"
    ))
}

fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}
