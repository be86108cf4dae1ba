//! Tries a SmartModule over sample records, as a stream would run it, before it replaces another.
//!
//! A cluster takes any bytes, and a broker says at the first trips only that they do not run. Here the module
//! runs in the embedded broker's engine, within its bounds of time and memory, and what comes out is held to
//! what the sink relies on.

mod sample;

use anyhow::{Context, Result, bail};
use domain::reject::cut;
use embedded_broker::smartmodule::{Rehearsal, Rehearsals};
use partition_client::ModuleError;
use sink::{ContractViolation, Module, OutputContract};

use self::sample::Sample;

/// Offset of the first sample record: not 0, which a module may give by mistake.
const BASE_OFFSET: i64 = 1_000;
/// A sample record is quoted up to here (chosen: all but the longest one are shorter).
const QUOTED_CHARS_MAX: usize = 300;

/// Tries a module; gives how many sample records it was run over with outputs as they must be. Nothing is
/// known of the outputs of a module that the sink does not read: it only must do no harm.
///
/// # Errors
/// If the module is none, does harm, fails, or gives what the sink cannot take; says at which record.
pub(crate) async fn run(name: &str, wasm: &[u8]) -> Result<Option<usize>> {
    let (name, wasm) = (name.to_owned(), wasm.to_vec());
    let trying = tokio::task::spawn_blocking(move || run_here(&name, &wasm));
    trying.await.context("the trial was cut short")?
}

fn run_here(name: &str, wasm: &[u8]) -> Result<Option<usize>> {
    let rehearsals = Rehearsals::of(name, wasm)?;
    let module = Module::ALL.into_iter().find(|module| module.name() == name);
    let Some(module) = module else {
        return Ok(None);
    };
    let trial = Trial {
        rehearsals,
        name,
        sample: Sample::new(),
    };
    let middle = trial.record_by_record(OutputContract::new(module, BASE_OFFSET))?;
    trial.batch(OutputContract::new(module, BASE_OFFSET), "in one batch")?;
    // The broker runs a stored batch from its start, wherever in it the stream goes on.
    trial.batch(middle, "in a stream that goes on within a batch")?;
    Ok(Some(trial.sample.records.len()))
}

struct Trial<'a> {
    rehearsals: Rehearsals,
    name: &'a str,
    sample: Sample,
}

impl Trial<'_> {
    /// Runs the module over each kind of record by itself, so that it is known what made it fail; gives the
    /// stream as it is opened again after some of them.
    fn record_by_record(&self, mut contract: OutputContract) -> Result<OutputContract> {
        let mut rehearsal = self.start(&contract)?;
        let mut middle = contract.reopened();
        let kinds = &self.sample.records[..self.sample.kinds];
        for (offset, (number, record)) in (BASE_OFFSET..).zip((1..).zip(kinds)) {
            let value: &[u8] = &record.value;
            let outputs = rehearsal.outputs(offset, &[value]);
            let outputs = outputs.map_err(|code| {
                let reason =
                    ModuleError::of(&code).map_or_else(|| code.to_string(), |error| error.reason);
                self.refused(offset, "by itself", &format!("it fails: {reason}"))
            })?;
            contract
                .take(offset, &[value], &outputs)
                .map_err(|violation| self.violated(&violation, "by itself"))?;
            if number == self.sample.middle {
                middle = contract.reopened();
            }
        }
        Ok(middle)
    }

    /// Runs the module over the whole sample as one stored batch.
    fn batch(&self, mut contract: OutputContract, how: &str) -> Result<()> {
        let values = self.sample.records.iter();
        let values: Vec<&[u8]> = values.map(|record| &*record.value).collect();
        let outputs = self.start(&contract)?.outputs(BASE_OFFSET, &values);
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(code) => match ModuleError::of(&code) {
                Some(ModuleError {
                    offset: Some(offset),
                    reason,
                }) => return Err(self.refused(offset, how, &format!("it fails: {reason}"))),
                failed => bail!(
                    "{}: with all {} sample records {how}, it fails: {}",
                    self.refusal(),
                    values.len(),
                    failed.map_or_else(|| code.to_string(), |error| error.reason)
                ),
            },
        };
        contract
            .take(BASE_OFFSET, &values, &outputs)
            .map_err(|violation| self.violated(&violation, how))
    }

    fn start(&self, contract: &OutputContract) -> Result<Rehearsal> {
        Ok(self.rehearsals.start(&contract.params())?)
    }

    fn violated(&self, violation: &ContractViolation, how: &str) -> anyhow::Error {
        self.refused(violation.offset, how, &violation.to_string())
    }

    /// Says which record it was.
    fn refused(&self, offset: i64, how: &str, what: &str) -> anyhow::Error {
        let refusal = self.refusal();
        let index = usize::try_from(offset - BASE_OFFSET).ok();
        let Some(record) = index.and_then(|index| self.sample.records.get(index)) else {
            return anyhow::anyhow!("{refusal}: with the sample records {how}, {what}");
        };
        let value = String::from_utf8_lossy(&record.value).replace(char::is_control, "\u{fffd}");
        anyhow::anyhow!(
            "{refusal}: with sample record {} {how}, {}, `{}`, {what}",
            offset - BASE_OFFSET + 1,
            record.what,
            cut(&value, QUOTED_CHARS_MAX)
        )
    }

    fn refusal(&self) -> String {
        format!(
            "smartmodule \"{}\" does not give what the sink can take",
            self.name
        )
    }
}
