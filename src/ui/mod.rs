//! The program's face: the printer, the progress of a run, the log, and how
//! numbers are written.
//!
//! Invariant: nothing else in the program prints.

pub(crate) mod format;
pub(crate) mod log;
mod pen;
mod printer;
mod progress;
mod terminal;

pub(crate) use printer::Printer;
pub(crate) use progress::{Progress, Show};
pub(crate) use terminal::can_draw;
