//! `keygen`: makes an age identity.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::results::encryption;
use crate::ui::Printer;

/// Flags of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Write the identity to FILE instead of standard output; it must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// Makes an age identity.
///
/// # Errors
/// It can't be written.
pub(super) fn run(args: &KeygenArgs, printer: &Printer) -> Result<Exit, Error> {
    let public = encryption::keygen(args.output.as_deref(), &mut std::io::stdout().lock())?;
    printer.note(format!("Public key: {public}"));
    Ok(Exit::Success)
}
