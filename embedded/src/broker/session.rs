//! One connection: which protocol versions there are, and who answers which request.
//!
//! A real cluster has a controller (SC) and processing units (SPU) on ports of their own. Here
//! one port is both. The two number some requests alike (1002 deletes an object at the one, asks
//! for offsets at the other), but all of the controller's begin with an object type's name, in
//! capitals, where an SPU's have a topic's name, in small letters, or a small number.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fluvio_protocol::api::Request as ProtocolRequest;
use fluvio_protocol::link::versions::{
    ApiVersionKey, ApiVersionsRequest, ApiVersionsResponse, PlatformVersion,
};
use fluvio_sc_schema::AdminPublicApiKey as AdminKey;
use fluvio_sc_schema::objects::{
    ObjectApiCreateRequest, ObjectApiDeleteRequest, ObjectApiListRequest, ObjectApiUpdateRequest,
    ObjectApiWatchRequest,
};
use fluvio_spu_schema::produce::DefaultProduceRequest;
use fluvio_spu_schema::server::SpuServerApiKey as DataKey;
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::UpdateOffsetsRequest;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fetch::StreamHandle;
use super::node::Node;
use super::wire::{Replies, Request, Requests};
use super::{admin, consumer, fetch, offset, produce, watch};

/// The release of Fluvio whose behaviour this broker follows.
const PLATFORM_VERSION: semver::Version = semver::Version::new(0, 18, 1);
/// Names with which the controller's requests begin.
const OBJECT_TYPES: [&[u8]; 8] = [
    b"Topic",
    b"Partition",
    b"SPU",
    b"CustomSpu",
    b"SmartModule",
    b"SpuGroup",
    b"TableFormat",
    b"Mirror",
];

/// What the streams and watches of a connection share.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) node: Arc<Node>,
    pub(super) replies: Replies,
    /// The address the client has reached the broker at: where it finds the SPU, too.
    pub(super) address: SocketAddr,
    /// Cancelled when the connection or the broker ends.
    pub(super) closing: CancellationToken,
    /// Counts tasks, so that a shutdown waits for them.
    pub(super) tasks: TaskTracker,
}

/// Serves one client until it leaves or the broker stops.
pub(super) async fn serve(
    node: Arc<Node>,
    stream: TcpStream,
    closing: CancellationToken,
    tasks: TaskTracker,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let address = stream.local_addr()?;
    let (receiving, sending) = stream.into_split();
    let replies = Replies::new(sending, closing.clone());
    // Streams and watches of this connection end with it.
    let _closed = closing.clone().drop_guard();
    let connection = Connection {
        node,
        replies,
        address,
        closing,
        tasks,
    };
    let mut session = Session {
        connection,
        streams: HashMap::new(),
    };
    let mut requests = Requests::new(receiving);
    loop {
        let request = tokio::select! {
            biased;
            () = session.connection.closing.cancelled() => return Ok(()),
            request = requests.next() => request,
        };
        match request {
            None => return Ok(()),
            // One after the other: a producer's batches must not overtake each other.
            Some(request) => session.answer(request?).await?,
        }
    }
}

/// One client's connection and the streams it has opened.
#[derive(Debug)]
struct Session {
    connection: Connection,
    streams: HashMap<u32, StreamHandle>,
}

impl Session {
    async fn answer(&mut self, request: Request) -> io::Result<()> {
        let key = request.header.api_key();
        if key == AdminKey::ApiVersion as u16 {
            return self.answer_versions(request).await;
        }
        if is_for_the_controller(&request.body) {
            return self.answer_admin(request).await;
        }
        if key == DataKey::Produce as u16 {
            produce::answer(&self.connection, request).await
        } else if key == DataKey::StreamFetch as u16 {
            self.open_stream(request).await
        } else if key == DataKey::UpdateOffsets as u16 {
            self.acknowledge(request).await
        } else if key == DataKey::FetchOffsets as u16 {
            offset::answer(&self.connection, request).await
        } else {
            self.answer_consumers(request).await
        }
    }

    async fn answer_versions(&self, mut request: Request) -> io::Result<()> {
        let versions: ApiVersionsRequest = request.decode()?;
        tracing::debug!(
            client.version = versions.client_version,
            "a client has connected"
        );
        self.connection
            .replies
            .send(&request.header, &supported_versions())
            .await
    }

    async fn answer_admin(&self, request: Request) -> io::Result<()> {
        let key = request.header.api_key();
        if key == AdminKey::Watch as u16 {
            watch::start(&self.connection, request)
        } else {
            admin::answer(&self.connection, request).await
        }
    }

    async fn open_stream(&mut self, mut request: Request) -> io::Result<()> {
        let fetch: DefaultStreamFetchRequest = request.decode()?;
        let id = u32::try_from(self.streams.len() + 1).map_err(io::Error::other)?;
        if let Some(stream) = fetch::start(&self.connection, request.header, fetch, id).await? {
            self.streams.insert(id, stream);
        }
        Ok(())
    }

    async fn acknowledge(&self, mut request: Request) -> io::Result<()> {
        let update: UpdateOffsetsRequest = request.decode()?;
        let response = fetch::acknowledge(&self.streams, update);
        self.connection
            .replies
            .send(&request.header, &response)
            .await
    }

