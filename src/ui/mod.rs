//! What people see: the printer, the progress of a run, the log, and how
//! numbers are written.
//!
//! Invariant: nothing else in the program prints.

pub(crate) mod format;
pub(crate) mod log;
mod printer;
mod progress;

pub(crate) use printer::{Printer, can_draw};
pub(crate) use progress::{Progress, Show};
