//! `cargo xtask tidy`: the rules no compiler checks, each with its reason.
//!
//! Also run by `cargo test`, so that nobody learns of a breach from CI only.

mod files;
mod layers;
mod levels;
mod links;
mod metadata;
mod sources;
mod stages;

use anyhow::{Result, bail};

use crate::workspace;

/// Checks every rule and prints each breach with the rule's reason.
///
/// # Errors
/// If a rule is broken, or a file cannot be read.
pub(crate) fn run() -> Result<()> {
    let breaches = breaches()?;
    for breach in &breaches {
        println!("{breach}");
    }
    if !breaches.is_empty() {
        bail!("{} rule breaches", breaches.len());
    }
    Ok(())
}

fn breaches() -> Result<Vec<String>> {
    let root = workspace::root();
    let mut breaches = Vec::new();
    breaches.extend(stages::check(root)?);
    breaches.extend(layers::check(root)?);
    breaches.extend(levels::check(root)?);
    breaches.extend(sources::check(root)?);
    breaches.extend(links::check(root)?);
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_workspace_is_tidy() {
        assert_eq!(super::breaches().unwrap(), Vec::<String>::new());
    }
}
