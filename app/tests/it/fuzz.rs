//! Requests that nobody would make: none may stop another, cost much, or find a panic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use app::Limits;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use testkit::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::city::{City, Running};

/// Requests without `BIKESHARE_FUZZ_REQUESTS`.
const REQUESTS: usize = 2_000;

/// Requests at once.
const CLIENTS: usize = 8;

const DOCKS: usize = 300;

/// As in `limits`: what is there once, and a dock in list and map.
const ANSWER_BYTES_MAX: usize = (64 << 10) + DOCKS * (1 << 10);

/// For any answer, and for another client's page.
const PATIENCE: Duration = Duration::from_secs(5);

const METHODS: [&str; 9] = [
    "GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "DELETE", "G\u{e9}T",
];

const PATHS: [&str; 32] = [
    "/",
    "/",
    "/live",
    "/api/search",
    "/api/",
    "/api/search/x",
    "/api/suggest",
    "/api/past",
    "/api/past/period",
    "/api/v1/docks",
    "/api/v1/docks/1",
    "/api/v1/docks/1/past",
    "/api/v1/windows",
    "/api/v1/openapi.json",
    "/api/v1/%FF",
    "/dock/past",
    "/city/day",
    "/healthz",
    "/style.css",
    "/icon.svg",
    "/offline.js",
    "/pkg/app.js",
    "/pkg/../Cargo.toml",
    "/pkg/%2e%2e%2fCargo.toml",
    "/gbfs/gbfs.json",
    "/gbfs/3.0/station_status.json",
    "/gbfs/3.0/%FF.json",
    "/gbfs/3.0/x",
    "//",
    "*",
    "http://evil.example/",
    "/%00",
];

const KEYS: [&str; 15] = [
    "q", "dock", "for", "since", "at", "second", "v", "", "%FF", "bbox", "near", "within", "from",
    "to", "limit",
];

const VALUES: [&str; 21] = [
    "2020-03-01T08:30",
    "2020-03-02T13:14:00Z",
    "40.7,-73.9",
    "-74,40,-73,41",
    "1+Park+Avenue",
    "E+32+St+%26+Park+Ave",
    "200+42nd+St",
    "4294967296+Broadway",
    "1-1+W+99999999999999+St",
    "1%C2%A0par",
    "40.7461,+-73.9818",
    "docks",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "%F0%9F%9A%B2",
    "%00%0A%1B",
    "%FF%FE",
    "%",
    "</script>",
    "\u{e9}",
];

const HEADERS: [&str; 14] = [
    "host: a.example",
    "host: a\"b",
    "accept: text/html",
    "referer: http://evil.example/",
    "accept-encoding: gzip, br, deflate, zstd",
    "if-none-match: *",
    "if-none-match: \"",
    "last-event-id: 9223372036854775807",
    "last-event-id: x",
    "content-length: 0",
    "content-length: 99999999999",
    "transfer-encoding: chunked",
    "expect: 100-continue",
    "upgrade: h2c",
];

/// A request as somebody might make it who means no good; one in three is broken besides.
fn request(random: &mut StdRng) -> Vec<u8> {
    let any = |random: &mut StdRng, of: &[&str]| (*of.choose(random).unwrap()).to_owned();
    let method = any(random, &METHODS);
    let mut text = format!("{method} {}", any(random, &PATHS));
    for part in 0..random.random_range(0..4) {
        let repeat = [1, 1, 1, 50, 2_000].choose(random).unwrap();
        let value = any(random, &VALUES).repeat(*repeat);
        let joint = if part == 0 { '?' } else { '&' };
        text += &format!("{joint}{}={value}", any(random, &KEYS));
    }
    text += " HTTP/1.1\r\n";
    for _ in 0..*[0, 1, 2, 5, 70].choose(random).unwrap() {
        text += &any(random, &HEADERS);
        text += "\r\n";
    }
    text += "connection: close\r\n\r\n";
    let mut bytes = text.into_bytes();
    if random.random_ratio(1, 3) {
        mutate(&mut bytes, random);
    }
    bytes
}

