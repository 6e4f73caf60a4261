//! Cognito's errors.
//!
//! Invariant: every error but Cognito's own failure is answered 400, its code in `__type`; in here a refusal
//! keeps the status by which the stations know it.

use hyper::StatusCode;
use serde::Serialize;

use super::filter::FilterError;
use crate::simulator::answer::{Answer, Refusal};

const MEDIA: &str = "application/x-amz-json-1.1";

#[derive(Serialize)]
struct Shape<'a> {
    __type: &'static str,
    message: &'a str,
}

/// A good answer.
pub(super) fn json(value: &impl Serialize) -> Answer {
    Answer { media: MEDIA, ..Answer::json(value) }
}

/// A refusal as Cognito writes it.
pub(super) fn write(refusal: &Refusal) -> Answer {
    let status = if refusal.status.is_server_error() { refusal.status } else { StatusCode::BAD_REQUEST };
    let shape = Shape { __type: refusal.code, message: refusal.message.as_deref().unwrap_or_default() };
    Answer { status, code: Some(refusal.code), ..json(&shape) }
}

/// The answer of a service that failed.
pub(super) fn failed() -> Answer {
    let message = "The simulator failed, as it may have been told to: try again.";
    write(&Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalErrorException", message))
}

fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

pub(super) fn too_many() -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate exceeded")
}

pub(super) fn denied() -> Refusal {
    let message = "This user may not call the admin API: sign with the superuser's credentials.";
    Refusal::forbidden("AccessDeniedException", message)
}

/// The body is no JSON object of the operation's members.
pub(super) fn unreadable() -> Refusal {
    bad("SerializationException", "The body is not a JSON object with the operation's members: send such a one.")
}

/// `member` breaks a constraint.
pub(super) fn invalid(member: &str, constraint: &str) -> Refusal {
    let message =
        format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}");
    bad("InvalidParameterException", message)
}

pub(super) fn invalid_token() -> Refusal {
    bad("InvalidParameterException", "Invalid pagination token given.")
}

pub(super) fn no_such_attribute() -> Refusal {
    bad("InvalidParameterException", "One or more requested attributes do not exist.")
}

pub(super) fn filter(error: FilterError) -> Refusal {
    let message = match error {
        FilterError::Unreadable => "Error while parsing filter.",
        FilterError::Attribute => "Invalid search attribute.",
    };
    bad("InvalidParameterException", message)
}

pub(super) fn no_such_pool(id: &str) -> Refusal {
    bad("ResourceNotFoundException", format!("User pool {id} does not exist."))
}

pub(super) fn no_such_user() -> Refusal {
    bad("UserNotFoundException", "User does not exist.")
}

pub(super) fn password(complaint: &str) -> Refusal {
    bad("InvalidPasswordException", format!("Password did not conform with policy: {complaint}"))
}

pub(super) fn history() -> Refusal {
    bad("PasswordHistoryPolicyViolationException", "Password has previously been used")
}
