//! One run: everything is started, broken by the plan, left alone, and checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::checker::{docks_at, unequal_docks, violations};
use crate::follower::{self, Seen};
use crate::ledger::Ledger;
use crate::plan::{Plan, Step};
use crate::progress::{Progress, Violations};
use crate::report::Report;
use crate::system::{Settings, System};
use crate::tables::Tables;
use crate::topic;

/// Longer than any wait of a role: what has not recovered by then does not.
const RECOVERY_MAX: Duration = Duration::from_secs(120);
/// For what the faults held up, once they are over.
const DRAIN_MAX: Duration = Duration::from_secs(300);
/// Instants of the past that the page is asked for.
const INSTANTS: usize = 20;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The plan so far, and the table of faults.
    pub(crate) text: String,
    /// The same for programs.
    pub(crate) json: Value,
    /// The laws that broke, a sentence for each case.
    pub(crate) broken: Vec<String>,
    /// Where all of it lies, if one broke.
    pub(crate) kept: Option<PathBuf>,
}

/// Runs to the end of the plan, or to what breaks it.
///
/// # Errors
/// If the parts cannot be started.
pub(crate) async fn run(settings: &Settings) -> Result<Outcome> {
    let folder = tempfile::Builder::new()
        .prefix("bikeshare-chaos-")
        .tempdir()?;
    // Postgres runs as another user than root.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    let mut run = Run::start(settings, folder.path()).await?;
    let outcome = match run.through_plan(settings).await {
        Ok(()) => run.check(settings.seed).await,
        Err(error) => Err(error),
    };
    let broken = run.broken(outcome);
    let (text, json) = run.report(settings, &broken);
    drop(run);
    let kept = (!broken.is_empty()).then(|| folder.keep());
    Ok(Outcome {
        text,
        json,
        broken,
        kept,
    })
}

struct Run {
    system: System,
    progress: Progress,
    seen: watch::Receiver<Seen>,
    violations: Violations,
    report: Report,
    /// The plan so far.
    done: Vec<String>,
    begun: Instant,
}

impl Run {
    async fn start(settings: &Settings, folder: &std::path::Path) -> Result<Self> {
        let system = System::start(settings, folder).await?;
        let violations = Violations::default();
        let progress = Progress::follow(system.postgres.url.clone(), violations.clone());
        let seen = follower::follow(system.page_address, violations.clone());
        let mut run = Self {
            system,
            progress,
            seen,
            violations,
            report: Report::default(),
            done: Vec::new(),
            begun: Instant::now(),
        };
        // Rows of each stream, and a page that shows them: now there is something to break.
        let mut first = run.progress.clone();
        let (rows, page) = (
            async move { first.has_streams().await },
            run.heard_beyond(0),
        );
        let all = async { tokio::join!(rows, page) };
        let all = run.system.within(RECOVERY_MAX, all).await?;
        all.context("nothing is stored and shown: see the logs")?;
        run.begun = Instant::now();
        Ok(run)
    }

