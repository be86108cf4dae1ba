//! Settings from flags, the environment and a TOML file, in this order.
//!
//! The file's values become the flags' defaults, so that one definition of each setting (its
//! flag) serves all three, and `--help` shows what is in force.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Command, Parser};
use toml::{Table, Value};

/// Read when no other file is named, if it is there.
const FILE: &str = "bikeshare.toml";

/// Parses the command line over the environment over the configuration file.
///
/// # Errors
/// If the file cannot be used, or the command line is wrong (a [`clap::Error`]).
pub(crate) fn parse<A: Parser>(arguments: impl Iterator<Item = OsString>) -> Result<A> {
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = A::command();
    if let Some(path) = named_file(&arguments) {
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("could not read the settings in {path:?}"))?;
        command = with_defaults(command, &text)
            .with_context(|| format!("could not use the settings in {path:?}"))?;
    }
    Ok(A::from_arg_matches(
        &command.try_get_matches_from(arguments)?,
    )?)
}

/// The file of `--config`, of the environment, or the usual one if it exists.
fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word
            .to_str()
            .and_then(|word| word.strip_prefix("--config="))
        {
            return Some(PathBuf::from(path));
        }
    }
    let from_environment = std::env::var_os("BIKESHARE_CONFIG").map(PathBuf::from);
    from_environment.or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)))
}

fn with_defaults(mut command: Command, text: &str) -> Result<Command> {
    let table: Table = text.parse()?;
    for (key, value) in &table {
        let known;
        (command, known) = match value {
            Value::Table(section) => with_section(command, key, section)?,
            value => with_everywhere(command, key, &texts_of(key, value)?)?,
        };
        if !known {
            bail!("unknown key \"{key}\": it names neither a flag nor a command");
        }
    }
    Ok(command)
}

/// `[up]`: settings of one command.
fn with_section(command: Command, name: &str, section: &Table) -> Result<(Command, bool)> {
    let Some(mut part) = command.find_subcommand(name).cloned() else {
        return Ok((command, false));
    };
    for (key, value) in section {
        let known;
        (part, known) = with_everywhere(part, key, &texts_of(key, value)?)?;
        if !known {
            bail!("unknown key \"{key}\" in [{name}]: `bikeshare {name}` has no flag --{key}");
        }
    }
    Ok((command.mut_subcommand(name, |_| part), true))
}

/// Sets the default of the flag in this command and all below; tells whether any has it.
fn with_everywhere(mut command: Command, key: &str, values: &[String]) -> Result<(Command, bool)> {
    let flag = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(key));
    let mut known = false;
    if let Some(flag) = flag {
        known = true;
        if values.len() != 1 && !matches!(flag.get_action(), ArgAction::Append) {
            bail!("\"{key}\" takes one value, not a list");
        }
        let id = flag.get_id().clone();
        // A flag that must be given may be given here.
        command = command.mut_arg(id, |arg| {
            arg.required(false).default_values(values.to_vec())
        });
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|part| part.get_name().to_owned())
        .collect();
    for name in names {
        let Some(part) = command.find_subcommand(&name).cloned() else {
            continue;
        };
        let (part, found) = with_everywhere(part, key, values)?;
        known |= found;
        command = command.mut_subcommand(name, |_| part);
    }
    Ok((command, known))
}

/// A list's texts, or the one of a single value.
fn texts_of(key: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|value| text_of(key, value)).collect(),
        value => Ok(vec![text_of(key, value)?]),
    }
}

fn text_of(key: &str, value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        _ => bail!("\"{key}\" must be a text, a number, true or false"),
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};
    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Debug, Parser)]
    struct Sample {
        #[command(subcommand)]
        command: Part,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Part {
        Up {
            #[arg(long)]
            listen: Option<String>,
            #[arg(long, default_value = "60")]
            speed: String,
            #[arg(long)]
            once: bool,
        },
        Sink {
            #[arg(long)]
            listen: Option<String>,
        },
        Bridge {
            #[arg(long, value_delimiter = ',', required = true)]
            topic: Vec<String>,
        },
    }

    fn check(file: &str, line: &str, expected: &Expect) {
        let read = || -> Result<Sample> {
            let command = with_defaults(Sample::command(), file)?;
            Ok(Sample::from_arg_matches(
                &command.try_get_matches_from(line.split(' '))?,
            )?)
        };
        let text = match read() {
            Ok(sample) => format!("{:?}", sample.command),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_key_of_the_file_is_the_default_of_every_flag_of_that_name() {
        let file = "listen = \"0.0.0.0:80\"";
        check(
            file,
            "b up",
            &expect![[r#"Up { listen: Some("0.0.0.0:80"), speed: "60", once: false }"#]],
        );
        check(
            file,
            "b sink",
            &expect![[r#"Sink { listen: Some("0.0.0.0:80") }"#]],
        );
    }

    #[test]
    fn a_flag_wins_over_the_file_and_a_section_is_for_one_command() {
        let file = "[up]\nspeed = 1\nonce = true\nlisten = \"a:1\"";
        check(
            file,
            "b up --speed max",
            &expect![[r#"Up { listen: Some("a:1"), speed: "max", once: true }"#]],
        );
        check(file, "b sink", &expect!["Sink { listen: None }"]);
    }

    #[test]
    fn a_list_is_given_to_a_flag_that_may_be_given_several_times() {
        let file = "[bridge]\ntopic = [\"kafka:a\", \"fluvio:b,fluvio:c\"]";
        check(
            file,
            "b bridge",
            &expect![[r#"Bridge { topic: ["kafka:a", "fluvio:b", "fluvio:c"] }"#]],
        );
        check(
            file,
            "b bridge --topic x",
            &expect![[r#"Bridge { topic: ["x"] }"#]],
        );
        check(
            "[up]\nlisten = [\"a:1\", \"b:2\"]",
            "b up",
            &expect![[r#""listen" takes one value, not a list"#]],
        );
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        check(
            "lisen = 1",
            "b up",
            &expect![[r#"unknown key "lisen": it names neither a flag nor a command"#]],
        );
        check(
            "[sink]\nspeed = 1",
            "b up",
            &expect![[r#"unknown key "speed" in [sink]: `bikeshare sink` has no flag --speed"#]],
        );
    }
}
