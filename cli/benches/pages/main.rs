//! What a page that is looked at costs its server, and how long a change takes to it: up to 10,000
//! event streams, 500 changes of docks a second.
//!
//! ```text
//! Postgres ─ NOTIFY ─▶ `bikeshare serve` ─▶ as many streams ─▶ this process
//! published                                    sockets          read
//! ```
//! The server is a process of its own. A change is timed from before its publish is sent to Postgres until
//! its event was read at one of the sampled streams. The other streams take what they are sent from time to
//! time: reading all of it at once would cost this machine more than sending it. Start with `cargo xtask
//! bench pages`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod audience;
mod server;
mod tables;

use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::{Figure, postgres, quantile};

use audience::Audience;
use server::{PageServer, Usage};
use tables::Tables;

/// How many pages are looked at, in turn, without `BIKESHARE_PAGES`: for 10,000 a server may have to be given
/// more descriptors.
const PAGES: &str = "100 1000 10000";

/// How long changes are published for each number of pages.
const SECONDS: u64 = 15;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = postgres::folder();
    let database = postgres::start(folder.path().join("postgres")).await;
    let mut tables = Tables::fill(database.url()).await?;
    println!(
        "{} changes of docks a second, in {} publishes; milliseconds from publish to read, median, 99 % and most",
        tables::CHANGES_A_SECOND,
        tables::PUBLISHES_A_SECOND,
    );
    let pages = std::env::var("BIKESHARE_PAGES").unwrap_or_else(|_| PAGES.to_owned());
    for pages in pages.split_whitespace() {
        measure(&mut tables, database.url(), pages.parse()?).await?;
    }
    database.shutdown().await?;
    Ok(())
}

async fn measure(tables: &mut Tables, database_url: &str, pages: usize) -> Result<()> {
    let server = PageServer::start(database_url)?;
    let alone = server.usage_at_rest().await?;
    let audience = Audience::open(server.address(), pages, tables.version())?;
    let open = server.usage_at_rest().await?;
    let listening = audience.listen()?;
    let begun = server.usage()?;
    let published = tables.publish_for(Duration::from_secs(SECONDS)).await?;
    let ended = server.usage()?;
    // The last events are still on their way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard = listening.stop()?;
    let waits = heard.milliseconds(&published);
    ensure!(waits.len() > published.len(), "hardly anything was heard");
    report(
        pages,
        &waits,
        [alone, open, begun, ended],
        heard.events_a_second(SECONDS),
    );
    Ok(())
}

fn report(pages: usize, waits: &[f64], [alone, open, begun, ended]: [Usage; 4], events: f64) {
    let [median, most_but_one, most] = [0.5, 0.99, 1.0].map(|share| quantile(waits, share));
    let kib = open.resident_kib.saturating_sub(alone.resident_kib) as f64 / pages as f64;
    let peak_kib = ended.resident_kib.saturating_sub(alone.resident_kib) as f64 / pages as f64;
    let cpu = (ended.cpu_s - begun.cpu_s) / SECONDS as f64;
    println!(
        "  {pages:>6} pages   {median:>7.1} {most_but_one:>7.1} {most:>7.1}   {events:.1} events a second to each"
    );
    println!(
        "                 {kib:.1} KiB each when opened, {peak_kib:.1} afterwards; {cpu:.2} cores of CPU, {:.0} MiB without pages",
        alone.resident_kib as f64 / 1_024.0
    );
    for (name, value) in [("half within", median), ("99 % within", most_but_one)] {
        let name = format!("{pages} pages, {name}");
        Figure::new("from publish to page", name, "ms", vec![value]).record();
    }
    Figure::new(
        "memory",
        format!("{pages} pages, each"),
        "KiB",
        vec![peak_kib],
    )
    .record();
    Figure::new("CPU", format!("{pages} pages"), "cores", vec![cpu]).record();
}
