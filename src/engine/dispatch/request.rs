//! One request for a reset: made ready, sent, answered.
//!
//! Invariant: a run that stops takes back what is not ready to leave, at once;
//! what has left is waited for. Where the service refuses the password, its rules are asked for
//! before the answer comes back, so that the next password keeps them.

use tokio::sync::watch;
use uuid::Uuid;

use crate::model::Password;
use crate::process::failpoint;
use crate::service::{Cause, Failure, Request, Reset, Service};

/// Asks for one reset. Returns none if `halt` came before the request left.
pub(super) async fn reset<S: Service>(
    service: &S,
    user_id: &str,
    token: Option<Uuid>,
    password: Option<&Password>,
    mut halt: watch::Receiver<bool>,
) -> Option<Result<Reset, Failure>> {
    let ready = tokio::select! {
        biased;
        ready = service.ready() => ready,
        _ = halt.wait_for(|halt| *halt) => return None,
    };
    if let Err(failure) = ready {
        return Some(Err(failure));
    }
    failpoint::hit("sending");
    let mut buffer = Uuid::encode_buffer();
    let token = token.map(|token| &*token.hyphenated().encode_lower(&mut buffer));
    let answer = service.reset(Request { user_id, token, password }).await.and_then(|reset| reset.of(user_id));
    failpoint::hit("answered");
    Some(match (&answer, password) {
        (Err(Failure { cause: Cause::PasswordRefused, .. }), Some(password)) => match service.relearn(password).await {
            Ok(()) => answer,
            Err(failure) => Err(failure.of_a_question()),
        },
        _ => answer,
    })
}
