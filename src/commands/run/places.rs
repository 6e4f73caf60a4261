//! The places of a run's files: each has one of its own.
//!
//! Invariant: this comes before everything else, so that not even a refusal's
//! summary is written over an input or in the place of the results.

use super::RunArgs;
use crate::commands::error::Error;
use crate::engine::ledger::state_dir::StateDir;
use crate::engine::results;
use crate::engine::results::ownership::{Places, Replaces};
use crate::process::descriptors;

/// Makes sure that no output takes the place of an input, of the other output or
/// of a ledger, and that the summary replaces nothing but a summary.
///
/// # Errors
/// A place is taken, or its folder is not there.
pub(super) fn check(args: &RunArgs) -> Result<(), Error> {
    descriptors::check_enough(usize::from(args.concurrency))
        .map_err(|(limit, want)| Error::Descriptors { limit, want })?;
    let mut places = Places::default();
    places.reads("the roster", &args.input)?;
    let inputs = [
        ("--exclude", args.exclude.iter()),
        ("--recipients-file", args.recipients_file.iter()),
        ("--passphrase-file", args.passphrase_file.as_slice().iter()),
        ("--ca-bundle", args.aws.ca_bundle.as_slice().iter()),
    ];
    for (what, paths) in inputs {
        for path in paths {
            places.reads(what, path)?;
        }
    }
    places.keeps(StateDir::locate(args.state.state_dir.as_deref())?.folder());
    if let Some(output) = args.output.as_ref().filter(|path| path.as_os_str() != "-") {
        places.writes("--output", output)?;
    }
    if let Some(summary) = args.summary.as_ref().filter(|path| path.as_os_str() != "-") {
        results::check(&places.writes("--summary", summary)?, Replaces::Summary)?;
    }
    Ok(())
}
