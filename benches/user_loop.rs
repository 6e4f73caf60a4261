//! The loop a user would write: a multi-threaded runtime and the system's
//! allocator. The bench builds it with Cargo's default release profile.

#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "bare.rs"]
mod bare;

use std::time::Duration;

use aws_sdk_finspacedata::config::retry::RetryConfig;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let [_, endpoint, roster, in_flight] = words.as_slice() {
        let in_flight = in_flight.parse().expect("a number");
        bare::reset_all(endpoint, roster, in_flight, RetryConfig::disabled(), Duration::MAX / 4).await;
    }
}
