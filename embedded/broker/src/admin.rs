//! Creates, deletes, lists and updates objects.
//!
//! Not here: registration of SPUs, SPU groups, table formats and mirrors. There is one SPU and it
//! is this process; such requests get an error that says so.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use fluvio_controlplane_metadata::mirror::MirrorSpec;
use fluvio_controlplane_metadata::partition::PartitionSpec;
use fluvio_controlplane_metadata::smartmodule::{SmartModulePackageKey, SmartModuleSpec};
use fluvio_controlplane_metadata::spg::SpuGroupSpec;
use fluvio_controlplane_metadata::spu::{CustomSpuSpec, SpuSpec};
use fluvio_controlplane_metadata::tableformat::TableFormatSpec;
use fluvio_controlplane_metadata::topic::{ReplicaSpec, TopicSpec, UpdateTopicAction};
use fluvio_protocol::link::ErrorCode;
use fluvio_sc_schema::objects::{
    CommonCreateRequest, CreateRequest, DeleteRequest, ListFilter, ListRequest, ListResponse,
    Metadata, ObjectApiCreateRequest, ObjectApiDeleteRequest, ObjectApiListRequest,
    ObjectApiListResponse, ObjectApiUpdateRequest, UpdateRequest,
};
use fluvio_sc_schema::shared::validate_resource_name;
use fluvio_sc_schema::store::KeyFilter;
use fluvio_sc_schema::{Status, TryEncodableFrom};
use tokio::task::spawn_blocking;

use crate::api::Api;
use crate::connection::Connection;
use crate::engine::unpack;
use crate::error::BrokerError;
use crate::limits::{MODULES_BYTES_MAX, PARTITIONS_MAX};
use crate::node::{Node, is_system_topic};
use crate::objects::Kind;
use crate::smartmodule;
use crate::text::printable;
use crate::wire::Request;

const TOO_MANY_PARTITIONS: &str = "a topic of the embedded broker has 1000 partitions at most";
const MODULES_TOO_LARGE: &str = "all SmartModules together are 32 MiB at most, packed: delete some";
const SINGLE_NODE: &str = "the embedded broker is one node and has topics and smartmodules only";

/// Handles a request of the controller's that is not a watch.
pub(crate) async fn handle(connection: &Connection, mut request: Request) -> io::Result<()> {
    let node = Arc::clone(&connection.node);
    let status = match request.api {
        Api::Create => {
            let body: ObjectApiCreateRequest = request.decode()?;
            spawn_blocking(move || create(&node, &body)).await
        }
        Api::Delete => {
            let body: ObjectApiDeleteRequest = request.decode()?;
            spawn_blocking(move || delete(&node, &body)).await
        }
        Api::Update => {
            let body: ObjectApiUpdateRequest = request.decode()?;
            spawn_blocking(move || update(&node, &body)).await
        }
        _ => return respond_with_list(connection, request).await,
    };
    connection
        .responses
        .send(&request.header, &status.map_err(io::Error::other)??)
        .await
}

async fn respond_with_list(connection: &Connection, mut request: Request) -> io::Result<()> {
    let body: ObjectApiListRequest = request.decode()?;
    let version = request.header.api_version();
    let listed = connection.clone();
    let listing = spawn_blocking(move || list(&listed, &body, version));
    let response = listing.await.map_err(io::Error::other)??;
    connection.responses.send(&request.header, &response).await
}

fn create(node: &Node, body: &ObjectApiCreateRequest) -> io::Result<Status> {
    if let Some(request) = downcast::<CreateRequest<TopicSpec>, _>(body)? {
        let (common, spec) = request.parts();
        return Ok(create_topic(node, common, spec));
    }
    if let Some(request) = downcast::<CreateRequest<SmartModuleSpec>, _>(body)? {
        let (common, spec) = request.parts();
        if !has_space_for(node, &common.name, &spec) {
            return Ok(refusal(
                common.name,
                ErrorCode::SmartModuleError,
                MODULES_TOO_LARGE,
            ));
        }
        return Ok(create_smartmodule(node, common, spec));
    }
    Ok(refusal(
        String::new(),
        ErrorCode::InvalidCreateRequest,
        SINGLE_NODE,
    ))
}

