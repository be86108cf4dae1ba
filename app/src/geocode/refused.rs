//! What the geocoder does not know, it does not respond.

use domain::geo::distance_m;
use domain::stations::reference_stations;

use super::ManhattanGeocoder;
use super::area::{Area, Areas};
use super::avenues::avenue_names;
use super::docks::Dock;
use super::error::GeocodeError;

/// Addresses and corners outside what is known: twelve in each borough, as people write them.
const OUTSIDE: [&str; 66] = [
    // Brooklyn.
    "209 Joralemon St, Brooklyn, NY 11201",
    "620 Atlantic Ave, Brooklyn",
    "200 Eastern Parkway, Brooklyn, NY 11238",
    "425 6th Ave, Brooklyn",
    "172 5th Avenue, Park Slope",
    "2307 Beverley Rd, Brooklyn, NY 11226",
    "1208 Surf Ave, Coney Island, Brooklyn",
    "45 Main St Brooklyn NY",
    "1000 Broadway, Bushwick, NY 11221",
    "178 Broadway, Brooklyn, New York 11211",
    "84 Avenue C, Brooklyn",
    "740 E 9th St, Brooklyn, NY 11230",
    "Avenue M & E 14 St, Brooklyn",
    // Queens.
    "36-01 35th Ave, Astoria, NY 11106",
    "120-55 Queens Blvd, Kew Gardens",
    "41-17 Main St, Flushing, NY 11355",
    "22-25 Jackson Ave, Long Island City",
    "47-01 111th St, Corona",
    "90-15 Queens Boulevard, Elmhurst, NY",
    "30-10 Broadway",
    "24-19 Steinway Street",
    "161-04 Jamaica Ave, Jamaica, NY 11432",
    "1 Park Ave, Queens",
    "600 Lexington Ave, Ridgewood, NY 11385",
    "40 Ave & 13 St, Queens",
    "61 St & Roosevelt Ave, Woodside",
    // The Bronx.
    "1 E 161 St, Bronx, NY 10451",
    "851 Grand Concourse, Bronx",
    "2300 Southern Blvd, The Bronx",
    "2856 3rd Ave, Bronx, NY 10455",
    "2856 Third Avenue",
    "440 E Fordham Rd Bronx NY 10458",
    "3 E 149th St, Mott Haven",
    "5987 Broadway, Riverdale",
    "5661 Broadway",
    "391 E 149 St",
    "4160 Park Ave, Bronx",
    "E 184 St & 3 Ave",
    "Park Ave & E 188 St",
    // Staten Island.
    "10 Richmond Terrace, Staten Island, NY 10301",
    "1000 Richmond Ter, St George",
    "78 Broadway, Staten Island",
    "350 5th Ave, Staten Island, NY",
    "2655 Richmond Ave Staten Island",
    "441 Clarke Ave, NY 10306",
    "120 Park Ave, Port Richmond",
    "7 5 Ave, New Dorp, Staten Island",
    "2 W 12 St, Staten Island 10310",
    "Victory Blvd & Bay St, Tompkinsville",
    "1 Amsterdam Ave, Staten Island",
    "25 Broadway, New York, NY 10303",
    // New Jersey.
    "94 Washington St, Hoboken, NJ 07030",
    "280 Grove St, Jersey City",
    "1 Park Ave, Weehawken",
    "500 Broadway, Bayonne, NJ",
    "30 Montgomery St, Jersey City, New Jersey 07302",
    "75 Madison Ave, Jersey City",
    "600 Park Ave Hoboken",
    "120 Broadway, Newark, NJ 07104",
    "200 W 23 St, Bayonne, NJ 07002",
    "Washington St & 6 St, Hoboken",
    "400 38th St, Union City",
    // Beyond, and nowhere.
    "350 5th Ave, Yonkers, NY",
    "1 Park Ave, Boston, MA",
    "200 Madison Ave, Albany NY 12208",
    "30 Broadway, New York, NJ 10004",
];

#[test]
fn what_lies_outside_is_refused_in_words_that_help() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    for query in OUTSIDE {
        let error = geocoder.find(query).expect_err(query).to_string();
        for part in [query, "is not known here", "such as \"1 Park Avenue\""] {
            assert!(error.contains(part), "{error}");
        }
        assert!(error.len() < 500, "{error}");
    }
}

