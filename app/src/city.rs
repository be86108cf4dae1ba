//! The city as the page holds it: one signal per dock, so that a change redraws one number.

use std::sync::Arc;

use leptos::prelude::*;

use crate::favourites::Favourites;
use crate::link::Address;
use crate::model::{
    BaseMapLink, Count, Database, Delta, Dock, FoundPlace, Instant, Moment, Outcome, PageContent,
    Past, Tiles, stale_seconds,
};
use crate::seeking::Seeking;
use crate::sorted::sort_by;
use crate::words::{Word, Words};

/// A dock whose count can change under the reader.
#[derive(Debug, Clone)]
pub(crate) struct LiveDock {
    /// Key of table `location`.
    pub(crate) id: i32,
    /// The station's name.
    pub(crate) name: Arc<str>,
    /// Latitude in degrees.
    pub(crate) lat: f64,
    /// Longitude in degrees.
    pub(crate) lon: f64,
    /// What stands there now.
    pub(crate) count: RwSignal<Count>,
}

/// How much the shown numbers can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// They are of the past, and stay.
    Past,
    /// As rendered; the event stream is not open yet.
    Rendered,
    /// The event stream is open, and publishes come.
    Live,
    /// The event stream is open, but nothing was published for about this many seconds.
    Silent(u64),
    /// The event stream broke; the browser tries again.
    Reconnecting,
    /// It has been broken for a while, or was never there: the numbers are about this many seconds old.
    Offline(u64),
    /// The server cannot reach Postgres.
    DatabaseDown,
}

/// All state of the page; copies share it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct City {
    /// The texts of the rider's language.
    pub(crate) words: Words,
    /// Every dock, ordered by name. Changes only when docks come, go, or are renamed or moved.
    pub(crate) docks: RwSignal<Vec<LiveDock>>,
    /// Number of the last publish applied. Changes with every update, counts included.
    pub(crate) version: RwSignal<i64>,
    /// The replay clock.
    pub(crate) clock: RwSignal<Option<Moment>>,
    /// How much the numbers can be trusted.
    pub(crate) freshness: RwSignal<Freshness>,
    /// What the rider typed.
    pub(crate) query: RwSignal<String>,
    /// How many searches wait for a response.
    pub(crate) searches: RwSignal<i64>,
    /// What the search gave.
    pub(crate) outcome: RwSignal<Option<Outcome>>,
    /// The selected dock, in list and map alike.
    pub(crate) selected: RwSignal<Option<i32>>,
    /// The docks that the rider keeps at hand.
    pub(crate) favourites: RwSignal<Favourites>,
    /// What the rider looks for: all circles and numbers are of it.
    pub(crate) seeking: RwSignal<Seeking>,
    /// The past that is stored, as it was when the page was made.
    pub(crate) past: StoredValue<Option<Past>>,
    /// The instant of the past that is shown; none: the page is live.
    pub(crate) instant: RwSignal<Option<Instant>>,
    /// Raster tiles under the map.
    pub(crate) tiles: StoredValue<Option<Tiles>>,
    /// A search that finds something.
    pub(crate) example: StoredValue<String>,
    /// The base map under the docks.
    pub(crate) base_map: StoredValue<Option<BaseMapLink>>,
    /// Milliseconds without a publish after which the page calls itself stale.
    pub(crate) stale_after_ms: u64,
    /// Each dock's signal by id, in ascending order.
    counts: StoredValue<Vec<(i32, RwSignal<Count>)>>,
}

impl City {
    /// Builds the state a page starts with.
    #[must_use]
    pub(crate) fn new(content: PageContent) -> Self {
        let freshness = first_freshness(&content);
        let instant = content.past.as_ref().and_then(|past| past.shown.clone());
        let docks: Vec<_> = content
            .snapshot
            .docks
            .into_iter()
            .map(LiveDock::new)
            .collect();
        let city = Self {
            words: content.words,
            docks: RwSignal::new(Vec::new()),
            version: RwSignal::new(content.snapshot.version),
            clock: RwSignal::new(content.snapshot.clock),
            freshness: RwSignal::new(freshness),
            query: RwSignal::new(content.query),
            searches: RwSignal::new(0),
            outcome: RwSignal::new(content.refusal.map(Outcome::Flash).or(content.outcome)),
            selected: RwSignal::new(content.selected),
            favourites: RwSignal::default(),
            seeking: RwSignal::new(content.seeking),
            past: StoredValue::new(content.past),
            instant: RwSignal::new(instant),
            tiles: StoredValue::new(content.tiles),
            example: StoredValue::new(content.example),
            base_map: StoredValue::new(content.base_map),
            stale_after_ms: content.stale_after_ms,
            counts: StoredValue::new(Vec::new()),
        };
        city.set_docks(docks);
        city
    }

