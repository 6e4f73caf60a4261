//! The AWS CLI's reading of a command line, which is Python's `argparse`'s:
//! unambiguous prefixes, the last of duplicates, unknown words collected and
//! told together.
//!
//! Invariant: what is accepted comes back as `--name=value` words that the
//! definitions themselves read; the options and their values are known from
//! those definitions alone.

use clap::{Arg, Command};

use super::args::GLOBAL;

/// Options that stand in for `--user-id`.
const INSTEAD_OF_USER_ID: [&str; 3] = ["cli-input-json", "cli-input-yaml", "generate-cli-skeleton"];

/// A command line, read.
pub(super) enum Reading {
    /// Words in their plain form.
    Words(Vec<String>),
    /// Somebody asks what there is.
    Help,
}

/// Reads the words of `command`, without its own name.
///
/// # Errors
/// Their fault, in the AWS CLI's words.
pub(super) fn read(command: &Command, words: &[String]) -> Result<Reading, Complaint> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        return Ok(Reading::Help);
    }
    let (global, own): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|option| option.get_long().is_some_and(|name| name != "help"))
        .partition(|option| option.get_help_heading() == Some(GLOBAL));
    // The AWS CLI reads twice: what is true for all commands, then the rest.
    let (mut found, rest) = known(words, &global)?;
    let (more, rest) = known(&rest, &own)?;
    found.extend(more);
    let positional = rest.iter().position(|word| !word.starts_with("--"));
    if positional.is_some_and(|at| rest[at] == "help") {
        return Ok(Reading::Help);
    }
    let has = |name: &str| found.iter().any(|(known, _)| known == name);
    let sample =
        found.iter().any(|(name, value)| name == "generate-cli-skeleton" && value.as_deref() == Some("output"));
    let instead = INSTEAD_OF_USER_ID.iter().any(|name| has(name) && !(sample && *name == "generate-cli-skeleton"));
    if !has("user-id") && !instead && !has("version") {
        return Err(Complaint::Usage("the following arguments are required: --user-id".into()));
    }
    let mut unknown: Vec<String> = rest.into_iter().filter(|word| word != "--").collect();
    if !unknown.is_empty() {
        // The first word that is no option was the AWS CLI's `help` until it was read.
        if let Some(at) = unknown.iter().position(|word| !word.starts_with('-')) {
            let word = unknown.remove(at);
            unknown.push(word);
        }
        return Err(Complaint::Unknown(unknown));
    }
    Ok(Reading::Words(plain(found)))
}

/// A fault of a command line.
pub(super) enum Complaint {
    /// Told after the program's name.
    Usage(String),
    /// Words that nobody knows.
    Unknown(Vec<String>),
}

/// Each option once, the last one: that one counts.
fn plain(found: Found) -> Vec<String> {
    let mut words: Vec<(String, String)> = Vec::new();
    for (name, value) in found {
        words.retain(|(known, _)| *known != name);
        let word = value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}"));
        words.push((name, word));
    }
    words.into_iter().map(|(_, word)| word).collect()
}

/// A word, before anything is taken from it.
enum Word<'a> {
    /// An option that is known, and the value after its `=`.
    Option(&'a Arg, Option<&'a str>),
    /// Looks like an option.
    Stranger,
    /// A value.
    Value,
}

/// Options by name, with their values, in the order typed.
type Found = Vec<(String, Option<String>)>;

/// The options that are known, and the words left over, in their order.
fn known(words: &[String], options: &[&Arg]) -> Result<(Found, Vec<String>), Complaint> {
    let mut options_end = words.len();
    let mut sorted = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        if options_end < at {
            sorted.push(Word::Value);
        } else if word == "--" {
            options_end = at;
            sorted.push(Word::Stranger);
        } else {
            sorted.push(sort(word, options)?);
        }
    }
    let mut found = Vec::new();
    let mut rest = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = &words[at];
        at += 1;
        let Word::Option(option, attached) = &sorted[at - 1] else {
            rest.push(word.clone());
            continue;
        };
        let name = option.get_long().unwrap_or_default();
        let wrong = |what: String| Complaint::Usage(format!("argument --{name}: {what}"));
        let least = option.get_num_args().map_or(usize::from(option.get_action().takes_values()), |n| n.min_values());
        let value = match attached {
            Some(value) if !option.get_action().takes_values() => {
                return Err(wrong(format!("ignored explicit argument '{value}'")));
            }
            Some(value) => Some((*value).to_owned()),
            None if !option.get_action().takes_values() => None,
            None if matches!(sorted.get(at), Some(Word::Value)) => {
                at += 1;
                Some(words[at - 1].clone())
            }
            // The definition knows what is meant.
            None if least == 0 => None,
            None => return Err(wrong("expected one argument".into())),
        };
        let choices: Vec<String> =
            option.get_possible_values().iter().map(|choice| choice.get_name().to_owned()).collect();
        if let Some(value) = &value
            && !choices.is_empty()
            && !choices.contains(value)
        {
            return Err(wrong(format!("Invalid choice, valid choices are:\n\n{}", table(&choices))));
        }
        found.push((name.to_owned(), value));
    }
    Ok((found, rest))
}

