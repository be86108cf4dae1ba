//! `cargo xtask test`: exactly what CI runs.
//!
//! One profile, quick to compile, serves all steps: clippy and the documentation take the macros and what
//! build scripts made, among it several C libraries, from the tests' build and the wasm32 crates'.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::report::Report;
use crate::wasm_toolchain::{TARGET, WasmToolchain};
use crate::workspace::PROFILE;
use crate::{deny, setup, shell, tidy, wasm};

/// Runs every step, also after one failed, and ends with the sum of all tests.
///
/// # Errors
/// If any step failed; the last line names them.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    let mut report = Report::default();
    steps.run("set up", set_up);
    steps.run("format", || {
        shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))
    });
    steps.run("tidy", tidy::run);
    steps.run("deny", deny::run);
    steps.run("wasm", || wasm::run(&[]));
    steps.run("clippy", clippy);
    steps.run("clippy for the browser", clippy_browser);
    steps.run("tests", || tests(&mut report));
    steps.run("documentation", documentation);
    steps.finish(&report)
}

/// The steps so far.
#[derive(Debug, Default)]
struct Steps {
    failed: Vec<&'static str>,
}

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) {
        println!("\n=== {name}");
        let started = Instant::now();
        let outcome = step();
        let seconds = started.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("=== {name}: ok in {seconds:.1} s"),
            Err(error) => {
                println!("=== {name}: FAILED in {seconds:.1} s: {error:#}");
                self.failed.push(name);
            }
        }
    }

    fn finish(self, report: &Report) -> Result<()> {
        println!();
        if !self.failed.is_empty() {
            println!("failed steps: {}", self.failed.join(", "));
        }
        println!("{report}");
        if !self.failed.is_empty() {
            std::process::exit(1);
        }
        Ok(())
    }
}

/// Postgres is needed; without a browser, Python or Kafka their tests are skipped, but not in CI.
fn set_up() -> Result<()> {
    setup::openssl()?;
    setup::postgres()?;
    let optional = [
        ("browser", setup::browser()),
        ("python", setup::python().map(drop)),
        ("axe", axe().map(drop)),
        ("kafka", setup::kafka().map(drop)),
        ("promtool", setup::prometheus()),
    ];
    for (name, outcome) in optional {
        match outcome {
            Err(error) if std::env::var_os("CI").is_some() => return Err(error),
            Err(error) => println!("without {name} some tests will be skipped: {error:#}"),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn axe() -> Result<PathBuf> {
    setup::axe(&setup::python()?)
}

fn clippy() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    let all = [
        "clippy",
        "--profile",
        PROFILE,
        "--workspace",
        "--all-targets",
    ];
    shell::run(shell::cargo(&all).args(deny))?;
    // `cli` as `up` builds it, without the Kafka bridge; with all else the same, it is compiled alone.
    shell::run(shell::cargo(&all).arg("--no-default-features").args(deny))
}

/// The client's half of `app` compiles for the browser only.
fn clippy_browser() -> Result<()> {
    if !matches!(WasmToolchain::find_or_install()?, WasmToolchain::Rustup) {
        println!("left out: Debian's compiler for {TARGET} has no clippy");
        return Ok(());
    }
    let what = [
        "clippy",
        "--profile",
        PROFILE,
        "--lib",
        "--package",
        "app",
        "--no-default-features",
        "--features",
        "hydrate",
        "--target",
        TARGET,
    ];
    shell::run(shell::cargo(&what).args(["--", "-D", "warnings"]))
}

fn documentation() -> Result<()> {
    let mut command = shell::cargo(&["doc", "--profile", PROFILE, "--workspace", "--no-deps"]);
    // Read by who changes the code: links may lead to private items.
    let flags = "-D warnings -A rustdoc::private-intra-doc-links";
    shell::run(command.env("RUSTDOCFLAGS", flags))
}

/// Unit, integration and documentation tests of the whole workspace.
fn tests(report: &mut Report) -> Result<()> {
    let mut command = shell::cargo(&[
        "test",
        "--profile",
        PROFILE,
        "--workspace",
        "--no-fail-fast",
    ]);
    command.args(["--", "--show-output"]);
    if let Ok(python) = setup::python() {
        command.env("BIKESHARE_PYTHON", python);
    }
    if let Ok(axe) = axe() {
        command.env("BIKESHARE_AXE", axe);
    }
    if let Ok(jars) = setup::kafka() {
        command.env("BIKESHARE_KAFKA_JARS", jars);
    }
    read_tests(&mut command, report)
}

fn read_tests(command: &mut Command, report: &mut Report) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("could not run cargo test")?;
    let output = child.stdout.take().context("stdout is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("could not read the tests' output")?;
        let line = String::from_utf8_lossy(&line);
        if report.read(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().context("could not wait for cargo test")?;
    if !status.success() {
        bail!("cargo test ended with {status}");
    }
    Ok(())
}
