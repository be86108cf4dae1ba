//! The module's parameters: texts in, a counter out.

use std::str::FromStr;

use chrono::TimeDelta;
use domain::Windows;
use domain::record::WindowState;
use domain::window::WindowConfig;
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;
use fluvio_smartmodule::{Result, eyre};
use serde::de::DeserializeOwned;

/// Makes the counter that the parameters ask for.
///
/// # Errors
/// Names the parameter and quotes its value if it is not of its form.
pub(crate) fn windows(params: &SmartModuleExtraParams) -> Result<Windows> {
    let defaults = WindowConfig::default();
    let config = WindowConfig {
        width: milliseconds(params, "window_ms")?.unwrap_or(defaults.width),
        lateness: milliseconds(params, "lateness_ms")?.unwrap_or(defaults.lateness),
    };
    if config.width <= TimeDelta::zero() {
        return Err(eyre!("parameter window_ms must be greater than 0"));
    }
    let next_offset = parsed(params, "next_offset")?.unwrap_or(0);
    let state: WindowState = json(params, "state")?.unwrap_or_default();
    let seen: Vec<(String, u64)> = json(params, "seen")?.unwrap_or_default();
    Ok(Windows::resume(config, next_offset, state, seen))
}

fn milliseconds(params: &SmartModuleExtraParams, name: &str) -> Result<Option<TimeDelta>> {
    let value: Option<u32> = parsed(params, name)?;
    Ok(value.map(|ms| TimeDelta::milliseconds(i64::from(ms))))
}

fn parsed<T: FromStr>(params: &SmartModuleExtraParams, name: &str) -> Result<Option<T>> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let value = text
        .parse()
        .map_err(|_| eyre!("parameter {name} \"{text}\" is not a number"))?;
    Ok(Some(value))
}

fn json<T: DeserializeOwned>(params: &SmartModuleExtraParams, name: &str) -> Result<Option<T>> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let value = serde_json::from_str(text)
        .map_err(|error| eyre!("parameter {name} \"{text}\" is not of its form: {error}"))?;
    Ok(Some(value))
}
