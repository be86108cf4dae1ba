//! SmartModules as streams take them, and what a broker says of one that fails.

use std::fmt;
use std::sync::Arc;

use fluvio::consumer::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};
use fluvio_protocol::link::ErrorCode;
use sha2::{Digest as _, Sha256};

/// Characters of a version that people are shown (chosen: as git shows a commit's).
const VERSION_CHARS: usize = 12;

/// What tells versions of a module apart: the SHA-256 of its wasm in hexadecimal digits, as `sha256sum` prints
/// it.
#[must_use]
pub fn module_version(wasm: &[u8]) -> String {
    let digest = Sha256::digest(wasm);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As much of a [`module_version`] as people are shown.
#[must_use]
pub fn short_version(version: &str) -> &str {
    version.get(..VERSION_CHARS).unwrap_or(version)
}

/// A SmartModule ready to be sent to a broker with a stream.
///
/// Its bytes go along with each stream. Its name alone would not do: a module that was uploaded
/// reaches the brokers some time later, and until then a name means the old module or none.
#[derive(Clone, PartialEq, Eq)]
pub struct SmartModule {
    name: String,
    gzip: Arc<[u8]>,
}

impl fmt::Debug for SmartModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.gzip.len())
    }
}

impl SmartModule {
    /// A module whose wasm is packed with gzip, as a cluster keeps it.
    #[must_use]
    pub fn packed(name: String, gzip: Vec<u8>) -> Self {
        Self {
            name,
            gzip: gzip.into(),
        }
    }

    /// Packs a module.
    ///
    /// # Errors
    /// If the bytes cannot be packed.
    pub fn from_wasm(name: &str, wasm: &[u8]) -> anyhow::Result<Self> {
        match SmartModuleInvocationWasm::adhoc_from_bytes(wasm)? {
            SmartModuleInvocationWasm::AdHoc(gzip) => Ok(Self::packed(name.to_owned(), gzip)),
            SmartModuleInvocationWasm::Predefined(_) => unreachable!("bytes are ad hoc"),
        }
    }

    /// The name on the cluster, and in the broker's log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes as they are sent.
    #[must_use]
    pub fn gzip(&self) -> &[u8] {
        &self.gzip
    }

    /// The module itself, unpacked.
    ///
    /// # Errors
    /// If the bytes are damaged.
    pub fn wasm(&self) -> anyhow::Result<Vec<u8>> {
        Ok(SmartModuleInvocationWasm::AdHoc(self.gzip.to_vec()).into_raw()?)
    }

    /// Its [`module_version`].
    ///
    /// # Errors
    /// If the bytes are damaged.
    pub fn version(&self) -> anyhow::Result<String> {
        Ok(module_version(&self.wasm()?))
    }

    pub(crate) fn invocation(&self, params: &[(String, String)]) -> SmartModuleInvocation {
        let params = params.iter().cloned();
        let params: std::collections::BTreeMap<_, _> = params.collect();
        SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::AdHoc(self.gzip.to_vec()),
            // The engine goes by what the module exports.
            kind: SmartModuleKind::Generic(SmartModuleContextData::None),
            params: params.into(),
            name: Some(self.name.clone()),
        }
    }
}

/// Why a module gives no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleError {
    /// The record it failed at, if that is known.
    pub offset: Option<i64>,
    /// The module's word, or the broker's of it.
    pub reason: String,
}

impl ModuleError {
    /// What a broker's error says of the module; none if it is about something else.
    #[must_use]
    pub fn of(code: &ErrorCode) -> Option<Self> {
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
        Some(Self { offset, reason })
    }
}
