//! `finspace-reset`: resets the passwords of many Amazon FinSpace users from a
//! CSV, each once, and loses nothing on the way.
//!
//! ```text
//! commands ──▶ awscli (island) ──▶ service
//!    │                               ▲
//!    ├──▶ engine: roster ─▶ ledger ─▶ dispatch ─▶ ledger ─▶ results
//!    ├──▶ simulator (island)
//!    └──▶ ui              everything ──▶ model, process
//! ```
//!
//! `ARCHITECTURE.md` has the whole picture.
#![cfg_attr(
    not(feature = "cognito"),
    allow(dead_code, unused_imports, reason = "the engine keeps what user pools need")
)]

mod awscli;
mod commands;
mod engine;
mod model;
mod process;
mod service;
#[allow(missing_docs, reason = "its words and errors say what they are in the text they carry")]
pub mod simulator;
mod ui;

pub use commands::run;
pub use engine::dispatch::pacer::burst;
