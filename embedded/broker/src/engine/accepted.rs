//! Which modules may be sent along with a request although ad-hoc modules are off.
//!
//! A client that wants to know which version of a module runs (the sink, the bridge) sends the
//! module's bytes instead of its name. Those are the bytes of an uploaded module, which was tried
//! before it was stored, or of the version before it: a sink goes back to that one if the new one
//! fails on real data.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::cache::Digest;

/// Versions of one module that are accepted. Chosen: the stored one, and those a client may go
/// back to after some uploads in a row.
const VERSIONS_MAX: usize = 4;

/// The newest versions of each stored module, since the broker started.
///
/// A mutex: it is held for a look-up.
#[derive(Debug, Default)]
pub(super) struct Accepted(Mutex<BTreeMap<String, VecDeque<Digest>>>);

impl Accepted {
    pub(super) fn add(&self, name: &str, digest: Digest) {
        let mut modules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = modules.entry(name.to_owned()).or_default();
        versions.retain(|version| *version != digest);
        versions.push_front(digest);
        versions.truncate(VERSIONS_MAX);
    }

    pub(super) fn remove(&self, name: &str) {
        let mut modules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        modules.remove(name);
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        let modules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        modules.values().any(|versions| versions.contains(digest))
    }
}
