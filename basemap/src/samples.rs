//! Maps that nobody would draw, for properties.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{
    Addresses, Attribution, BaseMap, Corner, Extent, HouseNumber, Name, NameKind, NamedStreet,
    Point, Street, StreetClass,
};

pub(crate) fn point() -> impl Strategy<Value = Point> {
    let places = (-90.0..=90.0, -180.0..=180.0);
    places.prop_map(|(lat, lon)| Point::from_degrees(lat, lon).unwrap())
}

fn lines() -> impl Strategy<Value = Vec<Vec<Point>>> {
    vec(vec(point(), 0..9), 0..4)
}

fn name() -> impl Strategy<Value = Name> {
    let parts = (0..NameKind::ALL.len(), ".{0,12}", point());
    parts.prop_map(|(kind, text, at)| Name {
        kind: NameKind::ALL[kind],
        text,
        at,
    })
}

fn street() -> impl Strategy<Value = Street> {
    let parts = (0..StreetClass::ALL.len(), ".{0,12}", lines());
    parts.prop_map(|(class, name, lines)| Street {
        class: StreetClass::ALL[class],
        name,
        lines,
    })
}

pub(crate) fn base_map() -> impl Strategy<Value = BaseMap> {
    let about = (point(), point(), ".{0,12}", ".{0,12}");
    let drawn = (lines(), lines(), vec(street(), 0..4), vec(name(), 0..5));
    (about, drawn).prop_map(
        |((min, max, text, url), (land, parks, streets, names))| BaseMap {
            detail: Extent { min, max },
            attribution: Attribution { text, url },
            land,
            parks,
            streets,
            names,
        },
    )
}

fn house_number() -> impl Strategy<Value = HouseNumber> {
    let parts = (0..100_000_u32, ".{0,3}", point());
    parts.prop_map(|(number, rest, at)| HouseNumber { number, rest, at })
}

pub(crate) fn addresses() -> impl Strategy<Value = Addresses> {
    let street = (".{0,12}", vec(house_number(), 0..5));
    let street = street.prop_map(|(name, numbers)| NamedStreet { name, numbers });
    let corners = vec((any::<[prop::sample::Index; 2]>(), point()), 0..5);
    (vec(street, 1..4), corners).prop_map(|(streets, corners)| {
        let corner = |(of, at): ([prop::sample::Index; 2], Point)| Corner {
            streets: of.map(|street| street.index(streets.len()) as u32),
            at,
        };
        let corners = corners.into_iter().map(corner).collect();
        Addresses { streets, corners }
    })
}
