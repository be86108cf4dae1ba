//! Compares what is declared with what is there; changes nothing.

use std::borrow::Cow;
use std::fmt;

use anyhow::{Context, Result};
use fluvio::FluvioAdmin;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::TopicSpec;
use partition_client::{TopicRetention, TopicShape};

use super::manifest::{Manifest, SmartModule, SpuGroup, Topic, WasmSource};
use crate::modules;

/// One object and what there is to do about it.
#[derive(Debug)]
pub(crate) struct Step {
    /// For people: `topic "trips"`.
    pub(crate) object: String,
    pub(crate) action: Action,
}

/// What brings an object where the file wants it.
#[derive(Debug)]
pub(crate) enum Action {
    /// It is so already.
    Nothing,
    /// It is not quite so, and that is not ours to change.
    Note(String),
    CreateTopic {
        name: String,
        shape: TopicShape,
        retention: TopicRetention,
    },
    /// Uploads the wasm; `new` if there was no such module, `carried` if this program brings it along.
    Upload {
        name: String,
        wasm: Cow<'static, [u8]>,
        new: bool,
        carried: bool,
    },
    /// It differs and cannot be changed; says how.
    Refuse(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        match &self.action {
            Action::Nothing => f.write_str("as declared"),
            Action::Note(text) => f.write_str(text),
            Action::CreateTopic { .. } | Action::Upload { new: true, .. } => f.write_str("create"),
            Action::Upload { .. } => f.write_str("update, its wasm differs"),
            Action::Refuse(text) => write!(f, "differs: {text}"),
        }
    }
}

/// Works out what `apply` would do.
///
/// # Errors
/// If the cluster does not respond, or a declared wasm is missing.
pub(crate) async fn plan(admin: &FluvioAdmin, manifest: &Manifest) -> Result<Vec<Step>> {
    let spus = admin
        .all::<SpuSpec>()
        .await
        .context("could not list the cluster's SPUs")?;
    let online = spus.iter().filter(|spu| spu.status.is_online()).count();
    let topics = admin
        .all::<TopicSpec>()
        .await
        .context("could not list the cluster's topics")?;

    let mut steps = Vec::new();
    for group in &manifest.spu_groups {
        steps.push(plan_spu_group(group, online));
    }
    for topic in &manifest.topics {
        let found = topics.iter().find(|found| found.name == topic.name);
        steps.push(plan_topic(topic, found.map(|found| &found.spec)));
    }
    for module in &manifest.smart_modules {
        steps.push(plan_smart_module(admin, module).await?);
    }
    Ok(steps)
}

fn plan_spu_group(group: &SpuGroup, online: usize) -> Step {
    let object = format!("spu group \"{}\"", group.name);
    let declared = usize::from(group.replicas);
    let action = match online {
        _ if online >= declared => Action::Nothing,
        1 => Action::Note(format!(
            "1 SPU online, {declared} declared: fit for one machine"
        )),
        _ => Action::Refuse(format!(
            "{online} SPUs online, {declared} declared: start the others"
        )),
    };
    Step { object, action }
}

fn plan_topic(topic: &Topic, found: Option<&TopicSpec>) -> Step {
    let object = format!("topic \"{}\"", topic.name);
    let Some(found) = found else {
        let name = topic.name.clone();
        return Step {
            object,
            action: Action::CreateTopic {
                name,
                shape: topic.shape(),
                retention: topic.retention,
            },
        };
    };
    let mut differences = Vec::new();
    let mut compare = |what: &str, found: u32, declared: u32| {
        if found != declared {
            differences.push(format!("it has {what} {found}, declared is {declared}"));
        }
    };
    compare("partitions", found.partitions(), topic.partitions);
    if let Some(factor) = found.replication_factor() {
        compare("replicationFactor", factor, topic.replication_factor);
    }
    if differences.is_empty() {
        let action = match other_retention(topic.retention, found) {
            None => Action::Nothing,
            Some(difference) => Action::Note(format!(
                "{difference}; Fluvio cannot change that of a topic: declare what it has, or delete it and \
                 its records"
            )),
        };
        return Step { object, action };
    }
    let reason = format!(
        "{}; a topic cannot be changed so: declare what it has, or delete it and its records",
        differences.join(" and ")
    );
    Step {
        object,
        action: Action::Refuse(reason),
    }
}

