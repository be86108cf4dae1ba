//! The same modules and batches through `fluvio-smartengine`: the same bytes and the same errors.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fluvio_protocol::Encoder;
use fluvio_protocol::link::smartmodule::{
    SmartModuleInitRuntimeError, SmartModuleKind, SmartModuleLookbackRuntimeError,
    SmartModuleTransformRuntimeError,
};
use fluvio_protocol::record::Record;
use fluvio_smartengine::{
    SmartEngine, SmartModuleChainBuilder, SmartModuleChainInstance, SmartModuleConfig,
    SmartModuleInitialData,
};
use fluvio_smartmodule::dataplane::smartmodule::{
    Lookback, SmartModuleExtraParams, SmartModuleInitOutput, SmartModuleInput,
    SmartModuleLookbackOutput, SmartModuleOutput,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use testkit::smartmodule;

use super::modules::{answering, echo, identity, recalling};
use crate::engine::{Engine, EngineError, InputHead, ModuleConfig, Runner};

const MEMORY_BYTES_MAX: usize = 1 << 30;
const KINDS: [&str; 5] = ["filter", "map", "filter_map", "array_map", "aggregate"];
/// Oldest and newest version that clients of the last years use.
const VERSIONS: std::ops::RangeInclusive<i16> = 16..=25;

/// A chain in both engines.
struct Both {
    ours: Runner,
    spu: SmartModuleChainInstance,
}

/// What came out, with the records encoded, or the error's text.
type Outcome = Result<(Vec<u8>, Option<SmartModuleTransformRuntimeError>), String>;

#[derive(Debug, Clone)]
struct Told {
    params: SmartModuleExtraParams,
    accumulator: Vec<u8>,
    version: i16,
}

impl Told {
    fn nothing(version: i16) -> Self {
        Self {
            params: SmartModuleExtraParams::default(),
            accumulator: Vec::new(),
            version,
        }
    }
}

fn start_ours(modules: &[Vec<u8>], told: &Told) -> Result<Runner, EngineError> {
    let configs: Vec<_> = modules
        .iter()
        .map(|wasm| ModuleConfig {
            name: "module",
            wasm,
            params: told.params.clone(),
            accumulator: told.accumulator.clone(),
            version: told.version,
        })
        .collect();
    Runner::start(&Engine::start().unwrap(), &configs, MEMORY_BYTES_MAX)
}

fn start_spu(modules: &[Vec<u8>], told: &Told) -> Result<SmartModuleChainInstance, String> {
    let mut builder = SmartModuleChainBuilder::default();
    for wasm in modules {
        let config = SmartModuleConfig::builder()
            .smartmodule_names(vec!["module".to_owned()])
            .params(told.params.clone())
            .version(told.version)
            .lookback(told.params.lookback().map(Into::into))
            .initial_data(SmartModuleInitialData::with_aggregate(
                told.accumulator.clone(),
            ))
            .build()
            .unwrap();
        builder.add_smart_module(config, wasm.clone());
    }
    builder
        .initialize(&SmartEngine::new())
        .map_err(|error| error.to_string())
}

impl Both {
    fn start(modules: &[Vec<u8>], told: &Told) -> Self {
        Self {
            ours: start_ours(modules, told).unwrap(),
            spu: start_spu(modules, told).unwrap(),
        }
    }

    fn process(&mut self, head: InputHead, records: &[Record]) -> (Outcome, Outcome) {
        let raw = records.to_vec().as_bytes(0).unwrap().to_vec();
        let ours = match self.ours.process(&head, &raw) {
            Ok(output) => {
                let mut encoded = (output.records.len() as i32).to_be_bytes().to_vec();
                for record in output.records {
                    record.encode(0, &mut encoded);
                }
                Ok((encoded, output.error))
            }
            Err(error) => Err(error.to_string()),
        };
        let input = SmartModuleInput::new(raw, head.base_offset, head.first_timestamp);
        // Its decoder panics at a length below zero: it reserves memory for that many bytes.
        let process = AssertUnwindSafe(|| self.spu.process(input));
        let spu = match catch_unwind(process) {
            Ok(Ok(output)) => {
                let encoded = output.successes.as_bytes(0).unwrap().to_vec();
                Ok((encoded, output.error))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("panicked".to_owned()),
        };
        (ours, spu)
    }

    fn look_back(&mut self, shown: &[Record]) -> (Result<(), String>, Result<(), String>) {
        let encoded = shown.to_vec().as_bytes(0).unwrap().to_vec();
        let ours = self.ours.look_back(|_| Ok(encoded.clone()));
        let looking = self.spu.look_back(|_| {
            let shown = shown.to_vec();
            async move { Ok(shown) }
        });
        let spu = futures_util::FutureExt::now_or_never(looking).unwrap();
        (
            ours.map_err(|error| error.to_string()),
            spu.map_err(|error| error.root_cause().to_string()),
        )
    }
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 60..2_000),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let delta = || {
        prop_oneof![
            0..100_i64,
            -100_000..100_000_i64,
            any::<i32>().prop_map(i64::from)
        ]
    };
    (prop::option::of(data()), data(), delta(), delta()).prop_map(|(key, value, time, offset)| {
        let mut record = Record::new(value);
        record.key = key.map(Into::into);
        record.preamble.set_timestamp_delta(time);
        record.preamble.set_offset_delta(offset);
        record
    })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 0..12)
}

