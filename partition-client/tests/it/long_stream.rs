//! A stream through a SmartModule that is never opened anew. A module that keeps what it has given fills
//! its memory: a real SPU then ends the stream in silence, with data unread.
//!
//! Fifty million by hand, and on a real cluster too:
//! `OUTPUTS=50000000 cargo test --profile quick -p partition-client --test it long_stream -- --nocapture`

use fluvio_protocol::record::{Batch, RawRecords, Record};
use partition_client::{
    Cluster, PartitionClient, PartitionStream, SmartModule, StreamRequest, TopicPartition, outputs,
};

use crate::{partition, test_cluster};

const BATCH_TRIPS: i64 = 1_000;
/// Two a trip.
const OUTPUTS: i64 = 200_000;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
async fn a_stream_that_is_never_reopened_gives_every_output() {
    let expected = std::env::var("OUTPUTS").map_or(OUTPUTS, |count| count.parse().unwrap());
    let test = test_cluster().await;
    let wasm = testkit::smartmodule("trip-split");
    test.node.push("trip-split", &wasm).await;
    let partition = partition(&test.cluster).await;
    let appending = append_trips(&test.cluster, &partition, expected / 2);
    let reading = async {
        let module = SmartModule::from_wasm("trip-split", &wasm).unwrap();
        let request = StreamRequest::through(&module, Vec::new(), 0);
        let mut stream = PartitionStream::open(&test.cluster, partition.clone(), request)
            .await
            .unwrap();
        let mut seen = 0;
        while seen < expected {
            let response = stream.next_response().await.unwrap();
            response.check(&partition).unwrap();
            for batch in &response.batches {
                for output in outputs(batch).unwrap() {
                    assert_is_next(seen, &output);
                    seen += 1;
                    if seen % 1_000_000 == 0 {
                        println!("{seen} outputs, {} bytes", stream.bytes());
                    }
                }
            }
            stream.acknowledge(&response).await.unwrap();
        }
        seen
    };
    let ((), seen) = tokio::join!(appending, reading);
    assert_eq!(seen, expected);
}

/// A departure and an arrival of each offset, in order.
fn assert_is_next(seen: i64, output: &Record) {
    let start = format!(
        r#"{{"offset":{},"source":"a.csv#1","seq":{},"{}":"#,
        seen / 2,
        seen / 2,
        ["departure", "arrival"][usize::from(seen % 2 == 1)]
    );
    let value = output.value().as_ref();
    assert!(
        value.starts_with(start.as_bytes()),
        "{} instead of {start}",
        String::from_utf8_lossy(value)
    );
}

async fn append_trips(cluster: &Cluster, partition: &TopicPartition, trips: i64) {
    let mut client = PartitionClient::open(cluster, partition.clone())
        .await
        .unwrap();
    for first in (0..trips).step_by(BATCH_TRIPS as usize) {
        let seqs = first..trips.min(first + BATCH_TRIPS);
        let records: Vec<_> = seqs.map(|seq| Record::new(trip(seq))).collect();
        let batch: Batch<RawRecords> = Batch::from(records).try_into().unwrap();
        client.append(vec![batch]).await.unwrap();
    }
}

fn trip(seq: i64) -> String {
    format!(
        r#"{{"source":"a.csv#1","seq":{seq},"trip":{{"bike_id":"42381","departed_at":"2020-03-01T05:14:07Z","from":{{"station_id":"3202","street":"Newport PATH","lat":40.7272235,"lon":-74.0337589}},"arrived_at":"2020-03-01T05:20:36.088Z","to":{{"station_id":"3203","street":"Hamilton Park","lat":40.7275958,"lon":-74.044247}},"rider":"member"}}}}"#
    )
}