    async fn through_plan(&mut self, settings: &Settings) -> Result<()> {
        let length = Duration::from_secs_f64(settings.minutes * 60.0);
        let mut plan = Plan::new(settings.seed, settings.cluster.is_none());
        while self.begun.elapsed() < length {
            let step = plan.next().context("a plan has no end")?;
            self.take(step).await?;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        self.system.rest(step.pause).await?;
        let line = format!("{:3} {:6.1} s  {step}", self.done.len() + 1, self.seconds());
        eprintln!("{line}");
        self.done.push(line);
        self.system.begin(step.fault)?;
        self.system.rest(step.lasts).await?;
        self.system.end(step.fault).await?;
        let recovery = match step.is_overtaken || self.system.is_sent {
            true => None,
            false => self.recovery(step).await?,
        };
        self.report.add(step.fault, recovery);
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Time until every stream has committed again, or the page has told of it; none if the load
    /// ended meanwhile.
    async fn recovery(&mut self, step: Step) -> Result<Option<Duration>> {
        let begun = Instant::now();
        let waited = if step.fault.is_of_page() {
            let heard = self.heard_beyond(self.seen.borrow().version);
            self.system.within(RECOVERY_MAX, heard).await?
        } else {
            let (mut progress, cursors) = (self.progress.clone(), self.progress.cursors());
            self.system
                .within(RECOVERY_MAX, async move { progress.beyond(&cursors).await })
                .await?
        };
        if waited.is_some() {
            return Ok(Some(begun.elapsed()));
        }
        if !self.system.is_sent {
            bail!("nothing was committed for {RECOVERY_MAX:?} after the last fault");
        }
        Ok(None)
    }

    /// Waits until the follower has heard of a newer publish.
    fn heard_beyond(&self, version: i64) -> impl Future<Output = ()> + use<> {
        let mut seen = self.seen.clone();
        // The follower lives as long as the runtime.
        async move { drop(seen.wait_for(|seen| seen.version > version).await) }
    }

    /// Waits until all is stored and shown, then holds it to the laws.
    async fn check(&mut self, seed: u64) -> Result<()> {
        let deadline = Instant::now() + DRAIN_MAX;
        while !self.system.is_sent {
            if Instant::now() > deadline {
                bail!("the producer did not end in {DRAIN_MAX:?} after the last fault");
            }
            self.system.rest(Duration::from_millis(200)).await?;
        }
        let ledger = Ledger::read(&self.system.trips)?;
        let topic = topic::read(&self.system.fluvio).await?;
        let fresh = follower::follow(self.system.page_address, self.violations.clone());
        let found = loop {
            let tables = Tables::read(&self.system.postgres.url).await?;
            let mut found = violations(&ledger, &topic, &tables);
            for (who, seen) in [
                ("followed all the time", &self.seen),
                ("opened at the end", &fresh),
            ] {
                let unequal = unequal_docks(&tables.docks, &shown(&seen.borrow(), &tables));
                found.extend(
                    unequal
                        .into_iter()
                        .map(|what| format!("page {who}: {what}")),
                );
            }
            if found.is_empty() {
                // A page that was started a moment ago has not read yet what is stored.
                let past = self.past(seed, &tables).await;
                found.extend(past.unwrap_or_else(|error| vec![format!("past: {error:#}")]));
            }
            if found.is_empty() || Instant::now() > deadline {
                break found;
            }
            self.system.rest(Duration::from_secs(1)).await?;
        };
        found.into_iter().for_each(|what| self.violations.add(what));
        Ok(())
    }

    /// What the page shows of random instants against all events up to them.
    async fn past(&self, seed: u64, tables: &Tables) -> Result<Vec<String>> {
        let Some((first, last)) = tables.past else {
            return Ok(vec!["nothing of the past is stored".to_owned()]);
        };
        let (mut random, mut found) = (StdRng::seed_from_u64(seed), Vec::new());
        for _ in 0..INSTANTS {
            let second = random.random_range(first..=last);
            let at = DateTime::from_timestamp(second, 0).context("a second is a time")?;
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let path = format!("/api/past?at={at}");
            let answer: Value =
                serde_json::from_str(&follower::get(self.system.page_address, &path).await?)?;
            let docks = answer["docks"].as_array().context("no docks")?.iter();
            let docks = docks.filter_map(|dock| Some((dock[0].as_i64()?, dock[1][0].as_i64()?)));
            let docks = by_station(docks, tables);
            let unequal = unequal_docks(&docks_at(tables, second * 1_000_000), &docks);
            found.extend(
                unequal
                    .into_iter()
                    .map(|what| format!("past at {at}: {what}")),
            );
        }
        Ok(found)
    }

    /// What broke: while it ran, at the end, or why there is no end.
    fn broken(&self, outcome: Result<()>) -> Vec<String> {
        let mut broken = self.violations.all();
        broken.extend(outcome.err().map(|error| format!("{error:#}")));
        broken
    }

    fn report(&self, settings: &Settings, broken: &[String]) -> (String, Value) {
        let mut text = self.done.join("\n");
        let seen = self.seen.borrow().clone();
        let (seed, minutes, faults) = (settings.seed, settings.minutes, self.done.len());
        let (compared, failures) = (self.progress.compared(), self.system.failures());
        // Writing to a text cannot fail.
        write!(
            text,
            "\n\n{}\nseed {seed}: {faults} faults in {:.0} s; docks compared with all events \
             {compared} times while it ran; {} events of /live; ended by themselves and started \
             again: {failures:?}",
            self.report,
            self.seconds(),
            seen.events,
        )
        .unwrap_or_default();
        let run = json!({
            "seed": seed, "minutes": minutes, "faults": faults, "plan": self.done,
            "broken": broken, "compared": compared, "live_events": seen.events,
            "ended_by_themselves": failures.into_iter().collect::<BTreeMap<_, _>>(),
        });
        (text, self.report.to_json(&run))
    }
}

/// The docks of a page by station.
fn shown(seen: &Seen, tables: &Tables) -> BTreeMap<String, i64> {
    by_station(
        seen.docks.iter().map(|(dock, bikes)| (*dock, *bikes)),
        tables,
    )
}

fn by_station(docks: impl Iterator<Item = (i64, i64)>, tables: &Tables) -> BTreeMap<String, i64> {
    let unknown = |dock| format!("location {dock}");
    let name = |dock| {
        tables
            .stations
            .get(&dock)
            .cloned()
            .unwrap_or_else(|| unknown(dock))
    };
    docks.map(|(dock, bikes)| (name(dock), bikes)).collect()
}
