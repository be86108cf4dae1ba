//! What the search knows of a town that does not exist; the town is drawn in `osm/tests/it/town.rs`.

use std::path::Path;

use basemap::{Corner, NamedStreet};
use expect_test::{Expect, expect};

use super::*;

fn vinterhamn() -> CityGeocoder {
    let extract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/osm/vinterhamn.osm.pbf");
    let built = osm::build(&extract, None, &mut |_| {}).unwrap();
    CityGeocoder::new(&built.city_map.base_map, built.city_map.addresses)
}

fn check(queries: &[&str], expected: &Expect) {
    let geocoder = vinterhamn();
    let lines = queries
        .iter()
        .map(|query| crate::geocode::place::line(query, geocoder.find(query)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn houses_are_found_by_number_and_street_in_either_order_and_any_spelling() {
    check(
        &[
            "2 Main Street",
            "main st. 2",
            "12a Mühlenstraße",
            "Muhlenstr. 12 A",
            "5 Main St",
            "14 Main Street",
            "12 Storgatan, Nyby",
            "Storgatan 12, 123 45 Vinterhamn",
        ],
        &expect![[r#"
            2 Main Street → 59.2071, 19.5079 2 Main Street: the house of this number
            main st. 2 → 59.2071, 19.5079 2 Main Street: the house of this number
            12a Mühlenstraße → 59.2063, 19.5142 12a Mühlenstraße: the house of this number
            Muhlenstr. 12 A → 59.2063, 19.5142 12a Mühlenstraße: the house of this number
            5 Main St → 59.2073, 19.5096 5a Main Street: the house number 5a
            14 Main Street → 59.2071, 19.5123 14 Main Street: the house of this number
            12 Storgatan, Nyby → 59.2131, 19.5298 12 Storgatan: the house of this number
            Storgatan 12, 123 45 Vinterhamn → 59.2055, 19.5074 12 Storgatan: the house of this number
        "#]],
    );
}

#[test]
fn a_house_between_two_that_are_known_is_estimated() {
    check(
        &[
            "6 Main Street",
            "10 Main Street",
            "9 Main Street",
            "16 Main Street",
        ],
        &expect![[r#"
        6 Main Street → 59.2071, 19.5097 6 Main Street: estimated between number 4 and 8
        10 Main Street → 59.2071, 19.5114 10 Main Street: estimated between number 8 and 12
        9 Main Street → "9 Main Street" is not known here: the map has some numbers of it, from 1 to 14; type a building number and a street name, such as "1 Main Street"
        16 Main Street → "16 Main Street" is not known here: the map has some numbers of it, from 1 to 14; type a building number and a street name, such as "1 Main Street"
    "#]],
    );
}

#[test]
fn corners_places_and_degrees_are_found() {
    check(
        &[
            "Main St & 2nd Ave",
            "second avenue and main street",
            "agatan at storgatan",
            "Nyby",
            "ostra hamnen",
            "Slottsparken",
            "59.21, 19.51",
        ],
        &expect![[r#"
            Main St & 2nd Ave → 59.2072, 19.5212 Main Street & 2nd Avenue: the corner of these streets
            second avenue and main street → 59.2072, 19.5212 2nd Avenue & Main Street: the corner of these streets
            agatan at storgatan → 59.2054, 19.5070 Ågatan & Storgatan: the corner of these streets
            Nyby → 59.2133, 19.5307 Nyby: where its name stands on the map
            ostra hamnen → 59.2058, 19.5263 Östra hamnen: where its name stands on the map
            Slottsparken → 59.2099, 19.5110 Slottsparken: where its name stands on the map
            59.21, 19.51 → 59.2100, 19.5100 59.21, 19.51: where these degrees are
        "#]],
    );
}

#[test]
fn anything_else_says_what_is_expected() {
    check(
        &[
            "hello",
            "Main Street",
            "Ågatan",
            "2nd Avenue",
            "99 Main Street",
            "3 Ågatan",
            "12 Nowhere Lane",
            "12 Storgatan",
            "12 Storgatan, Östra hamnen",
            "12 Storgatan, Springfield",
            "Main Street & Storgatan",
            "Main Street & Nowhere",
            "12",
            "&",
            "'; drop table location; --",
        ],
        &expect![[r#"
            hello → "hello" is not an address: type a building number and a street name, such as "1 Main Street"
            Main Street → "Main Street" is a street: add a building number, such as "1 Main Street", or add a street that it meets, such as "Main Street & 2nd Avenue"
            Ågatan → "Ågatan" is a street: add a street that it meets, such as "Ågatan & Main Street"
            2nd Avenue → "2nd Avenue" is a street: add a street that it meets, such as "2nd Avenue & Main Street"
            99 Main Street → "99 Main Street" is not known here: the map has some numbers of it, from 1 to 14; type a building number and a street name, such as "1 Main Street"
            3 Ågatan → "3 Ågatan" is not known here: the map has no building number of it; type a building number and a street name, such as "1 Main Street"
            12 Nowhere Lane → "12 Nowhere Lane" is not known here, for the map has no such street: type a building number and a street name, such as "1 Main Street"
            12 Storgatan → "12 Storgatan" is in more than one place: add which, as in "12 Storgatan, Nyby" or "12 Storgatan, Vinterhamn"
            12 Storgatan, Östra hamnen → 59.2055, 19.5074 12 Storgatan: the house of this number
            12 Storgatan, Springfield → "12 Storgatan, Springfield" is not known here, for "springfield" is no place of the map: leave it out, or type a building number and a street name, such as "1 Main Street"
            Main Street & Storgatan → "Main Street & Storgatan" is not known here, for on the map these streets do not meet: type a building number and a street name, such as "1 Main Street"
            Main Street & Nowhere → "Main Street & Nowhere" is not known here, for the map has no such street: type a building number and a street name, such as "1 Main Street"
            12 → "12" is not an address: type a building number and a street name, such as "1 Main Street"
            & → "&" is not known here, for the map has no such street: type a building number and a street name, such as "1 Main Street"
            '; drop table location; -- → "'; drop table location; --" is not an address: type a building number and a street name, such as "1 Main Street"
        "#]],
    );
}

#[test]
fn a_search_longer_than_any_address_is_not_repeated_to_the_rider() {
    let error = vinterhamn().find(&"x".repeat(500)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("that is longer than any address: type a building")
    );
}

#[test]
fn what_is_typed_is_completed_and_every_suggestion_is_found() {
    let geocoder = vinterhamn();
    let typed = [
        "2 ma",
        "12 stor",
        "muhl",
        "ost",
        "main st & ",
        "storgatan & a",
        "ny",
        "x",
        "&",
        "",
    ];
    let lines = typed.map(|typed| {
        let suggestions = geocoder.suggest(typed);
        for suggestion in &suggestions {
            assert!(
                geocoder.find(&suggestion.text).is_ok(),
                "{typed}: {suggestion:?}"
            );
        }
        let texts = suggestions
            .iter()
            .map(|it| format!("{} ({:?})", it.text, it.kind));
        format!("{typed} → {}\n", texts.collect::<Vec<_>>().join(", "))
    });
    expect![[r#"
        2 ma → 2 Main Street (Address)
        12 stor → 
        muhl → 
        ost → Östra hamnen (Neighbourhood)
        main st &  → Main Street & 2nd Avenue (Corner), Main Street & Mühlenstraße (Corner), Main Street & Ågatan (Corner)
        storgatan & a → Storgatan & Ågatan (Corner)
        ny → Nyby (Neighbourhood)
        x → 
        & → 
         → 
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn a_map_without_houses_asks_for_what_it_has() {
    let new_york = crate::server::base_map::new_york();
    let mut addresses = Addresses::default();
    let unknown = "\"1 Park Avenue\" is not known here, for the map has no such street: ";
    for (streets, expected) in [
        (vec![], "type the name of a part of the city"),
        (
            vec!["Kai", "Markt"],
            "type two streets that meet, such as \"Kai & Markt\"",
        ),
    ] {
        addresses.streets = streets
            .iter()
            .map(|name| NamedStreet {
                name: (*name).to_owned(),
                numbers: Vec::new(),
            })
            .collect();
        addresses.corners = streets
            .first()
            .map(|_| Corner {
                streets: [0, 1],
                at: basemap::Point::default(),
            })
            .into_iter()
            .collect();
        let geocoder = CityGeocoder::new(new_york, addresses.clone());
        let error = geocoder.find("1 Park Avenue").unwrap_err().to_string();
        assert_eq!(error, format!("{unknown}{expected}"));
        assert!(geocoder.find("Astoria").is_ok());
    }
}
