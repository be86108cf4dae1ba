//! Which requests there are: their numbers, versions and sizes.
//!
//! A real cluster has a controller (SC) and processing units (SPU) on ports of their own. Here
//! one port is both. The two number some requests alike (1002 deletes an object at the one, fetches
//! offsets at the other), but all of the controller's begin with an object type's name, in
//! capitals, where an SPU's have a topic's name, in small letters, or a small number.

use std::io;
use std::ops::RangeInclusive;

use fluvio_protocol::api::{Request, RequestHeader};
use fluvio_protocol::link::versions::{
    ApiVersionKey, ApiVersionsRequest, ApiVersionsResponse, PlatformVersion,
};
use fluvio_sc_schema::objects::{
    ObjectApiCreateRequest, ObjectApiDeleteRequest, ObjectApiListRequest, ObjectApiUpdateRequest,
    ObjectApiWatchRequest,
};
use fluvio_spu_schema::produce::DefaultProduceRequest;
use fluvio_spu_schema::server::consumer_offset::{
    DeleteConsumerOffsetRequest, FetchConsumerOffsetsRequest, UpdateConsumerOffsetRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::UpdateOffsetsRequest;
use fluvio_types::defaults::STORAGE_MAX_REQUEST_SIZE;

use crate::text::printable;

/// The release of Fluvio whose behaviour this broker follows.
const PLATFORM_VERSION: semver::Version = semver::Version::new(0, 18, 1);
/// Names with which the controller's requests begin.
const OBJECT_TYPES: [&[u8]; 8] = [
    b"Topic",
    b"Partition",
    b"SPU",
    b"CustomSpu",
    SMARTMODULE,
    b"SpuGroup",
    b"TableFormat",
    b"Mirror",
];
const SMARTMODULE: &[u8] = b"SmartModule";
/// So much of a body shows whose request it is: the length of a type's name, and the name.
pub(crate) const BODY_START_BYTES: usize = 2 + SMARTMODULE.len();
/// Before it, the controller's requests do not begin with a type's name.
const FIRST_ADMIN_VERSION: i16 = 11;

/// Chosen: names, offsets and a module of some 100 kB that comes along with a stream.
const BYTES_MAX: usize = 1 << 20;
/// What the real SPU takes, and some bytes for heads: a producer that sends a little more gets an error, not a closed
/// connection.
const PRODUCE_BYTES_MAX: usize = STORAGE_MAX_REQUEST_SIZE as usize + BYTES_MAX;
/// Chosen: a hundred times this project's modules.
const MODULE_BYTES_MAX: usize = 32 << 20;
/// Largest request of any kind, in bytes.
pub(crate) const LARGEST_BYTES: usize = PRODUCE_BYTES_MAX;

/// A request that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Versions,
    Create,
    Delete,
    List,
    Watch,
    Update,
    Produce,
    FetchOffsets,
    StreamFetch,
    UpdateOffsets,
    UpdateConsumerOffset,
    DeleteConsumerOffset,
    FetchConsumerOffsets,
}

/// A row of the table of requests.
#[derive(Debug)]
struct Row {
    api: Api,
    key: u16,
    versions: RangeInclusive<i16>,
}

const fn row<R: Request>(api: Api) -> Row {
    row_from::<R>(api, R::MIN_API_VERSION)
}

const fn row_from<R: Request>(api: Api, first: i16) -> Row {
    let (key, versions) = (R::API_KEY, first..=R::MAX_API_VERSION);
    Row { api, key, versions }
}

/// The controller's requests.
static ADMIN: [Row; 5] = [
    row_from::<ObjectApiCreateRequest>(Api::Create, FIRST_ADMIN_VERSION),
    row_from::<ObjectApiDeleteRequest>(Api::Delete, FIRST_ADMIN_VERSION),
    row::<ObjectApiListRequest>(Api::List),
    row::<ObjectApiWatchRequest>(Api::Watch),
    row_from::<ObjectApiUpdateRequest>(Api::Update, FIRST_ADMIN_VERSION),
];

/// The SPU's requests.
static DATA: [Row; 7] = [
    row_from::<DefaultProduceRequest>(Api::Produce, 0),
    row::<FetchOffsetsRequest>(Api::FetchOffsets),
    row_from::<DefaultStreamFetchRequest>(Api::StreamFetch, 0),
    row::<UpdateOffsetsRequest>(Api::UpdateOffsets),
    row::<UpdateConsumerOffsetRequest>(Api::UpdateConsumerOffset),
    row::<DeleteConsumerOffsetRequest>(Api::DeleteConsumerOffset),
    row::<FetchConsumerOffsetsRequest>(Api::FetchConsumerOffsets),
];

