//! Holds what this program is made of to `deny.toml`: licences, sources, crates it does without.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{setup, shell, workspace};

/// Names a clone of <https://github.com/rustsec/advisory-db>.
const ADVISORY_DB: &str = "BIKESHARE_ADVISORY_DB";
/// The name that cargo-deny itself gives a clone of that database.
const CLONE: &str = "advisory-db-3157b0e258782691";

/// Checks licences, bans and sources; advisories where a copy of their database is given.
///
/// # Errors
/// If a crate is not allowed or, in CI, if there is no cargo-deny.
pub(crate) fn run() -> Result<()> {
    let program = match setup::cargo_deny() {
        Ok(program) => program,
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("SKIPPED: no cargo-deny: {error:#}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    // For all systems, as cargo-deny asks for them; it may download nothing itself, least of all
    // advisories from GitHub.
    shell::run(&mut shell::cargo(&["fetch", "--locked", "--quiet"]))?;
    let config = workspace::root().join("deny.toml");
    check(&program, &config, &["licenses", "bans", "sources"])?;
    match std::env::var_os(ADVISORY_DB) {
        Some(database) => {
            let config = with_advisories(&config, Path::new(&database))?;
            check(&program, &config, &["advisories"])
        }
        None => {
            println!("left out: advisories, as {ADVISORY_DB} names no copy of their database");
            Ok(())
        }
    }
}

/// Shows errors only: `cargo deny check` by hand also names the crates that are there twice.
fn check(program: &Path, config: &Path, checks: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command.args(["--frozen", "--log-level", "error", "--config"]);
    command
        .arg(config)
        .args(["check", "--hide-inclusion-graph"]);
    shell::run(command.args(checks))
}

/// `deny.toml` with the place of the advisories, which nothing but a configuration file can name.
fn with_advisories(config: &Path, database: &Path) -> Result<PathBuf> {
    let clone = database.canonicalize();
    let clone = clone.with_context(|| format!("{ADVISORY_DB} names {database:?}"))?;
    let folder = workspace::target()?.join("advisories");
    let link = folder.join(CLONE);
    std::fs::create_dir_all(&folder).with_context(|| format!("could not create {folder:?}"))?;
    if link.is_symlink() {
        std::fs::remove_file(&link).with_context(|| format!("could not remove {link:?}"))?;
    }
    symlink(clone, &link).with_context(|| format!("could not create {link:?}"))?;
    let own = std::fs::read_to_string(config).context("could not read deny.toml")?;
    let text = format!("{own}\n[advisories]\ndb-path = {folder:?}\n");
    let written = folder.join("deny.toml");
    workspace::write_if_changed(&written, text.as_bytes())?;
    Ok(written)
}
