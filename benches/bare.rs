//! The loop that this program is compared with: the AWS SDK, so many requests in
//! flight, no ledger, nothing sealed, nothing written.

#![allow(deprecated, reason = "the service has ended")]

use std::time::{Duration, Instant};

use aws_sdk_finspacedata::Client;
use aws_sdk_finspacedata::config::retry::RetryConfig;
use aws_sdk_finspacedata::config::{BehaviorVersion, Credentials, Region};
use futures::StreamExt;

/// Resets everyone in the CSV's first column. Stops early at the deadline.
pub(crate) async fn reset_all(
    endpoint: &str,
    roster: &str,
    in_flight: usize,
    retries: RetryConfig,
    deadline: Duration,
) -> u64 {
    let config = aws_sdk_finspacedata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("AKIASIMULATEDSUPERUSER", "secret", None, None, "bench"))
        .retry_config(retries)
        .build();
    let client = Client::from_conf(config);
    let mut reader = csv::Reader::from_path(roster).expect("the roster opens");
    let users = reader.records().map(|record| record.expect("a row")[0].to_owned());
    let until = Instant::now() + deadline;
    let mut done = 0;
    let mut answers = futures::stream::iter(users)
        .take_while(|_| std::future::ready(Instant::now() < until))
        .map(|user| {
            let client = client.clone();
            let token = uuid::Uuid::new_v4().to_string();
            async move { client.reset_user_password().user_id(user).client_token(token).send().await.is_ok() }
        })
        .buffer_unordered(in_flight);
    while let Some(reset) = answers.next().await {
        done += u64::from(reset);
    }
    done
}

/// Sends at a fixed rate until the deadline, whatever the service answers.
pub(crate) async fn reset_at(endpoint: &str, roster: &std::path::Path, rate: f64, deadline: Duration) {
    let config = aws_sdk_finspacedata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("AKIASIMULATEDSUPERUSER", "secret", None, None, "bench"))
        .retry_config(RetryConfig::disabled())
        .build();
    let client = Client::from_conf(config);
    let mut reader = csv::Reader::from_path(roster).expect("the roster opens");
    let mut users = reader.records().map(|record| record.expect("a row")[0].to_owned());
    let start = Instant::now();
    let mut sent = 0.0;
    let mut calls = tokio::task::JoinSet::new();
    while start.elapsed() < deadline {
        let at = start + Duration::from_secs_f64(sent / rate);
        tokio::time::sleep_until(at.into()).await;
        sent += 1.0;
        let Some(user) = users.next() else { break };
        let call = client.reset_user_password().user_id(user).client_token(uuid::Uuid::new_v4().to_string());
        calls.spawn(async move { call.send().await.is_ok() });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}
