//! Finds or installs a compiler for wasm32: rustup's target, else Debian's own set.
//!
//! Where rustup cannot download the target's standard library, Debian has `rustc-web`,
//! `cargo-web` and `rust-web-src` of one version; with these the library is built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// The one target: no operating system, for the broker's engine and for browsers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// From this minor version the linker no longer gets `--allow-undefined` by default, and
/// SmartModules import a function of the broker's engine.
const MINOR_NEEDING_ALLOW_UNDEFINED: u32 = 96;

/// A way to compile for [`TARGET`].
#[derive(Debug)]
pub(crate) enum WasmToolchain {
    /// The pinned toolchain with rustup's standard library for the target.
    Rustup,
    /// Debian's compiler in `/usr/bin`; builds the standard library from source.
    Debian {
        /// The pinned toolchain's linker: Debian's own link dangles unless lld is installed.
        linker: PathBuf,
    },
}

impl WasmToolchain {
    /// Takes what is there; else downloads it; else installs Debian's packages.
    ///
    /// # Errors
    /// If none of the ways works; the message says what to install by hand.
    pub(crate) fn find_or_install() -> Result<Self> {
        let debian_wanted = std::env::var("BIKESHARE_WASM").is_ok_and(|way| way == "debian");
        if !debian_wanted && (has_standard_library() || add_rustup_target()) {
            return Ok(Self::Rustup);
        }
        if !has_debian_set() {
            if !shell::may_install_packages() {
                bail!(
                    "no compiler for {TARGET}: run `rustup target add {TARGET}`, or, where rustup \
                     cannot download it, `sudo apt-get install {}`",
                    DEBIAN_PACKAGES.join(" ")
                );
            }
            shell::install_packages(&DEBIAN_PACKAGES)?;
        }
        Ok(Self::Debian {
            linker: rustup_linker()?,
        })
    }

    /// A `cargo` call that compiles for [`TARGET`].
    ///
    /// # Errors
    /// If the compiler's version cannot be read.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = shell::cargo(arguments);
        let mut compiler = Command::new("rustc");
        if let Self::Debian { linker } = self {
            command = with_program("/usr/bin/cargo", &command);
            command.args(["-Z", "build-std=std,panic_abort"]);
            command
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            compiler = Command::new("/usr/bin/rustc");
        }
        if minor_version(&shell::read(compiler.arg("--version"))?) >= MINOR_NEEDING_ALLOW_UNDEFINED
        {
            let flags = "-C link-arg=--allow-undefined";
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        }
        Ok(command)
    }
}

/// The same call of another program.
fn with_program(program: &str, command: &Command) -> Command {
    let mut other = Command::new(program);
    other.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        other.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

fn has_standard_library() -> bool {
    let folder =
        shell::read(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| Path::new(&folder).is_dir())
}

fn add_rustup_target() -> bool {
    shell::is_installed("rustup")
        && shell::run(Command::new("rustup").args(["target", "add", TARGET])).is_ok()
}

fn has_debian_set() -> bool {
    let has = |path| Path::new(path).exists();
    has("/usr/bin/cargo") && has("/usr/bin/rustc") && has("/usr/lib/rustlib/src/rust/library")
}

fn rustup_linker() -> Result<PathBuf> {
    let sysroot = shell::read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let host = shell::read(Command::new("rustc").args(["--print", "host-tuple"]))?;
    Ok(Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld"))
}

/// `96` of `rustc 1.96.0 (…)`; 0 if the text is something else.
fn minor_version(text: &str) -> u32 {
    text.split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::minor_version;

    #[test]
    fn the_minor_version_is_the_second_number() {
        assert_eq!(
            minor_version("rustc 1.96.0 (abc 2026-01-01) (built from a source tarball)"),
            96
        );
        assert_eq!(minor_version("something else"), 0);
    }
}
