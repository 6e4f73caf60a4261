//! One request for a reset.
//!
//! Invariant: where the service refuses the password, its rules are asked for
//! before the answer comes back, so that the next password keeps them.

use uuid::Uuid;

use crate::model::Password;
use crate::process::failpoint;
use crate::service::{Cause, Failure, Request, Reset, Service};

/// Asks for one reset.
pub(super) async fn reset<S: Service>(
    service: &S,
    user_id: &str,
    token: Option<Uuid>,
    password: Option<&Password>,
) -> Result<Reset, Failure> {
    failpoint::hit("sending");
    let mut buffer = Uuid::encode_buffer();
    let token = token.map(|token| &*token.hyphenated().encode_lower(&mut buffer));
    let answer = service.reset(Request { user_id, token, password }).await.and_then(|reset| reset.of(user_id));
    failpoint::hit("answered");
    match (&answer, password) {
        (Err(Failure { cause: Cause::PasswordRefused, .. }), Some(password)) => match service.relearn(password).await {
            Ok(()) => answer,
            Err(failure) => Err(failure.of_a_question()),
        },
        _ => answer,
    }
}
