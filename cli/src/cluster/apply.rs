//! Carries out a plan and waits until the cluster has done what it was told.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use fluvio::FluvioAdmin;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::TopicSpec;
use tokio::time::{Instant, sleep, timeout};

use super::manifest::Manifest;
use super::plan::{Action, Step, plan, uploaded};
use crate::addresses::connect_admin;

/// Longest wait for a new topic or module; a real cluster needs a few seconds.
const READY_MAX: Duration = Duration::from_secs(60);
/// Longest wait for the answer to a creation.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Brings the cluster at `address` where `manifest` wants it and gives the steps taken.
///
/// # Errors
/// If something differs that cannot be changed (then nothing is changed), or the cluster refuses.
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
        carry_out(address, &admin, step)
            .await
            .with_context(|| format!("could not apply {step}"))?;
    }
    Ok(steps)
}

async fn carry_out(address: &str, admin: &FluvioAdmin, step: &Step) -> Result<()> {
    match &step.action {
        Action::CreateTopic { name, spec } => {
            create_topic(address, name, spec).await?;
            wait_for_partitions(admin, name, spec).await
        }
        Action::Upload { name, wasm, .. } => upload(admin, name, wasm).await,
        Action::Nothing | Action::Note(_) | Action::Refuse(_) => Ok(()),
    }
}

/// Creates a topic, which is there although no answer may have come.
///
/// Seen on a real controller: now and then it misses the change it waits for, and answers only with
/// the next one. Further calls of the same connection wait behind it, so it has one of its own.
async fn create_topic(address: &str, name: &str, spec: &TopicSpec) -> Result<()> {
    let admin = connect_admin(address).await?;
    let creation = admin.create(name.to_owned(), false, spec.clone());
    timeout(ANSWER_MAX, creation).await.unwrap_or(Ok(()))
}

/// Uploads a SmartModule, new or changed, and waits until the controller has it.
///
/// The controller hands it to the SPUs a little later; no call tells when.
///
/// # Errors
/// If `wasm` is none, or the cluster refuses it.
pub(crate) async fn upload(admin: &FluvioAdmin, name: &str, wasm: &[u8]) -> Result<()> {
    if !wasm.starts_with(b"\0asm") {
        bail!("what was given for smartmodule \"{name}\" is not wasm");
    }
    let packed = SmartModuleWasm::from_raw_wasm_bytes(wasm).context("could not pack the wasm")?;
    let spec = SmartModuleSpec {
        wasm: packed,
        ..SmartModuleSpec::default()
    };
    admin
        .create(name.to_owned(), false, spec)
        .await
        .context("the cluster refuses it")?;
    let deadline = Instant::now() + READY_MAX;
    while uploaded(admin, name)
        .await?
        .is_none_or(|found| found != wasm)
    {
        if Instant::now() > deadline {
            bail!("the cluster still has another smartmodule \"{name}\" after {READY_MAX:?}");
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Waits until each partition has a leader and as many replicas as there are SPUs for.
///
/// Before a follower has connected, nothing that is written becomes readable.
async fn wait_for_partitions(admin: &FluvioAdmin, topic: &str, spec: &TopicSpec) -> Result<()> {
    let spus = admin
        .all::<SpuSpec>()
        .await?
        .iter()
        .filter(|spu| spu.status.is_online())
        .count();
    let replicas = usize::try_from(spec.replication_factor().unwrap_or(1))?.min(spus);
    let wanted = usize::try_from(spec.partitions())?;
    let deadline = Instant::now() + READY_MAX;
    loop {
        let partitions = admin.all::<PartitionSpec>().await?;
        let ready = partitions.iter().filter(|partition| {
            let of_topic = partition
                .name
                .rsplit_once('-')
                .is_some_and(|(name, _)| name == topic);
            // The leader is not among `replicas`; a follower that has not connected has offset -1.
            let followers = partition
                .status
                .replicas
                .iter()
                .filter(|replica| replica.leo >= 0);
            of_topic && partition.status.is_online() && followers.count() + 1 >= replicas
        });
        let ready = ready.count();
        if ready >= wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "{ready} of {wanted} partitions are ready after {READY_MAX:?}: are all SPUs running?"
            );
        }
        sleep(POLL).await;
    }
}
