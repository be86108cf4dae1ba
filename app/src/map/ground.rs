//! What lies under the docks: land, parks, streets and names, on the plane.
//!
//! They come from a base map. Of a city without one the land is the shape around its docks.

use basemap::{BaseMap, NameKind};

use super::land::land;
use super::line::Line;
use super::outline::{Outline, area, clipped, thinned};
use super::plane::{Plane, Point};
use super::streets::Street;
use super::view::Camera;

/// Lines are drawn this many pixels beyond the screen, so that where they were cut is not seen.
const MARGIN_PX: f64 = 8.0;
/// Islands and lakes with fewer pixels are left out, and what a cut leaves at the edge of the screen.
const AREA_MIN_PX: f64 = 1.0;
/// Between letters of names of areas.
const HAIR_SPACE: &str = "\u{200a}";

/// Land, parks, streets and names of one city.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ground {
    land: Vec<Line>,
    parks: Vec<Line>,
    /// Those of the base map; none where only docks tell of streets.
    pub(crate) streets: Vec<Street>,
    /// The more important first.
    pub(crate) names: Vec<GroundName>,
}

/// A name that stands on the ground.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroundName {
    pub(crate) kind: NameKind,
    /// As it is written on the map.
    pub(crate) text: String,
    /// Where its middle stands.
    pub(crate) at: Point,
}

impl Ground {
    /// The base map's ground, if the plane lies in the middle of what it shows; else land around
    /// docks.
    pub(crate) fn under(docks: &[Point], plane: &Plane, base_map: Option<&BaseMap>) -> Self {
        let (lat, lon) = plane.degrees(Point::default());
        match base_map.filter(|base_map| base_map.detail.holds(lat, lon)) {
            Some(base_map) => Self::of(base_map, plane),
            None => Self {
                land: land(docks).into_iter().filter_map(Line::through).collect(),
                ..Self::default()
            },
        }
    }

    fn of(base_map: &BaseMap, plane: &Plane) -> Self {
        let place = |point: &basemap::Point| plane.point(point.lat(), point.lon());
        let line = |line: &basemap::Line| Line::through(line.iter().map(place).collect());
        let streets = base_map.streets.iter().map(|street| Street {
            class: street.class,
            name: street.name.clone(),
            lines: street.lines.iter().filter_map(line).collect(),
        });
        let names = base_map.names.iter().map(|name| GroundName {
            kind: name.kind,
            text: as_written(name.kind, &name.text),
            at: place(&name.at),
        });
        Self {
            land: base_map.land.iter().filter_map(line).collect(),
            parks: base_map.parks.iter().filter_map(line).collect(),
            streets: streets.collect(),
            names: names.collect(),
        }
    }

    /// Outlines of the land that a camera sees, in pixels; fill them by the even-odd rule.
    pub(crate) fn land(&self, camera: &Camera) -> impl Iterator<Item = Outline> {
        seen(&self.land, camera)
    }

    /// Outlines of its parks, likewise.
    pub(crate) fn parks(&self, camera: &Camera) -> impl Iterator<Item = Outline> {
        seen(&self.parks, camera)
    }
}

fn seen(rings: &[Line], camera: &Camera) -> impl Iterator<Item = Outline> {
    let near = rings.iter().filter(|ring| camera.meets(ring.bounds));
    let outlines = near.map(|ring| {
        let screen = ring.points.iter().map(|point| camera.screen(*point));
        clipped(thinned(screen), camera.width, camera.height, MARGIN_PX)
    });
    outlines.filter(|outline| area(outline) >= AREA_MIN_PX)
}

