//! Broken requests over TCP; many more are thrown at the broker's sessions in `src/fuzz.rs`.

use fluvio_protocol::Encoder;
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::protocol::{Wire, batch, broker_with, produce, topic_of_two};

const FRAMES: usize = 3_000;
const SEED: u64 = 13;

#[tokio::test(flavor = "multi_thread")]
async fn broken_requests_end_their_own_connection_at_most() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut good = Wire::to(&broker).await;
    let valid = [
        frame(produce("topic", vec![(0, vec![batch(&["a", "b"])])])),
        frame(FetchOffsetsRequest::new("topic".to_owned(), 0)),
        frame(
            DefaultStreamFetchRequest::builder()
                .topic("topic")
                .build()
                .unwrap(),
        ),
    ];
    let mut random = SmallRng::seed_from_u64(SEED);
    for sent in 0..FRAMES {
        let mut frame = valid[random.random_range(0..valid.len())].clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..frame.len());
            frame[at] = random.random();
        }
        frame.truncate(random.random_range(0..=frame.len() * 2));
        Wire::to(&broker).await.send(&frame).await;
        if sent % 100 == 0 {
            good.request(FetchOffsetsRequest::new("topic".to_owned(), 0))
                .await;
        }
    }
    good.request(FetchOffsetsRequest::new("topic".to_owned(), 0))
        .await;
}

fn frame(request: impl Request) -> Vec<u8> {
    let message = RequestMessage::new_request(request);
    message.as_bytes(0).unwrap().to_vec()
}
