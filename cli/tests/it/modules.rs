//! The SmartModules as the broker runs them: compiled to wasm32, in the engine of the real SPU.

use chrono::{DateTime, Utc};
use domain::record::WindowState;
use domain::window::WindowConfig;
use domain::{Body, Inferred, Record, Reject, Service, Station, Status, Stock, Trip, Windows};
use fluvio_protocol::record::Record as FluvioRecord;
use fluvio_smartengine::{
    DEFAULT_SMARTENGINE_VERSION, SmartEngine, SmartModuleChainBuilder, SmartModuleChainInstance,
    SmartModuleConfig,
};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use proptest::prelude::*;
use testkit::smartmodule;
use wasmparser::{Parser, Payload};

/// Offset of the first record of the stored batch in these tests.
const BASE_OFFSET: i64 = 40;

/// A module that is small and does this with each batch.
pub(crate) fn small(array_map: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "env" "copy_records" (func $copy (param i32 i32)))
            (memory (export "memory") 16)
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "array_map") (param i32 i32 i32) (result i32)
                ;; No records and no error.
                (call $copy (i32.const 0) (i32.const 5))
                {array_map}))"#
    );
    wat::parse_str(text).unwrap()
}

fn chain(name: &str, params: &[(&str, &str)]) -> anyhow::Result<SmartModuleChainInstance> {
    let mut config = SmartModuleConfig::builder();
    config.smartmodule_names(vec![name.to_owned()]);
    for (key, value) in params {
        config.param(*key, *value);
    }
    SmartModuleChainBuilder::from((config.build()?, smartmodule(name)))
        .initialize(&SmartEngine::new())
}

/// Runs one stored batch through the chain and gives the values that come out.
fn process(chain: &mut SmartModuleChainInstance, batch: &[Vec<u8>]) -> Vec<String> {
    let records = (0..)
        .zip(batch)
        .map(|(delta, value)| {
            let mut record = FluvioRecord::new(value.clone());
            record.preamble.set_offset_delta(delta);
            record
        })
        .collect();
    let mut input =
        SmartModuleInput::try_from_records(records, DEFAULT_SMARTENGINE_VERSION).unwrap();
    input.set_base_offset(BASE_OFFSET);
    let output = chain.process(input).unwrap();
    assert_eq!(
        output.error, None,
        "a SmartModule never returns an error for data"
    );
    output
        .successes
        .iter()
        .map(|record| String::from_utf8(record.value().as_ref().to_vec()).unwrap())
        .collect()
}

fn native_split(batch: &[Vec<u8>]) -> Vec<String> {
    let mut outputs = Vec::new();
    for (offset, value) in (BASE_OFFSET..).zip(batch) {
        domain::split_json(offset, value, &mut |pieces| {
            outputs.push(String::from_utf8(pieces.concat()).unwrap());
        });
    }
    outputs
}

fn native_windows(batch: &[Vec<u8>]) -> Vec<String> {
    let mut windows = Windows::resume(
        WindowConfig::default(),
        BASE_OFFSET,
        WindowState::default(),
        [],
    );
    (BASE_OFFSET..)
        .zip(batch)
        .filter_map(|(offset, value)| {
            let output = windows.push(offset, value)?;
            Some(serde_json::to_string(output).unwrap())
        })
        .collect()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_583_020_800 + seconds, 0).unwrap()
}

fn station() -> impl Strategy<Value = Station> {
    ("[A-Z0-9.]{1,6}", "\\PC{0,12}", -90.0..90.0, -180.0..180.0).prop_map(
        |(station_id, street, lat, lon)| Station {
            station_id,
            street,
            lat,
            lon,
        },
    )
}

fn trip() -> impl Strategy<Value = Body> {
    (
        prop::option::of("[0-9]{1,5}"),
        0_i64..60,
        station(),
        0_i64..900,
        station(),
    )
        .prop_map(|(bike_id, departed, from, lasted, to)| {
            let (departed_at, arrived_at) = (at(departed), at(departed + lasted));
            Body::Trip(Trip {
                bike_id,
                departed_at,
                from,
                arrived_at,
                to,
                rider: None,
                bike_kind: None,
            })
        })
}

fn status() -> impl Strategy<Value = Body> {
    let inferred = prop_oneof![
        Just(None),
        Just(Some(Inferred::Departure)),
        Just(Some(Inferred::Arrival))
    ];
    (station(), 0_i64..60, 0_u32..30, inferred).prop_map(|(station, seconds, bikes, inferred)| {
        Body::Status(Status {
            station,
            at: at(seconds),
            bikes,
            inferred,
            service: Service::default(),
            stock: Stock::default(),
            last_reported: None,
            missing: false,
        })
    })
}

/// Whatever may stand in the topic: trips, statuses, ticks, rejects and bytes that are none of them.
fn batch() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let body = prop_oneof![
        6 => trip(),
        3 => status(),
        1 => (0_i64..60).prop_map(|seconds| Body::Tick(at(seconds))),
        1 => "\\PC{0,20}".prop_map(|row| Body::Reject(Reject::new("a.csv", 3, "no arrival", &row))),
    ];
    let record = ("[ab]", 0_u64..40, body)
        .prop_map(|(source, seq, body)| Record { source, seq, body }.to_json());
    let garbage = prop::collection::vec(any::<u8>(), 0..30);
    prop::collection::vec(prop_oneof![9 => record, 1 => garbage], 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn trip_split_in_the_broker_says_what_the_rule_says(batch in batch()) {
        let mut chain = chain("trip-split", &[]).unwrap();
        prop_assert_eq!(process(&mut chain, &batch), native_split(&batch));
    }

    #[test]
    fn dock_window_in_the_broker_says_what_the_rule_says(batch in batch()) {
        let mut chain = chain("dock-window", &[("next_offset", "40")]).unwrap();
        prop_assert_eq!(process(&mut chain, &batch), native_windows(&batch));
    }
}

#[test]
fn dock_window_goes_on_from_the_state_it_is_handed() {
    let params = [
        ("next_offset", "41"),
        (
            "state",
            r#"{"watermark":"2020-03-01T00:00:04Z","open":[["2020-03-01T00:00:00Z",7]]}"#,
        ),
        ("seen", r#"[["s",3]]"#),
    ];
    let tick = Record {
        source: "s".into(),
        seq: 4,
        body: Body::Tick(at(5)),
    }
    .to_json();
    let outputs = process(
        &mut chain("dock-window", &params).unwrap(),
        &[tick.clone(), tick],
    );
    expect_test::expect![[r#"{"offset":41,"from":41,"source":"s","seq":4,"closed":[["2020-03-01T00:00:00Z",7]],"seen":[],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}"#]]
    .assert_eq(&outputs.join("\n"));
}

#[test]
fn dock_window_refuses_a_parameter_that_is_not_of_its_form() {
    let refused = |name, value| {
        chain("dock-window", &[(name, value)])
            .unwrap_err()
            .to_string()
    };
    assert!(refused("window_ms", "soon").contains("window_ms"));
    assert!(refused("window_ms", "0").contains("window_ms"));
    assert!(refused("state", "{").contains("state"));
}

/// What it needs from its host.
fn imports(wasm: &[u8]) -> Vec<String> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            for import in section {
                let import = import.unwrap();
                imports.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    imports
}

/// Where a host offers nothing but a way to hand outputs over, there is no I/O, no clock and no
/// randomness.
#[test]
fn modules_can_do_nothing_but_hand_their_outputs_over() {
    for name in ["trip-split", "dock-window"] {
        assert_eq!(imports(&smartmodule(name)), ["env.copy_records"], "{name}");
    }
}
