//! The integration tests: the built binary over real sockets, a module a topic.

mod answers;
mod awscli_conformance;
mod bad_input;
mod clock;
mod cognito;
mod cognito_simulator;
mod common;
mod completions;
mod conventions;
mod delivery;
mod environment;
mod faketime;
mod fault_points;
mod golden;
mod handover;
mod hostile;
mod house;
mod interop;
mod interrupts;
mod json_fields;
mod keys;
mod ledgers;
mod machines;
mod memory;
mod messages;
mod other_batches;
mod ownership;
mod pace;
mod packaging;
#[cfg(feature = "cognito")]
mod pool_users;
#[cfg(feature = "cognito")]
mod pools;
mod properties;
mod readme;
mod recovery;
mod renewal;
mod report;
mod roster;
mod run;
mod scheduling;
mod secrets;
mod services;
#[cfg(feature = "cognito")]
mod sign_outs;
mod simulator;
mod storms;
mod terminal;
mod tls;
mod users;
mod way_on;
#[cfg(feature = "cognito")]
mod who_is_who;
mod wire;
