//! The process itself: its signals, its hardening, and the points where a test
//! may have it die.

pub(crate) mod descriptors;
pub(crate) mod failpoint;
pub(crate) mod files;
pub(crate) mod signals;

/// Leaves no core dump: passwords pass through this process.
pub(crate) fn harden() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
