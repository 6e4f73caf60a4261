//! The meaning of an SDK error for the user it was about.
//!
//! Invariant: nothing here prints or keeps a response body, which may hold a
//! password; of an answer only its code, message, status and request ID are
//! taken. When in doubt whether a request was executed, it may have been.

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::service::{Cause, Failure, Said, word};

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
/// The longest error code.
const CODE_LIMIT: usize = 100;
/// The longest ID of a request.
pub(crate) const REQUEST_ID_LIMIT: usize = 128;

/// An error of a service's own: the status and the code that it goes by.
pub(crate) type OwnError = (u16, &'static str, Cause);

impl Failure {
    /// Sorts an error of the SDK. `own` are the service's own errors.
    pub(crate) fn from_sdk<E>(error: &SdkError<E, HttpResponse>, own: &[OwnError]) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let lost = |code, message: &str| Self::without_answer(Cause::Lost, code, message.into());
        match error {
            SdkError::ConstructionFailure(_) => {
                let message = "the request can't be built from this user ID".into();
                Self::without_answer(Cause::NotBuilt, word::NOT_BUILT, message)
            }
            SdkError::TimeoutError(_) => lost("ReadTimeout", "no answer within the time-out"),
            SdkError::DispatchFailure(dispatch) => match dispatch.as_connector_error() {
                Some(connector) => from_connector(connector),
                None => lost("ConnectionLost", "the connection broke off"),
            },
            SdkError::ResponseError(response) => from_answer(response.raw(), None, None, own),
            SdkError::ServiceError(service) => {
                let error = service.err();
                from_answer(service.raw(), error.code(), error.message(), own)
            }
            _ => lost("UnknownError", "an error that the SDK does not name"),
        }
    }
}

fn from_connector(error: &aws_smithy_runtime_api::client::result::ConnectorError) -> Failure {
    let message = chain(error);
    if causes(error).any(is_certificate_error) {
        return Failure::without_answer(Cause::Unreachable, "CertificateError", message);
    }
    if causes(error).any(never_connected) {
        let code = if error.is_timeout() { "ConnectTimeout" } else { "ConnectError" };
        return Failure::without_answer(Cause::Unreachable, code, message);
    }
    if error.is_timeout() {
        return Failure::without_answer(Cause::Lost, "ReadTimeout", message);
    }
    // What no connection had a part in failed before one was asked for.
    if !causes(error).any(is_of_a_connection) {
        if error.is_user() {
            return Failure::without_answer(Cause::NotBuilt, word::NOT_BUILT, message);
        }
        if error.is_other() && error.as_other().is_none() {
            return Failure::without_answer(Cause::Credentials, "NoCredentials", message);
        }
    }
    if causes(error).any(is_no_http) {
        // The parser's own words are meant for others than operators.
        let message = "the answer is no HTTP that can be read".into();
        return Failure::without_answer(Cause::Lost, "UnreadableAnswer", message);
    }
    let message = match message.as_str() {
        "" => "the connection broke off before an answer came".to_owned(),
        why => format!("the connection broke off before an answer came: {why}"),
    };
    Failure::without_answer(Cause::Lost, "ConnectionLost", shorten(&message, MESSAGE_LIMIT))
}

/// An error and what it came from, the innermost last.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // What an I/O error wraps is not what it calls its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// Returns true if the failure came before a connection stood, so that nothing was
/// sent.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// Returns true if a connection had a part in it.
fn is_of_a_connection(error: &(dyn Error + 'static)) -> bool {
    error.is::<hyper_util::client::legacy::Error>() || error.is::<hyper::Error>() || error.is::<std::io::Error>()
}

/// Returns true if the answer is not HTTP.
fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}

/// Returns true if the server's certificate was not accepted.
fn is_certificate_error(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<rustls::Error>();
    error.is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

/// Returns true for words by which a library names its own layers, which tell an
/// operator nothing.
fn is_of_a_library(part: &str) -> bool {
    matches!(part, "other" | "io error") || part.starts_with("client error (")
}

/// The causes of a failed connection in one line. Only for errors that came
/// before an answer: those of an answer may quote its body.
fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if !part.is_empty() && !is_of_a_library(&part) && !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    shorten(&text, MESSAGE_LIMIT)
}

