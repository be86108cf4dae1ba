//! The SmartModule of a route, and which ones the bridge can use.
//!
//! Its bytes are fetched from the controller and go along with each stream. Its name alone would
//! not do: a module that was pushed reaches the brokers some time later, and until then a name
//! means the old module or none.

use anyhow::{Context, anyhow};
use fluvio::consumer::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};
use fluvio_protocol::link::ErrorCode;
use wasmparser::{Parser, Payload};

use crate::cluster::Cluster;
use crate::error::BridgeError;

/// Functions of modules that keep something as long as their stream lives, or are told where they
/// stand when it opens. The bridge opens streams in the middle of the input, and anew whenever it
/// must, so the outputs of such a module would depend on when that was.
const NEEDS_A_STREAM: [(&str, &str); 3] = [
    ("aggregate", "it adds records up"),
    ("look_back", "it looks back at earlier records"),
    ("init", "it takes parameters, which the bridge has none of"),
];

/// A module ready to be sent to a broker.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Module {
    name: String,
    gzip: Vec<u8>,
}

impl Module {
    /// Fetches the module and checks that its outputs depend on nothing but the record.
    ///
    /// # Errors
    /// If the cluster has none of this name, or the bridge cannot use it.
    pub(crate) async fn load(cluster: &Cluster, name: &str) -> Result<Self, BridgeError> {
        let gzip = cluster.module(name).await?;
        let gzip = gzip.ok_or_else(|| BridgeError::NoModule(name.to_owned()))?;
        let module = Self {
            name: name.to_owned(),
            gzip,
        };
        match module.check() {
            Ok(()) => Ok(module),
            Err(reason) => Err(BridgeError::UnusableModule {
                module: module.name,
                reason: format!("{reason:#}"),
            }),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn invocation(&self) -> SmartModuleInvocation {
        SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::AdHoc(self.gzip.clone()),
            // The engine goes by what the module exports.
            kind: SmartModuleKind::Generic(SmartModuleContextData::None),
            params: Default::default(),
            name: Some(self.name.clone()),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let packed = SmartModuleInvocationWasm::AdHoc(self.gzip.clone());
        let wasm = packed.into_raw().context("it cannot be unpacked")?;
        let exports = exports(&wasm).context("it is not wasm")?;
        let found = NEEDS_A_STREAM
            .iter()
            .find(|(function, _)| exports.iter().any(|export| export == function));
        match found {
            None => Ok(()),
            Some((function, what)) => Err(anyhow!("{what} (function {function})")),
        }
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

/// What a broker's error says about the module; none if it is not about the module.
pub(crate) fn complaint(code: &ErrorCode) -> Option<Complaint> {
    let (offset, reason) = match code {
        // Its own text has a dozen lines and the record's value.
        ErrorCode::SmartModuleRuntimeError(error) => (Some(error.offset), error.hint.clone()),
        ErrorCode::SmartModuleError
        | ErrorCode::SmartModuleNotFound { .. }
        | ErrorCode::SmartModuleInvalid { .. }
        | ErrorCode::SmartModuleInvalidExports { .. }
        | ErrorCode::SmartModuleInitError(_)
        | ErrorCode::SmartModuleLookBackError(_)
        | ErrorCode::SmartModuleMemoryLimitExceeded { .. }
        | ErrorCode::SmartModuleChainInitError(_) => (None, code.to_string()),
        // A panic of the module comes as text.
        ErrorCode::Other(text) if text.contains("SmartModule") => (None, text.clone()),
        _ => return None,
    };
    Some(Complaint { offset, reason })
}

/// Why a module gives no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The record, if it is known.
    pub(crate) offset: Option<i64>,
    pub(crate) reason: String,
}
