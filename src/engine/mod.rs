//! The engine: a roster in, a ledger in the middle, results out.
//!
//! Invariant: it knows no command line, no AWS, no terminal and no exit code;
//! data flows one way, roster → ledger → dispatch → ledger → results.

pub(crate) mod dispatch;
pub(crate) mod fingerprint;
pub(crate) mod ledger;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod results;
pub(crate) mod roster;
