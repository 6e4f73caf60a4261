//! Descriptors: whether standard output could be written when the process began,
//! and whether there are enough of them.
//!
//! Invariant: standard output is looked at before the Rust runtime, which opens
//! `/dev/null` in the place of a closed one: what is written there is lost and
//! looks delivered.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Runs before `main`, and before the runtime has mended anything.
extern "C" fn look() {
    // The runtime takes it for written, too, where it is open for reading alone.
    let closed = match rustix::fs::fcntl_getfl(rustix::stdio::stdout()) {
        Ok(flags) => flags & OFlags::RWMODE == OFlags::RDONLY,
        Err(error) => error == Errno::BADF,
    };
    STDOUT_WAS_CLOSED.store(closed, Ordering::Relaxed);
}

#[allow(unsafe_code, reason = "the one way to run before the runtime; the function itself is safe")]
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Returns true if standard output was closed, or open for reading alone, when the
/// process began.
pub(crate) fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Files that a run has open besides its connections.
const BESIDES: u64 = 32;

/// Makes sure that so many connections can be open together with a run's files.
///
/// # Errors
/// The limit, and what is wanted.
pub(crate) fn check_enough(connections: usize) -> Result<(), (u64, u64)> {
    let want = connections as u64 + BESIDES;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < want => Err((limit, want)),
        _ => Ok(()),
    }
}