#[test]
fn what_a_refusal_names_as_an_example_is_found() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    let examples = Area::ALL.into_iter().filter_map(Area::example);
    for example in examples.chain(["Broadway & W 25 St", "200 W 42 St"]) {
        assert!(geocoder.find(example).is_ok(), "{example}");
    }
}

#[test]
fn an_address_of_manhattan_is_in_no_other_place() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    for address in [
        "310 W End Ave",
        "620 8th Ave",
        "9 E 40 St, Suite 12",
        "60 Broadway",
        "Lexington Ave & E 40 St",
    ] {
        for place in [
            "",
            ", Manhattan",
            ", New York, NY",
            " NYC",
            ", NY 10018",
            " Manhattan 10018",
        ] {
            let query = format!("{address}{place}");
            assert!(geocoder.find(&query).is_ok(), "{query}");
        }
        for place in [
            "Brooklyn",
            "Astoria",
            "Bronx",
            "Staten Island",
            "Hoboken",
            "NJ",
            "11201",
        ] {
            for joint in [", ", " "] {
                let query = format!("{address}{joint}{place}");
                assert!(geocoder.find(&query).is_err(), "{query}");
            }
        }
    }
}

#[test]
fn every_number_that_is_answered_lies_in_manhattan() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    let avenues = avenue_names().map(str::to_owned);
    let crossed = (1..=230).flat_map(|street| ["E", "W"].map(|side| format!("{side} {street} St")));
    for street in avenues.chain(crossed) {
        for number in (1..6_000).step_by(17) {
            if let Ok(found) = geocoder.find(&format!("{number} {street}")) {
                let area = Area::at((found.lat, found.lon));
                assert_eq!(area, Some(Area::Manhattan), "{found:?}");
            }
        }
    }
}

#[test]
fn a_dock_is_found_where_it_stands_and_in_no_other_area() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    for dock in reference_stations().iter().map(Dock::new) {
        let found = geocoder.find(dock.station.street).unwrap();
        assert!(
            found.accuracy.to_string().starts_with("the dock "),
            "{found:?}"
        );
        for (place, area) in [
            ("Manhattan", Areas::MANHATTAN),
            ("Bronx", Areas::BRONX),
            ("Brooklyn", Areas::BROOKLYN),
            ("Queens", Areas::QUEENS),
            ("Staten Island", Areas::STATEN_ISLAND),
            ("Jersey City, NJ", Areas::NEW_JERSEY),
        ] {
            let query = format!("{}, {place}", dock.station.street);
            match geocoder.find(&query) {
                Ok(found) if dock.areas.meets(area) => {
                    let metres =
                        distance_m(found.lat, found.lon, dock.station.lat, dock.station.lon);
                    assert!(metres < 160.0, "{query}: {found:?}");
                }
                // Manhattan may have another corner of this name, and then it is in Manhattan.
                Ok(found) => assert_eq!(
                    (area, Area::at((found.lat, found.lon))),
                    (Areas::MANHATTAN, Some(Area::Manhattan)),
                    "{query}: {found:?}"
                ),
                Err(error) => assert!(!dock.areas.meets(area), "{error}"),
            }
        }
    }
}

#[test]
fn another_number_or_side_is_never_the_same_dock() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    for station in reference_stations() {
        let name = station.street;
        for (at, typed) in name.char_indices() {
            let is_word = format!(" {name} ").get(at..at + 3) == Some(&format!(" {typed} "));
            let others = match typed {
                '0'..='9' => "0123456789",
                // 5 Avenue has an East and a West Side at one corner.
                'E' | 'W' if is_word && name.contains("5 Av") => "NS",
                'N' | 'S' | 'E' | 'W' if is_word => "NSEW",
                _ => continue,
            };
            for other in others.chars().filter(|other| *other != typed) {
                let mut query = name.to_owned();
                query.replace_range(at..=at, &other.to_string());
                if let Ok(found) = geocoder.find(&query) {
                    assert_ne!(found.label, name, "{query}");
                }
            }
        }
    }
}

#[test]
fn a_dock_with_this_name_elsewhere_is_told() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    assert_eq!(
        geocoder.find("Bedford Ave & Nassau Ave, Manhattan"),
        Err(GeocodeError::InAnotherArea {
            query: "Bedford Ave & Nassau Ave, Manhattan".to_owned(),
            area: Area::Brooklyn,
        })
    );
}
