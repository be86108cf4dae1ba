//! What can go wrong, and whether a retry can help.

use domain::{Position, error_chain};
use partition_client::{ClientError, TopicPartition};
use rdkafka::error::KafkaError;

use crate::route::{RouteError, Side};

/// An error of the bridge; each names the topic and, where there is one, the position.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Routes that cannot be.
    #[error("the topics to mirror cannot be used")]
    Routes(#[from] RouteError),
    /// Kafka cannot be reached, does not respond or refuses.
    #[error("could not {doing}")]
    Kafka {
        /// What was being done.
        doing: String,
        /// The client's word.
        #[source]
        source: KafkaError,
    },
    /// No broker of Kafka can be reached; the client said why.
    #[error("could not {doing}: {reason}")]
    NoKafka {
        /// What was being done.
        doing: String,
        /// The client's word, with the broker's address.
        reason: String,
    },
    /// Kafka and the bridge do not trust each other.
    #[error("{refused}: {reason}; {remedy}")]
    Refused {
        /// What was refused, and by whom.
        refused: &'static str,
        /// The client's word, with the broker's address.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The Kafka client does not take its settings; values are left out, they may be passwords.
    #[error("the Kafka client cannot be set up so: {reason}")]
    Setting {
        /// The client's word.
        reason: String,
    },
    /// The address for metrics cannot be used.
    #[error(transparent)]
    Metrics(#[from] telemetry::ServingError),
    /// Fluvio cannot be reached, does not respond or refuses.
    #[error("could not {doing}")]
    Fluvio {
        /// What was being done.
        doing: String,
        /// The client's word.
        #[source]
        source: anyhow::Error,
    },
    /// The topic to mirror is not there.
    #[error("{side} has no topic \"{topic}\": create it, or check its name")]
    NoTopic {
        /// Where it is missing.
        side: Side,
        /// Its name.
        topic: String,
    },
    /// A topic and its mirror differ.
    #[error("{side}'s topic \"{topic}\" differs from its source: {difference}; {remedy}")]
    Differs {
        /// Whose topic it is.
        side: Side,
        /// Its name.
        topic: String,
        /// What differs.
        difference: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The target partition holds records that this route did not bring.
    #[error(
        "{at}: {found}; the bridge must be the only writer of a partition in Fluvio: mirror into \
         another topic, or stop the other writer and empty this one"
    )]
    OtherWriter {
        /// Where in Fluvio.
        at: Position,
        /// What is there.
        found: String,
    },
    /// What was copied is beyond the end of the source.
    #[error(
        "{at}: its log ends at {end}, before what was copied already: if the topic was created \
         anew, mirror into another topic"
    )]
    BeyondEnd {
        /// Where to go on.
        at: Position,
        /// The end of the source's log.
        end: i64,
    },
    /// The source has something else where the last copied record was.
    #[error(
        "{at}: its log is not the one that was copied: what stands before this offset is not what \
         was copied last; if the topic was created anew, mirror into another topic"
    )]
    OtherLog {
        /// Where to go on.
        at: Position,
    },
    /// The target's log was emptied, and with it what tells where to go on.
    #[error(
        "{at}: all records before it were deleted, and nothing tells which Kafka records they \
         were: mirror into another topic, with longer retention"
    )]
    Forgotten {
        /// The end of the target's log.
        at: Position,
    },
    /// The record is larger than the other side takes.
    #[error("{at}: {bytes} bytes are more than {side} takes in topic \"{topic}\": {remedy}")]
    TooLarge {
        /// The record.
        at: Position,
        /// Its size.
        bytes: usize,
        /// Who refuses it.
        side: Side,
        /// The topic it was to go to.
        topic: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Another bridge of this name has taken over.
    #[error("{topic}/{partition}: another bridge named \"{name}\" has taken over; this one stops")]
    Fenced {
        /// The target topic in Kafka.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The name of both.
        name: String,
    },
    /// The SmartModule of a route is not there.
    #[error(
        "fluvio has no smartmodule \"{0}\": push it with \
         `bikeshare smartmodule push {0}.wasm`, or check its name"
    )]
    NoModule(String),
    /// The SmartModule of a route cannot run in the bridge's streams.
    #[error(
        "smartmodule \"{module}\" cannot be used here: {reason}; what it gives must depend on the \
         record alone, because the bridge begins in the middle of a topic wherever it must"
    )]
    UnusableModule {
        /// Its name.
        module: String,
        /// Why not.
        reason: String,
    },
    /// The SmartModule does not run, or returned an error.
    #[error(
        "{at}: smartmodule \"{module}\" has failed: {reason}; nothing was skipped: push one that \
         takes this record, then start the bridge again"
    )]
    Module {
        /// The record, or the first one that may have been it.
        at: Position,
        /// The module's name.
        module: String,
        /// What it or the broker says.
        reason: String,
    },
    /// A stored position or header record is not of this program's form.
    #[error("{at}: unusable: {reason}")]
    Unusable {
        /// The record.
        at: Position,
        /// What is wrong.
        reason: String,
    },
}

impl BridgeError {
    /// Whether the same may succeed later.
    ///
    /// A refused login does, too: a password may be being changed. At the start it is an error all
    /// the same, because then it is more likely wrong.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Kafka { .. } | Self::NoKafka { .. } | Self::Refused { .. } | Self::Fluvio { .. }
        )
    }

    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        move |source| match source {
            // The value, which is the last part, may be a password.
            KafkaError::ClientConfig(_, reason, name, _) => Self::Setting {
                reason: match reason.contains(&name) {
                    true => reason,
                    false => format!("{reason} \"{name}\""),
                },
            },
            KafkaError::ClientCreation(reason) => Self::Setting { reason },
            source => Self::Kafka { doing, source },
        }
    }

    pub(crate) fn fluvio(doing: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::Fluvio {
            doing: doing.into(),
            source: source.into(),
        }
    }

    /// What went wrong with what a partition of Fluvio holds.
    pub(crate) fn unreadable(partition: &TopicPartition, source: impl Into<anyhow::Error>) -> Self {
        Self::fluvio(format!("read {partition} in Fluvio"), source)
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        error_chain(self)
    }
}

impl From<ClientError> for BridgeError {
    fn from(error: ClientError) -> Self {
        Self::fluvio(error.doing, error.cause)
    }
}
