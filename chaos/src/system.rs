//! All parts of the system, each a process of its own, with a proxy on each way between them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::plan::{Fault, Link, Part};
use crate::postgres::Database;
use crate::proxy::{Mode, Proxy};
use crate::roles::Role;

/// Trips a second of the load, on average; a city's busiest hour has 2.5 times as many.
const TRIPS_PER_SECOND: f64 = 250.0;
const DAY_S: f64 = 86_400.0;
/// Share of the rows that are broken.
const DIRTY: &str = "0.003";
/// How often parts that ended by themselves are looked for.
const TEND_EVERY: Duration = Duration::from_millis(50);
/// How long a broker may take until it listens.
const LISTEN_MAX: Duration = Duration::from_secs(60);

/// How large a run is, and against what.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    /// A Fluvio cluster in place of a broker of our own; its topic must be empty.
    pub(crate) cluster: Option<String>,
}

/// The parts and the ways between them.
#[derive(Debug)]
pub(crate) struct System {
    /// None where a cluster was given.
    broker: Option<Role>,
    producer: Role,
    sink: Role,
    page: Role,
    links: Vec<(Link, Proxy)>,
    pub(crate) postgres: Database,
    /// Controller, not through a proxy.
    pub(crate) fluvio: String,
    pub(crate) page_address: SocketAddr,
    pub(crate) trips: PathBuf,
    /// Whether the producer has sent everything and ended well.
    pub(crate) is_sent: bool,
}

impl System {
    /// Starts everything, the producer last.
    pub(crate) async fn start(settings: &Settings, folder: &Path) -> Result<Self> {
        let postgres = Database::start(&folder.join("postgres")).await?;
        Role::new("migrate", &["migrate", "--roles"], folder, &postgres.url)?.finish()?;
        let sink_url = postgres.login("chaos_sink", "bikeshare_writer").await?;
        let page_url = postgres.login("chaos_page", "bikeshare_reader").await?;
        let mut links = Vec::new();
        for (link, host) in [(Link::SinkPostgres, 2), (Link::PagePostgres, 3)] {
            links.push((link, Proxy::before(postgres.address, host).await?));
        }
        let (broker, fluvio) = match &settings.cluster {
            Some(cluster) => (None, cluster.clone()),
            None => {
                let (role, address) = start_broker(folder).await?;
                for (link, host) in [(Link::ProducerBroker, 2), (Link::SinkBroker, 3)] {
                    links.push((link, Proxy::before(address, host).await?));
                }
                (Some(role), address.to_string())
            }
        };
        let apply = ["cluster", "apply", "--fluvio", &fluvio];
        Role::new("apply", &apply, folder, "")?.finish()?;
        let trips = simulate(settings, folder)?;

        let through = |link, direct: &str| match links.iter().find(|(found, _)| *found == link) {
            Some((_, proxy)) => proxy.address().to_string(),
            None => direct.to_owned(),
        };
        let url_through = |link, url: &str| {
            let direct = postgres.address.to_string();
            url.replace(&direct, &through(link, &direct))
        };
        let (page_address, speed) = (free_address()?, DAY_S / (settings.minutes * 60.0));
        let file = trips.to_string_lossy();
        let (listen, speed) = (page_address.to_string(), format!("{speed:.1}"));
        let sink_broker = through(Link::SinkBroker, &fluvio);
        let producer_broker = through(Link::ProducerBroker, &fluvio);
        let sink = ["sink", "--fluvio", &sink_broker];
        let page = ["serve", "--listen", &listen];
        let producer = [
            "produce",
            "--source",
            &file,
            "--speed",
            &speed,
            "--fluvio",
            &producer_broker,
        ];
        let mut system = Self {
            sink: Role::new(
                "sink",
                &sink,
                folder,
                &url_through(Link::SinkPostgres, &sink_url),
            )?,
            page: Role::new(
                "page",
                &page,
                folder,
                &url_through(Link::PagePostgres, &page_url),
            )?,
            producer: Role::new("producer", &producer, folder, "")?,
            broker,
            links,
            postgres,
            fluvio,
            page_address,
            trips,
            is_sent: false,
        };
        for role in [&mut system.sink, &mut system.page, &mut system.producer] {
            role.start()?;
        }
        Ok(system)
    }