fn from_answer(raw: &HttpResponse, code: Option<&str>, message: Option<&str>, own: &[OwnError]) -> Failure {
    let status = raw.status().as_u16();
    let code = code.map(plain_code);
    let (cause, is_own) = sort(status, code, own);
    let header = |name: &str| raw.headers().get(name).map(|text| shorten(text, REQUEST_ID_LIMIT));
    let said = match cause {
        Cause::Unreadable => Said::default(),
        _ => Said { code: code.map(str::to_owned), message: message.map(str::to_owned) },
    };
    let message = match (cause, message) {
        // The message of an unreadable answer may be made from its body.
        (Cause::Unreadable, _) => "the service said yes, and its answer can't be read".to_owned(),
        (_, Some(message)) if !message.is_empty() => shorten(message, MESSAGE_LIMIT),
        (Cause::Throttled, _) => "the service asks for fewer requests".to_owned(),
        _ => format!("HTTP {status} without a message"),
    };
    let code = match (cause, code) {
        (Cause::Unreadable, _) => "UnreadableAnswer".into(),
        (_, Some(code)) => shorten(code, CODE_LIMIT),
        (Cause::Throttled, None) => "ThrottlingException".into(),
        (_, None) => format!("HTTP{status}"),
    };
    Failure {
        cause,
        is_own,
        code,
        message,
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
        status: Some(status),
        retry_after: raw.headers().get("retry-after").and_then(retry_after),
        said: Box::new(said),
    }
}

/// An error code without what some services write around it:
/// `ValidationException:http://…` and `aws.api#ValidationException` name one.
fn plain_code(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code).trim()
}

/// Returns the cause that a status and a code mean, and true if only the service
/// would say so.
pub(crate) fn sort(status: u16, code: Option<&str>, own: &[OwnError]) -> (Cause, bool) {
    let one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let is_error = status >= 400;
    if let Some((.., cause)) = own.iter().find(|(known, name, _)| *known == status && code == Some(*name)) {
        return (*cause, true);
    }
    match status {
        200..=299 => (Cause::Unreadable, false),
        _ if is_error && one_of(&THROTTLING) => (Cause::Throttled, true),
        429 => (Cause::Throttled, false),
        408 | 500.. => (Cause::Server, false),
        _ if is_error && one_of(&EXPIRED) => (Cause::Expired, true),
        _ if is_error && one_of(&CREDENTIALS) => (Cause::Credentials, true),
        401 => (Cause::Credentials, false),
        403 => (Cause::Denied, false),
        _ => (Cause::Foreign, false),
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

/// One line of bounded length without control characters: it goes into a table
/// and a log.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    // More than the limit's worth is not even looked at.
    let text: String = text.chars().take(limit * 4).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[OwnError] = &[
        (400, "ValidationException", Cause::Invalid),
        (404, "ResourceNotFoundException", Cause::NoSuchUser),
        (409, "ConflictException", Cause::Conflict),
        (403, "AccessDeniedException", Cause::Denied),
        (500, "InternalServerException", Cause::Server),
    ];

    #[test]
    fn every_answer_is_sorted_by_status_and_code() {
        use Cause::*;
        for (status, code, cause, is_own) in [
            (400, Some("ValidationException"), Invalid, true),
            (404, Some("ResourceNotFoundException"), NoSuchUser, true),
            (409, Some("ConflictException"), Conflict, true),
            (403, Some("AccessDeniedException"), Denied, true),
            (500, Some("InternalServerException"), Server, true),
            (403, Some("UnrecognizedClientException"), Credentials, true),
            (403, Some("InvalidSignatureException"), Credentials, true),
            (403, Some("MissingAuthenticationTokenException"), Credentials, true),
            (403, Some("ExpiredTokenException"), Expired, true),
            (400, Some("ExpiredToken"), Expired, true),
            (429, Some("ThrottlingException"), Throttled, true),
            (400, Some("ThrottlingException"), Throttled, true),
            (503, Some("SlowDown"), Throttled, true),
            (429, None, Throttled, false),
            (401, None, Credentials, false),
            (403, None, Denied, false),
            (500, None, Server, false),
            (502, Some("BadGateway"), Server, false),
            (408, None, Server, false),
            (200, None, Unreadable, false),
            (200, Some("ResourceNotFoundException"), Unreadable, false),
            (204, None, Unreadable, false),
            (101, None, Foreign, false),
            (301, None, Foreign, false),
            (302, Some("ValidationException"), Foreign, false),
            (307, Some("ThrottlingException"), Foreign, false),
            (400, None, Foreign, false),
            (400, Some("ResourceNotFoundException"), Foreign, false),
            (404, None, Foreign, false),
            (404, Some("UnknownOperationException"), Foreign, false),
            (404, Some("ValidationException"), Foreign, false),
            (405, None, Foreign, false),
            (407, None, Foreign, false),
            (409, None, Foreign, false),
            (413, Some("RequestEntityTooLargeException"), Foreign, false),
            (418, None, Foreign, false),
        ] {
            assert_eq!(sort(status, code, OWN), (cause, is_own), "{status} {code:?}");
        }
        assert_eq!(plain_code("aws.finspace#ValidationException:http://x/"), "ValidationException");
    }

    #[test]
    fn words_from_outside_become_one_short_line() {
        assert_eq!(shorten("a\u{1b}[2Jb\n c", 500), "a [2Jb c");
        assert_eq!(shorten(&"x".repeat(300_000), 5), "xxxxx…");
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
