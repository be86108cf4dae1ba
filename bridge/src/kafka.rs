//! Kafka's clients, made the way the bridge needs them, and what Kafka says about its topics.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partition_client::TopicShape;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracing::{debug, warn};

use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::record::Record;

/// Larger than any record Fluvio holds, so that the broker's limit decides.
const MESSAGE_BYTES_MAX: &str = "33554432";

/// What a topic that the bridge creates takes: as much as a batch of Fluvio, and its frame.
const TOPIC_MESSAGE_BYTES_MAX: &str = "2162688";

/// As the protocol says "as the brokers are configured".
const BROKERS_DEFAULT: i32 = -1;

/// Longest wait until a new topic has its leaders.
const READY_MAX: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);

/// How often a request under way is checked for a refusal.
const REFUSAL_POLL: Duration = Duration::from_millis(50);

/// How long another broker may still respond when one has refused.
const REFUSED_MAX: Duration = Duration::from_secs(1);

/// Which records a consumer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visible {
    /// Those of committed transactions, and of none.
    Committed,
    /// All up to the high watermark.
    All,
}

/// Callbacks of the clients: keeps a producer's first failure, and the offsets of delivered records.
#[derive(Debug, Default, Clone)]
pub(crate) struct Context {
    /// Which record of the transaction, and why. Shared with the producer's own thread, which writes
    /// it.
    failure: Arc<Mutex<Option<(usize, KafkaError)>>>,
    /// Which record of the transaction, and its offset in Kafka, in the order of delivery. Shared in
    /// the same way.
    delivered: Arc<Mutex<Vec<(usize, i64)>>>,
    /// Kept for the error of a request; without it, errors are logged.
    errors: Option<Arc<Mutex<RequestErrors>>>,
}

/// What the client reported while a request was under way.
#[derive(Debug, Default)]
struct RequestErrors {
    /// Of the last error.
    reason: Option<String>,
    /// An error that a retry cannot mend.
    refusal: Option<(Code, String)>,
}

impl RequestErrors {
    /// The refusal as an error that says what to do.
    fn refused(&self) -> Option<BridgeError> {
        let (code, reason) = self.refusal.as_ref()?;
        let (refused, remedy) = match code {
            Code::SSL => (
                "no trusted connection to Kafka",
                "check security.protocol, and that ssl.ca.location names the authority that \
                 signed the broker's certificate",
            ),
            _ => (
                "Kafka refuses the login",
                "check sasl.mechanism, sasl.username and sasl.password",
            ),
        };
        Some(BridgeError::Refused {
            refused,
            reason: reason.clone(),
            remedy,
        })
    }
}

impl Context {
    fn keeping_errors() -> Self {
        Self {
            errors: Some(Arc::default()),
            ..Self::default()
        }
    }

    fn errors(&self) -> Option<MutexGuard<'_, RequestErrors>> {
        let errors = self.errors.as_ref()?;
        Some(errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first record that was not delivered since the last call.
    pub(crate) fn take_failure(&self) -> Option<(usize, KafkaError)> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// The records that were delivered since the last call, and their offsets in Kafka.
    pub(crate) fn take_delivered(&self) -> Vec<(usize, i64)> {
        std::mem::take(&mut self.lock_delivered())
    }

    fn lock_delivered(&self) -> MutexGuard<'_, Vec<(usize, i64)>> {
        let delivered = self.delivered.lock();
        delivered.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters comes as an error, too, with its code.
        debug!("librdkafka {level:?} {facility}: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // Switched on by the bridge, and no failure.
        if code == Some(Code::PartitionEOF) {
            return;
        }
        let Some(mut errors) = self.errors() else {
            warn!(error = %error, "kafka: {reason}");
            return;
        };
        if let Some(code @ (Code::SSL | Code::Authentication)) = code {
            errors.refusal = Some((code, without_moment(reason)));
        }
        // Which is what its reasons come to.
        if code != Some(Code::AllBrokersDown) {
            errors.reason = Some(without_moment(reason));
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        match result {
            Ok(message) => self.lock_delivered().push((index, message.offset())),
            Err((error, _)) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| (index, error.clone()));
            }
        }
    }
}

