//! What an SDK error means for the user it was about.
//!
//! Invariant: nothing here prints or keeps a response body, which may hold a
//! password; of an answer only its code, message, status and request ID are
//! taken. When in doubt whether a request was executed, it may have been.

use std::error::Error;
use std::time::Duration;

use aws_sdk_finspacedata::config::http::HttpResponse;
use aws_sdk_finspacedata::error::{ProvideErrorMetadata, SdkError};

/// Why a request did not give what it was to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The service asks for fewer requests.
    Throttled,
    /// The credentials were good once, or the clock is off: worth new ones.
    Expired,
    /// The credentials are missing or not accepted.
    Credentials,
    /// The caller may not do this.
    Denied,
    /// The service will answer the same however often it is asked.
    Permanent,
    /// 409: somebody else is at it.
    Conflict,
    /// 5xx: the service failed, perhaps after doing it.
    Server,
    /// No answer at all.
    Unreachable,
    /// An answer that says yes and holds no password that can be read.
    Unreadable,
}

/// A request that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Failure {
    /// What to make of it.
    pub cause: Cause,
    /// Whether the service may have executed it all the same.
    pub maybe_executed: bool,
    /// The service's error code, or our own word where there was none.
    pub code: String,
    /// What the service or the system said.
    pub message: String,
    /// The service's ID of the request.
    pub request_id: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// The service's own words, in full.
    pub said: Box<Said>,
}

/// What an answer said of itself, as far as it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Its error code.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

/// Error codes by which AWS services ask for fewer requests.
const THROTTLING: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

const EXPIRED: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "TokenRefreshRequired",
    "AuthFailure",
];

const CREDENTIALS: [&str; 10] = [
    "UnrecognizedClientException",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
];

/// The longest message that is kept of a service's error.
const MESSAGE_LIMIT: usize = 500;

impl Failure {
    /// A 200 that holds no password: the reset was done and its answer lost.
    #[must_use]
    pub(crate) fn unreadable(message: &str, request_id: Option<String>) -> Self {
        Self {
            cause: Cause::Unreadable,
            maybe_executed: true,
            code: "UnreadableAnswer".into(),
            message: message.into(),
            request_id,
            status: Some(200),
            retry_after: None,
            said: Box::default(),
        }
    }

    /// No answer within the read time-out.
    #[must_use]
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::without_answer("ReadTimeout", format!("no answer within {limit:?} (--read-timeout)"), true)
    }

    fn without_answer(code: &str, message: String, maybe_executed: bool) -> Self {
        Self {
            cause: Cause::Unreachable,
            maybe_executed,
            code: code.into(),
            message,
            request_id: None,
            status: None,
            retry_after: None,
            said: Box::default(),
        }
    }

    /// Sorts an error of the SDK.
    pub(crate) fn from_sdk<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => Self {
                cause: Cause::Permanent,
                maybe_executed: false,
                code: "RequestNotBuilt".into(),
                message: "the request can't be built from this user ID".into(),
                request_id: None,
                status: None,
                retry_after: None,
                said: Box::default(),
            },
            SdkError::TimeoutError(_) => {
                Self::without_answer("ReadTimeout", "no answer within the time-out".into(), true)
            }
            SdkError::DispatchFailure(dispatch) => match dispatch.as_connector_error() {
                Some(connector) => from_connector(connector),
                None => Self::without_answer("ConnectionLost", "the connection broke off".into(), true),
            },
            SdkError::ResponseError(response) => from_answer(response.raw(), None, None),
            SdkError::ServiceError(service) => {
                let error = service.err();
                from_answer(service.raw(), error.code(), error.message())
            }
            _ => Self::without_answer("UnknownError", "an error that the SDK does not name".into(), true),
        }
    }
}

fn from_connector(error: &aws_smithy_runtime_api::client::result::ConnectorError) -> Failure {
    let message = chain(error);
    if causes(error).any(is_certificate_error) {
        return Failure::without_answer("CertificateError", message, false);
    }
    if causes(error).any(never_connected) {
        let code = if error.is_timeout() { "ConnectTimeout" } else { "ConnectError" };
        return Failure::without_answer(code, message, false);
    }
    if error.is_timeout() {
        return Failure::without_answer("ReadTimeout", message, true);
    }
    if error.is_user() {
        return Failure { cause: Cause::Permanent, ..Failure::without_answer("RequestNotBuilt", message, false) };
    }
    // Without a kind it never was a connection: no credentials, or no signer.
    if error.is_other() && error.as_other().is_none() {
        return Failure { cause: Cause::Credentials, ..Failure::without_answer("NoCredentials", message, false) };
    }
    Failure::without_answer("ConnectionLost", message, true)
}

