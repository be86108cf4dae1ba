//! Runs other programs; each is shown before it runs and named when it fails.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A cargo call in the workspace's root, free of the environment of this `cargo run`.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root()).args(arguments);
    forget_outer_cargo(&mut command);
    if let Ok(target) = workspace::target() {
        command.env("CARGO_TARGET_DIR", target);
    }
    command
}

/// Removes what `cargo run` set for this program: an inner cargo would take it for a change.
fn forget_outer_cargo(command: &mut Command) {
    const PREFIXES: [&str; 4] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ];
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(text);
        }
    }
}

/// Shows the command, runs it and fails if it fails.
///
/// # Errors
/// If the program does not exist or ends with another status than zero.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", display(command));
    let status = command
        .status()
        .with_context(|| format!("could not run {}", name(command)))?;
    if !status.success() {
        bail!("{} failed with {status}", display(command));
    }
    Ok(())
}

/// Runs quietly and gives what it printed on stdout, trimmed.
///
/// # Errors
/// If the program does not exist or fails; what it said on stderr is in the message.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("could not run {}", name(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} failed with {}: {}",
            display(command),
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of this name is in one of PATH's folders.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether this machine is Debian-like and we may install packages on it.
pub(crate) fn may_install_packages() -> bool {
    is_root() && Path::new("/etc/debian_version").exists() && is_installed("apt-get")
}

/// Installs Debian packages; refreshes the package list only if the first try fails.
///
/// # Errors
/// If apt-get cannot install them.
pub(crate) fn install_packages(packages: &[&str]) -> Result<()> {
    let install = || {
        let mut command = Command::new("apt-get");
        command
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(packages);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    install().or_else(|_| {
        run(Command::new("apt-get").args(["update", "-q"]))?;
        install()
    })
}

fn is_root() -> bool {
    read(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
