//! Carries out a plan and waits until the cluster has done what it was told.

use anyhow::{Context, Result, bail};
use partition_client::Cluster;

use super::manifest::Manifest;
use super::plan::{Action, Step, plan};
use crate::addresses::{cluster, connect_admin};
use crate::trial;

/// Brings the cluster at `address` where `manifest` wants it and gives the steps taken.
///
/// # Errors
/// If something differs that cannot be changed or a module is refused (then nothing is changed), or the cluster
/// does not take it.
pub(crate) async fn apply(address: &str, manifest: &Manifest) -> Result<Vec<Step>> {
    let admin = connect_admin(address).await?;
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
    let cluster = cluster(address);
    for step in &steps {
        carry_out(&cluster, step)
            .await
            .with_context(|| format!("could not apply {step}"))?;
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
        Action::Upload { name, wasm, .. } => upload(cluster, name, wasm).await,
        Action::Nothing | Action::Note(_) | Action::Refuse(_) => Ok(()),
    }
}

/// Uploads a SmartModule, new or changed, and waits until the controller has it.
///
/// # Errors
/// If `wasm` is none, or the cluster refuses it.
pub(crate) async fn upload(cluster: &Cluster, name: &str, wasm: &[u8]) -> Result<()> {
    if !wasm.starts_with(b"\0asm") {
        bail!("what was given for smartmodule \"{name}\" is not wasm");
    }
    Ok(cluster.upload_smart_module(name, wasm).await?)
}
