//! Brings a command line that the AWS CLI would take into plain words.
//!
//! Invariant: a command line that does not name this command passes unchanged.

use std::ffi::OsString;

use clap::CommandFactory;

use super::argparse;
use super::refusal::Refusal;

/// The command that the AWS CLI's rules are for.
const RESET_USER_PASSWORD: &str = "reset-user-password";

const PROGRAM: &str = "finspace-reset";

/// Returns the words as the definitions of `C` read them.
///
/// # Errors
/// Misuse of the AWS CLI's command, in its own words.
pub(crate) fn plain_words<C: CommandFactory>(mut words: Vec<OsString>) -> Result<Vec<OsString>, Refusal> {
    // Options of the AWS CLI may stand before its command, where this program has none of its own.
    let at = words.iter().skip(1).position(|word| word == RESET_USER_PASSWORD).map(|at| at + 1);
    let Some(at) = at.filter(|at| *at == 1 || words[1].to_string_lossy().starts_with("--")) else {
        return Ok(words);
    };
    let program = words.remove(0);
    let command_word = words.remove(at - 1);
    let text = |word: OsString| {
        word.into_string().map_err(|word| format!("{} is not UTF-8; AWS knows no such ID", word.display()))
    };
    let words = words
        .into_iter()
        .map(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|what| usage(&format!("{PROGRAM}: error: {what}\n")))?;
    let mut cli = C::command();
    cli.build();
    let Some(command) = cli.find_subcommand(RESET_USER_PASSWORD) else {
        return Ok(vec![program, command_word]);
    };
    let plain = match argparse::read(command, &words) {
        Ok(argparse::Reading::Words(plain)) => plain,
        Ok(argparse::Reading::Help) => vec!["--help".into()],
        Err(argparse::Complaint::Usage(what)) => return Err(usage(&format!("{PROGRAM}: error: {what}\n"))),
        Err(argparse::Complaint::Unknown(words)) => {
            return Err(usage(&format!("Unknown options: {}\n", words.join(", "))));
        }
    };
    Ok([program, command_word].into_iter().chain(plain.into_iter().map(OsString::from)).collect())
}

/// Returns the AWS CLI's usage text with `what` is wrong below it.
fn usage(what: &str) -> Refusal {
    Refusal::parameters(format!(
        "usage: {PROGRAM} [options] <command> [parameters]\nTo see help text, you can run:\n\n  {PROGRAM} --help\n  {PROGRAM} <command> --help\n\n{what}"
    ))
}
