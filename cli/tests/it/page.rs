//! The page as riders have it: served by the whole pipeline, looked at by a real browser.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

use fantoccini::Locator;
use testkit::browser::{Browser, Scripts};

use crate::machine::Machine;

pub(crate) const DESKTOP: (u32, u32) = (1440, 900);
pub(crate) const PHONE: (u32, u32) = (390, 844);

/// From its second morning on half an hour passes in a second: circles change all the time.
const CITY: &str = "simulate:seed=3,days=3";
const SPEED: &str = "1800";

/// A city that moves, and the address of its page.
pub(crate) struct City {
    _machine: Machine,
    process: Child,
    pub(crate) address: String,
}

impl City {
    fn start() -> Self {
        let machine = Machine::new();
        let mut command = machine.up(CITY);
        command.args(["--speed", SPEED]);
        Self::run(machine, command)
    }

    /// A city whose days are over, with all of their past.
    pub(crate) fn over() -> Self {
        let machine = Machine::new();
        machine.once(CITY);
        let command = machine.up(CITY);
        Self::run(machine, command)
    }

    pub(crate) fn run(machine: Machine, mut command: Command) -> Self {
        let mut process = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line = line.unwrap();
                let start = line.find("http://")?;
                line.get(start..)?
                    .split_whitespace()
                    .next()
                    .map(str::to_owned)
            })
            .expect("up says where the page is");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            _machine: machine,
            process,
            address,
        }
    }
}

