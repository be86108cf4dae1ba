//! Reading off the browser's JSON what the server has written by serde.

use domain::Service;

use super::{
    BaseMapLink, Count, Database, Delta, FoundPlace, Heartbeat, Instant, Moment, Outcome,
    PageContent, Past, Snapshot, Suggestion, SuggestionKind, Tiles, WallTime, stock_of,
};
use crate::json::Json;
use crate::seeking::Seeking;
use crate::words::Words;

impl Delta {
    pub(crate) fn read(json: &Json) -> Option<Self> {
        let docks = json.get("docks").items();
        let new = json.get("new").items();
        Some(Self {
            version: json.get("version").integer()?,
            clock: json.get("clock").text(),
            local: json.get("local").text(),
            full: json.get("full").is_true(),
            docks: docks.iter().filter_map(changed_dock).collect(),
            new: new.iter().filter_map(new_dock).collect(),
        })
    }
}

fn changed_dock(json: &Json) -> Option<(i32, Count)> {
    let [id, count] = json.items().try_into().ok()?;
    Some((id.small()?, Count::read(&count)?))
}

fn new_dock(json: &Json) -> Option<(i32, String, f64, f64)> {
    let [id, name, lat, lon] = json.items().try_into().ok()?;
    Some((id.small()?, name.text()?, lat.number()?, lon.number()?))
}

impl Count {
    fn read(json: &Json) -> Option<Self> {
        let items = json.items();
        let stock = items.get(6).map(Json::items).unwrap_or_default();
        let numbers = stock.iter().map(|number| number.small()?.try_into().ok());
        let [
            bikes,
            estimated,
            installed,
            renting,
            returning,
            last_seen,
            ..,
        ] = &*items
        else {
            return None;
        };
        Some(Self {
            bikes: bikes.small()?,
            estimated: estimated.is_true(),
            service: Service {
                installed: installed.is_true(),
                renting: renting.is_true(),
                returning: returning.is_true(),
            },
            last_seen: WallTime::read(last_seen),
            stock: stock_of(&numbers.collect::<Vec<_>>()),
        })
    }
}

impl WallTime {
    fn read(json: &Json) -> Option<Self> {
        let numbers = json.items();
        let mut numbers = numbers.iter().map(|number| number.small()?.try_into().ok());
        let mut next = || numbers.next().flatten();
        Some((next()?, next()?, next()?, next()?).into())
    }
}

impl Database {
    fn read(json: &Json) -> Self {
        match json.text().as_deref() {
            Some("up") => Self::Up,
            _ => Self::Down,
        }
    }
}

impl Heartbeat {
    pub(crate) fn read(json: &Json) -> Self {
        Self {
            database: Database::read(&json.get("database")),
            age_ms: json.get("age_ms").integer().map(i64::cast_unsigned),
        }
    }
}

impl Outcome {
    pub(crate) fn read(json: &Json) -> Option<Self> {
        match json.get("Flash").text() {
            Some(flash) => Some(Self::Flash(flash)),
            None => FoundPlace::read(&json.get("Found")).map(Self::Found),
        }
    }
}

impl FoundPlace {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            label: json.get("label").text()?,
            lat: json.get("lat").number()?,
            lon: json.get("lon").number()?,
            accuracy: json.get("accuracy").text()?,
            grid: json.get("grid").number(),
        })
    }
}

impl Suggestion {
    pub(crate) fn read(json: &Json) -> Option<Self> {
        let kind = match &*json.get("kind").text()? {
            "address" => SuggestionKind::Address,
            "corner" => SuggestionKind::Corner,
            "neighbourhood" => SuggestionKind::Neighbourhood,
            _ => SuggestionKind::Dock,
        };
        let text = json.get("text").text()?;
        Some(Self { text, kind })
    }
}

impl PageContent {
    /// All of it but the docks and what the server draws, which stand on the page.
    pub(crate) fn read(json: &Json) -> Option<Self> {
        let snapshot = json.get("snapshot");
        let words = json.get("words").items();
        let seeking = match json.get("seeking").text().as_deref() {
            Some("Ebikes") => Seeking::Ebikes,
            Some("Docks") => Seeking::Docks,
            _ => Seeking::Bikes,
        };
        Some(Self {
            words: Words::kept(words.iter().filter_map(Json::text).collect()),
            snapshot: Snapshot {
                version: snapshot.get("version").integer()?,
                clock: Moment::read(&snapshot.get("clock")),
                age_ms: snapshot.get("age_ms").integer().map(i64::cast_unsigned),
                database: Database::read(&snapshot.get("database")),
                docks: Vec::new(),
            },
            query: json.get("query").text()?,
            outcome: Outcome::read(&json.get("outcome")),
            selected: json.get("selected").small(),
            dock_day: String::new(),
            city_day: String::new(),
            seeking,
            past: Past::read(&json.get("past")),
            refusal: json.get("refusal").text(),
            stale_after_ms: json.get("stale_after_ms").integer()?.cast_unsigned(),
            tiles: Tiles::read(&json.get("tiles")),
            example: json.get("example").text()?,
            base_map: BaseMapLink::read(&json.get("base_map")),
        })
    }
}

impl Moment {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            utc: json.get("utc").text()?,
            local: json.get("local").text()?,
        })
    }
}