/// What both serve. Any version: it is how a client finds out what others there are.
static VERSIONS: [Row; 1] = [Row {
    api: Api::Versions,
    key: ApiVersionsRequest::API_KEY,
    versions: 0..=i16::MAX,
}];

/// Finds which request a header and the start of a body are.
///
/// # Errors
/// If it is not served, or not in this version. Clients know no response for that: the connection ends.
pub(crate) fn find(header: &RequestHeader, body_start: &[u8]) -> io::Result<Api> {
    let key = header.api_key();
    let rows: &[Row] = match object_type(body_start) {
        _ if key == ApiVersionsRequest::API_KEY => &VERSIONS,
        Some(_) => &ADMIN,
        None => &DATA,
    };
    let row = rows.iter().find(|row| row.key == key);
    let version = header.api_version();
    let refusal = match row {
        Some(row) if row.versions.contains(&version) => return Ok(row.api),
        Some(row) => {
            let (first, last) = (row.versions.start(), row.versions.end());
            format!("version {version} of request {key} is not served: {first} to {last} are")
        }
        None => format!("request {key} is not served by the embedded broker"),
    };
    let client = printable(header.client_id());
    let message = format!("{refusal} (client \"{client}\")");
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

impl Api {
    /// Largest request of this kind, in bytes, header included.
    pub(crate) fn bytes_max(self, body_start: &[u8]) -> usize {
        match self {
            Self::Produce => PRODUCE_BYTES_MAX,
            Self::Create if object_type(body_start) == Some(SMARTMODULE) => MODULE_BYTES_MAX,
            _ => BYTES_MAX,
        }
    }
}

/// The name of an object type that a body begins with; see the module's text.
fn object_type(body: &[u8]) -> Option<&[u8]> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let name = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    OBJECT_TYPES.contains(&name).then_some(name)
}

/// Versions of both the controller's and the SPU's requests.
///
/// A number may be listed twice: a client takes the first entry whose versions it knows, and the
/// two protocols have no version in common.
pub(crate) fn supported_versions() -> ApiVersionsResponse {
    let rows = ADMIN.iter().chain(&DATA);
    let api_keys = rows.map(|row| ApiVersionKey {
        api_key: row.key as i16,
        min_version: *row.versions.start(),
        max_version: *row.versions.end(),
    });
    ApiVersionsResponse {
        platform_version: PlatformVersion::from(PLATFORM_VERSION),
        api_keys: api_keys.collect(),
        ..ApiVersionsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use fluvio_controlplane_metadata::topic::TopicSpec;
    use fluvio_protocol::Encoder;
    use fluvio_sc_schema::TryEncodableFrom;
    use fluvio_sc_schema::objects::{DeleteRequest, ListRequest};

    use super::*;

    fn is_admin(body: &impl Encoder) -> bool {
        object_type(&body.as_bytes(25).unwrap()).is_some()
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

    #[test]
    fn a_version_is_served_if_and_only_if_it_is_advertised() {
        let advertised = supported_versions().api_keys;
        for key in 0..2_000_u16 {
            for body in [&b"\0\x05Topic"[..], b"\0\x05trips"] {
                for version in -2..40 {
                    let mut header = RequestHeader::new_with_client(key, "client");
                    header.set_api_version(version);
                    let listed = advertised.iter().any(|row| {
                        row.api_key == key as i16
                            && (row.min_version..=row.max_version).contains(&version)
                    });
                    if key != ApiVersionsRequest::API_KEY && find(&header, body).is_ok() {
                        assert!(listed, "{key} {version}");
                    }
                }
            }
        }
        for row in ADMIN.iter().chain(&DATA) {
            let mut header = RequestHeader::new(row.key);
            let body: &[u8] = if ADMIN.iter().any(|admin| admin.api == row.api) {
                b"\0\x05Topic"
            } else {
                b"\0\x05trips"
            };
            for version in row.versions.clone() {
                header.set_api_version(version);
                assert_eq!(find(&header, body).unwrap(), row.api);
            }
        }
    }

    #[test]
    fn a_refusal_names_client_request_and_version_and_forges_no_line() {
        let mut header = RequestHeader::new_with_client(0, "me\n2026-01-01 INFO all is well");
        header.set_api_version(-1);
        let error = find(&header, &[]).unwrap_err();
        expect![[
            r#"version -1 of request 0 is not served: 0 to 25 are (client "me\n2026-01-01 INFO all is well")"#
        ]]
        .assert_eq(&error.to_string());
    }
}