fn head() -> impl Strategy<Value = InputHead> {
    (0..i64::MAX, -1..i64::MAX).prop_map(|(base_offset, first_timestamp)| InputHead {
        base_offset,
        first_timestamp,
    })
}

fn module() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(&KINDS[..]), any::<bool>()).prop_map(|(kind, echoes)| match echoes {
        true => echo(kind),
        false => identity(kind),
    })
}

fn told() -> impl Strategy<Value = Told> {
    let lookback = (0..9_u64, prop::option::of(0..99_u64)).prop_map(|(last, age)| Lookback {
        last,
        age: age.map(Duration::from_secs),
    });
    let params = prop::collection::btree_map("[a-z]{0,5}", "\\PC{0,9}", 0..4);
    (params, prop::option::of(lookback), data(), VERSIONS).prop_map(
        |(params, lookback, accumulator, version)| Told {
            params: SmartModuleExtraParams::new(params, lookback),
            accumulator,
            version,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_chain_of_any_kinds_is_given_and_gives_the_same_bytes(
        modules in prop::collection::vec(module(), 1..4),
        told in told(),
        batches in prop::collection::vec((head(), records()), 1..5),
    ) {
        let mut both = Both::start(&modules, &told);
        for (head, records) in batches {
            let (ours, spu) = both.process(head, &records);
            prop_assert!(spu.is_ok(), "{spu:?}");
            prop_assert_eq!(ours, spu);
        }
    }

    #[test]
    fn init_and_look_back_are_given_the_same_bytes(told in told(), shown in records()) {
        for function in ["init", "look_back"] {
            let mut both = Both::start(&[recalling(function)], &told);
            let (ours, spu) = both.look_back(&shown);
            prop_assert_eq!(ours, Ok(()));
            prop_assert_eq!(spu, Ok(()));
            let (ours, spu) = both.process(InputHead::default(), &[]);
            prop_assert!(spu.is_ok(), "{spu:?}");
            prop_assert_eq!(ours, spu);
        }
    }

    /// Where outputs are not well-formed, the SPU's decoder takes lengths for granted: here they
    /// stay small, so that it does not ask for more memory than there is.
    #[test]
    fn outputs_that_are_cut_or_changed_are_taken_or_refused_alike(
        values in prop::collection::vec("[ -~]{0,40}", 0..5),
        hint in prop::option::of("[ -~]{0,40}"),
        cut in any::<prop::sample::Index>(),
        change in prop::option::of((any::<prop::sample::Index>(), 0_u8..0x60)),
    ) {
        let records = values.iter().map(|value| Record::new(value.as_str())).collect();
        let error = hint.map(|hint| SmartModuleTransformRuntimeError {
            hint,
            offset: 77,
            kind: SmartModuleKind::ArrayMap,
            record_key: Some("key".into()),
            record_value: "value".into(),
        });
        let output = SmartModuleOutput::with_error(records, error);
        let mut output = output.as_bytes(25).unwrap().to_vec();
        output.truncate(cut.index(output.len() + 1));
        // The count's first bytes would have the SPU's decoder look for millions of records.
        if let Some((at, byte)) = change && output.len() > 4 {
            let at = 3 + at.index(output.len() - 3);
            output[at] = byte;
        }
        let mut both = Both::start(&[answering("array_map", 0, &output)], &Told::nothing(25));
        let (ours, spu) = both.process(InputHead::default(), &[]);
        match (&ours, &spu) {
            (Err(_), Err(_)) => {}
            // An error whose last field is cut is taken there, with what is left of it.
            (Err(_), Ok((_, Some(_)))) => {}
            _ => prop_assert_eq!(ours, spu),
        }
    }
}

#[test]
fn what_a_module_answers_is_told_in_the_same_words() {
    for code in [-1, -2, -11, -22, -33, -44, -55, -999, i32::MIN] {
        let mut both = Both::start(&[answering("array_map", code, &[])], &Told::nothing(25));
        let (ours, spu) = both.process(InputHead::default(), &[]);
        assert!(ours.is_err());
        assert_eq!(ours, spu);
    }
    let error = SmartModuleTransformRuntimeError {
        hint: "no such station".to_owned(),
        offset: 5,
        kind: SmartModuleKind::FilterMap,
        record_key: Some("key".into()),
        record_value: vec![0, 0xff].into(),
    };
    let output = SmartModuleOutput::with_error(vec![Record::new("fine")], Some(error));
    let failing = answering("array_map", 0, &output.as_bytes(25).unwrap());
    // The second module is not run.
    for chain in [vec![failing.clone()], vec![failing, echo("map")]] {
        let mut both = Both::start(&chain, &Told::nothing(25));
        let (ours, spu) = both.process(InputHead::default(), &[]);
        assert!(spu.as_ref().is_ok_and(|(_, error)| error.is_some()));
        assert_eq!(ours, spu);
    }
}

#[test]
fn what_init_and_look_back_answer_is_told_in_the_same_words() {
    let hint = "missing param \"window_ms\"".to_owned();
    let init = SmartModuleInitOutput {
        error: SmartModuleInitRuntimeError { hint: hint.clone() },
    };
    let look_back = SmartModuleLookbackOutput {
        error: SmartModuleLookbackRuntimeError {
            hint,
            offset: 12,
            record_key: Some("key".into()),
            record_value: "value".into(),
        },
    };
    for code in [-1, -2, -10, -11, -5] {
        let module = answering("init", code, &init.as_bytes(25).unwrap());
        let told = Told::nothing(25);
        let ours = start_ours(std::slice::from_ref(&module), &told).unwrap_err();
        let spu = start_spu(&[module], &told).unwrap_err();
        assert_eq!(ours.to_string(), spu);
    }
    for code in [-1, -66, -77, -88, -99, -5] {
        let module = answering("look_back", code, &look_back.as_bytes(25).unwrap());
        let told = Told {
            params: SmartModuleExtraParams::new(BTreeMap::new(), Some(Lookback::last(1))),
            ..Told::nothing(25)
        };
        let (ours, spu) = Both::start(&[module], &told).look_back(&[]);
        assert!(ours.is_err());
        assert_eq!(ours, spu);
    }
}

#[test]
fn what_is_no_module_is_refused_in_the_same_words() {
    let modules = [
        r#"(module)"#,
        r#"(module (import "env" "copy_records" (func (param i32 i32))))"#,
        r#"(module (import "env" "other" (func)) (import "env" "copy_records" (func (param i32 i32))))"#,
    ];
    for module in modules {
        let wasm = wat::parse_str(module).unwrap();
        let told = Told::nothing(25);
        let ours = start_ours(std::slice::from_ref(&wasm), &told).unwrap_err();
        let spu = start_spu(&[wasm], &told).unwrap_err();
        assert_eq!(ours.to_string(), spu, "{module}");
    }
}

/// Trips and what is none, some seconds apart.
fn trip_or_other() -> impl Strategy<Value = Vec<u8>> {
    let trip = (0..60_u8, 0..3_u8).prop_map(|(second, station)| {
        let place = |station: u8| {
            format!(r#"{{"station_id":"{station}","street":"A","lat":40.7,"lon":-74.0}}"#)
        };
        format!(
            r#"{{"source":"a.csv#0","seq":{second},"trip":{{"bike_id":"7","departed_at":"2020-03-01T00:01:{second:02}Z","from":{},"arrived_at":"2020-03-01T00:20:36Z","to":{},"rider":"member"}}}}"#,
            place(station),
            place(station + 1),
        )
    });
    let tick = (0..60_u8).prop_map(|second| {
        format!(r#"{{"source":"a.csv#0","seq":{second},"tick":"2020-03-01T00:02:{second:02}Z"}}"#)
    });
    prop_oneof![
        6 => trip.prop_map(String::into_bytes),
        1 => tick.prop_map(String::into_bytes),
        1 => data(),
    ]
}

#[test]
fn the_projects_modules_give_the_same_bytes() {
    let batches = prop::collection::vec(prop::collection::vec(trip_or_other(), 0..40), 30);
    for modules in [
        vec!["trip-split"],
        vec!["dock-window"],
        vec!["trip-split", "dock-window"],
    ] {
        let wasm: Vec<_> = modules.iter().map(|name| smartmodule(name)).collect();
        let mut both = Both::start(&wasm, &Told::nothing(25));
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let batches = batches.new_tree(&mut runner).unwrap().current();
        let mut outputs = 0;
        for (values, base_offset) in batches.into_iter().zip((0..).step_by(40)) {
            let mut records: Vec<_> = values.into_iter().map(Record::new).collect();
            for (record, delta) in records.iter_mut().zip(0..) {
                record.preamble.set_offset_delta(delta);
            }
            let head = InputHead {
                base_offset,
                first_timestamp: 1_583_020_800_000,
            };
            let (ours, spu) = both.process(head, &records);
            let (encoded, _) = spu.as_ref().unwrap();
            outputs += encoded.len() - 4;
            assert_eq!(ours, spu);
        }
        assert!(outputs > 0, "{modules:?} give something");
    }
}