/// What is kept for another time, or by another size, than is declared.
fn other_retention(declared: TopicRetention, found: &TopicSpec) -> Option<String> {
    let storage = found.get_storage();
    let segment = storage.and_then(|storage| storage.segment_size);
    let partition = storage.and_then(|storage| storage.max_partition_size);
    let found = [
        (
            "timeInSeconds",
            Some(found.retention_secs().into()),
            declared.seconds.map(u64::from),
        ),
        (
            "segmentSize",
            segment.map(u64::from),
            declared.segment_bytes.map(u64::from),
        ),
        ("maxPartitionSize", partition, declared.partition_bytes),
    ];
    let differences = found.into_iter().filter_map(|(what, found, declared)| {
        let (found, declared) = found.zip(declared)?;
        (found != declared).then(|| format!("it has {what} {found}, declared is {declared}"))
    });
    let differences: Vec<_> = differences.collect();
    (!differences.is_empty()).then(|| differences.join(" and "))
}

async fn plan_smart_module(admin: &FluvioAdmin, module: &SmartModule) -> Result<Step> {
    let name = module.name.clone();
    let object = format!("smartmodule \"{name}\"");
    let wasm = read_wasm(module).with_context(|| object.clone())?;
    let action = match uploaded(admin, &name).await? {
        Some(found) if *found == *wasm => Action::Nothing,
        found => Action::Upload {
            name,
            wasm,
            new: found.is_none(),
            carried: matches!(module.source, WasmSource::Carried),
        },
    };
    Ok(Step { object, action })
}

fn read_wasm(module: &SmartModule) -> Result<Cow<'static, [u8]>> {
    match &module.source {
        WasmSource::Carried => modules::wasm(&module.name),
        WasmSource::File(path) => {
            let wasm = std::fs::read(path);
            Ok(Cow::Owned(wasm.with_context(|| {
                format!("could not read its wasm {path:?}")
            })?))
        }
    }
}

/// The wasm that the cluster has under this name.
async fn uploaded(admin: &FluvioAdmin, name: &str) -> Result<Option<Vec<u8>>> {
    let found = admin
        .list::<SmartModuleSpec, _>(vec![name.to_owned()])
        .await;
    let found = found.context("could not list the cluster's smartmodules")?;
    let Some(module) = found.into_iter().find(|module| module.name == name) else {
        return Ok(None);
    };
    let wasm = module.spec.wasm.as_raw_wasm();
    Ok(Some(wasm.with_context(|| {
        format!("smartmodule \"{name}\" on the cluster is damaged")
    })?))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use fluvio::metadata::topic::{CleanupPolicy, SegmentBasedPolicy, TopicStorageConfig};

    use super::*;

    fn declared() -> Topic {
        Topic {
            name: "trips".into(),
            partitions: 3,
            replication_factor: 2,
            retention: TopicRetention {
                seconds: Some(604_800),
                partition_bytes: Some(1 << 30),
                ..TopicRetention::default()
            },
        }
    }

    #[test]
    fn another_retention_is_told_and_not_refused() {
        let mut found = TopicSpec::new_computed(3, 2, None);
        found.set_cleanup_policy(CleanupPolicy::Segment(SegmentBasedPolicy {
            time_in_seconds: 3_600,
        }));
        let step = plan_topic(&declared(), Some(&found));
        expect![[r#"topic "trips": it has timeInSeconds 3600, declared is 604800; Fluvio cannot change that of a topic: declare what it has, or delete it and its records"#]].assert_eq(&step.to_string());
        assert!(matches!(step.action, Action::Note(_)));
    }

    #[test]
    fn an_existing_topic_that_differs_is_refused_with_the_difference() {
        let found = TopicSpec::new_computed(6, 2, None);
        let step = plan_topic(&declared(), Some(&found));
        expect![[r#"topic "trips": differs: it has partitions 6, declared is 3; a topic cannot be changed so: declare what it has, or delete it and its records"#]]
            .assert_eq(&step.to_string());
    }

    #[test]
    fn a_missing_topic_is_created_and_an_equal_one_left_alone() {
        assert_eq!(
            plan_topic(&declared(), None).to_string(),
            "topic \"trips\": create"
        );
        let mut found = TopicSpec::new_computed(3, 2, None);
        found.set_storage(TopicStorageConfig {
            segment_size: None,
            max_partition_size: Some(1 << 30),
        });
        let step = plan_topic(&declared(), Some(&found));
        assert_eq!(step.to_string(), "topic \"trips\": as declared");
    }

    #[test]
    fn one_spu_is_one_machine_and_two_of_three_a_difference() {
        let group = SpuGroup {
            name: "main".into(),
            replicas: 3,
        };
        let lines: Vec<_> = (1..=3)
            .map(|n| plan_spu_group(&group, n).to_string())
            .collect();
        expect![[r#"
            spu group "main": 1 SPU online, 3 declared: fit for one machine
            spu group "main": differs: 2 SPUs online, 3 declared: start the others
            spu group "main": as declared"#]]
        .assert_eq(&lines.join("\n"));
    }
}
