//! `bikeshare completions`: what a shell needs to complete commands and flags.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::output;

/// Print what a shell needs to complete commands and flags.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare completions bash > /etc/bash_completion.d/bikeshare
  bikeshare completions zsh > \"${fpath[1]}/_bikeshare\"
  bikeshare completions fish > ~/.config/fish/completions/bikeshare.fish")]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Runs the subcommand; `program` is the whole command line that can be completed.
pub(crate) fn run(arguments: &Arguments, mut program: clap::Command) {
    let mut script = Vec::new();
    generate(arguments.shell, &mut program, "bikeshare", &mut script);
    output::all(&script);
}
