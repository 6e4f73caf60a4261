//! `completions`: prints a completion script for a shell.

use clap::{Args, CommandFactory};

use super::Cli;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::ui::Printer;

/// Flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Prints a completion script.
///
/// # Errors
/// Standard output is gone.
pub(super) fn run(args: &CompletionsArgs, printer: &Printer) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "finspace-reset", &mut script);
    printer.data(&String::from_utf8_lossy(&script)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}
