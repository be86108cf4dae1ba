//! Events as they go over the wire (server-sent events, HTML Living Standard 9.2): written once, and shared
//! by all streams.

use axum::body::Bytes;

use crate::model::{Delta, Heartbeat};

/// Milliseconds that a browser waits before it opens the stream again after it broke.
const RETRY_MS: u32 = 1_000;

/// Event `docks`. Its id is the version, so that a browser that comes back asks for what it missed.
pub(super) fn docks(delta: &Delta) -> Bytes {
    let json = serde_json::to_string(delta).expect("a delta has finite numbers and texts only");
    let version = delta.version;
    format!("event: docks\nid: {version}\nretry: {RETRY_MS}\ndata: {json}\n\n").into()
}

/// Event `heartbeat`.
pub(super) fn heartbeat(heartbeat: Heartbeat) -> Bytes {
    let json = serde_json::to_string(&heartbeat).expect("a heartbeat is numbers and words");
    format!("event: heartbeat\ndata: {json}\n\n").into()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_whatever_a_dock_is_called() {
        let delta = Delta {
            version: 7,
            new: vec![(1, "a\nb\r\u{2028}".to_owned(), 40.7, -74.0)],
            ..Delta::default()
        };
        let event = String::from_utf8(docks(&delta).to_vec()).unwrap();
        expect![[r#"
            event: docks
            id: 7
            retry: 1000
            data: {"version":7,"clock":null,"local":null,"docks":[],"new":[[1,"a\nb\r ",40.7,-74.0]]}

        "#]].assert_eq(&event);
    }
}
