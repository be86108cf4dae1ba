//! The SmartModule of a route, and which ones the bridge can use.
//!
//! Its bytes are fetched from the controller and go along with each stream. Its name alone would
//! not do: a module that was pushed reaches the brokers some time later, and until then a name
//! means the old module or none.

use anyhow::{Context, anyhow};
use partition_client::{Cluster, SmartModule};
use wasmparser::{Parser, Payload};

use crate::error::BridgeError;

/// Functions of modules that keep something as long as their stream lives, or are told where they
/// stand when it opens. The bridge opens streams in the middle of the input, and anew whenever it
/// must, so the outputs of such a module would depend on when that was.
const NEEDS_A_STREAM: [(&str, &str); 3] = [
    ("aggregate", "it adds records up"),
    ("look_back", "it looks back at earlier records"),
    ("init", "it takes parameters, which the bridge has none of"),
];

/// Fetches the module of this name and checks that its outputs depend on nothing but the record.
///
/// # Errors
/// If the cluster has none, or the bridge cannot use it.
pub(crate) async fn load(cluster: &Cluster, name: &str) -> Result<SmartModule, BridgeError> {
    let module = cluster.smart_module(name).await?;
    let module = module.ok_or_else(|| BridgeError::NoModule(name.to_owned()))?;
    match check(&module) {
        Ok(()) => Ok(module),
        Err(reason) => Err(BridgeError::UnusableModule {
            module: name.to_owned(),
            reason: format!("{reason:#}"),
        }),
    }
}

fn check(module: &SmartModule) -> anyhow::Result<()> {
    let wasm = module.wasm().context("it cannot be unpacked")?;
    let exports = exports(&wasm).context("it is not wasm")?;
    let found = NEEDS_A_STREAM
        .iter()
        .find(|(function, _)| exports.iter().any(|export| export == function));
    match found {
        None => Ok(()),
        Some((function, what)) => Err(anyhow!("{what} (function {function})")),
    }
}

/// Names of what the module offers to its host.
fn exports(wasm: &[u8]) -> wasmparser::Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ExportSection(section) = payload? {
            for export in section {
                names.push(export?.name.to_owned());
            }
        }
    }
    Ok(names)
}
