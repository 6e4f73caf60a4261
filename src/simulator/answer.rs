//! Answers: status, error code and body, and the way they end.
//!
//! Invariant: a refusal turned into an answer has the shape that FinSpace gives its error: the code in a
//! header, `message` and where the shape has it `reason` in the body, and nothing at all for throttling.
//! Another service writes the same refusals in a shape of its own.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

/// One answer, not yet on the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    /// Goes into the header `x-amzn-errortype`.
    pub code: Option<&'static str>,
    pub body: Bytes,
    /// Goes into the header `content-type`.
    pub media: &'static str,
    pub ending: StopReason,
    /// The wait before the answer.
    pub delay: Duration,
    /// Goes into the header `x-amzn-requestid`.
    pub request_id: uuid::Uuid,
}

/// The way an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    /// As it should.
    Whole,
    /// In the middle of the body.
    Truncated,
    /// The connection closes before the first byte.
    Dropped,
    /// Never.
    Hung,
}

impl Answer {
    pub(super) fn ok(body: impl Into<Bytes>) -> Answer {
        Answer {
            status: StatusCode::OK,
            code: None,
            body: body.into(),
            media: "application/json",
            ending: StopReason::Whole,
            delay: Duration::ZERO,
            request_id: uuid::Uuid::nil(),
        }
    }

    pub(super) fn json(value: &impl Serialize) -> Answer {
        match serde_json::to_vec(value) {
            Ok(body) => Answer::ok(body),
            Err(_) => Refusal::internal().into(),
        }
    }

    pub(super) fn ending(mut self, ending: StopReason) -> Answer {
        self.ending = ending;
        self
    }
}

/// An error of the API.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub status: StatusCode,
    #[serde(skip)]
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: Some(message.into()), reason: None }
    }

    fn because(mut self, reason: &'static str) -> Refusal {
        self.reason = Some(reason);
        self
    }

    /// `reason` names the member that is wrong.
    pub(super) fn validation(reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "ValidationException", message).because(reason)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Refusal {
        let code = "ResourceNotFoundException";
        Refusal::new(StatusCode::NOT_FOUND, code, message).because("RESOURCE_NOT_FOUND")
    }

    pub(super) fn conflict(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, "ConflictException", message).because("CLIENT_TOKEN")
    }

    pub(super) fn throttling() -> Refusal {
        Refusal { status: StatusCode::TOO_MANY_REQUESTS, code: "ThrottlingException", message: None, reason: None }
    }

    pub(super) fn access_denied() -> Refusal {
        Refusal::forbidden("AccessDeniedException", "This user is no superuser: sign with a superuser's credentials.")
    }

    /// Credentials that are missing, unknown, wrong or worn out.
    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn internal() -> Refusal {
        let message = "The simulator failed, as it may have been told to: try again.";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal::new(status, "InternalServerException", message)
    }

    pub(super) fn unknown_operation() -> Refusal {
        let message = "No operation has this method and path: check both, and the endpoint.";
        Refusal::new(StatusCode::NOT_FOUND, "UnknownOperationException", message)
    }

    pub(super) fn too_large() -> Refusal {
        let message = "The body is larger than 64 KiB: send the documented members only.";
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Refusal::new(status, "RequestEntityTooLargeException", message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        // A struct of texts always serialises; an empty body would still carry status and code.
        let body = serde_json::to_vec(&refusal).unwrap_or_default();
        Answer { status: refusal.status, code: Some(refusal.code), ..Answer::ok(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_has_no_members_and_conflict_has_both() {
        assert_eq!(&Answer::from(Refusal::throttling()).body[..], b"{}");
        let conflict = Answer::from(Refusal::conflict("taken"));
        let body = br#"{"message":"taken","reason":"CLIENT_TOKEN"}"#;
        assert_eq!(&conflict.body[..], body);
        assert_eq!(conflict.code, Some("ConflictException"));
    }
}