/// A producer with its own thread for deliveries.
pub(crate) type Producer = ThreadedProducer<Context>;

/// A Kafka cluster, known by its brokers.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    config: ClientConfig,
    request_timeout: Duration,
}

impl Kafka {
    pub(crate) fn new(config: &BridgeConfig) -> Self {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &config.kafka)
            .set("client.id", &config.name)
            // Only named, never joined: a consumer needs one to be given partitions.
            .set("group.id", &config.name);
        for (name, value) in config.kafka_properties.iter() {
            client.set(name, value);
        }
        Self {
            config: client,
            request_timeout: config.request_timeout,
        }
    }

    /// The cluster's own name, which its first controller made up.
    pub(crate) async fn cluster_id(&self) -> Result<String, BridgeError> {
        let id = self.request("reach Kafka", |consumer, within| {
            let id = consumer.client().fetch_cluster_id(within);
            id.ok_or(KafkaError::MetadataFetch(Code::BrokerTransportFailure))
        });
        id.await
    }

    /// The topic's shape; none if there is no such topic.
    pub(crate) async fn shape(&self, topic: &str) -> Result<Option<TopicShape>, BridgeError> {
        let name = topic.to_owned();
        let doing = format!("ask Kafka for topic \"{topic}\"");
        self.request(&doing, move |consumer, within| {
            let metadata = consumer.fetch_metadata(Some(&name), within)?;
            let found = metadata.topics().iter().find(|topic| topic.name() == name);
            let Some(found) = found else { return Ok(None) };
            match found.error().map(Code::from) {
                None => {}
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(None),
                Some(code) => return Err(KafkaError::MetadataFetch(code)),
            }
            let partitions = found.partitions();
            let has_leaders = partitions.iter().all(|partition| partition.leader() >= 0);
            if partitions.is_empty() || !has_leaders {
                return Err(KafkaError::MetadataFetch(Code::LeaderNotAvailable));
            }
            let replication = partitions[0].replicas().len();
            Ok(Some(TopicShape {
                partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
                replication: u32::try_from(replication).unwrap_or(u32::MAX),
            }))
        })
        .await
    }

    /// Creates the topic, with the brokers' replication if none is given, and waits until each
    /// partition has a leader.
    pub(crate) async fn create(
        &self,
        topic: &str,
        partitions: u32,
        replication: Option<u32>,
        settings: &[(&str, &str)],
    ) -> Result<(), BridgeError> {
        let doing = format!("create topic \"{topic}\" in Kafka");
        let admin: AdminClient<Context> = self.client(&self.config, &doing)?;
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let replication = replication.map_or(BROKERS_DEFAULT, |factor| {
            i32::try_from(factor).unwrap_or(i32::MAX)
        });
        let mut new = NewTopic::new(topic, count, TopicReplication::Fixed(replication))
            .set("max.message.bytes", TOPIC_MESSAGE_BYTES_MAX)
            // The times are those of the records, which another setting would replace …
            .set("message.timestamp.type", "CreateTime")
            // … and by which Kafka would delete: what is older than a week at once.
            .set("retention.ms", "-1");
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let responses = admin.create_topics([&new], &self.admin_options()).await;
        let failed = BridgeError::kafka(doing.clone());
        for response in responses.map_err(failed)? {
            match response {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((_, code)) => {
                    let source = KafkaError::AdminOp(code);
                    return Err(BridgeError::Kafka { doing, source });
                }
            }
        }
        self.wait_for(topic, partitions).await
    }

    /// Gives the topic more partitions.
    pub(crate) async fn add_partitions(&self, topic: &str, count: u32) -> Result<(), BridgeError> {
        let doing = format!("add partitions to topic \"{topic}\" in Kafka");
        let admin: AdminClient<Context> = self.client(&self.config, &doing)?;
        let more = NewPartitions::new(topic, count as usize);
        let responses = admin
            .create_partitions([&more], &self.admin_options())
            .await;
        for response in responses.map_err(BridgeError::kafka(doing.clone()))? {
            if let Err((_, code)) = response {
                let source = KafkaError::AdminOp(code);
                return Err(BridgeError::Kafka { doing, source });
            }
        }
        self.wait_for(topic, count).await
    }

    async fn wait_for(&self, topic: &str, partitions: u32) -> Result<(), BridgeError> {
        let deadline = tokio::time::Instant::now() + READY_MAX;
        loop {
            let found = self.shape(topic).await;
            match found {
                Ok(Some(shape)) if shape.partitions >= partitions => return Ok(()),
                Ok(_) => {}
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// A consumer of one partition, to be driven by the runtime.
    pub(crate) fn consumer(
        &self,
        topic: &str,
        partition: u32,
        offset: i64,
    ) -> Result<StreamConsumer<Context>, BridgeError> {
        let doing = format!("read {topic}/{partition} in Kafka");
        let consumer: StreamConsumer<Context> =
            self.client(&self.consumer_config(Visible::Committed), &doing)?;
        assign(&consumer, topic, partition, offset).map_err(BridgeError::kafka(doing))?;
        Ok(consumer)
    }

    /// A consumer of one partition, to be polled on a thread of its own.
    pub(crate) fn blocking_consumer(
        &self,
        visible: Visible,
    ) -> Result<BaseConsumer<Context>, BridgeError> {
        self.client(&self.consumer_config(visible), "read from Kafka")
    }

    /// A consumer that speaks for a group and never joins it.
    pub(crate) fn group_consumer(&self, group: &str) -> Result<BaseConsumer<Context>, BridgeError> {
        let mut config = self.consumer_config(Visible::Committed);
        config.set("group.id", group);
        self.client(&config, "ask Kafka for a group")
    }

    /// A consumer that reads single records.
    pub(crate) fn lookup_consumer(&self) -> Result<StreamConsumer<Context>, BridgeError> {
        let mut config = self.consumer_config(Visible::Committed);
        config
            .set("fetch.message.max.bytes", "1024")
            .set("queued.min.messages", "1");
        self.client(&config, "read from Kafka")
    }

    /// The committed record at an offset; none if no record is there any more. Blocks.
    pub(crate) fn record_at(
        &self,
        topic: &str,
        partition: u32,
        offset: i64,
    ) -> Result<Option<Record>, BridgeError> {
        let doing = format!("read {topic}/{partition}@{offset} in Kafka");
        let failed = |error| BridgeError::kafka(doing.clone())(error);
        let consumer = self.blocking_consumer(Visible::Committed)?;
        assign(&consumer, topic, partition, offset).map_err(failed)?;
        let deadline = Instant::now() + self.request_timeout;
        let message = next_message(&consumer, deadline).map_err(failed)?;
        let record = message.map(|message| Record::of_kafka(&message));
        Ok(record.filter(|record| record.offset == offset))
    }

    /// A consumer for requests, to be drained; it keeps errors for the one who waits.
    pub(crate) fn request_consumer(&self) -> Result<BaseConsumer<Context>, BridgeError> {
        let config = self.consumer_config(Visible::Committed);
        let created = config.create_with_context(Context::keeping_errors());
        created.map_err(BridgeError::kafka("ask Kafka"))
    }

    /// A producer that fences older ones with the same id.
    pub(crate) fn producer(&self, transactional_id: &str) -> Result<Producer, BridgeError> {
        let mut config = self.config.clone();
        config
            .set("transactional.id", transactional_id)
            .set("message.max.bytes", MESSAGE_BYTES_MAX);
        self.client(&config, "produce to Kafka")
    }

    /// Where the partition's log starts and ends.
    pub(crate) async fn range(
        &self,
        topic: &str,
        partition: u32,
    ) -> Result<(i64, i64), BridgeError> {
        let name = topic.to_owned();
        let doing = format!("read the range of {topic}/{partition} in Kafka");
        let partition = partition_id(partition);
        self.request(&doing, move |consumer, within| {
            consumer.fetch_watermarks(&name, partition, within)
        })
        .await
    }

    /// How long a response may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    fn admin_options(&self) -> AdminOptions {
        AdminOptions::new()
            .operation_timeout(Some(self.request_timeout))
            .request_timeout(Some(self.request_timeout))
    }

    fn consumer_config(&self, visible: Visible) -> ClientConfig {
        let mut config = self.config.clone();
        config
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // Where to go on is for the bridge to decide.
            .set("auto.offset.reset", "error")
            .set("fetch.message.max.bytes", "4194304")
            .set("queued.max.messages.kbytes", "32768")
            .set(
                "isolation.level",
                match visible {
                    Visible::Committed => "read_committed",
                    Visible::All => "read_uncommitted",
                },
            );
        config
    }

    #[expect(clippy::unused_self, reason = "reads as the cluster's")]
    fn client<C: FromClientConfigAndContext<Context>>(
        &self,
        config: &ClientConfig,
        doing: &str,
    ) -> Result<C, BridgeError> {
        let created = config.create_with_context(Context::default());
        created.map_err(BridgeError::kafka(doing))
    }

    /// Sends a request on a thread where waiting is allowed.
    async fn request<T: Send + 'static>(
        &self,
        doing: &str,
        send: impl FnOnce(&BaseConsumer<Context>, Duration) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BridgeError> {
        let consumer = Arc::new(self.request_consumer()?);
        let (shared, within) = (Arc::clone(&consumer), self.request_timeout);
        let mut response = pin!(blocking(move || send(&shared, within)));
        let mut refused_at = None;
        loop {
            tokio::select! {
                response = &mut response => {
                    return response.map_err(|error| request_error(&consumer, doing, error));
                }
                () = tokio::time::sleep(REFUSAL_POLL) => {}
            }
            drain(&consumer);
            let Some(refused) = consumer
                .context()
                .errors()
                .and_then(|found| found.refused())
            else {
                continue;
            };
            let since = *refused_at.get_or_insert_with(Instant::now);
            if since.elapsed() >= REFUSED_MAX {
                return Err(refused);
            }
        }
    }
}

/// The most telling error of a request that failed.
pub(crate) fn request_error(
    consumer: &BaseConsumer<Context>,
    doing: &str,
    error: KafkaError,
) -> BridgeError {
    drain(consumer);
    let Some(mut errors) = consumer.context().errors() else {
        return BridgeError::kafka(doing)(error);
    };
    match (errors.refused(), errors.reason.take()) {
        (Some(refused), _) => refused,
        (None, Some(reason)) if is_unreachable(&error) => BridgeError::NoKafka {
            doing: doing.to_owned(),
            reason,
        },
        _ => BridgeError::kafka(doing)(error),
    }
}

fn is_unreachable(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown)
    )
}

