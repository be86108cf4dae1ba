//! The map as a still SVG: what is seen before, and without, any script.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use basemap::{BaseMap, NameKind, StreetClass};

use super::ground::Ground;
use super::line::Line;
use super::look::{has_number, number, radius};
use super::names::placed;
use super::outline::{Outline, simplified, thinned};
use super::plane::{Plane, Point};
use super::streets::{Street, streets, zoom_min};
use super::view::{Bounds, Camera, fit};
use crate::model::{Dock, FoundPlace, Outcome, PageContent, SEARCH_RADIUS_M};

/// The drawing's size in its own pixels; the page scales it to the map's box.
const SIZE: (f64, f64) = (900.0, 900.0);

/// How far a drawn outline may lie from the true one, in pixels.
const TOLERANCE_PX: f64 = 1.0;

/// Bytes of outlines of one kind, and of streets, beyond which no more are drawn: what a base map has of
/// them has no bound. The larger and the wider are drawn first. (Chosen: twice New York's shores.)
const KIND_BYTES_MAX: usize = 24_000;

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
        None => city(docks, base_map, || drawing.base(docks)),
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
fn city(docks: &[Dock], base_map: Option<&BaseMap>, draw: impl FnOnce() -> Base) -> Base {
    static LAST: Mutex<Option<(u64, Base)>> = Mutex::new(None);
    let mut places = DefaultHasher::new();
    // A process has one base map; tests have several.
    let extent = base_map.map(|it| (it.detail.min, it.detail.max));
    extent.hash(&mut places);
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
        match ground.streets.as_slice() {
            [] => self.streets(&named_after(docks, &points), &mut svg),
            streets => self.streets(streets, &mut svg),
        }
        self.names(&ground, &points, &mut names);
        (svg.into(), names.into())
    }

    /// One path for each class: the wide ones first, which is their order in a base map too.
    fn streets(&self, streets: &[Street], svg: &mut String) {
        let end = svg.len() + KIND_BYTES_MAX;
        let zoom = self.zoom();
        for class in StreetClass::ALL {
            if zoom < zoom_min(class) {
                continue;
            }
            push(
                svg,
                format_args!("<path class=\"street {}\" d=\"", street_class(class)),
            );
            let lines = streets.iter().filter(|street| street.class == class);
            for line in lines.flat_map(|street| &street.lines) {
                for part in self.seen(line) {
                    if svg.len() < end {
                        stroke(&thinned(part.into_iter()), svg);
                    }
                }
            }
            svg.push_str("\"/>");
        }
    }

    /// The parts of a line near the screen, in pixels.
    fn seen(&self, line: &Line) -> Vec<Outline> {
        let mut parts: Vec<Outline> = Vec::new();
        let mut was_seen = false;
        let near = self.camera.meets(line.bounds).then_some(&line.points);
        for step in near.into_iter().flat_map(|points| points.windows(2)) {
            let bounds = Bounds::around(step.iter().copied());
            let is_seen = bounds.is_some_and(|bounds| self.camera.meets(bounds));
            let (from, to) = (self.camera.screen(step[0]), self.camera.screen(step[1]));
            match parts.last_mut().filter(|_| was_seen) {
                Some(part) if is_seen => part.push(to),
                _ if is_seen => parts.push(vec![from, to]),
                _ => {}
            }
            was_seen = is_seen;
        }
        parts
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

/// Streets that are read out of the docks' names.
fn named_after(docks: &[Dock], points: &[Point]) -> Vec<Street> {
    let names = docks.iter().map(|dock| dock.name.as_str());
    streets(names.zip(points.iter().copied()))
}

/// A line, in steps of whole pixels: shorter than places.
fn stroke(points: &[(f64, f64)], svg: &mut String) {
    let mut last = (0, 0);
    for (i, (x, y)) in points.iter().enumerate() {
        let at = (x.round() as i32, y.round() as i32);
        let (dx, dy) = (at.0.saturating_sub(last.0), at.1.saturating_sub(last.1));
        match i {
            0 => push(svg, format_args!("M{dx} {dy}l")),
            _ => push(svg, format_args!("{dx} {dy} ")),
        }
        last = at;
    }
}

/// Outlines of one kind in one path.
fn area(class: &str, outlines: impl Iterator<Item = Outline>, svg: &mut String) {
    push(
        svg,
        format_args!("<path class=\"{class}\" fill-rule=\"evenodd\" d=\""),
    );
    let end = svg.len() + KIND_BYTES_MAX;
    for outline in outlines {
        if svg.len() >= end {
            break;
        }
        stroke(&simplified(&outline, TOLERANCE_PX), svg);
        svg.push('z');
    }
    svg.push_str("\"/>");
}

fn street_class(class: StreetClass) -> &'static str {
    match class {
        StreetClass::Main => "main",
        StreetClass::Middle => "middle",
        StreetClass::Local => "local",
    }
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
    use crate::server::base_map::ServedMap;

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
        draw(
            &content,
            ServedMap::new_york().under(&content.snapshot.docks),
        )
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
