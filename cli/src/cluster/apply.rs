//! Carries out a plan and waits until the cluster has done what it was told.

use anyhow::{Context, Result, bail};
use fluvio::FluvioClusterConfig;
use partition_client::Cluster;

use super::manifest::Manifest;
use super::plan::{Action, Step, plan};
use crate::addresses::{cluster, connect_admin};
use crate::trial;

/// Brings a cluster where `manifest` wants it and gives the steps taken.
///
/// # Errors
/// If something differs that cannot be changed or a module is refused (then nothing is changed), or the cluster
/// does not take it.
pub(crate) async fn apply(config: &FluvioClusterConfig, manifest: &Manifest) -> Result<Vec<Step>> {
    let admin = connect_admin(config).await?;
    let steps = plan(&admin, manifest).await?;
    if let Some(step) = steps
        .iter()
        .find(|step| matches!(step.action, Action::Refuse(_)))
    {
        bail!("{step}");
    }
    for step in &steps {
        // What the program carries was tried when it was built.
        if let Action::Upload {
            name,
            wasm,
            carried: false,
            ..
        } = &step.action
        {
            trial::run(name, wasm).await?;
        }
    }
    let cluster = cluster(config);
    for step in &steps {
        carry_out(&cluster, step)
            .await
            .with_context(|| format!("could not apply {step}"))?;
    }
    for topic in &manifest.topics {
        cluster
            .wait_until_in_sync(&topic.name, topic.shape())
            .await?;
    }
    Ok(steps)
}

async fn carry_out(cluster: &Cluster, step: &Step) -> Result<()> {
    match &step.action {
        Action::CreateTopic {
            name,
            shape,
            retention,
        } => Ok(cluster.create_topic(name, *shape, *retention).await?),
        Action::Upload { name, wasm, .. } => replace(cluster, name, wasm).await.map(drop),
        Action::Nothing | Action::Note(_) | Action::Refuse(_) => Ok(()),
    }
}

/// What the name of a module's version before ends in.
const PREVIOUS: &str = "-previous";

/// What became of a SmartModule on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// It was there already.
    Nothing,
    /// There was none of this name.
    New,
    /// It took the place of this one, which can be gone back to.
    Previous(Vec<u8>),
}

/// The name under which the cluster keeps the version of a module that was there before.
pub(crate) fn previous_name(name: &str) -> String {
    format!("{name}{PREVIOUS}")
}

/// Of which module the cluster keeps the version before under this name.
pub(crate) fn is_previous_of(name: &str) -> Option<&str> {
    name.strip_suffix(PREVIOUS)
}

/// Uploads a SmartModule, new or changed, and waits until the controller has it.
///
/// The one that was there is kept beside it, under its [`previous_name`], before it is replaced: so it can be
/// gone back to from any machine.
///
/// # Errors
/// If `wasm` is none, or the cluster refuses it.
pub(crate) async fn replace(cluster: &Cluster, name: &str, wasm: &[u8]) -> Result<Replaced> {
    if !wasm.starts_with(b"\0asm") {
        bail!("what was given for smartmodule \"{name}\" is not wasm");
    }
    if is_previous_of(name).is_some() {
        bail!(
            "a smartmodule cannot be called \"{name}\": names that end in \"{PREVIOUS}\" are of versions \
             that `bikeshare smartmodule rollback` goes back to"
        );
    }
    // What is damaged cannot be gone back to.
    let found = cluster.smart_module(name).await?;
    let found = found.and_then(|found| found.wasm().ok());
    if found.as_deref() == Some(wasm) {
        return Ok(Replaced::Nothing);
    }
    if let Some(found) = &found {
        cluster
            .upload_smart_module(&previous_name(name), found)
            .await?;
    }
    cluster.upload_smart_module(name, wasm).await?;
    Ok(found.map_or(Replaced::New, Replaced::Previous))
}
