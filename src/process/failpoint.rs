//! Places where a test may have the process die, to see that nothing is lost.
//!
//! Invariant: a release build has none of them: there a point does nothing and
//! reads nothing. In a debug build `FINSPACE_RESET_DIE_AT=NAME` kills the
//! process at the first passage of that point, `NAME:N` at the N-th.

/// Dies here if a test asked for it.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn hit(_: &str) {}

/// Dies here if a test asked for it.
#[cfg(debug_assertions)]
pub(crate) fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("FINSPACE_RESET_DIE_AT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    });
    if let Some((wanted, nth)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