/// Changes, drops, doubles and adds bytes anywhere.
fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..8) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 => bytes.extend_from_within(at..),
            _ => bytes.get_mut(at).map_or((), |byte| *byte = random.random()),
        }
    }
    bytes.truncate(64 << 10);
}

/// Sends a request and takes what comes, of an event stream only the beginning.
async fn answer(server: &Running, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may have heard enough before the end, and close.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    let mut piece = vec![0; 16 << 10];
    while let Ok(taken @ 1..) = stream.read(&mut piece).await {
        answer.extend_from_slice(&piece[..taken]);
        let is_stream = answer
            .windows(17)
            .take(1_000)
            .any(|text| text == b"text/event-stream");
        if is_stream || answer.len() > ANSWER_BYTES_MAX * 2 {
            break;
        }
    }
    answer
}

/// Sends requests and counts what they were answered, by status.
async fn attack(server: Arc<Running>, seed: u64, requests: usize) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..requests {
        let request = request(&mut random);
        let shown = String::from_utf8_lossy(&request)
            .chars()
            .take(300)
            .collect::<String>();
        let answer = tokio::time::timeout(PATIENCE, answer(&server, &request)).await;
        let answer = answer.unwrap_or_else(|_| panic!("seed {seed}: no answer to {shown:?}"));
        assert!(
            answer.len() <= ANSWER_BYTES_MAX,
            "{} bytes to {shown:?}",
            answer.len()
        );
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
        let is_expected = status.is_empty() || status == "503" || !status.starts_with('5');
        assert!(is_expected, "seed {seed}: {status} to {shown:?}");
        *seen.entry(status).or_default() += 1;
    }
    seen
}

/// Asks for the page again and again; the longest it took.
async fn bystander(server: Arc<Running>, is_over: Arc<AtomicBool>) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let page = tokio::time::timeout(PATIENCE, async {
            let (head, _) = server.open_from([127, 0, 0, 9], "/?q=1+Park+Avenue").await;
            head
        });
        let head = page.await.expect("another client is answered");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    longest
}

/// Most memory this process ever had, in kB.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "a long run is made for its figures")]
async fn no_request_finds_a_panic_costs_much_or_stops_another_client() {
    let Some(mut city) = City::start().await else {
        return;
    };
    city.add_docks(DOCKS).await;
    let limits = Limits {
        head_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Arc::new(city.serve(limits).await);
    get(server.address, "/").await;

    let panics = Arc::new(AtomicUsize::new(0));
    let (count, usual) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        count.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
    let requests = std::env::var("BIKESHARE_FUZZ_REQUESTS")
        .map_or(REQUESTS, |requests| requests.parse().unwrap());
    let is_over = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn(bystander(Arc::clone(&server), Arc::clone(&is_over)));
    let (begun, before) = (Instant::now(), peak_kb());
    let attacks = (0..CLIENTS).map(|seed| {
        let seed = u64::try_from(seed).unwrap();
        tokio::spawn(attack(Arc::clone(&server), seed, requests / CLIENTS))
    });
    let mut seen = BTreeMap::<String, usize>::new();
    for attack in futures_util::future::join_all(attacks).await {
        for (status, times) in attack.unwrap() {
            *seen.entry(status).or_default() += times;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let longest = other.await.unwrap();
    println!(
        "{requests} requests in {:.1} s; another's page after {} ms at most; peak {:?} kB, before {before:?}",
        begun.elapsed().as_secs_f32(),
        longest.as_millis(),
        peak_kb(),
    );
    println!("answered: {seen:?}");
    // Not all were turned away at the door.
    assert!(seen["200"] > requests / 20, "{seen:?}");
    assert_eq!(panics.load(Ordering::Relaxed), 0, "a panic");
    assert!(get(server.address, "/").await.contains("200 OK"));
    Arc::into_inner(server).unwrap().stop().await;
}