    fn role(&mut self, part: Part) -> Option<&mut Role> {
        match part {
            Part::Producer => Some(&mut self.producer),
            Part::Sink => Some(&mut self.sink),
            Part::Page => Some(&mut self.page),
            Part::Broker => self.broker.as_mut(),
            Part::Postgres => None,
        }
    }

    /// A link that is not there is none of ours.
    fn set(&self, link: Link, mode: Mode) {
        for (_, proxy) in self.links.iter().filter(|(found, _)| *found == link) {
            proxy.set(mode);
        }
    }

    pub(crate) fn begin(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill(part) => match self.role(part) {
                Some(role) => role.kill()?,
                None => self.postgres.kill()?,
            },
            Fault::Freeze(part) => self.signal(part, Signal::STOP)?,
            Fault::Cut(link) => self.set(link, Mode::Cut),
            Fault::Delay(link, by) => self.set(link, Mode::Delay(by)),
            Fault::Halve(link, direction) => self.set(link, Mode::Halve(direction)),
        }
        Ok(())
    }

    pub(crate) async fn end(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill(part) => match self.role(part) {
                Some(role) => role.start()?,
                None => self.postgres.start_again().await?,
            },
            Fault::Freeze(part) => self.signal(part, Signal::CONT)?,
            Fault::Cut(link) | Fault::Delay(link, _) | Fault::Halve(link, _) => {
                self.set(link, Mode::Pass);
            }
        }
        Ok(())
    }

    fn signal(&mut self, part: Part, signal: Signal) -> Result<()> {
        match self.role(part) {
            Some(role) => role.signal(signal),
            None => self.postgres.signal(signal),
        }
    }

    /// Waits so long, and starts again what ends by itself meanwhile.
    pub(crate) async fn rest(&mut self, time: Duration) -> Result<()> {
        // Cancelled by the time, for it never ends well.
        match tokio::time::timeout(time, self.tend()).await {
            Err(_) => Ok(()),
            Ok(ended) => ended,
        }
    }

    /// Waits for something at most so long, as [`System::rest`]; none if it did not come.
    pub(crate) async fn within<T>(
        &mut self,
        most: Duration,
        what: impl Future<Output = T>,
    ) -> Result<Option<T>> {
        tokio::select! {
            what = what => Ok(Some(what)),
            rested = self.rest(most) => rested.map(|()| None),
        }
    }

    /// Starts again what ends by itself, until cancelled.
    ///
    /// # Errors
    /// If something cannot be started.
    pub(crate) async fn tend(&mut self) -> Result<()> {
        loop {
            self.is_sent |= self.producer.tend()?;
            for role in [
                Some(&mut self.sink),
                Some(&mut self.page),
                self.broker.as_mut(),
            ] {
                if let Some(role) = role
                    && role.tend()?
                {
                    bail!("{} has ended, and was not told to", role.name);
                }
            }
            tokio::time::sleep(TEND_EVERY).await;
        }
    }

    /// How often each role ended by itself with an error, and was started again.
    pub(crate) fn failures(&self) -> Vec<(&'static str, u32)> {
        let roles = [&self.producer, &self.sink, &self.page];
        let roles = roles.into_iter().chain(&self.broker);
        roles.map(|role| (role.name, role.failures)).collect()
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

async fn start_broker(folder: &Path) -> Result<(Role, SocketAddr)> {
    let address = free_address()?;
    let (listen, data) = (address.to_string(), folder.join("fluvio"));
    let arguments = [
        "broker",
        "--listen",
        &listen,
        "--folder",
        &data.to_string_lossy(),
    ];
    let mut role = Role::new("broker", &arguments, folder, "")?;
    role.start()?;
    let listens = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(TEND_EVERY).await;
        }
    };
    let listens = tokio::time::timeout(LISTEN_MAX, listens).await;
    listens.context("the broker does not listen: see broker.log")?;
    Ok((role, address))
}

/// A day of the city, in as many minutes as asked for.
fn simulate(settings: &Settings, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("trips.csv");
    let (seed, trips) = (settings.seed, settings.minutes * 60.0 * TRIPS_PER_SECOND);
    let city = format!("seed={seed},trips={trips:.0},days=1,dirty={DIRTY}");
    let arguments = [
        "simulate",
        "--out",
        &path.to_string_lossy(),
        "--city",
        &city,
    ];
    Role::new("simulate", &arguments, folder, "")?.finish()?;
    Ok(path)
}
