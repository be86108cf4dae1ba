//! What the map shows at one instant, read from the city.

use leptos::prelude::*;

use crate::city::{City, LiveDock};
use crate::decimal::fixed;
use crate::map::marks::{Mark, Marks};
use crate::map::plane::Point;
use crate::map::viewport::Viewport;
use crate::model::{Count, FoundPlace, Outcome};
use crate::seeking::Seeking;

/// What is painted on the upper canvas in one frame.
pub(super) struct Frame {
    /// What was searched for, on the plane.
    pub(super) place: Option<Point>,
    /// What the circles are of.
    pub(super) seeking: Seeking,
    /// The docks on the screen.
    pub(super) docks: Vec<Mark>,
    /// Docks that have just changed, with the share of the way that the ripple has run.
    pub(super) ripples: Vec<(i32, f64)>,
    /// The dock under the pointer.
    pub(super) hovered: Option<i32>,
    pub(super) selected: Option<i32>,
}

impl Frame {
    /// Reads the city; counts that differ from the last frame begin to ripple.
    pub(super) fn at(
        now_ms: f64,
        city: City,
        viewport: &Viewport,
        marks: &mut Marks,
        hovered: Option<i32>,
    ) -> Self {
        let place = with_place(city, |place| viewport.plane().point(place.lat, place.lon));
        let docks = city
            .docks
            .with_untracked(|docks| marks.seen(counts(docks), viewport, place, now_ms));
        Self {
            place,
            seeking: marks.seeking(),
            docks,
            ripples: marks.ripples(now_ms),
            hovered,
            selected: city.selected.get_untracked(),
        }
    }

    /// A dock, if it is on the screen.
    pub(super) fn mark(&self, id: i32) -> Option<&Mark> {
        self.docks.iter().find(|mark| mark.id == id)
    }

    /// The dock that the label names: the one under the pointer, else the selected one.
    pub(super) fn named<'a>(&'a self, docks: &'a [LiveDock]) -> Option<(&'a str, &'a Mark)> {
        let mark = self.mark(self.hovered.or(self.selected)?)?;
        let dock = docks.iter().find(|dock| dock.id == mark.id);
        Some((dock.map_or("", |dock| &*dock.name), mark))
    }
}

/// Says on the canvas what it shows, for scripts and tests that cannot see.
pub(super) fn attributes(city: City, viewport: &Viewport) -> [(&'static str, String); 6] {
    let totals = untrack(|| city.totals(Seeking::Bikes));
    let clock = city
        .clock
        .with_untracked(|clock| clock.as_ref().map(|clock| clock.utc.clone()));
    let search = with_place(city, |place| {
        format!("{},{}", fixed(place.lat, 5), fixed(place.lon, 5))
    });
    [
        ("data-docks", totals.docks.to_string()),
        ("data-bikes", totals.amount.to_string()),
        ("data-clock", clock.unwrap_or_default()),
        ("data-version", city.version.get_untracked().to_string()),
        ("data-search", search.unwrap_or_default()),
        ("data-view", viewport.view().to_hash()),
    ]
}

/// Ids and counts, as the marks take them.
pub(super) fn counts(docks: &[LiveDock]) -> impl Iterator<Item = (i32, Count)> {
    docks
        .iter()
        .map(|dock| (dock.id, dock.count.get_untracked()))
}

/// Reads the place searched for, if one was found.
fn with_place<T>(city: City, read: impl FnOnce(&FoundPlace) -> T) -> Option<T> {
    city.outcome.with_untracked(|outcome| match outcome {
        Some(Outcome::Found(place)) => Some(read(place)),
        _ => None,
    })
}
