//! `cargo xtask tidy`: the rules no compiler checks, each with its reason.
//!
//! Also run by `cargo test`, so that nobody learns of a violation from CI only.

mod files;
mod layers;
mod links;
mod metadata;
mod references;
mod sources;
mod stages;

use anyhow::{Result, bail};

use crate::workspace;

/// Checks every rule and prints each violation with the rule's reason.
///
/// # Errors
/// If a rule is broken, or a file cannot be read.
pub(crate) fn run() -> Result<()> {
    let violations = violations()?;
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} rule violations", violations.len());
    }
    Ok(())
}

fn violations() -> Result<Vec<String>> {
    let root = workspace::root();
    let mut violations = Vec::new();
    violations.extend(stages::check(root)?);
    violations.extend(layers::check(root)?);
    violations.extend(sources::check(root)?);
    violations.extend(links::check(root)?);
    violations.extend(references::check(root)?);
    Ok(violations)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_workspace_is_tidy() {
        assert_eq!(super::violations().unwrap(), Vec::<String>::new());
    }
}
