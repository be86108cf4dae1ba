//! `bikeshare smartmodule list`

use anyhow::{Context, Result};
use clap::Args;
use fluvio::metadata::smartmodule::SmartModuleSpec;

use super::{Target, shown_version};
use crate::addresses::connect_admin;
use crate::modules;
use crate::output::say;

/// List the cluster's modules with their sizes and versions.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let admin = connect_admin(&arguments.target.cluster()?).await?;
    let found = admin.all::<SmartModuleSpec>().await;
    for module in found.context("could not list the cluster's smartmodules")? {
        let wasm = module
            .spec
            .wasm
            .as_raw_wasm()
            .context("a module on the cluster is damaged")?;
        let origin = match modules::wasm(&module.name) {
            Ok(carried) if *carried == *wasm => "as carried by this program".to_owned(),
            Ok(_) => "differs from the one this program carries".to_owned(),
            Err(_) => match crate::cluster::is_previous_of(&module.name) {
                Some(name) => format!("what `smartmodule rollback {name}` goes back to"),
                None => "not carried by this program".to_owned(),
            },
        };
        say!(
            "{:<20} {:>9} bytes  {}  {origin}",
            module.name,
            wasm.len(),
            shown_version(&wasm)
        );
    }
    Ok(())
}
