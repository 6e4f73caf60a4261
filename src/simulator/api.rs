//! The stations that the requests of every service pass: from a request that has arrived whole to
//! its answer.
//!
//! Invariant: one lock is held from the first look at a request to its answer, so every request
//! is executed at one instant, in the order of arrival. Nothing here waits or writes to a socket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::answer::{Answer, Refusal};
use super::cognito::Cognito;
use super::faults::FaultInjector;
use super::finspace::FinSpace;
use super::keys::{Caller, Keyring};
use super::metrics::Metrics;
use super::operations::{Call, Operations, World};
use super::quota::Bucket;
use super::{Config, Service, sigv4};

/// A service behind its stations, and everything it remembers.
#[derive(Debug)]
pub(super) struct Api {
    verify_signatures: bool,
    latency: Duration,
    refusal_latency: Duration,
    jitter: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub service: Box<dyn Operations>,
    pub world: World,
    quota: Option<Bucket>,
}

impl Api {
    pub(super) fn new(mut config: Config) -> Api {
        let service: Box<dyn Operations> = match std::mem::take(&mut config.service) {
            Service::FinSpace => Box::new(FinSpace::new(&mut config)),
            Service::Cognito(pool) => Box::new(Cognito::new(*pool)),
        };
        let world = World {
            metrics: Metrics::default(),
            keyring: Keyring::new(),
            faults: FaultInjector::new(config.faults, config.seed),
            rng: StdRng::seed_from_u64(config.seed),
        };
        Api {
            verify_signatures: config.verify_signatures,
            latency: config.latency,
            refusal_latency: config.refusal_latency.unwrap_or(config.latency),
            jitter: config.jitter,
            state: Mutex::new(State { service, world, quota: config.quota.map(Bucket::new) }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A refusal in the service's shape.
    pub(super) fn refuse(&self, refusal: Refusal) -> Answer {
        self.state().service.write(refusal)
    }

    /// Executes a request and says how to answer it.
    pub(super) fn answer(&self, call: &Call<'_>) -> Answer {
        let state = &mut *self.state();
        state.world.metrics.requests.total += 1;
        let result = if state.service.count(call, &mut state.world.metrics) {
            self.admit(state, call).and_then(|caller| state.service.execute(call, caller, &mut state.world))
        } else {
            Err(Refusal::unknown_operation())
        };
        let mut latency = self.latency;
        let mut answer = result.unwrap_or_else(|refusal| {
            match refusal.status.as_u16() {
                403 => state.world.metrics.refused += 1,
                429 => {
                    state.world.metrics.throttled += 1;
                    latency = self.refusal_latency;
                }
                _ => {}
            }
            state.service.write(refusal)
        });
        answer.request_id = uuid::Builder::from_random_bytes(state.world.rng.random()).into_uuid();
        answer.delay = self.delay(latency, &mut state.world.rng);
        answer
    }

    fn delay(&self, latency: Duration, rng: &mut StdRng) -> Duration {
        if self.jitter.is_zero() {
            return latency;
        }
        let swing = rng.random_range(0.0..2.0);
        (latency + self.jitter.mul_f64(swing)).saturating_sub(self.jitter)
    }

    /// Signature and quota.
    fn admit(&self, state: &mut State, call: &Call<'_>) -> Result<Caller, Refusal> {
        let caller = if self.verify_signatures {
            sigv4::verify(call, state.service.signing_name(), &mut state.world.keyring)?
        } else {
            Caller { superuser: true }
        };
        let passes = state.quota.as_mut().is_none_or(|bucket| bucket.take(call.now));
        if passes { Ok(caller) } else { Err(state.service.throttling()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_swings_by_its_jitter_and_no_further() {
        let api = Api::new(Config {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(4),
            ..Config::default()
        });
        let mut rng = StdRng::seed_from_u64(1);
        let delays: Vec<_> = (0..1000).map(|_| api.delay(api.latency, &mut rng)).collect();
        let (low, high) = (Duration::from_millis(6), Duration::from_millis(14));
        assert!(delays.iter().all(|d| (low..=high).contains(d)));
        assert!(delays.iter().any(|d| *d < low * 7 / 6) && delays.iter().any(|d| *d > high * 13 / 14));
    }
}
