//! `completions`: prints a completion script for a shell.

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_complete::Shell;

use super::Cli;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::ui::Printer;

/// Flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// Standard output is gone.
pub(super) fn run(args: &CompletionsArgs, printer: &Printer) -> Result<Exit, Error> {
    printer.data(&script(args.shell)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}

/// Returns the completion script for `shell`.
fn script(shell: Shell) -> String {
    let mut cli = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli, "finspace-reset", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash { mended(&cli, &script) } else { script }
}

/// Mends what `clap_complete` 4.6 gets wrong in Bash.
fn mended(cli: &Command, script: &str) -> String {
    // Its two halves disagree on how the hyphen in the program's name is written (clap issue 6421).
    let mut script = script.replace("finspace__subcmd__reset", "finspace__reset");
    for command in cli.get_subcommands() {
        for hidden in command.get_arguments().filter(|arg| arg.is_hide_set()) {
            if let Some(long) = hidden.get_long() {
                script = script.replace(&format!(" --{long} "), " ");
            }
        }
        // An empty first word proposes flags, where a file is wanted: with no proposal, Bash proposes files.
        let takes_file = command.get_positionals().any(|arg| arg.get_value_hint() == ValueHint::FilePath);
        let case = format!("finspace__reset__subcmd__{})", command.get_name().replace('-', "__subcmd__"));
        if takes_file && let Some(at) = script.find(&format!("        {case}\n            opts=")) {
            let (before, section) = script.split_at(at);
            let first_word = "|| ${COMP_CWORD} -eq 2 ]] ; then";
            let flags = "]] ; then";
            let files = "            if [[ -z ${cur} && ${COMP_CWORD} -eq 2 ]] ; then\n                return 0\n            fi\n            case";
            script = before.to_owned() + &section.replacen(first_word, flags, 1).replacen("            case", files, 1);
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_that_bash_can_reach_has_its_proposals() {
        let script = script(Shell::Bash);
        let states: Vec<&str> = script
            .lines()
            .filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'))
            .filter(|state| !state.is_empty())
            .collect();
        assert!(states.len() > 10, "{states:?}");
        for state in states {
            assert!(script.contains(&format!("\n        {state})\n            opts=")), "{state}");
        }
    }

    #[test]
    fn hidden_flags_stay_hidden() {
        assert!(!script(Shell::Bash).contains("--token-window "));
    }
}