impl Past {
    fn read(json: &Json) -> Option<Self> {
        let mut ends = json.get("ends").items().into_iter();
        let mut end = || ends.next()?.text();
        Some(Self {
            first: json.get("first").integer()?,
            last: json.get("last").integer()?,
            ends: (end()?, end()?),
            timezone: json.get("timezone").text()?,
            shown: Instant::read(&json.get("shown")),
            note: json.get("note").text(),
        })
    }
}

impl Instant {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            second: json.get("second").integer()?,
            local: json.get("local").text()?,
        })
    }
}

impl Tiles {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            url: json.get("url").text()?,
            attribution: json.get("attribution").text()?,
        })
    }
}

impl BaseMapLink {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            address: json.get("address").text()?,
            attribution: json.get("attribution").text()?,
            terms: json.get("terms").text()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the browser has it.
    fn sent<T: serde::Serialize>(value: &T) -> Json {
        Json::parse(&serde_json::to_string(value).unwrap()).unwrap()
    }

    fn count(last_seen: Option<WallTime>, numbers: &[Option<u16>]) -> Count {
        Count {
            bikes: 7,
            estimated: true,
            service: Service {
                renting: false,
                ..Service::default()
            },
            last_seen,
            stock: stock_of(numbers),
        }
    }

    #[test]
    fn a_delta_is_read_as_it_was_sent() {
        let seen = WallTime::from((2, 28, 10, 5));
        let delta = Delta {
            version: 1 << 40,
            clock: Some("2020-03-02T13:14:05Z".to_owned()),
            local: Some("2020-03-02T08:14:05 New York".to_owned()),
            full: true,
            docks: vec![
                (1, Count::default()),
                (2, count(Some(seen), &[])),
                (3, count(None, &[None, Some(12), None, Some(0)])),
            ],
            new: vec![(3, "a\n\"b\" é".to_owned(), 40.712_345_678_9, -74.0)],
        };
        assert_eq!(Delta::read(&sent(&delta)), Some(delta));
        let nothing = Delta::default();
        assert_eq!(Delta::read(&sent(&nothing)), Some(nothing));
    }

    #[test]
    fn a_heartbeat_is_read_as_it_was_sent() {
        for database in [Database::Up, Database::Down] {
            for age_ms in [None, Some(0), Some(725_000)] {
                let heartbeat = Heartbeat { database, age_ms };
                assert_eq!(Heartbeat::read(&sent(&heartbeat)), heartbeat);
            }
        }
    }

    fn place(grid: Option<f64>) -> FoundPlace {
        FoundPlace {
            label: "1 Park Ave, near E 32 St".to_owned(),
            lat: 40.745_712,
            lon: -73.981_948,
            accuracy: "estimated".to_owned(),
            grid,
        }
    }

    #[test]
    fn what_a_search_gave_is_read_as_it_was_sent() {
        let outcomes = [
            Outcome::Found(place(Some(29.0))),
            Outcome::Found(place(None)),
            Outcome::Flash("\"x\" is not an address".to_owned()),
        ];
        for outcome in outcomes {
            assert_eq!(Outcome::read(&sent(&outcome)), Some(outcome));
        }
        let kinds = [
            SuggestionKind::Address,
            SuggestionKind::Corner,
            SuggestionKind::Neighbourhood,
            SuggestionKind::Dock,
        ];
        for kind in kinds {
            let text = "1 Park Ave".to_owned();
            let suggestion = Suggestion { text, kind };
            assert_eq!(Suggestion::read(&sent(&suggestion)), Some(suggestion));
        }
    }

    #[test]
    fn a_page_is_read_as_it_was_sent() {
        let text = str::to_owned;
        let instant = Instant {
            second: 1_583_145_245,
            local: text("2020-03-02T05:34:05"),
        };
        let mut content = PageContent {
            query: text("1 Park Ave"),
            stale_after_ms: 10_000,
            example: text("1 Park Avenue"),
            ..PageContent::default()
        };
        // A page is sent those texts alone that its script says.
        let texts = sent(&content.words).items();
        content.words = Words::kept(texts.iter().filter_map(Json::text).collect());
        assert_eq!(PageContent::read(&sent(&content)), Some(content.clone()));
        for seeking in Seeking::ALL {
            let content = PageContent {
                seeking,
                snapshot: Snapshot {
                    version: 7,
                    clock: Some(Moment {
                        utc: text("2020-03-02T13:14:05Z"),
                        local: text("2020-03-02T08:14:05 New York"),
                    }),
                    age_ms: Some(125),
                    database: Database::Up,
                    docks: Vec::new(),
                },
                outcome: Some(Outcome::Found(place(None))),
                selected: Some(12),
                past: Some(Past {
                    first: 1_577_836_800,
                    last: 1_583_145_245,
                    ends: (text("2020-01-01T00:00"), text("2020-03-02T05:34:05")),
                    timezone: text("America/New_York"),
                    shown: Some(instant.clone()),
                    note: Some(text("it ends here")),
                }),
                refusal: Some(text("not stored")),
                tiles: Some(Tiles {
                    url: text("https://tiles.example/{z}/{x}/{y}.png"),
                    attribution: text("© Tiles"),
                }),
                base_map: Some(BaseMapLink {
                    address: text("/city.basemap?v=0"),
                    attribution: text("© Maps"),
                    terms: text("https://maps.example/"),
                }),
                ..content.clone()
            };
            assert_eq!(PageContent::read(&sent(&content)), Some(content));
        }
    }
}