/// The look of a word, before its neighbours are known.
fn sort<'w>(word: &'w str, options: &[&'w Arg]) -> Result<Word<'w>, Complaint> {
    if !word.starts_with('-') || word == "-" {
        return Ok(Word::Value);
    }
    let (name, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    if let Some(prefix) = name.strip_prefix("--") {
        let named = |option: &&&Arg| option.get_long() == Some(prefix);
        let begins = |option: &&&Arg| option.get_long().is_some_and(|long| long.starts_with(prefix));
        let matching: Vec<&Arg> = match options.iter().find(named) {
            Some(exact) => vec![exact],
            None => options.iter().filter(begins).copied().collect(),
        };
        match matching[..] {
            [] => {}
            [option] => return Ok(Word::Option(option, attached)),
            _ => {
                let told = matching.iter().filter_map(|option| option.get_long()).map(|long| format!("--{long}"));
                let told = told.collect::<Vec<_>>().join(", ");
                return Err(Complaint::Usage(format!("ambiguous option: {word} could match {told}")));
            }
        }
    }
    // A negative number is a value, and so is what holds a space.
    let number =
        word[1..].chars().all(|c| c.is_ascii_digit() || c == '.') && word.ends_with(|c: char| c.is_ascii_digit());
    if number || word.contains(' ') { Ok(Word::Value) } else { Ok(Word::Stranger) }
}

/// Choices as the AWS CLI shows them, two in a line.
fn table(choices: &[String]) -> String {
    let lines = choices.chunks(2).map(|pair| {
        let cells: Vec<String> = pair.iter().map(|choice| format!("{choice:<40}")).collect();
        cells.join(" | ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Args as _;
    use proptest::prelude::*;

    use super::*;
    use crate::awscli::ResetUserPasswordArgs;

    fn command() -> Command {
        let mut command = ResetUserPasswordArgs::augment_args(Command::new("reset-user-password").version("0"));
        command.build();
        command
    }

    fn told(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match read(&command(), &words) {
            Ok(Reading::Words(words)) => words.join(" "),
            Ok(Reading::Help) => "help".into(),
            Err(Complaint::Usage(what)) => what,
            Err(Complaint::Unknown(words)) => format!("unknown {}", words.join(", ")),
        }
    }

    #[test]
    fn words_are_read_as_the_aws_cli_reads_them() {
        for (words, expected) in [
            (&["--user-id", "u"][..], "--user-id=u"),
            (&["--user=u", "--user-id", "v"], "--user-id=v"),
            (&["--user-id", "-5"], "--user-id=-5"),
            (&["--user-id", "-a b"], "--user-id=-a b"),
            (&["--user-id", ""], "--user-id="),
            (&["--user-id=--x=y"], "--user-id=--x=y"),
            (&["--user-id", "-x"], "argument --user-id: expected one argument"),
            (&["--user-id", "--", "x"], "argument --user-id: expected one argument"),
            (&["--user-id", "--region", "r"], "argument --user-id: expected one argument"),
            (&["--user-id", "u", "--debug=x"], "argument --debug: ignored explicit argument 'x'"),
            (&["--user-id", "u", "--nope", "x", "y", "--zzz=1"], "unknown --nope, y, --zzz=1, x"),
            (&["--user-id", "u", "--", "x"], "unknown x"),
            (
                &["--user-id", "u", "--cli", "x"],
                "ambiguous option: --cli could match --cli-read-timeout, --cli-connect-timeout, --cli-binary-format, --cli-auto-prompt",
            ),
            (
                &["--user-id", "u", "--cli-i", "x"],
                "ambiguous option: --cli-i could match --cli-input-json, --cli-input-yaml",
            ),
            (&["--gen"], "--generate-cli-skeleton"),
            (&["--generate-cli-skeleton", "output"], "the following arguments are required: --user-id"),
            (&["help"], "help"),
            (&[], "the following arguments are required: --user-id"),
        ] {
            assert_eq!(told(words), expected, "{words:?}");
        }
    }

    /// Words as people, scripts and attackers type them.
    fn word() -> impl Strategy<Value = String> {
        let names: Vec<String> =
            command().get_arguments().filter_map(|option| option.get_long()).map(Into::into).collect();
        let name =
            (prop::sample::select(names), any::<prop::sample::Index>(), prop_oneof![Just(""), Just("=x"), Just("=")]);
        let option = name.prop_map(|(name, cut, value)| {
            let kept = if value.is_empty() { name.len() } else { 1 + cut.index(name.len()) };
            format!("--{}{value}", name.get(..kept).unwrap_or(&name))
        });
        prop_oneof![4 => option, 2 => "[a-z ]{0,5}", 1 => "-{0,3}[0-9.=a-z-]{0,4}", 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn plain_words_name_each_option_once_and_read_as_themselves(words in prop::collection::vec(word(), 0..7)) {
            let command = command();
            let mut words = words;
            words.push("--user-id=u".into());
            if let Ok(Reading::Words(plain)) = read(&command, &words) {
                let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
                let mut names: Vec<String> = plain.iter().map(name).collect();
                for name in &names {
                    prop_assert!(command.get_arguments().any(|option| Some(&name[2..]) == option.get_long()), "{}", name);
                }
                names.sort();
                names.dedup();
                prop_assert_eq!(names.len(), plain.len());
                let Ok(Reading::Words(again)) = read(&command, &plain) else { panic!("{plain:?}") };
                prop_assert_eq!(again, plain);
            }
        }
    }
}
