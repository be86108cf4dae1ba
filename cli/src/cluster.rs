//! A Fluvio cluster as a file declares it, and how to bring a real one there.
//!
//! ```text
//! fluvio-cluster.yaml ─manifest─▶ objects ─plan─▶ steps (nothing, create, update, refuse) ─apply─▶ cluster
//! ```
//! The other way round, `import` writes the file that declares what a cluster has.
//!
//! Not here: starting SPUs, which is the business of who runs the cluster.

mod apply;
mod import;
mod manifest;
mod plan;

pub(crate) use apply::{Replaced, apply, is_previous_of, previous_name, replace};
pub(crate) use import::import;
pub(crate) use manifest::Manifest;
pub(crate) use plan::{Action, Step, plan};

/// The topic that everything else goes through, as `fluvio-cluster.yaml` names it.
pub(crate) const TOPIC: &str = "trips";