fn as_written(kind: NameKind, text: &str) -> String {
    if kind != NameKind::Area {
        return text.to_owned();
    }
    let mut written = String::new();
    for letter in text.chars() {
        if !written.is_empty() {
            written.push_str(HAIR_SPACE);
        }
        written.push(letter.to_ascii_uppercase());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// New York's base map, and how often a place is enclosed by rings of one kind.
    struct NewYork(BaseMap);

    impl NewYork {
        fn read() -> Self {
            Self(BaseMap::decode(basemap::NEW_YORK).unwrap())
        }

        fn ground(&self, (lat, lon): (f64, f64)) -> &'static str {
            let holds = |rings: &[basemap::Ring]| {
                let around = rings.iter().filter(|ring| encloses(ring, lat, lon));
                around.count() % 2 == 1
            };
            match (holds(&self.0.land), holds(&self.0.parks)) {
                (false, _) => "water",
                (true, false) => "land",
                (true, true) => "park",
            }
        }
    }

    fn encloses(ring: &basemap::Ring, lat: f64, lon: f64) -> bool {
        let edges = ring.iter().zip(ring.iter().cycle().skip(1));
        let crossed = edges.filter(|(a, b)| {
            (a.lat() > lat) != (b.lat() > lat)
                && lon < a.lon() + (b.lon() - a.lon()) * (lat - a.lat()) / (b.lat() - a.lat())
        });
        crossed.count() % 2 == 1
    }

    #[test]
    fn every_station_that_is_known_stands_on_land() {
        let new_york = NewYork::read();
        let stations = domain::stations::reference_stations();
        let in_water = stations
            .iter()
            .filter(|station| new_york.ground((station.lat, station.lon)) == "water")
            .map(|station| station.street);
        assert_eq!(in_water.collect::<Vec<_>>(), [""; 0]);
        assert!(stations.len() > 1_000);
    }

    #[test]
    fn new_york_lies_where_it_does() {
        let new_york = NewYork::read();
        let check = |name: &str, place, expected| {
            assert_eq!(new_york.ground(place), expected, "{name}");
        };
        check("Times Square", (40.7580, -73.9855), "land");
        check("Sheep Meadow, Central Park", (40.7718, -73.9747), "park");
        check("Long Meadow, Prospect Park", (40.6655, -73.9690), "park");
        check("Unisphere, Flushing Meadows", (40.7462, -73.8450), "park");
        check("Pelham Bay Park", (40.8660, -73.8080), "park");
        check("Liberty Island", (40.6892, -74.0445), "park");
        check("Governors Island", (40.6895, -74.0168), "park");
        check("Roosevelt Island", (40.7616, -73.9500), "land");
        check("Jersey City, Grove St", (40.7196, -74.0431), "land");
        check("Hoboken Terminal", (40.7350, -74.0305), "land");
        check("Fort Lee", (40.8509, -73.9701), "land");
        check("Yonkers", (40.9312, -73.8987), "land");
        check("Newark Penn Station", (40.7347, -74.1644), "land");
        check("Hempstead", (40.7062, -73.6187), "land");
        check("Hudson off Chelsea", (40.7480, -74.0180), "water");
        check(
            "Hudson under George Washington Bridge",
            (40.8517, -73.9527),
            "water",
        );
        check(
            "East River under Brooklyn Bridge",
            (40.7058, -73.9960),
            "water",
        );
        check("Upper Bay", (40.6650, -74.0450), "water");
        check("Newark Bay", (40.6700, -74.1350), "water");
        check("Verrazzano Narrows", (40.6066, -74.0447), "water");
        check("Long Island Sound", (40.9000, -73.7000), "water");
        check("Atlantic Ocean", (40.4000, -73.8000), "water");
    }

    #[test]
    fn the_base_map_is_small() {
        assert!(basemap::NEW_YORK.len() < 60_000);
    }

    #[test]
    fn a_city_elsewhere_stands_on_the_land_around_its_docks() {
        let base_map = NewYork::read().0;
        let ground = |lat, lon| {
            let docks = [Point::default()];
            Ground::under(&docks, &Plane::around(lat, lon), Some(&base_map))
        };
        assert!(ground(40.73, -73.98).names.len() > 100);
        let paris = ground(48.85, 2.35);
        assert_eq!((paris.land.len(), paris.names.len()), (1, 0));
    }

    #[test]
    fn only_what_a_camera_sees_is_drawn() {
        let plane = Plane::around(40.7718, -73.9747);
        let ground = Ground::under(&[], &plane, Some(&NewYork::read().0));
        let camera = |scale| Camera {
            centre: Point::default(),
            scale,
            width: 400.0,
            height: 300.0,
        };
        let points = |scale| -> usize { ground.land(&camera(scale)).map(|line| line.len()).sum() };
        // Around Sheep Meadow is nothing but land; all around are shores, none of them in detail.
        assert_eq!(points(1.0), 4);
        assert!((300..6_000).contains(&points(0.01)), "{}", points(0.01));
        assert_eq!(ground.parks(&camera(1.0)).count(), 1);
    }

    #[test]
    fn areas_are_written_in_spaced_capitals() {
        assert_eq!(as_written(NameKind::Area, "Q s"), "Q\u{200a} \u{200a}S");
        assert_eq!(as_written(NameKind::Town, "Hoboken"), "Hoboken");
    }
}
