//! The program: a command line in, an exit code out.

use std::process::ExitCode;

// Fewer page faults and less memory than the system's allocator (BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    finspace_reset::run(std::env::args_os())
}
