//! Which names the map shows at a zoom, and where: none covers another, and none a dock's number.

use basemap::NameKind;

use super::ground::GroundName;
use super::look::{NUMBER_ZOOM_MIN, radius};
use super::view::Camera;
use crate::math::{length, within};

/// Between two names, in pixels across and down.
const GAP_PX: (f64, f64) = (14.0, 6.0);
/// Docks are kept free as if each had this many bikes, so that names stay where they are when bikes
/// come and go.
const DOCK_BIKES: i32 = 16;
/// How far a name may step aside for docks, in its own heights and widths; the nearest first.
const STEPS: [(f64, f64); 9] = [
    (0.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (-0.4, 0.0),
    (0.4, 0.0),
    (-0.3, -1.0),
    (0.3, -1.0),
    (-0.3, 1.0),
    (0.3, 1.0),
];

/// A name on the screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedName<'a> {
    pub(crate) kind: NameKind,
    pub(crate) text: &'a str,
    /// Its middle, in pixels.
    pub(crate) at: (f64, f64),
    /// Height of its letters in pixels.
    pub(crate) size: f64,
}

/// Height of the letters of a kind of name; none where the zoom is not one to show it at.
pub(crate) fn size(kind: NameKind, zoom: f64) -> Option<f64> {
    let (zooms, size) = match kind {
        NameKind::Area => (9.0..NUMBER_ZOOM_MIN, 13.0 + within(zoom - 10.0, 0.0, 2.0)),
        NameKind::Town => (10.7..14.5, 12.0),
        NameKind::Water => (10.9..18.0, 12.0),
        NameKind::Park => (13.0..19.0, 11.5),
        NameKind::Neighbourhood => (12.7..17.5, 12.0),
    };
    zooms.contains(&zoom).then_some(size)
}

/// Chooses names and their places. `docks` are the pixels of docks; `width` tells how wide a text of
/// a kind and size is.
pub(crate) fn placed<'a>(
    names: &'a [GroundName],
    camera: &Camera,
    zoom: f64,
    docks: impl Iterator<Item = (f64, f64)>,
    width: impl Fn(&str, NameKind, f64) -> f64,
) -> Vec<PlacedName<'a>> {
    let docks = Docks::around(docks, camera, zoom);
    let mut taken: Vec<TextBox> = Vec::new();
    let mut placed = Vec::new();
    for name in names {
        let Some(size) = size(name.kind, zoom) else {
            continue;
        };
        let (x, y) = camera.screen(name.at);
        if !camera.sees((x, y), 60.0) {
            continue;
        }
        let wide = width(&name.text, name.kind, size);
        let may_cover = may_cover_docks(name.kind, zoom);
        let steps = if may_cover { &STEPS[..1] } else { &STEPS };
        let at = steps
            .iter()
            .map(|(across, down)| (x + across * wide, y + down * size * 1.3))
            .find(|at| {
                let text = TextBox::around(*at, wide, size);
                text.is_within(camera)
                    && !taken.iter().any(|other| text.overlaps(other))
                    && (may_cover || !docks.cover(&text))
            });
        if let Some(at) = at {
            taken.push(TextBox::around(at, wide, size));
            placed.push(PlacedName {
                kind: name.kind,
                text: &name.text,
                at,
                size,
            });
        }
    }
    placed
}

/// What a text covers, in pixels.
#[derive(Debug, Clone, Copy)]
struct TextBox {
    min: (f64, f64),
    max: (f64, f64),
}

impl TextBox {
    fn around((x, y): (f64, f64), wide: f64, high: f64) -> Self {
        Self {
            min: (x - wide / 2.0, y - high / 2.0),
            max: (x + wide / 2.0, y + high / 2.0),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (across, down) = GAP_PX;
        self.min.0 < other.max.0 + across
            && other.min.0 < self.max.0 + across
            && self.min.1 < other.max.1 + down
            && other.min.1 < self.max.1 + down
    }

    /// Whether all of it is on the screen: half a name tells nothing.
    fn is_within(&self, camera: &Camera) -> bool {
        self.min.0 >= 0.0
            && self.min.1 >= 0.0
            && self.max.0 <= camera.width
            && self.max.1 <= camera.height
    }

    fn distance(&self, (x, y): (f64, f64)) -> f64 {
        let dx = (self.min.0 - x).max(x - self.max.0).max(0.0);
        let dy = (self.min.1 - y).max(y - self.max.1).max(0.0);
        length(dx, dy)
    }
}

/// Whether a name may stand on docks: a large one on dots, which in their thousands leave it no place
/// free; none on a number.
fn may_cover_docks(kind: NameKind, zoom: f64) -> bool {
    let is_large = matches!(kind, NameKind::Area | NameKind::Town | NameKind::Water);
    is_large && zoom < NUMBER_ZOOM_MIN
}

/// The docks that are seen.
struct Docks {
    at: Vec<(f64, f64)>,
    radius: f64,
}

impl Docks {
    fn around(docks: impl Iterator<Item = (f64, f64)>, camera: &Camera, zoom: f64) -> Self {
        Self {
            at: docks.filter(|at| camera.sees(*at, 100.0)).collect(),
            radius: radius(DOCK_BIKES, zoom),
        }
    }

