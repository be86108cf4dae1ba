//! The map as a still SVG: what is seen before, and without, any script.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use basemap::{BaseMap, NameKind};

use super::ground::Ground;
use super::look::{has_number, number, radius};
use super::names::placed;
use super::outline::{Outline, simplified};
use super::plane::{Plane, Point};
use super::streets::{STREETS_ZOOM_MIN, streets};
use super::view::{Bounds, Camera, fit};
use crate::model::{Dock, FoundPlace, Outcome, PageContent, SEARCH_RADIUS_M};

/// The drawing's size in its own pixels; the page scales it to the map's box.
const SIZE: (f64, f64) = (900.0, 900.0);

/// How far a drawn outline may lie from the true one, in pixels.
const TOLERANCE_PX: f64 = 1.0;

/// Names are larger than on a canvas: a phone shows the drawing at less than half its size.
const NAMES_LARGER: f64 = 1.4;

/// Draws the docks, and the search if there is one, as one `<svg>` element.
#[must_use]
pub(crate) fn draw(content: &PageContent, base_map: Option<&BaseMap>) -> String {
    let docks = &content.snapshot.docks;
    let place = match &content.outcome {
        Some(Outcome::Found(place)) => Some(place),
        _ => None,
    };
    let Some(drawing) = Drawing::of(docks, place, base_map) else {
        return String::new();
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"xMidYMid slice\" role=\"img\" \
         aria-label=\"Map of {} docks\">",
        SIZE.0,
        SIZE.1,
        docks.len()
    );
    let (ground, names) = match place {
        Some(_) => drawing.base(docks),
        None => city(docks, || drawing.base(docks)),
    };
    svg.push_str(&ground);
    drawing.docks(docks, place, content, &mut svg);
    svg.push_str(&names);
    if let Some(place) = place {
        drawing.place(place, &mut svg);
    }
    svg.push_str("</svg>");
    svg
}

/// What lies under the docks, and the names that stand above them.
type Base = (Arc<str>, Arc<str>);

/// What lies under the docks of the whole city, which most pages show: it takes milliseconds, so it is
/// drawn anew only when docks have come, gone or moved.
fn city(docks: &[Dock], draw: impl FnOnce() -> Base) -> Base {
    static LAST: Mutex<Option<(u64, Base)>> = Mutex::new(None);
    let mut places = DefaultHasher::new();
    for dock in docks {
        (dock.lat.to_bits(), dock.lon.to_bits(), &dock.name).hash(&mut places);
    }
    let places = places.finish();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((drawn, base)) if *drawn == places => base.clone(),
        _ => {
            let base = draw();
            *last = Some((places, base.clone()));
            base
        }
    }
}

struct Drawing<'a> {
    plane: Plane,
    camera: Camera,
    base_map: Option<&'a BaseMap>,
}

