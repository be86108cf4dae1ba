//! From the flags to the bridge.

use anyhow::{Context, Result};
use bridge::{BridgeConfig, KafkaProperties, Route};

use super::Arguments;
use crate::output::say;
use crate::shutdown;

impl Arguments {
    fn config(&self) -> Result<BridgeConfig> {
        let routes = self.topic.iter().map(|text| Route::parse(text, self.from));
        // An empty variable names none.
        let groups = self.group.iter().filter(|name| !name.is_empty());
        Ok(BridgeConfig {
            kafka: self.kafka.clone(),
            kafka_properties: self.kafka_properties()?,
            metrics: self.metrics,
            routes: routes.collect::<Result<_, _>>()?,
            name: self.name.clone(),
            groups: groups.cloned().collect(),
            once: self.once,
            ..BridgeConfig::default()
        })
    }

    fn kafka_properties(&self) -> Result<KafkaProperties> {
        let mut properties = KafkaProperties::default();
        if let Some(path) = &self.kafka_config {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("could not read --kafka-config {path:?}"))?;
            properties
                .add_file(&text)
                .with_context(|| format!("could not use --kafka-config {path:?}"))?;
        }
        for text in &self.kafka_property {
            properties
                .add(text)
                .context("could not use a --kafka-property")?;
        }
        Ok(properties)
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If topics differ, cannot be mirrored, or a record cannot be taken by the other side.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let config = arguments.config()?;
    let fluvio = arguments.fluvio.resolve(&arguments.data_dir)?;
    let stop = shutdown::on_signal()?;
    let summary = bridge::run(fluvio, config, stop).await;
    let summary = summary.context("the bridge has stopped")?;
    say!(
        "{} records mirrored, {} offsets without a record passed over, {} deleted before they could \
         be mirrored",
        summary.copied,
        summary.passed_over,
        summary.deleted
    );
    Ok(())
}