    /// A text in the rider's language.
    pub(crate) fn text(&self, word: Word) -> &'static str {
        self.words.get(word)
    }

    /// The place searched for, if one was found.
    #[must_use]
    pub(crate) fn place(&self) -> Option<FoundPlace> {
        match self.outcome.get() {
            Some(Outcome::Found(place)) => Some(place),
            _ => None,
        }
    }

    /// Shows an instant of the past from now on; the live numbers wait.
    pub(crate) fn show_past(&self, instant: Instant) {
        self.freshness.set(Freshness::Past);
        self.instant.set(Some(instant));
    }

    /// Whether an instant of the past is shown.
    #[must_use]
    pub(crate) fn is_past(&self) -> bool {
        self.instant.with_untracked(Option::is_some)
    }

    /// Applies what changed; only the numbers that differ notify anyone.
    pub(crate) fn apply(&self, delta: Delta) {
        self.clock.set(
            delta
                .clock
                .zip(delta.local)
                .map(|(utc, local)| Moment { utc, local }),
        );
        if delta.full || !delta.new.is_empty() {
            self.take_docks(delta.full, delta.new);
        }
        self.counts.with_value(|counts| {
            for (id, count) in delta.docks {
                let Ok(at) = counts.binary_search_by_key(&id, |(id, _)| *id) else {
                    continue;
                };
                let (_, signal) = counts[at];
                if signal.get_untracked() != count {
                    signal.set(count);
                }
            }
        });
        self.version.set(delta.version);
    }

    /// Docks with what is sought, docks in all, and the sum of it; follows every update.
    #[must_use]
    pub(crate) fn totals(&self, seeking: Seeking) -> Totals {
        self.version.track();
        self.docks.with(|docks| {
            docks.iter().fold(Totals::default(), |mut totals, dock| {
                let amount = dock.count.get_untracked().amount(seeking);
                totals.docks += 1;
                totals.docks_with_some += usize::from(amount > 0);
                totals.amount += i64::from(amount);
                totals
            })
        })
    }

    /// Whether any dock says how much it has of what is sought; follows every update.
    #[must_use]
    pub(crate) fn is_known(&self, seeking: Seeking) -> bool {
        self.version.track();
        self.docks.with(|docks| {
            let mut counts = docks.iter().map(|dock| dock.count.get_untracked());
            counts.any(|count| count.told(seeking).is_some())
        })
    }

    /// The address of the page as it is; follows all that stands in it.
    #[must_use]
    pub(crate) fn address(&self) -> Address {
        Address {
            search: self.query.get(),
            dock: self.selected.get(),
            at: self.instant.with(|instant| {
                let instant = instant.as_ref()?;
                Some(instant.local.clone())
            }),
            seeking: self.seeking.get(),
        }
    }

    /// The ids of all docks, in ascending order.
    #[must_use]
    pub(crate) fn ids(&self) -> Vec<i32> {
        self.counts
            .with_value(|counts| counts.iter().map(|(id, _)| *id).collect())
    }

    /// Takes over docks with their names and places; all there are, if the delta is full.
    fn take_docks(&self, full: bool, named: Vec<(i32, String, f64, f64)>) {
        let mut known = self.docks.get_untracked();
        sort_by(&mut known, |a, b| a.id.cmp(&b.id));
        let mut is_kept = vec![!full; known.len()];
        let mut docks = Vec::new();
        for (id, name, lat, lon) in named {
            // What stays keeps its signal: the list's items are bound to it.
            let count = match known.binary_search_by_key(&id, |dock| dock.id) {
                Ok(at) => {
                    is_kept[at] = false;
                    known[at].count
                }
                Err(_) => RwSignal::new(Count::default()),
            };
            docks.push(LiveDock {
                id,
                name: name.into(),
                lat,
                lon,
                count,
            });
        }
        let kept = known.into_iter().zip(is_kept).filter(|(_, kept)| *kept);
        docks.extend(kept.map(|(dock, _)| dock));
        self.set_docks(docks);
    }

    fn set_docks(&self, docks: Vec<LiveDock>) {
        let mut counts: Vec<_> = docks.iter().map(|dock| (dock.id, dock.count)).collect();
        sort_by(&mut counts, |a, b| a.0.cmp(&b.0));
        self.counts.set_value(counts);
        let keyed = docks
            .into_iter()
            .map(|dock| ((natural_key(&dock.name), dock.id), dock));
        let mut keyed: Vec<_> = keyed.collect();
        sort_by(&mut keyed, |a, b| a.0.cmp(&b.0));
        self.docks
            .set(keyed.into_iter().map(|(_, dock)| dock).collect());
    }
}

/// Sums over all docks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Docks known.
    pub(crate) docks: usize,
    /// Docks with at least one of what is sought.
    pub(crate) docks_with_some: usize,
    /// The sum of it over all docks.
    pub(crate) amount: i64,
}

impl LiveDock {
    pub(crate) fn new(dock: Dock) -> Self {
        Self {
            id: dock.id,
            name: dock.name.into(),
            lat: dock.lat,
            lon: dock.lon,
            count: RwSignal::new(dock.count),
        }
    }
}

