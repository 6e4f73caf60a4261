//! The integration tests: the built binary over real sockets, a module a topic.

mod awscli_conformance;
mod bad_input;
mod clock;
mod common;
mod conventions;
mod environment;
mod fault_points;
mod hostile;
mod house;
mod interop;
mod interrupts;
mod keys;
mod ledgers;
mod ownership;
mod packaging;
mod properties;
mod readme;
mod recovery;
mod report;
mod roster;
mod run;
mod secrets;
mod simulator;
mod terminal;
mod tls;
mod users;