impl Drop for City {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The text of every dock in the list, and whether it has bikes.
async fn docks_listed(browser: &Browser) -> usize {
    browser
        .client
        .find_all(Locator::Css("#docks li[data-dock]"))
        .await
        .unwrap()
        .len()
}

async fn canvas(browser: &Browser, name: &str) -> String {
    let canvas = browser
        .client
        .find(Locator::Css("canvas#map"))
        .await
        .unwrap();
    canvas
        .attr(&format!("data-{name}"))
        .await
        .unwrap()
        .unwrap_or_default()
}

async fn load_until_docks_have_bikes(browser: &Browser, address: &str) {
    for _ in 0..200 {
        browser.client.goto(address).await.unwrap();
        let found = Locator::Css("#docks li[data-bikes]:not([data-bikes='0'])");
        if browser.client.find_all(found).await.unwrap().len() > 20 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no bikes were docked in 200 loads of the page");
}

#[tokio::test]
async fn the_page_serves_riders_with_scripts_and_without() {
    let Some(without) = Browser::open(Scripts::Off, DESKTOP).await else {
        return;
    };
    let Some(with) = Browser::open(Scripts::On, DESKTOP).await else {
        return;
    };
    let city = City::start();

    load_until_docks_have_bikes(&without, &city.address).await;
    docks_are_listed_without_scripts(&without, &city.address).await;
    circles_change_while_the_clock_runs(&with, &city.address).await;
    new_york_lies_under_the_docks(&with).await;
    a_new_size_leaves_the_map_no_moment_empty(&with).await;
    a_search_shows_the_docks_within_three_blocks(&with, &city.address).await;
    a_search_that_is_no_address_says_what_is_expected(&with).await;
    nothing_went_wrong_in_the_console(&with).await;
}

async fn docks_are_listed_without_scripts(browser: &Browser, address: &str) {
    assert!(docks_listed(browser).await > 100);
    assert!(!browser.texts("#clock").await.concat().is_empty());
    browser
        .client
        .goto(&format!("{address}/?q=1+Park+Avenue"))
        .await
        .unwrap();
    assert!(!browser.texts("#results li[data-dock]").await.is_empty());
    browser
        .client
        .goto(&format!("{address}/?q=hello"))
        .await
        .unwrap();
    assert!(
        browser
            .texts("#flash")
            .await
            .concat()
            .contains("1 Park Avenue")
    );
}

async fn circles_change_while_the_clock_runs(browser: &Browser, address: &str) {
    browser.client.goto(address).await.unwrap();
    browser
        .wait_until("return document.querySelector('canvas#map')?.dataset.bikes > 0")
        .await;
    let (clock, version) = (
        canvas(browser, "clock").await,
        canvas(browser, "version").await,
    );
    let listed = "return [...document.querySelectorAll('#docks li[data-dock]')]
        .map(dock => dock.dataset.dock + '=' + dock.dataset.bikes).sort().join()";
    let before = browser.client.execute(listed, Vec::new()).await.unwrap();
    let pixels = "return document.querySelector('canvas#map').toDataURL()";
    let drawn = browser.client.execute(pixels, Vec::new()).await.unwrap();
    browser
        .wait_until(&format!(
            "const map = document.querySelector('canvas#map').dataset;
             return map.clock !== '{clock}' && map.version !== '{version}'"
        ))
        .await;
    let before = before.as_str().unwrap();
    browser
        .wait_until(&format!("{listed} !== '{before}'"))
        .await;
    assert_ne!(
        browser.client.execute(pixels, Vec::new()).await.unwrap(),
        drawn
    );
}

async fn new_york_lies_under_the_docks(browser: &Browser) {
    let asked = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    let asked = browser.client.execute(asked, Vec::new()).await.unwrap();
    let asked: Vec<String> = serde_json::from_value(asked).unwrap();
    assert!(
        asked.iter().any(|file| file.contains("city.basemap")),
        "{asked:?}"
    );
    let page = browser.client.current_url().await.unwrap().origin();
    for file in &asked {
        let third_party = url::Url::parse(file).unwrap().origin() != page;
        assert!(!third_party, "{file} was asked of a third party");
    }
    for ground in ["--map-water", "--map-land", "--map-park"] {
        assert!(pixels_of(browser, "base", ground).await > 1_000, "{ground}");
    }
    assert!(pixels_of(browser, "names", "--map-name").await > 100);
}

/// Pixels of a canvas that have exactly the colour of a custom property.
async fn pixels_of(browser: &Browser, canvas: &str, property: &str) -> u64 {
    let script = format!(
        "const colour = getComputedStyle(document.documentElement).getPropertyValue('{property}');
         const [red, green, blue] = colour.trim().match(/[0-9a-f]{{2}}/gi).map(part => parseInt(part, 16));
         const canvas = document.querySelector('canvas.{canvas}');
         const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
         let count = 0;
         for (let i = 0; i < data.length; i += 4) {{
             count += data[i] === red && data[i + 1] === green && data[i + 2] === blue
                 && data[i + 3] === 255;
         }}
         return count"
    );
    let count = browser.client.execute(&script, Vec::new()).await.unwrap();
    count.as_u64().unwrap()
}

/// A canvas of a new size is empty; an observer of sizes that comes after the map's own sees what
/// will be painted.
async fn a_new_size_leaves_the_map_no_moment_empty(browser: &Browser) {
    let watch = "
        const map = document.querySelector('canvas#map');
        const size = [map.width, map.height].join();
        new ResizeObserver(() => {
            if ([map.width, map.height].join() === size) return;
            const { data } = map.getContext('2d').getImageData(0, 0, map.width, map.height);
            window.painted = { opaque: data.filter((value, i) => i % 4 === 3 && value).length };
        }).observe(map)";
    browser.client.execute(watch, Vec::new()).await.unwrap();
    let (width, height) = DESKTOP;
    browser
        .client
        .set_window_size(width - 300, height - 200)
        .await
        .unwrap();
    let painted = browser.wait_until("return window.painted").await;
    assert!(painted["opaque"].as_u64() > Some(1000), "{painted}");
    browser.client.set_window_size(width, height).await.unwrap();
}

async fn a_search_shows_the_docks_within_three_blocks(browser: &Browser, address: &str) {
    browser.client.goto(address).await.unwrap();
    browser
        .wait_until("return document.querySelector('canvas#map')?.dataset.bikes > 0")
        .await;
    assert_eq!(
        red_pixels(browser).await,
        0,
        "a red circle before any search"
    );
    let input = browser
        .client
        .find(Locator::Css("#search input[name=q]"))
        .await
        .unwrap();
    input.send_keys("1 Park Avenue\n").await.unwrap();
    browser
        .wait_until("return document.querySelectorAll('#results li[data-dock]').length")
        .await;
    browser
        .wait_until("return document.querySelector('canvas#map').dataset.search")
        .await;

    let results = results(browser).await;
    assert!(!results.is_empty());
    let mut found: Vec<_> = results.iter().map(|(dock, _)| dock.clone()).collect();
    found.sort();
    assert_eq!(found, docks_within_three_blocks(browser).await);
    assert!(red_pixels(browser).await > 100, "no red circle is drawn");
    let url = browser.client.current_url().await.unwrap();
    assert!(
        url.query().is_some_and(|query| query.contains("q=1")),
        "{url}"
    );

    browser.client.refresh().await.unwrap();
    browser
        .wait_until("return document.querySelector('canvas#map').dataset.search")
        .await;
    assert_eq!(
        self::results(browser).await,
        results,
        "a reload shows the same docks"
    );
}

/// The docks that lie within three blocks of the place on the map, by their places in the list.
async fn docks_within_three_blocks(browser: &Browser) -> Vec<String> {
    // Haversine on a sphere of 6,371,008.8 m (IUGG's mean radius).
    let script = "
        const radians = degrees => degrees * Math.PI / 180;
        const [lat, lon] = document.querySelector('canvas#map').dataset.search.split(',').map(Number);
        const metres = at => {
            const [lat2, lon2] = at.split(',').map(Number);
            const a = Math.sin(radians(lat2 - lat) / 2) ** 2 + Math.cos(radians(lat))
                * Math.cos(radians(lat2)) * Math.sin(radians(lon2 - lon) / 2) ** 2;
            return 2 * 6371008.8 * Math.asin(Math.sqrt(a));
        };
        return [...document.querySelectorAll('#docks li[data-at]')]
            .filter(dock => metres(dock.dataset.at) <= 3 * 80.5)
            .map(dock => dock.dataset.dock).sort()";
    let docks = browser.client.execute(script, Vec::new()).await.unwrap();
    serde_json::from_value(docks).unwrap()
}

/// Pixels of the map that are as red as the mark of a place searched for.
async fn red_pixels(browser: &Browser) -> u64 {
    let script = "
        const map = document.querySelector('canvas#map');
        const { data } = map.getContext('2d').getImageData(0, 0, map.width, map.height);
        let red = 0;
        for (let i = 0; i < data.length; i += 4) {
            red += data[i + 3] > 200 && data[i] > 180 && data[i + 1] < 100 && data[i + 2] < 110;
        }
        return red";
    let red = browser.client.execute(script, Vec::new()).await.unwrap();
    red.as_u64().unwrap()
}

/// Docks found, with their distance in metres.
async fn results(browser: &Browser) -> Vec<(String, f64)> {
    let script = "return [...document.querySelectorAll('#results li[data-dock]')]
        .map(dock => [dock.dataset.dock, Number(dock.dataset.metres)])";
    let found = browser.client.execute(script, Vec::new()).await.unwrap();
    let found = found.as_array().unwrap().iter();
    found
        .map(|dock| {
            (
                dock[0].as_str().unwrap().to_owned(),
                dock[1].as_f64().unwrap(),
            )
        })
        .collect()
}

async fn a_search_that_is_no_address_says_what_is_expected(browser: &Browser) {
    let input = browser
        .client
        .find(Locator::Css("#search input[name=q]"))
        .await
        .unwrap();
    input.clear().await.unwrap();
    input.send_keys("hello\n").await.unwrap();
    let flash = browser
        .wait_until("return document.querySelector('#flash[role=alert]')?.textContent")
        .await;
    assert!(flash.as_str().unwrap().contains("1 Park Avenue"), "{flash}");
    assert_eq!(canvas(browser, "search").await, "");
}

pub(crate) async fn nothing_went_wrong_in_the_console(browser: &Browser) {
    assert_eq!(browser.console_errors().await, [""; 0]);
    let complain = "console.error('this is seen')";
    browser.client.execute(complain, Vec::new()).await.unwrap();
    let errors = browser.console_errors().await.concat();
    assert!(
        errors.contains("this is seen"),
        "the console is not read: {errors}"
    );
}

/// What stands in the list, and the clock above it.
const SHOWN: &str = "return [document.querySelector('#clock time').dateTime,
    [...document.querySelectorAll('#docks li[data-dock]')]
        .map(dock => dock.dataset.dock + '=' + dock.dataset.bikes).sort().join()].join(' ')";

#[tokio::test]
async fn the_past_is_looked_at_without_scripts_and_played_with_them() {
    let Some(without) = Browser::open(Scripts::Off, DESKTOP).await else {
        return;
    };
    let Some(with) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    without.client.goto(&city.address).await.unwrap();
    let latest = without.texts("#clock").await.concat();
    an_instant_is_asked_for_without_scripts(&without).await;
    a_film_plays_and_its_instant_is_in_the_address(&with, &city.address).await;
    for (browser, name) in [(&without, "without scripts"), (&with, "with scripts")] {
        let back = browser.client.find(Locator::Css("#now")).await.unwrap();
        back.click().await.unwrap();
        let is_back = format!("return document.querySelector('#clock').innerText === '{latest}'");
        browser.wait_until(&is_back).await;
        let link = browser.texts("#now:not([hidden])").await;
        assert_eq!(link, [""; 0], "{name}");
    }
    nothing_went_wrong_in_the_console(&with).await;
}

async fn an_instant_is_asked_for_without_scripts(browser: &Browser) {
    let click = async |css| {
        let element = browser.client.find(Locator::Css(css)).await.unwrap();
        element.click().await.unwrap();
    };
    click(".past summary").await;
    let first = "return document.querySelector('#at').min.slice(0, 11) + '23:00'";
    let evening = browser.client.execute(first, Vec::new()).await.unwrap();
    let evening = evening.as_str().unwrap();
    let fill = format!("document.querySelector('#at').value = '{evening}'");
    browser.client.execute(&fill, Vec::new()).await.unwrap();
    click(".instant button").await;
    browser
        .wait_until("return document.querySelector('#now:not([hidden])')")
        .await;
    let clock = browser.texts("#clock").await.concat();
    assert!(
        clock.starts_with("as it was on") && clock.contains("23:00:00"),
        "{clock}"
    );
    assert!(docks_listed(browser).await > 100);
}

async fn a_film_plays_and_its_instant_is_in_the_address(browser: &Browser, address: &str) {
    browser.client.goto(address).await.unwrap();
    browser
        .wait_until("return document.querySelector('.map').classList.contains('is-live')")
        .await;
    let live = browser.client.execute(SHOWN, Vec::new()).await.unwrap();
    let press = "document.querySelector('.past').open = true;
        document.querySelector('#play').click()";
    browser.client.execute(press, Vec::new()).await.unwrap();
    // Three pictures, each of another instant and with other bikes.
    let mut seen = vec![live.as_str().unwrap().to_owned()];
    for _ in 0..3 {
        let script = format!(
            "const shown = (() => {{ {SHOWN} }})();
             return !{}.includes(shown) && shown",
            serde_json::to_string(&seen).unwrap()
        );
        let shown = browser.wait_until(&script).await;
        seen.push(shown.as_str().unwrap().to_owned());
    }
    browser.client.execute(press, Vec::new()).await.unwrap();
    // The slider goes by keys, too, and says where it is.
    let slider = browser.client.find(Locator::Css("#slider")).await.unwrap();
    slider.send_keys("\u{e014}\u{e014}").await.unwrap();
    let wait = "const slider = document.querySelector('#slider');
        return location.search.startsWith('?at=')
            && slider.getAttribute('aria-valuetext').includes('New York time')
            && document.querySelector('#at').value === new URLSearchParams(location.search).get('at')";
    browser.wait_until(wait).await;
    let shown = browser.client.execute(SHOWN, Vec::new()).await.unwrap();
    browser.client.refresh().await.unwrap();
    browser
        .wait_until("return document.querySelector('.map').classList.contains('is-live')")
        .await;
    let reloaded = browser.client.execute(SHOWN, Vec::new()).await.unwrap();
    assert_eq!(reloaded, shown, "a reload shows the same instant");
    let state = "return document.querySelector('#status').dataset.state";
    let state = browser.client.execute(state, Vec::new()).await.unwrap();
    assert_eq!(state, "past");
}
