//! Chromium under a driver: with scripts or without, as riders have it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

/// How long the page may take to reach a state before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls back with a text for each element that breaks a rule.
const FIND_BARRIERS: &str = "
    const tell = arguments[arguments.length - 1];
    const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, { runOnly }).then(
        ({ violations }) => tell(violations.flatMap(({ id, nodes }) =>
            nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`))),
        (error) => tell([`axe: ${error}`]));";

/// Whether the page's scripts may run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scripts {
    On,
    Off,
}

/// A browser with an empty profile; dropping it closes it.
#[derive(Debug)]
pub struct Browser {
    pub client: Client,
    _driver: Driver,
}

impl Browser {
    /// None, visibly, where there is no browser; in CI that is a failure.
    pub async fn open(scripts: Scripts, (width, height): (u32, u32)) -> Option<Self> {
        let driver = match Driver::start() {
            Ok(driver) => driver,
            Err(error) => {
                crate::skip(&format!("chromedriver: {error}"));
                return None;
            }
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(scripts))
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .unwrap();
        client.set_window_size(width, height).await.unwrap();
        Some(Self {
            client,
            _driver: driver,
        })
    }

    /// Waits until `script`, the body of a function, returns something true; gives what it returned.
    pub async fn wait_until(&self, script: &str) -> Value {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let value = self.client.execute(script, Vec::new()).await.unwrap();
            if ![Value::Null, json!(false), json!(0), json!("")].contains(&value) {
                return value;
            }
            assert!(
                tokio::time::Instant::now() < patience,
                "never true: {script}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The texts of all elements that match.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// Sends a command of Chromium's `DevTools` protocol.
    pub async fn devtools(&self, method: &'static str, parameters: Value) -> Value {
        let command = DevTools { method, parameters };
        self.client.issue_cmd(command).await.unwrap()
    }

    /// What keeps people from using the page as it is, by WCAG 2.2 AA as axe knows it: a rule and the
    /// element that breaks it in each line. `axe` is its script.
    pub async fn barriers(&self, axe: &str) -> Vec<String> {
        self.client.execute(axe, Vec::new()).await.unwrap();
        let found = self.client.execute_async(FIND_BARRIERS, Vec::new()).await;
        serde_json::from_value(found.unwrap()).unwrap()
    }

    /// Errors in the console since the last question: scripts' own and failed requests.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(ReadConsole).await.unwrap();
        let is_severe = |entry: &&Value| entry["level"] == "SEVERE";
        let entries = entries.as_array().unwrap().iter().filter(is_severe);
        entries.map(|entry| entry["message"].to_string()).collect()
    }
}

/// Chromedriver, which starts the browser.
#[derive(Debug)]
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> std::io::Result<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let port = announced_port(&mut process);
        Ok(Self { process, port })
    }

    /// Asks it to close its browser and to end.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
        stream.read(&mut [0; 64]).map(drop)
    }
}

impl Drop for Driver {
    /// Also where a test failed. Killed, it would leave its browser running.
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            self.process.kill().ok();
        }
        self.process.wait().ok();
    }
}

/// Chromedriver's own command: `WebDriver` has none that reads the console.
#[derive(Debug)]
struct ReadConsole;

impl WebDriverCompatibleCommand for ReadConsole {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// Chromedriver's way to the `DevTools` protocol.
#[derive(Debug)]
struct DevTools {
    method: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let Self { method, parameters } = self;
        let body = json!({ "cmd": method, "params": parameters });
        (Method::POST, Some(body.to_string()))
    }
}

fn capabilities(scripts: Scripts) -> serde_json::Map<String, Value> {
    // 2 blocks, 1 allows.
    let javascript = if scripts == Scripts::Off { 2 } else { 1 };
    let options = json!({
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage",
        ],
        "prefs": { "profile.managed_default_content_settings.javascript": javascript },
    });
    let logging = json!({ "browser": "ALL" });
    [
        ("goog:chromeOptions".to_owned(), options),
        ("goog:loggingPrefs".to_owned(), logging),
    ]
    .into_iter()
    .collect()
}

fn announced_port(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let port = lines
        .find_map(|line| {
            line.split_once("successfully on port ")?
                .1
                .trim_end_matches('.')
                .parse()
                .ok()
        })
        .expect("chromedriver says on which port it listens");
    std::thread::spawn(move || lines.for_each(drop)); // Keeps the pipe from filling up.
    port
}
