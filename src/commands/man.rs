//! `man`: prints a man page, or writes all of them.

use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueHint};

use super::Cli;
use crate::commands::error::{Error, SettingsError};
use crate::commands::exit::Exit;
use crate::engine::results::PublishError;
use crate::ui::Printer;

/// Flags of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page to print [default: the program's own]
    pub command: Option<String>,
    /// Write every page to FOLDER, which is made where it is missing
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// Prints a man page, or writes all of them.
///
/// # Errors
/// There is no such command, or the pages can't be written.
pub(super) fn run(args: &ManArgs, printer: &Printer) -> Result<Exit, Error> {
    // Each page goes by its command's name, whatever a command calls itself in its version.
    let mut cli = Cli::command().disable_help_subcommand(true).mut_subcommands(|command| {
        let name = format!("finspace-reset-{}", command.get_name());
        command.display_name(name)
    });
    cli.build();
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(cli, folder))
            .map_err(|error| PublishError::Folder(folder.clone(), error))?;
        return Ok(Exit::Success);
    }
    let command = match &args.command {
        None => &cli,
        Some(name) => cli.find_subcommand(name).ok_or_else(|| SettingsError::NoCommand(name.clone()))?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Error::Stdout)?;
    printer.data(&String::from_utf8_lossy(&page)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}