impl<'a> Drawing<'a> {
    fn of(
        docks: &[Dock],
        place: Option<&FoundPlace>,
        base_map: Option<&'a BaseMap>,
    ) -> Option<Self> {
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
            base_map,
        })
    }

    fn base(&self, docks: &[Dock]) -> Base {
        let (mut svg, mut names) = (String::new(), String::new());
        let points: Vec<_> = docks
            .iter()
            .map(|dock| self.plane.point(dock.lat, dock.lon))
            .collect();
        let ground = Ground::under(&points, &self.plane, self.base_map);
        area("land", ground.land(&self.camera), &mut svg);
        area("park", ground.parks(&self.camera), &mut svg);
        if self.zoom() >= STREETS_ZOOM_MIN {
            self.streets(docks, &points, &mut svg);
        }
        self.names(&ground, &points, &mut names);
        (svg.into(), names.into())
    }

    fn streets(&self, docks: &[Dock], points: &[Point], svg: &mut String) {
        svg.push_str("<path class=\"street\" d=\"");
        let named = docks
            .iter()
            .zip(points)
            .map(|(dock, point)| (dock.name.as_str(), *point));
        for (from, to) in streets(named).into_iter().flat_map(|street| street.pieces) {
            let ((x1, y1), (x2, y2)) = (self.camera.screen(from), self.camera.screen(to));
            if self.camera.sees((x1, y1), 0.0) || self.camera.sees((x2, y2), 0.0) {
                push(svg, format_args!("M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}"));
            }
        }
        svg.push_str("\"/>");
    }

    fn names(&self, ground: &Ground, points: &[Point], svg: &mut String) {
        let docks = points.iter().map(|point| self.camera.screen(*point));
        // Nobody measures text here: letters of this face are about half as wide as high.
        let width =
            |text: &str, _, size: f64| text.chars().count() as f64 * size * NAMES_LARGER * 0.55;
        let names = placed(&ground.names, &self.camera, self.zoom(), docks, width);
        svg.push_str("<g class=\"names\">");
        for name in names {
            let class = css_class(name.kind);
            let (x, y) = name.at;
            push(
                svg,
                format_args!("<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.0}\">"),
            );
            svg.extend(name.text.chars().filter(|letter| !"<>&".contains(*letter)));
            svg.push_str("</text>");
        }
        svg.push_str("</g>");
    }

    fn zoom(&self) -> f64 {
        self.plane.zoom_of(self.camera.scale)
    }

    fn docks(
        &self,
        docks: &[Dock],
        place: Option<&FoundPlace>,
        PageContent {
            selected, seeking, ..
        }: &PageContent,
        svg: &mut String,
    ) {
        let zoom = self.zoom();
        for dock in docks {
            let (x, y) = self.camera.screen(self.plane.point(dock.lat, dock.lon));
            if !self.camera.sees((x, y), 20.0) {
                continue;
            }
            let is_near = place.is_none_or(|place| {
                domain::geo::distance_m(place.lat, place.lon, dock.lat, dock.lon) <= SEARCH_RADIUS_M
            });
            let amount = dock.count.amount(*seeking);
            let class = match (amount > 0, is_near) {
                (false, _) => "none",
                (true, true) => "some",
                (true, false) => "far",
            };
            let mark = if *selected == Some(dock.id) {
                " chosen"
            } else {
                ""
            };
            let r = radius(amount, zoom);
            push(
                svg,
                format_args!(
                    "<circle class=\"{class}{mark}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{r:.1}\"/>"
                ),
            );
            if amount > 0 && has_number(r, zoom) {
                let text = number(dock.count, *seeking);
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

/// Outlines of one kind in one path.
fn area(class: &str, outlines: impl Iterator<Item = Outline>, svg: &mut String) {
    push(
        svg,
        format_args!("<path class=\"{class}\" fill-rule=\"evenodd\" d=\""),
    );
    for outline in outlines {
        // Steps in whole pixels: shorter than places.
        let mut last = (0, 0);
        for (i, (x, y)) in simplified(&outline, TOLERANCE_PX).into_iter().enumerate() {
            let at = (x.round() as i32, y.round() as i32);
            let (dx, dy) = (at.0 - last.0, at.1 - last.1);
            match i {
                0 => push(svg, format_args!("M{dx} {dy}l")),
                _ => push(svg, format_args!("{dx} {dy} ")),
            }
            last = at;
        }
        svg.push('z');
    }
    svg.push_str("\"/>");
}

fn css_class(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Area => "area",
        NameKind::Town => "town",
        NameKind::Water => "water",
        NameKind::Park => "park",
        NameKind::Neighbourhood => "neighbourhood",
    }
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Count, Snapshot};
    use crate::server::base_map;

    fn still_map(places: &[(f64, f64)]) -> String {
        let docks = places.iter().zip(1..).map(|((lat, lon), id)| Dock {
            id,
            name: "1 Ave & E 1 St".to_owned(),
            lat: *lat,
            lon: *lon,
            count: Count::default(),
        });
        let content = PageContent {
            snapshot: Snapshot {
                docks: docks.collect(),
                ..Snapshot::default()
            },
            ..PageContent::default()
        };
        draw(&content, base_map::under(&content.snapshot.docks))
    }

    #[test]
    fn the_shore_of_a_city_without_a_base_map_follows_a_dock_that_moves() {
        let shore = |lat_of_second| {
            let svg = still_map(&[(48.85, 2.35), (lat_of_second, 2.35)]);
            svg.split_once("<circle").unwrap().0.to_owned()
        };
        let before = shore(48.855);
        assert_ne!(shore(48.9), before);
        assert_eq!(shore(48.855), before);
    }

    #[test]
    fn new_york_is_drawn_and_named_in_few_bytes() {
        let svg = still_map(&[(40.66, -74.07), (40.86, -73.87)]);
        let (base, above) = svg.split_once("<circle").unwrap();
        for name in ["Hoboken", "M\u{200a}A\u{200a}N\u{200a}H", "East River"] {
            assert!(above.contains(name), "{name}: {above}");
        }
        assert!(
            (4_000..14_000).contains(&base.len()),
            "{} bytes",
            base.len()
        );
    }
}
