//! Services that this machine may not have.

use std::path::PathBuf;

/// Says that the test which calls it is skipped; `cargo xtask test` counts those.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    println!("SKIPPED: {why}");
}

/// The script of axe-core; `cargo xtask test` names it. None, and a [`skip`], without it.
pub fn axe() -> Option<String> {
    let axe = std::env::var_os("BIKESHARE_AXE").map(PathBuf::from);
    if axe.is_none() {
        skip("BIKESHARE_AXE names no script of axe-core");
    }
    axe.map(|axe| std::fs::read_to_string(axe).unwrap())
}

/// The interpreter that has a package of `PyPI`; `cargo xtask test` names it. None, and a [`skip`],
/// without it.
pub fn python(package: &str) -> Option<PathBuf> {
    let python = std::env::var_os("BIKESHARE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skip(&format!(
            "BIKESHARE_PYTHON names no interpreter with PyPI's {package}"
        ));
    }
    python
}
