//! The map as a still SVG: what is seen before, and without, any script.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::land::land;
use super::look::{has_number, number, radius};
use super::plane::{Plane, Point};
use super::streets::streets;
use super::view::{Bounds, Camera, fit};
use crate::model::{Dock, FoundPlace, Outcome, PageContent, SEARCH_RADIUS_M};

/// The drawing's size in its own pixels; the page scales it to the map's box.
const SIZE: (f64, f64) = (900.0, 900.0);

/// Points of the shore are at least this many pixels apart.
const STEP_MIN_PX: f64 = 5.0;

/// Draws the docks, and the search if there is one, as one `<svg>` element.
#[must_use]
pub(crate) fn draw(content: &PageContent) -> String {
    let docks = &content.snapshot.docks;
    let place = match &content.outcome {
        Some(Outcome::Found(place)) => Some(place),
        _ => None,
    };
    let Some(drawing) = Drawing::of(docks, place) else {
        return String::new();
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"xMidYMid slice\" role=\"img\" \
         aria-label=\"Map of {} docks\">",
        SIZE.0,
        SIZE.1,
        docks.len()
    );
    match place {
        Some(_) => drawing.base(docks, &mut svg),
        None => svg.push_str(&city(docks, |base| drawing.base(docks, base))),
    }
    drawing.docks(docks, place, content.selected, &mut svg);
    if let Some(place) = place {
        drawing.place(place, &mut svg);
    }
    svg.push_str("</svg>");
    svg
}

/// The base map of the whole city, which most pages show: finding its shore takes milliseconds, so it
/// is drawn anew only when docks have come, gone or moved.
fn city(docks: &[Dock], draw: impl FnOnce(&mut String)) -> Arc<str> {
    static LAST: Mutex<Option<(u64, Arc<str>)>> = Mutex::new(None);
    let mut places = DefaultHasher::new();
    for dock in docks {
        (dock.lat.to_bits(), dock.lon.to_bits(), &dock.name).hash(&mut places);
    }
    let places = places.finish();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((drawn, base)) if *drawn == places => Arc::clone(base),
        _ => {
            let mut base = String::new();
            draw(&mut base);
            let base = Arc::from(base);
            *last = Some((places, Arc::clone(&base)));
            base
        }
    }
}

struct Drawing {
    plane: Plane,
    camera: Camera,
}

impl Drawing {
    fn of(docks: &[Dock], place: Option<&FoundPlace>) -> Option<Self> {
        let (lat, lon) = match (place, docks.first()) {
            (Some(place), _) => (place.lat, place.lon),
            (None, Some(dock)) => (dock.lat, dock.lon),
            (None, None) => return None,
        };
        let plane = Plane::around(lat, lon);
        let bounds = match place {
            Some(_) => Bounds::around([Point::default()])?.widened(SEARCH_RADIUS_M * 1.6),
            None => Bounds::around(docks.iter().map(|dock| plane.point(dock.lat, dock.lon)))?
                .widened(350.0),
        };
        Some(Self {
            plane,
            camera: fit(&plane, bounds, SIZE.0, SIZE.1),
        })
    }

    fn base(&self, docks: &[Dock], svg: &mut String) {
        let points: Vec<_> = docks
            .iter()
            .map(|dock| self.plane.point(dock.lat, dock.lon))
            .collect();
        svg.push_str("<path class=\"land\" fill-rule=\"evenodd\" d=\"");
        for ring in land(&points) {
            outline(
                &ring
                    .iter()
                    .map(|point| self.camera.screen(*point))
                    .collect::<Vec<_>>(),
                svg,
            );
        }
        svg.push_str("\"/><path class=\"street\" d=\"");
        let named = docks
            .iter()
            .zip(&points)
            .map(|(dock, point)| (dock.name.as_str(), *point));
        for (from, to) in streets(named).into_iter().flat_map(|street| street.pieces) {
            let ((x1, y1), (x2, y2)) = (self.camera.screen(from), self.camera.screen(to));
            if self.camera.sees((x1, y1), 0.0) || self.camera.sees((x2, y2), 0.0) {
                push(svg, format_args!("M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}"));
            }
        }
        svg.push_str("\"/>");
    }

    fn docks(
        &self,
        docks: &[Dock],
        place: Option<&FoundPlace>,
        selected: Option<i32>,
        svg: &mut String,
    ) {
        let zoom = self.plane.zoom_of(self.camera.scale);
        for dock in docks {
            let (x, y) = self.camera.screen(self.plane.point(dock.lat, dock.lon));
            if !self.camera.sees((x, y), 20.0) {
                continue;
            }
            let is_near = place.is_none_or(|place| {
                domain::geo::distance_m(place.lat, place.lon, dock.lat, dock.lon) <= SEARCH_RADIUS_M
            });
            let class = match (dock.count.rentable() > 0, is_near) {
                (false, _) => "none",
                (true, true) => "some",
                (true, false) => "far",
            };
            let mark = if selected == Some(dock.id) {
                " chosen"
            } else {
                ""
            };
            let r = radius(dock.count.rentable(), zoom);
            push(
                svg,
                format_args!(
                    "<circle class=\"{class}{mark}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{r:.1}\"/>"
                ),
            );
            if dock.count.rentable() > 0 && has_number(r, zoom) {
                let text = number(dock.count);
                push(
                    svg,
                    format_args!("<text x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>"),
                );
            }
        }
    }

    fn place(&self, place: &FoundPlace, svg: &mut String) {
        let (x, y) = self.camera.screen(self.plane.point(place.lat, place.lon));
        let ring = SEARCH_RADIUS_M * self.camera.scale;
        push(
            svg,
            format_args!(
                "<circle class=\"ring\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{ring:.0}\"/>\
                 <circle class=\"place\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"10\"/>"
            ),
        );
    }
}

/// A closed line, without points that are hardly a step from the last.
fn outline(ring: &[(f64, f64)], svg: &mut String) {
    let mut last = None;
    for (x, y) in ring {
        let is_step = last.is_none_or(|(lx, ly): (f64, f64)| (lx - x).hypot(ly - y) >= STEP_MIN_PX);
        if is_step {
            let (x, y) = (x.round(), y.round());
            push(
                svg,
                format_args!("{}{x} {y}", if last.is_none() { "M" } else { "L" }),
            );
            last = Some((x, y));
        }
    }
    svg.push('Z');
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Count, Snapshot};

    #[test]
    fn the_shore_follows_a_dock_that_moves() {
        let shore = |lat_of_second| {
            let dock = |id, lat| Dock {
                id,
                name: "1 Ave & E 1 St".to_owned(),
                lat,
                lon: -74.0,
                count: Count::default(),
            };
            let svg = draw(&PageContent {
                snapshot: Snapshot {
                    docks: vec![dock(1, 40.7), dock(2, lat_of_second)],
                    ..Snapshot::default()
                },
                ..PageContent::default()
            });
            let (shore, _) = svg.split_once("\"/><path class=\"street\"").unwrap();
            shore.to_owned()
        };
        let before = shore(40.705);
        assert_ne!(shore(40.75), before);
        assert_eq!(shore(40.705), before);
    }
}