    fn cover(&self, text: &TextBox) -> bool {
        self.at.iter().any(|at| text.distance(*at) < self.radius)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::plane::Point;

    const CAMERA: Camera = Camera {
        centre: Point { x: 0.0, y: 0.0 },
        scale: 1.0,
        width: 800.0,
        height: 600.0,
    };

    fn name(kind: NameKind, text: &str, x: f64, y: f64) -> GroundName {
        GroundName {
            kind,
            text: text.to_owned(),
            at: Point { x, y },
        }
    }

    fn neighbourhood(text: &str, x: f64, y: f64) -> GroundName {
        name(NameKind::Neighbourhood, text, x, y)
    }

    fn check(names: &[GroundName], zoom: f64, docks: &[(f64, f64)], expected: &[&str]) {
        let width = |text: &str, _, size: f64| text.len() as f64 * size / 2.0;
        let docks = docks.iter().copied();
        let seen: Vec<_> = placed(names, &CAMERA, zoom, docks, width)
            .iter()
            .map(|name| format!("{} {:.0},{:.0}", name.text, name.at.0, name.at.1))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn far_out_areas_are_named_and_near_by_their_parts() {
        let names = [
            name(NameKind::Area, "BROOKLYN", 0.0, 0.0),
            neighbourhood("Park Slope", 0.0, 100.0),
        ];
        check(&names, 9.5, &[], &["BROOKLYN 400,300"]);
        check(&names, 11.0, &[], &["BROOKLYN 400,300"]);
        check(&names, 14.0, &[], &["Park Slope 400,400"]);
        check(&names, 18.0, &[], &[]);
    }

    #[test]
    fn of_two_names_that_do_not_both_fit_the_first_is_shown() {
        let names = [
            name(NameKind::Town, "Chelsea", 0.0, 0.0),
            name(NameKind::Town, "Flatiron", 30.0, 5.0),
            name(NameKind::Town, "SoHo", 0.0, 50.0),
        ];
        check(&names, 13.0, &[], &["Chelsea 400,300", "SoHo 400,350"]);
    }

    #[test]
    fn a_name_steps_aside_for_a_dock_and_only_a_large_one_covers_dots() {
        let names = [neighbourhood("SoHo", 0.0, 0.0)];
        check(&names, 15.0, &[(400.0, 310.0)], &["SoHo 400,284"]);
        let names = [name(NameKind::Town, "Hoboken", 0.0, 0.0)];
        check(&names, 13.0, &[(400.0, 305.0)], &["Hoboken 400,300"]);
        check(&names, 14.0, &[(400.0, 305.0)], &["Hoboken 400,284"]);
    }

    #[test]
    fn a_name_without_a_free_place_is_not_shown() {
        let names = [neighbourhood("SoHo", 0.0, 0.0)];
        let everywhere: Vec<_> = (0..400)
            .map(|i| {
                (
                    f64::from(i % 20) * 10.0 + 300.0,
                    f64::from(i / 20) * 10.0 + 200.0,
                )
            })
            .collect();
        check(&names, 15.0, &everywhere, &[]);
    }

    #[test]
    fn a_name_that_is_not_wholly_on_the_screen_is_not_shown() {
        let names = [
            neighbourhood("Riverdale", 2_000.0, 0.0),
            name(NameKind::Town, "Inwood", 390.0, 0.0),
            neighbourhood("SoHo", 0.0, 0.0),
        ];
        check(&names, 13.0, &[], &["SoHo 400,300"]);
    }
}