    async fn answer_consumers(&self, mut request: Request) -> io::Result<()> {
        let Connection { node, replies, .. } = &self.connection;
        let key = request.header.api_key();
        if key == DataKey::UpdateConsumerOffset as u16 {
            let update = request.decode()?;
            let response = self.update_consumer(&update);
            replies.send(&request.header, &response).await
        } else if key == DataKey::DeleteConsumerOffset as u16 {
            let response = consumer::delete(node, request.decode()?);
            replies.send(&request.header, &response).await
        } else if key == DataKey::FetchConsumerOffsets as u16 {
            let response = consumer::list(node, &request.decode()?);
            replies.send(&request.header, &response).await
        } else {
            let message = format!("request {key} is not served by the embedded broker");
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
    }

    fn update_consumer(
        &self,
        update: &fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest,
    ) -> fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetResponse {
        consumer::update(
            &self.connection.node,
            self.streams.get(&update.session_id),
            update,
        )
    }
}

/// Whether a body begins with the name of an object type; see the module's text.
fn is_for_the_controller(body: &[u8]) -> bool {
    let Some((length, rest)) = body.split_first_chunk::<2>() else {
        return false;
    };
    let name = rest.get(..usize::from(u16::from_be_bytes(*length)));
    name.is_some_and(|name| OBJECT_TYPES.contains(&name))
}

/// Versions of both the controller's and the SPU's requests.
///
/// A number may be listed twice: a client takes the first entry whose versions it knows, and the
/// two protocols have no version in common.
fn supported_versions() -> ApiVersionsResponse {
    let mut api_keys = Vec::new();
    let mut admin = |key: AdminKey, min, max| api_keys.push(version_key(key as u16, min, max));
    admin(
        AdminKey::Create,
        ObjectApiCreateRequest::MIN_API_VERSION,
        ObjectApiCreateRequest::MAX_API_VERSION,
    );
    admin(
        AdminKey::Delete,
        ObjectApiDeleteRequest::MIN_API_VERSION,
        ObjectApiDeleteRequest::MAX_API_VERSION,
    );
    admin(
        AdminKey::List,
        ObjectApiListRequest::MIN_API_VERSION,
        ObjectApiListRequest::MAX_API_VERSION,
    );
    admin(
        AdminKey::Watch,
        ObjectApiWatchRequest::MIN_API_VERSION,
        ObjectApiWatchRequest::MAX_API_VERSION,
    );
    admin(
        AdminKey::Update,
        ObjectApiUpdateRequest::MIN_API_VERSION,
        ObjectApiUpdateRequest::MAX_API_VERSION,
    );
    let mut data = |key: DataKey, min, max| api_keys.push(version_key(key as u16, min, max));
    data(DataKey::Produce, 0, DefaultProduceRequest::MAX_API_VERSION);
    data(
        DataKey::FetchOffsets,
        FetchOffsetsRequest::MIN_API_VERSION,
        FetchOffsetsRequest::MAX_API_VERSION,
    );
    data(
        DataKey::StreamFetch,
        0,
        DefaultStreamFetchRequest::MAX_API_VERSION,
    );
    data(
        DataKey::UpdateOffsets,
        0,
        UpdateOffsetsRequest::MAX_API_VERSION,
    );
    ApiVersionsResponse {
        platform_version: PlatformVersion::from(PLATFORM_VERSION),
        api_keys,
        ..ApiVersionsResponse::default()
    }
}

fn version_key(api_key: u16, min_version: i16, max_version: i16) -> ApiVersionKey {
    let api_key = api_key as i16;
    ApiVersionKey {
        api_key,
        min_version,
        max_version,
    }
}

#[cfg(test)]
mod tests {
    use fluvio_controlplane_metadata::topic::TopicSpec;
    use fluvio_protocol::Encoder;
    use fluvio_sc_schema::TryEncodableFrom;
    use fluvio_sc_schema::objects::{DeleteRequest, ListRequest};
    use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;

    use super::*;

    fn is_admin(body: &impl Encoder) -> bool {
        is_for_the_controller(&body.as_bytes(25).unwrap())
    }

    #[test]
    fn requests_of_the_same_number_are_told_apart() {
        let delete = DeleteRequest::<TopicSpec>::new("trips".to_owned());
        assert!(is_admin(
            &ObjectApiDeleteRequest::try_encode_from(delete, 19).unwrap()
        ));
        assert!(!is_admin(&FetchOffsetsRequest::new("trips".to_owned(), 0)));

        let list = ListRequest::<TopicSpec>::new(Vec::new(), false);
        assert!(is_admin(
            &ObjectApiListRequest::try_encode_from(list, 19).unwrap()
        ));
        for topic in ["trips", "topic", "spu"] {
            let mut fetch = DefaultStreamFetchRequest::default();
            fetch.topic = topic.to_owned();
            assert!(!is_admin(&fetch), "{topic}");
        }
        for offset in [-1, 0, 5, i64::MAX] {
            assert!(
                !is_admin(&UpdateConsumerOffsetRequest::new(offset, 1)),
                "{offset}"
            );
        }
    }
}
