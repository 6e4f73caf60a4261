//! A user pool's rules, asked for before anybody is reset: what its passwords
//! must be like, and how long they live.
//!
//! Invariant: nothing here resets or writes.

use futures::future::LocalBoxFuture;

use super::job::Job;
use crate::commands::error::{CheckError, Error};
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::pacer::Pacer;
use crate::engine::dispatch::stop::StopReason;
use crate::service::cognito::{Client, Pool, remedy};
use crate::service::{Failure, Service, ServiceFacts};

/// Asks the pool for its rules, which the client remembers.
///
/// # Errors
/// The service refuses, or something says stop.
pub(super) async fn read(job: &Job, client: &Client) -> Result<(), Error> {
    let mut question = Question { client, is_open: true };
    let stop = ask(&mut question, Pacer::start(job.settings.sending.rate), &job.bounds(), &mut |_| {}).await?;
    match stop {
        StopReason::Finished => Ok(()),
        StopReason::Refused { why, remedy } => Err(CheckError::PoolRefused { why, remedy }.into()),
        stop => Err(CheckError::PoolUnread(stop.reason().unwrap_or_default()).into()),
    }
}

struct Question<'a> {
    client: &'a Client,
    is_open: bool,
}

impl Inquiry for Question<'_> {
    type Question = ();
    type Answer = Pool;
    type Error = Error;

    fn facts(&self) -> ServiceFacts {
        ServiceFacts { refused: remedy::DESCRIBE, ..self.client.facts() }
    }

    fn next(&mut self) -> Result<Option<()>, Error> {
        Ok(std::mem::take(&mut self.is_open).then_some(()))
    }

    fn put(&self, (): &()) -> LocalBoxFuture<'static, Result<Pool, Failure>> {
        let client = self.client.clone();
        Box::pin(async move { client.read_pool().await })
    }

    fn answered(&mut self, (): (), answer: Result<Pool, Failure>) -> Result<(), Error> {
        answer.map(drop).map_err(|failure| CheckError::PoolUnread(failure.to_string()).into())
    }
}