/// An error and what it came from, the innermost last.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // What an I/O error wraps is not what it calls its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// Whether the failure came before a connection stood, so that nothing was sent.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// Whether the server's certificate was not accepted.
fn is_certificate_error(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<rustls::Error>();
    error.is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

/// The causes of a failed connection in one line. Only for errors that came
/// before an answer: those of an answer may quote its body.
fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if !part.is_empty() && !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    shorten(&text)
}

fn from_answer(raw: &HttpResponse, code: Option<&str>, message: Option<&str>) -> Failure {
    let status = raw.status().as_u16();
    let (cause, maybe_executed) = sort(status, code);
    let header = |name: &str| raw.headers().get(name).map(str::to_owned);
    let said = match cause {
        Cause::Unreadable => Said::default(),
        _ => Said { code: code.map(str::to_owned), message: message.map(str::to_owned) },
    };
    let message = match (cause, message) {
        // The message of an unreadable answer may be made from its body.
        (Cause::Unreadable, _) => "the reset was answered, but the answer can't be read".to_owned(),
        (_, Some(message)) if !message.is_empty() => shorten(message),
        (Cause::Throttled, _) => "the service asks for fewer requests".to_owned(),
        _ => format!("HTTP {status} without a message"),
    };
    let code = match (cause, code) {
        (Cause::Unreadable, _) => "UnreadableAnswer".into(),
        (_, Some(code)) => shorten(code),
        (Cause::Throttled, None) => "ThrottlingException".into(),
        (_, None) => format!("HTTP{status}"),
    };
    Failure {
        cause,
        maybe_executed,
        code,
        message,
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
        status: Some(status),
        retry_after: header("retry-after").and_then(|text| retry_after(&text)),
        said: Box::new(said),
    }
}

/// What a status and a code mean, and whether the request may have been executed.
fn sort(status: u16, code: Option<&str>) -> (Cause, bool) {
    let one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    match status {
        200..=299 => (Cause::Unreadable, true),
        _ if status == 429 || one_of(&THROTTLING) => (Cause::Throttled, false),
        408 | 500.. => (Cause::Server, true),
        409 => (Cause::Conflict, false),
        _ if one_of(&EXPIRED) => (Cause::Expired, false),
        _ if status == 401 || one_of(&CREDENTIALS) => (Cause::Credentials, false),
        403 => (Cause::Denied, false),
        _ => (Cause::Permanent, false),
    }
}

/// `Retry-After` in seconds, or as a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok()
}

/// One line of bounded length: messages go into a table and a log.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_the_api_is_sorted() {
        use Cause::*;
        for (status, code, cause, maybe) in [
            (400, Some("ValidationException"), Permanent, false),
            (404, Some("ResourceNotFoundException"), Permanent, false),
            (409, Some("ConflictException"), Conflict, false),
            (403, Some("AccessDeniedException"), Denied, false),
            (403, Some("UnrecognizedClientException"), Credentials, false),
            (403, Some("InvalidSignatureException"), Credentials, false),
            (403, Some("MissingAuthenticationTokenException"), Credentials, false),
            (403, Some("ExpiredTokenException"), Expired, false),
            (400, Some("ExpiredToken"), Expired, false),
            (429, None, Throttled, false),
            (400, Some("ThrottlingException"), Throttled, false),
            (503, Some("SlowDown"), Throttled, false),
            (500, Some("InternalServerException"), Server, true),
            (502, None, Server, true),
            (200, None, Unreadable, true),
            (204, None, Unreadable, true),
            (301, None, Permanent, false),
        ] {
            assert_eq!(sort(status, code), (cause, maybe), "{status} {code:?}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_spellings() {
        assert_eq!(retry_after("2"), Some(Duration::from_secs(2)));
        assert_eq!(retry_after("0.5"), Some(Duration::from_millis(500)));
        assert!(retry_after("Wed, 21 Oct 2099 07:28:00 GMT").is_some());
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }
}