fn create_topic(node: &Node, common: CommonCreateRequest, spec: TopicSpec) -> Status {
    let name = common.name;
    if let Err((code, reason)) = check_topic(node, &name, &spec) {
        return refusal(name, code, reason);
    }
    if common.dry_run {
        return Status::new_ok(name);
    }
    if spec
        .replication_factor()
        .is_some_and(|replicas| replicas > 1)
    {
        tracing::warn!(
            topic = name,
            "the topic asks for replication, which one node cannot give: it has one replica"
        );
    }
    match node.create_topic(&name, spec) {
        Ok(true) => Status::new_ok(name),
        Ok(false) => {
            let reason = exists_already(&name);
            refusal(name, ErrorCode::TopicAlreadyExists, reason)
        }
        Err(error) => failure(name, ErrorCode::TopicNotProvisioned, &error),
    }
}

fn check_topic(node: &Node, name: &str, spec: &TopicSpec) -> Result<(), (ErrorCode, String)> {
    if let Err(reason) = validate_resource_name(name) {
        let message = format!("Invalid topic name: '{name}'. {reason}");
        return Err((ErrorCode::TopicInvalidName, message));
    }
    if node.metadata.topic(name).is_some() {
        return Err((ErrorCode::TopicAlreadyExists, exists_already(name)));
    }
    if let Some(reason) = spec.validate_config() {
        return Err((ErrorCode::TopicInvalidConfiguration, reason));
    }
    if spec.get_deduplication().is_some() {
        let reason = "the embedded broker does not deduplicate".to_owned();
        return Err((ErrorCode::TopicInvalidConfiguration, reason));
    }
    let invalid = |reason: &dyn Display| (ErrorCode::TopicError, reason.to_string());
    if spec.partitions() as usize > PARTITIONS_MAX {
        return Err(invalid(&TOO_MANY_PARTITIONS));
    }
    match spec.replicas() {
        ReplicaSpec::Computed(computed) => {
            ReplicaSpec::valid_partition(&computed.partitions).map_err(|e| invalid(&e))?;
            ReplicaSpec::valid_replication_factor(&computed.replication_factor)
                .map_err(|e| invalid(&e))
        }
        ReplicaSpec::Assigned(assigned) => assigned.validate().map_err(|e| invalid(&e)),
        ReplicaSpec::Mirror(_) => Err(invalid(&SINGLE_NODE)),
    }
}

/// Whether a module fits in beside the stored ones, or in the place of the one with its name.
///
/// They are limited together because a client that lists or watches modules is sent all at once.
fn has_space_for(node: &Node, name: &str, spec: &SmartModuleSpec) -> bool {
    let (_, stored) = node.metadata.smartmodules();
    let others = stored.iter().filter(|(key, _)| *key != name);
    let others = others.map(|(_, module)| module.spec.wasm.payload.len());
    others.sum::<usize>() + spec.wasm.payload.len() <= MODULES_BYTES_MAX
}

/// A module of the same name is replaced: streams opened from now on run the new one.
///
/// Unlike the SC, which takes anything: a module that cannot run, or does harm, is refused.
fn create_smartmodule(node: &Node, common: CommonCreateRequest, spec: SmartModuleSpec) -> Status {
    let key = match &spec.meta {
        Some(meta) if !meta.package.is_valid() => {
            let reason = "invalid SmartModule package";
            return refusal(common.name, ErrorCode::SmartModuleError, reason);
        }
        Some(meta) => meta.store_id(),
        None => common.name,
    };
    let checked = unpack(&spec.wasm.payload)
        .map_err(|error| format!("smartmodule \"{key}\" cannot be unpacked: {error}"))
        .and_then(
            |wasm| match smartmodule::check_with(&node.engine, &key, &wasm) {
                Ok(()) => Ok(wasm),
                Err(error) => Err(error.to_string()),
            },
        );
    let wasm = match checked {
        Ok(wasm) => wasm,
        Err(reason) => {
            let code = ErrorCode::SmartModuleInvalid {
                error: reason.clone(),
                name: Some(key.clone()),
            };
            return refusal(key, code, reason);
        }
    };
    if common.dry_run {
        return Status::new_ok(key);
    }
    match node.metadata.put_smartmodule(&key, spec) {
        Ok(()) => {
            node.engine.accept(&key, &wasm);
            Status::new_ok(key)
        }
        Err(error) => failure(key, ErrorCode::SmartModuleError, &error),
    }
}

