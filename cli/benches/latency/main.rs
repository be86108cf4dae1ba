//! How long a trip takes from the moment it is due to a rider's screen, at a thousand trips a second.
//!
//! ```text
//! file ─▶ producer ─▶ topic ─▶ SmartModules ─▶ sink ─▶ Postgres ─▶ page's server ─▶ browser
//!           due                                  row                 event          frame
//! ```
//! All in their own processes, as `bikeshare up` and a browser are. A departure changes the count of its
//! dock; that of one dock, from which a bike leaves every 50 ms, is watched on the way and on the screen.
//! Start with `cargo xtask bench latency`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod city;
mod frames;
mod rows;
mod running;
mod screen;
mod stream;

use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::browser::{Browser, Scripts};
use testkit::{Figure, postgres, quantile};

use city::City;
use running::Running;

/// A moment, in microseconds since 1970 by this machine's clock.
type Moment = i64;

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured goes through several programs, which share this clock only"
)]
fn now() -> Moment {
    chrono::Utc::now().timestamp_micros()
}

const DESKTOP: (u32, u32) = (1440, 900);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = postgres::folder();
    let server = postgres::start(folder.path().join("postgres")).await;
    let city = City::write(&folder.path().join("trips.csv"))?;
    let mut running = Running::start(folder.path(), server.url())?;
    let Some(browser) = Browser::open(Scripts::On, DESKTOP).await else {
        return Ok(());
    };
    // The clock's start: trips before it are history, sent at once.
    let clock = city.clock(running.pace_began()?);
    let page = running.page().to_owned();
    let [here, phone] = frames::live_after(&browser, &page).await?;
    screen::watch(&browser, &page, city::WATCHED).await?;
    let events = stream::watch(&page, screen::dock(&browser).await?)?;
    let tables = tokio::spawn(rows::watch(server.url().to_owned(), clock));
    tokio::time::sleep(Duration::from_secs(city::SECONDS)).await;

    let rows = tables.await??;
    let events = stream::since_due(&events, clock);
    let frames = screen::since_due(&browser, clock).await?;
    let [drawings, between] = frames::seen(&browser).await?;
    drop(browser);
    running.stop()?;
    server.shutdown().await?;
    println!(
        "{} trips a second, milliseconds from the moment a trip is due, median, 99 % and most",
        city::TRIPS_A_SECOND
    );
    report("row in table records", &rows.records)?;
    report("event on the wire", &events)?;
    report("frame on the screen", &frames)?;
    println!("and from the close of a window");
    report("row in table frequency", &rows.windows)?;
    println!(
        "a page of {} docks, which all change at that rate",
        city::STATIONS + 1
    );
    report("drawing the map", &drawings)?;
    report("from frame to frame", &between)?;
    println!("from the request of the page to its live map, on a first visit");
    report("here", &here)?;
    report("as on a phone", &phone)
}

fn report(name: &str, milliseconds: &[f64]) -> Result<()> {
    ensure!(milliseconds.len() >= 5, "nothing was seen of: {name}");
    let [median, most_but_one, most] = [0.5, 0.99, 1.0].map(|share| quantile(milliseconds, share));
    println!(
        "  {name:<24} {median:>6.1} {most_but_one:>6.1} {most:>6.1}   ({} seen)",
        milliseconds.len()
    );
    for (share, value) in [("half within", median), ("99 % within", most_but_one)] {
        Figure::new("latency", format!("{name}, {share}"), "ms", vec![value]).record();
    }
    Ok(())
}