fn first_freshness(content: &PageContent) -> Freshness {
    if content
        .past
        .as_ref()
        .is_some_and(|past| past.shown.is_some())
    {
        return Freshness::Past;
    }
    let silent = stale_seconds(content.snapshot.age_ms, content.stale_after_ms);
    match (content.snapshot.database, silent) {
        (Database::Down, _) => Freshness::DatabaseDown,
        (Database::Up, Some(seconds)) => Freshness::Silent(seconds),
        (Database::Up, None) => Freshness::Rendered,
    }
}

/// Orders `E 2 St` before `E 10 St`: runs of digits compare as numbers.
fn natural_key(name: &str) -> Vec<(u32, String)> {
    let mut key = vec![(0_u32, String::new())];
    for character in name.chars() {
        let (number, text) = key.last_mut().expect("the key starts with one part");
        match character.to_digit(10) {
            Some(digit) if text.is_empty() => {
                *number = number.saturating_mul(10).saturating_add(digit);
            }
            Some(digit) => key.push((digit, String::new())),
            None => text.push(character.to_ascii_lowercase()),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docks_are_ordered_as_people_count() {
        let mut names = [
            "W 100 St", "E 10 St", "Allen St", "E 2 St", "1 Ave", "10 Ave", "2 Ave",
        ];
        names.sort_by_cached_key(|name| natural_key(name));
        assert_eq!(
            names,
            [
                "Allen St", "E 2 St", "E 10 St", "W 100 St", "1 Ave", "2 Ave", "10 Ave"
            ]
        );
    }

    #[test]
    fn a_delta_changes_counts_and_adds_docks_it_names() {
        let owner = Owner::new();
        owner.with(|| {
            let city = City::new(PageContent {
                snapshot: crate::model::Snapshot {
                    version: 3,
                    docks: vec![dock(1, "A & B", 4), dock(2, "C & D", 0)],
                    ..Default::default()
                },
                ..Default::default()
            });
            city.apply(Delta {
                version: 4,
                docks: vec![(2, count(5)), (9, count(1))],
                new: vec![(9, "B & C".to_owned(), 40.0, -74.0)],
                ..Default::default()
            });
            let seen: Vec<_> = city
                .docks
                .get_untracked()
                .iter()
                .map(|dock| (dock.id, dock.count.get_untracked().bikes))
                .collect();
            assert_eq!(seen, [(1, 4), (9, 1), (2, 5)]);
            assert_eq!(city.version.get_untracked(), 4);
        });
    }

    #[test]
    fn a_dock_that_was_renamed_or_moved_is_where_it_is_now_and_keeps_its_signal() {
        let owner = Owner::new();
        owner.with(|| {
            let city = City::new(PageContent {
                snapshot: crate::model::Snapshot {
                    version: 3,
                    docks: vec![dock(1, "A & B", 4), dock(2, "C & D", 6)],
                    ..Default::default()
                },
                ..Default::default()
            });
            let signal = |id| {
                let docks = city.docks.get_untracked();
                docks.iter().find(|dock| dock.id == id).unwrap().count
            };
            let before = (signal(1), signal(2));
            city.apply(Delta {
                version: 4,
                docks: vec![(1, count(4)), (2, count(7))],
                new: vec![
                    (1, "X & Y".to_owned(), 40.0, -74.0),
                    (2, "C & D".to_owned(), 40.1, -74.1),
                ],
                ..Default::default()
            });
            let seen: Vec<_> = city
                .docks
                .get_untracked()
                .iter()
                .map(|dock| (dock.id, dock.name.to_string(), dock.lat, dock.lon))
                .collect();
            assert_eq!(
                seen,
                [
                    (2, "C & D".to_owned(), 40.1, -74.1),
                    (1, "X & Y".to_owned(), 40.0, -74.0),
                ]
            );
            assert_eq!((signal(1), signal(2)), before);
            assert_eq!(city.totals(Seeking::Bikes).amount, 11);
        });
    }

    #[test]
    fn a_full_delta_forgets_docks_it_does_not_name() {
        let owner = Owner::new();
        owner.with(|| {
            let city = City::new(PageContent {
                snapshot: crate::model::Snapshot {
                    version: 30,
                    docks: vec![dock(1, "A & B", 4)],
                    ..Default::default()
                },
                ..Default::default()
            });
            city.apply(Delta {
                version: 2,
                full: true,
                docks: vec![(7, count(3))],
                new: vec![(7, "E & F".to_owned(), 40.0, -74.0)],
                ..Default::default()
            });
            let totals = city.totals(Seeking::Bikes);
            assert_eq!((totals.docks, totals.amount), (1, 3));
        });
    }

    fn dock(id: i32, name: &str, bikes: i32) -> Dock {
        Dock {
            id,
            name: name.to_owned(),
            lat: 40.7,
            lon: -74.0,
            count: count(bikes),
        }
    }

    fn count(bikes: i32) -> Count {
        Count {
            bikes,
            ..Count::default()
        }
    }
}