/// Leaves out `(after 3ms in state AUTH_REQ, 1 identical error(s) suppressed)`.
fn without_moment(reason: &str) -> String {
    let reason = reason
        .rsplit_once(" (after ")
        .map_or(reason, |(said, _)| said);
    reason.to_owned()
}

/// Runs the client's callbacks; to be called regularly, or events pile up.
pub(crate) fn drain(consumer: &BaseConsumer<Context>) {
    while consumer.poll(Duration::ZERO).is_some() {}
}

/// Gives a consumer its partition.
pub(crate) fn assign<C: Consumer<Context>>(
    consumer: &C,
    topic: &str,
    partition: u32,
    offset: i64,
) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition_id(partition), Offset::Offset(offset))?;
    consumer.assign(&list)
}

/// The next record of a partition; none at its end. Blocks until the deadline at most.
pub(crate) fn next_message(
    consumer: &BaseConsumer<Context>,
    deadline: Instant,
) -> Result<Option<BorrowedMessage<'_>>, KafkaError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out());
        }
        match consumer.poll(left) {
            None | Some(Err(KafkaError::Global(_))) => {} // Said by the client's context.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(message) => return message.map(Some),
        }
    }
}

pub(crate) fn timed_out() -> KafkaError {
    KafkaError::MessageConsumption(Code::OperationTimedOut)
}

/// Runs what waits on a thread where waiting is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// As Kafka counts partitions.
pub(crate) fn partition_id(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