fn delete(node: &Node, body: &ObjectApiDeleteRequest) -> io::Result<Status> {
    if let Some(request) = downcast::<DeleteRequest<TopicSpec>, _>(body)? {
        return Ok(delete_topic(node, request.key()));
    }
    if let Some(request) = downcast::<DeleteRequest<SmartModuleSpec>, _>(body)? {
        return Ok(delete_smartmodule(node, request.key()));
    }
    Ok(refusal(
        String::new(),
        ErrorCode::InvalidDeleteRequest,
        SINGLE_NODE,
    ))
}

fn delete_topic(node: &Node, name: String) -> Status {
    if is_system_topic(&name) {
        let kind = "topic".to_owned();
        let code = ErrorCode::SystemSpecDeletionAttempt {
            kind,
            name: name.clone(),
        };
        return Status::new(name, code, None);
    }
    if node.metadata.topic(&name).is_none() {
        return refusal(name, ErrorCode::TopicNotFound, "not found");
    }
    match node.delete_topic(&name) {
        Ok(()) => Status::new_ok(name),
        Err(error) => failure(name, ErrorCode::TopicError, &error),
    }
}

fn delete_smartmodule(node: &Node, name: String) -> Status {
    let key = match SmartModulePackageKey::from_qualified_name(&name) {
        Ok(key) => key.store_id(),
        Err(error) => return refusal(name, ErrorCode::SmartModuleError, error),
    };
    match node.metadata.remove_smartmodule(&key) {
        Ok(true) => {
            node.engine.forget(&key);
            Status::new_ok(name)
        }
        Ok(false) => refusal(
            name.clone(),
            ErrorCode::SmartModuleNotFound { name },
            "not found",
        ),
        Err(error) => failure(name, ErrorCode::SmartModuleError, &error),
    }
}

fn update(node: &Node, body: &ObjectApiUpdateRequest) -> io::Result<Status> {
    let request = downcast::<UpdateRequest<TopicSpec>, _>(body)?;
    let Some(UpdateRequest {
        action: UpdateTopicAction::AddPartition(added),
        ..
    }) = &request
    else {
        return Ok(refusal(
            String::new(),
            ErrorCode::InvalidCreateRequest,
            SINGLE_NODE,
        ));
    };
    let count = added.count;
    let name = request.map(UpdateRequest::key).unwrap_or_default();
    Ok(add_partitions(node, name, count))
}

fn add_partitions(node: &Node, name: String, count: u32) -> Status {
    let Some(mut spec) = node.metadata.topic(&name) else {
        return refusal(name, ErrorCode::TopicNotFound, "not found");
    };
    if is_system_topic(&name) {
        let kind = "topic".to_owned();
        let code = ErrorCode::SystemSpecUpdatingAttempt {
            kind,
            name: name.clone(),
        };
        return Status::new(name, code, None);
    }
    let ReplicaSpec::Computed(computed) = spec.replicas() else {
        return refusal(
            name,
            ErrorCode::TopicInvalidReplicaType,
            "invalid replica type",
        );
    };
    let mut computed = computed.clone();
    let partitions = computed.partitions.saturating_add(count);
    if partitions as usize > PARTITIONS_MAX {
        return refusal(name, ErrorCode::TopicError, TOO_MANY_PARTITIONS);
    }
    computed.partitions = partitions;
    spec.set_replicas(ReplicaSpec::Computed(computed));
    match node.extend_topic(&name, spec) {
        Ok(()) => Status::new_ok(name),
        Err(error) => failure(name, ErrorCode::TopicError, &error),
    }
}

fn list(
    connection: &Connection,
    body: &ObjectApiListRequest,
    version: i16,
) -> io::Result<ObjectApiListResponse> {
    let listing = Listing {
        connection,
        body,
        version,
    };
    if let Some(topics) = listing.of::<TopicSpec>(|request, topic| {
        topic.spec.is_system() == request.system && request.name_filters.filter(&topic.name)
    })? {
        return Ok(topics);
    }
    // As the SC: partitions are not filtered by name.
    if let Some(partitions) =
        listing.of::<PartitionSpec>(|request, partition| partition.spec.system == request.system)?
    {
        return Ok(partitions);
    }
    if let Some(modules) = listing.smartmodules()? {
        return Ok(modules);
    }
    if let Some(spus) = listing.of_any::<SpuSpec>()? {
        return Ok(spus);
    }
    if let Some(spus) = listing.of_any::<CustomSpuSpec>()? {
        return Ok(spus);
    }
    if let Some(nothing) = listing.of_any::<SpuGroupSpec>()? {
        return Ok(nothing);
    }
    if let Some(nothing) = listing.of_any::<TableFormatSpec>()? {
        return Ok(nothing);
    }
    if let Some(nothing) = listing.of_any::<MirrorSpec>()? {
        return Ok(nothing);
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "objects of this type cannot be listed",
    ))
}

