//! A changed SmartModule reaches a running sink, and a broken one does not stop it.

use bytes::Bytes;
use partition_client::module_version;
use sink::{Module, ModuleSource, ModuleSources, SinkState};

use crate::city::{City, split_behind_ticks};
use crate::delivery::assert_complete;
use crate::support::{Cluster, Database, PARTITIONS, STREAMS, wasm};

/// The module with a custom section more: other bytes, same behaviour.
fn touched(wasm: &[u8]) -> Vec<u8> {
    let mut touched = wasm.to_vec();
    // Section 0, 6 bytes: a name of 4 bytes and one byte of content.
    touched.extend_from_slice(&[0, 6, 4, b't', b'e', b's', b't', 7]);
    touched
}

fn versions(state: &SinkState, module: Module) -> Vec<String> {
    let streams = state.streams.iter().filter(|((_, of), _)| *of == module);
    streams
        .map(|(_, stream)| stream.module_version.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_module_is_taken_up_between_two_commits() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    let records = City::default().records();
    let (before, after) = records.split_at(500);
    cluster.produce(before).await;
    sink.runs().await;
    let old = Module::ALL.map(|module| versions(&sink.state.borrow(), module));
    for module in Module::ALL {
        cluster.upload(module, &touched(&wasm(module))).await;
    }
    for (module, old) in Module::ALL.into_iter().zip(old) {
        sink.wait_for("the new version runs", |state| {
            versions(state, module)
                .iter()
                .all(|version| *version != old[0])
        })
        .await;
    }
    cluster.produce(after).await;
    sink.finish(&cluster).await;
    assert_complete(&database, &records).await;
    cluster.assert_undisturbed(&database).await;
}

/// Versions of each stream in order, and all offsets and windows that they made.
const VERSIONS: &str = "
    select concat_ws(' ', module, partition, string_agg(sha256, ' ' order by offsets), range_agg(offsets),
        range_agg(windows))
    from module_version_view group by module, partition order by partition, module desc";

/// Events and windows that were made by another version than those in front of and behind them.
const OF_NO_OR_TWO_VERSIONS: &str = "
    select (select count(*) from records_view r where 1 <> (
                select count(*) from module_version_view v
                where v.module = 'trip-split' and v.partition = r.partition and r.\"offset\" <@ v.offsets))
         + (select count(*) from frequency f where 1 <> (
                select count(*) from module_version_view v
                where v.module = 'dock-window' and v.partition = f.partition and f.time <@ v.windows))";

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_tell_which_version_made_a_row_also_after_the_sink_was_started_again() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (first, rest) = split_behind_ticks(&records, 350);
    let (second, third) = split_behind_ticks(rest, 300);
    for (changed, part) in [(false, first), (false, second), (true, third)] {
        if changed {
            for module in Module::ALL {
                cluster.upload(module, &touched(&wasm(module))).await;
            }
        }
        let mut sink = cluster.sink(&database);
        sink.runs().await;
        cluster.produce(part).await;
        sink.finish(&cluster).await;
    }
    let expected = (0..PARTITIONS).flat_map(|partition| {
        Module::ALL.map(|module| {
            let wasm = wasm(module);
            let versions = [&wasm, &touched(&wasm)].map(|wasm| module_version(wasm));
            let windows = match module {
                Module::TripSplit => "",
                Module::DockWindow => " {[-infinity,)}",
            };
            format!(
                "{module} {partition} {} {{[0,)}}{windows}",
                versions.join(" ")
            )
        })
    });
    assert_eq!(database.lines(VERSIONS).await, expected.collect::<Vec<_>>());
    assert_eq!(database.lines(OF_NO_OR_TWO_VERSIONS).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_does_not_run_leaves_the_old_one_at_work() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    let records = City::default().records();
    let (before, after) = records.split_at(500);
    cluster.produce(before).await;
    sink.wait_for("all streams have stored something", |state| {
        state.streams.len() == STREAMS
            && state.streams.values().all(|stream| stream.next_offset > 0)
    })
    .await;
    let broken = |module: Module| ModuleSource::Pinned {
        name: module.name().to_owned(),
        version: "broken".to_owned(),
        wasm: Bytes::from_static(b"\0asm\x01\0\0\0"),
    };
    sink.sources
        .send(ModuleSources {
            trip_split: broken(Module::TripSplit),
            dock_window: broken(Module::DockWindow),
        })
        .unwrap();
    sink.wait_for("the broken version was tried", |state| {
        state.streams.values().all(|stream| {
            stream
                .last_error
                .as_deref()
                .is_some_and(|error| error.contains("broken"))
        })
    })
    .await;
    cluster.produce(after).await;
    sink.drained(&cluster).await;
    let state = sink.stop().await.unwrap();
    for module in Module::ALL {
        assert!(
            versions(&state, module)
                .iter()
                .all(|version| version != "broken")
        );
    }
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_waits_for_a_module_that_is_not_there_yet() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City {
        rows: 100,
        ..City::default()
    }
    .records();
    cluster.produce(&records).await;
    let mut sink = cluster.sink(&database);
    let named = |name: &str| ModuleSource::Named(name.to_owned());
    sink.sources
        .send(ModuleSources {
            trip_split: named("no-such-module"),
            dock_window: named("dock-window"),
        })
        .unwrap();
    sink.wait_for("the windows are stored", |state| {
        state
            .streams
            .iter()
            .any(|((_, module), stream)| *module == Module::DockWindow && stream.next_offset > 0)
    })
    .await;
    sink.sources.send(ModuleSources::default()).unwrap();
    sink.finish(&cluster).await;
    assert_complete(&database, &records).await;
}
