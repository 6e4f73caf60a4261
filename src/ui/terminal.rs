//! Standard error as a terminal, and its abilities.

use std::io::{self, IsTerminal};

/// Returns true if a stream is a terminal that can draw.
#[must_use]
pub(crate) fn can_draw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns true if standard error may be coloured.
#[must_use]
pub(super) fn may_colour() -> bool {
    can_draw()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("CLICOLOR").is_none_or(|value| value != "0")
}
