//! The process itself: its signals, its hardening, and the points where a test
//! may have it die.

pub(crate) mod descriptors;
pub(crate) mod failpoint;
pub(crate) mod files;
pub(crate) mod signals;

/// Leaves no core dump, and lets no other process of the same user look into
/// this one's memory: passwords pass through it. A child is not affected.
pub(crate) fn harden() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