/// A request to list objects of a type that is not known yet.
#[derive(Debug, Clone, Copy)]
struct Listing<'a> {
    connection: &'a Connection,
    body: &'a ObjectApiListRequest,
    version: i16,
}

impl Listing<'_> {
    /// Lists the wanted objects if the request is for this kind.
    fn of<S: Kind>(
        &self,
        is_wanted: impl Fn(&ListRequest<S>, &Metadata<S>) -> bool,
    ) -> io::Result<Option<ObjectApiListResponse>> {
        let Some(request) = downcast::<ListRequest<S>, _>(self.body)? else {
            return Ok(None);
        };
        let (_, objects) = S::snapshot(self.connection);
        let wanted = objects
            .into_values()
            .map(|(_, object)| object)
            .filter(|object| is_wanted(&request, object))
            .map(|object| {
                if request.summary {
                    object.summary()
                } else {
                    object
                }
            });
        let response = ListResponse::new(wanted.collect());
        ObjectApiListResponse::try_encode_from(response, self.version)
            .map(Some)
            .map_err(io::Error::other)
    }

    fn of_any<S: Kind>(&self) -> io::Result<Option<ObjectApiListResponse>> {
        self.of::<S>(|request, object| request.name_filters.filter(&object.name))
    }

    /// Modules are found by key, or by `group/name@version` of their package.
    fn smartmodules(&self) -> io::Result<Option<ObjectApiListResponse>> {
        let Some(request) = downcast::<ListRequest<SmartModuleSpec>, _>(self.body)? else {
            return Ok(None);
        };
        let filters = Vec::<ListFilter>::from(request.name_filters);
        let keys = filters
            .iter()
            .map(|filter| SmartModulePackageKey::from_qualified_name(&filter.name))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        self.of::<SmartModuleSpec>(|_, module| {
            let package = module.spec.meta.as_ref().map(|meta| &meta.package);
            keys.is_empty() || keys.iter().any(|key| key.is_match(&module.name, package))
        })
    }
}

/// Decodes a request if it is for that type.
fn downcast<T, B: TryEncodableFrom<T>>(body: &B) -> io::Result<Option<T>> {
    body.downcast().map_err(io::Error::other)
}

fn exists_already(name: &str) -> String {
    format!("Topic '{name}' already exists")
}

fn refusal(name: String, code: ErrorCode, reason: impl Display) -> Status {
    Status::new(name, code, Some(reason.to_string()))
}

/// Sends the client what happened; the log says why, too.
fn failure(name: String, code: ErrorCode, error: &BrokerError) -> Status {
    tracing::error!(
        object = %printable(&name),
        error = error as &dyn std::error::Error,
        "could not carry out an administrative request"
    );
    refusal(name, code, error)
}

#[cfg(test)]
mod tests {
    use fluvio_controlplane_metadata::smartmodule::SmartModuleWasm;

    use super::*;

    fn module(bytes: usize) -> SmartModuleSpec {
        SmartModuleSpec {
            wasm: SmartModuleWasm::from_compressed_gzip(vec![0; bytes]),
            ..SmartModuleSpec::default()
        }
    }

    #[test]
    fn modules_together_have_a_bounded_size() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = crate::folder::claim(folder.path()).unwrap();
        let node = Node::open(folder.path(), 1 << 20, false).unwrap();
        let stored = node.metadata.put_smartmodule("one", module(20 << 20));
        stored.unwrap();
        assert!(has_space_for(&node, "two", &module(12 << 20)));
        assert!(!has_space_for(&node, "two", &module((12 << 20) + 1)));
        assert!(has_space_for(&node, "one", &module(32 << 20)));
    }
}
