//! What a first visit loads: a phone in the street has seconds for it.

use app::{Dock, router};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use domain::stations::reference_stations;
use tower::ServiceExt as _;

use crate::support::{Page, dock};

/// Bytes of a first view of New York, compressed, and the most of each part.
const ALL_MAX: usize = 250_000;
const PARTS: [(&str, usize); 5] = [
    ("page", 23_500),
    ("style.css", 4_300),
    ("app.js", 5_600),
    ("app_bg.wasm", 168_000),
    ("city.basemap", 31_000),
];

/// As many docks as the simulated New York has; more make the page longer, and nothing else.
fn new_york() -> Vec<Dock> {
    let stations = (1..=350).zip(reference_stations().iter().step_by(3));
    let dock = |(id, station): (i32, &domain::stations::ReferenceStation)| {
        let bikes = id * 7 % 25;
        dock(id, station.street, (station.lat, station.lon), bikes)
    };
    stations.map(dock).collect()
}

#[tokio::test]
async fn the_first_view_of_new_york_is_at_most_a_quarter_of_a_megabyte() {
    let page = Page::with(new_york());
    let state = page.state();
    state.pack();
    let router = router(state);
    let get = async |path: &str, coding: &str| {
        let request = Request::get(path).header("accept-encoding", coding);
        let request = request.body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        to_bytes(response.into_body(), usize::MAX).await.unwrap()
    };
    let html = String::from_utf8(get("/", "identity").await.to_vec()).unwrap();
    let (mut all, mut report) = (0, String::new());
    for (name, most) in PARTS {
        let path = match name {
            "page" => Some("/"),
            name => html
                .split('"')
                .find(|it| it.contains(&format!("/{name}?v="))),
        };
        let Some(path) = path else {
            return testkit::skip("the client was not built: run `cargo xtask wasm`");
        };
        let bytes = get(path, "br").await.len();
        report += &format!("{name}: {bytes} bytes, at most {most}\n");
        assert!(bytes <= most, "{report}");
        all += bytes;
    }
    assert!(
        all <= ALL_MAX,
        "{report}all: {all} bytes, at most {ALL_MAX}"
    );
}
