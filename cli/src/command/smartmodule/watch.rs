//! `bikeshare smartmodule watch`: whenever a source is saved, another version runs.
//!
//! ```text
//! saved ─▶ build ─▶ test ─▶ trial ─▶ push       a step that fails is the round's last
//! ```
//! How modules are built stands in xtask alone, and who has modules of their own builds them otherwise: so
//! build and test are commands.

mod shell;
mod sources;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::shell::ShellCommand;
use self::sources::Sources;
use super::{Target, push, shown_version};
use crate::output::say;
use crate::{shutdown, trial};

/// Build, test and push a module whenever one of its sources is saved, until Ctrl-C.
///
/// Each step is a line with the time it took. If one fails, what it said follows, and the version on the
/// cluster stays. Without flags it is run in the root of the project's repository, and needs Rust as `cargo
/// xtask wasm` does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare smartmodule watch trip-split                       in the repository, beside a `bikeshare up`
  bikeshare smartmodule watch dock-window --test ''            without tests
  bikeshare smartmodule watch my-filter --source src --build 'smdk build' --test 'cargo test' \\
      --wasm target/wasm32-wasip1/release-lto/my_filter.wasm   a module of your own")]
pub(super) struct Arguments {
    /// The module's name on the cluster.
    name: String,
    /// A folder with sources, looked at with all that is in it but `target` and hidden files; may be given
    /// several times. Without it: smartmodules/NAME, smartmodules/frame and domain.
    #[arg(long = "source", value_name = "FOLDER")]
    sources: Vec<PathBuf>,
    /// What builds the wasm, for a shell. Without it: cargo xtask wasm NAME.
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// What runs the tests, for a shell; an empty one runs none. Without it: cargo test of domain and the
    /// module.
    #[arg(long, value_name = "COMMAND")]
    test: Option<String>,
    /// What was built. Without it: target/assets/smartmodules/NAME.wasm.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let stop = shutdown::on_signal()?;
    let mut sources = Sources::watch(arguments.folders())?;
    say!("watches {}; Ctrl-C ends it", sources.names());
    let rounds = Rounds::of(arguments);
    loop {
        tokio::select! {
            () = rounds.round() => {}
            () = stop.cancelled() => return Ok(()),
        }
        tokio::select! {
            changed = sources.changed() => changed?,
            () = stop.cancelled() => return Ok(()),
        }
    }
}

impl Arguments {
    fn folders(&self) -> Vec<PathBuf> {
        if !self.sources.is_empty() {
            return self.sources.clone();
        }
        let own = PathBuf::from("smartmodules").join(&self.name);
        vec![own, "smartmodules/frame".into(), "domain".into()]
    }
}

/// What is done after each change.
struct Rounds {
    name: String,
    build: String,
    test: String,
    wasm: PathBuf,
    target: Target,
}

impl Rounds {
    fn of(arguments: Arguments) -> Self {
        let Arguments {
            name,
            build,
            test,
            wasm,
            target,
            ..
        } = arguments;
        let built = || format!("target/assets/smartmodules/{name}.wasm").into();
        let tests =
            || format!("cargo test --quiet --profile quick --package domain --package {name}");
        Self {
            wasm: wasm.unwrap_or_else(built),
            build: build.unwrap_or_else(|| format!("cargo xtask wasm {name}")),
            test: test.unwrap_or_else(tests),
            name,
            target,
        }
    }

    /// All steps, up to the first that fails; it has said why.
    async fn round(&self) {
        let steps = async {
            self.step("build", run_in_shell(&self.build)).await?;
            self.step("test", run_in_shell(&self.test)).await?;
            let wasm = self.step("trial", self.trial()).await?;
            self.step("push", self.push(&wasm)).await
        };
        match steps.await {
            Ok(()) | Err(Failed) => {}
        }
    }

    /// Does a step and prints its line.
    async fn step<T>(
        &self,
        step: &str,
        doing: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T, Failed> {
        let started = Instant::now();
        let done = doing.await;
        let took = started.elapsed();
        match done {
            Ok((value, said)) => {
                print_line(&self.name, step, took, &said);
                Ok(value)
            }
            Err(error) => {
                let stays = format!("FAILED, the cluster keeps the version it has: {error:#}");
                print_line(&self.name, step, took, &stays);
                Err(Failed)
            }
        }
    }

    async fn trial(&self) -> Result<(Vec<u8>, String)> {
        let file = &self.wasm;
        let wasm = std::fs::read(file).with_context(|| format!("could not read {file:?}"))?;
        if !wasm.starts_with(b"\0asm") {
            bail!("{file:?} is not wasm");
        }
        let said = match trial::run(&self.name, &wasm).await? {
            Some(records) => format!("{records} sample records, version {}", shown_version(&wasm)),
            None => format!("it does no harm, version {}", shown_version(&wasm)),
        };
        Ok((wasm, said))
    }

    async fn push(&self, wasm: &[u8]) -> Result<((), String)> {
        let cluster = self.target.connect().await?;
        let said = push::upload(&cluster, &self.name, wasm).await?;
        Ok(((), said))
    }
}

async fn run_in_shell(command: &str) -> Result<((), String)> {
    ShellCommand::start(command)?.finish().await?;
    Ok(((), command.to_owned()))
}

/// A step failed, and that was said.
#[derive(Debug)]
struct Failed;

fn print_line(name: &str, step: &str, took: Duration, said: &str) {
    say!("{name} {step:<5} {:>6.1} s  {said}", took.as_secs_f32());
}
