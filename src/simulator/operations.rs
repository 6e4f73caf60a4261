//! The seam between the stations that every simulated service shares and its operations.
//!
//! Invariant: an operation sees a request only after signature and quota, and is carried out at one
//! instant.

use std::fmt::Debug;
use std::time::Instant;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use jiff::Timestamp;
use rand::rngs::StdRng;

use super::accounts::Accounts;
use super::answer::{Answer, Refusal, StopReason};
use super::faults::{Fault, FaultInjector};
use super::keys::{Caller, Keyring};
use super::metrics::Metrics;

/// A request that has arrived whole, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub head: &'a Parts,
    pub body: &'a [u8],
    pub now: Instant,
    pub time: Timestamp,
}

/// The operations of one service.
pub(super) trait Operations: Debug + Send {
    /// The name that requests are signed for.
    fn signing_name(&self) -> &'static str;

    /// Counts a request under its operation; `false` if it is none.
    fn count(&self, call: &Call<'_>, metrics: &mut Metrics) -> bool;

    /// Carries a request out.
    fn execute(&mut self, call: &Call<'_>, caller: Caller, world: &mut World) -> Result<Answer, Refusal>;

    /// The refusal of a request past the quota.
    fn throttling(&self) -> Refusal;

    /// A refusal in the shape that the service gives it.
    fn write(&self, refusal: Refusal) -> Answer {
        refusal.into()
    }

    /// The record of what was done to users.
    fn accounts(&self) -> &Accounts;
}

/// The things that operations use and change besides their own.
#[derive(Debug)]
pub(super) struct World {
    pub metrics: Metrics,
    pub keyring: Keyring,
    pub faults: FaultInjector,
    pub rng: StdRng,
}

impl World {
    /// Carries a request out, unless a fault comes before, and answers it as well as a fault behind
    /// it lets it. `failed` is the service's answer that it failed itself.
    pub(super) fn carry_out(
        &mut self,
        failed: fn() -> Answer,
        request: impl FnOnce(&mut World) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        let fault = self.faults.next();
        let answer = match fault {
            Some(Fault::DropBefore) => Answer::ok("").ending(StopReason::Dropped),
            Some(Fault::ErrorBefore) => failed(),
            _ => spoil(request(self)?, fault, failed),
        };
        if let Some(fault) = fault {
            self.metrics.faults.count(fault);
        }
        Ok(answer)
    }
}

/// Makes of a good answer what a fault after execution leaves of it.
fn spoil(answer: Answer, fault: Option<Fault>, failed: fn() -> Answer) -> Answer {
    match fault {
        // The first two never come here.
        None | Some(Fault::DropBefore | Fault::ErrorBefore) => answer,
        Some(Fault::DropAfter) => answer.ending(StopReason::Dropped),
        Some(Fault::ErrorAfter) => failed(),
        Some(Fault::Truncate) => answer.ending(StopReason::Truncated),
        Some(Fault::Garbage) => {
            // The password is in it, as it would be: nobody may print such a body.
            let garbage = [b"<html>", &answer.body[..], b"</html>"].concat();
            Answer { body: garbage.into(), ..answer }
        }
        Some(Fault::Empty) => Answer { body: Bytes::from_static(b"{}"), ..answer },
        Some(Fault::Hang) => answer.ending(StopReason::Hung),
    }
}
