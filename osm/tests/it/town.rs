//! Vinterhamn: a town that does not exist, with what makes maps difficult.
//!
//! ```text
//! 1600 ┌────────────────────────────────────┐ Nyby, with a Storgatan of its own
//!      │ Ågatan   Slottsparken   Källsjön   │
//!  800 │ ├── Main Street ──┼── 2nd Avenue   │
//!  600 │─┼── Storgatan ────┼────────────────│
//!  300 ~~~~~~~~~~~~ coastline ~~~~~~~~~~~~~~~
//!    0 └───────── Fyrholmen, an island ─────┘ 2000 m
//! ```

use std::path::{Path, PathBuf};

use crate::extract::{Extract, Metres};

/// The town's extract, as it is in the repository for the tests of others.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/osm/vinterhamn.osm.pbf")
}

pub(crate) fn town() -> Extract {
    let mut town = Extract {
        ends: Some((2_000, 1_600)),
        ..Extract::default()
    };
    ground(&mut town);
    streets(&mut town);
    houses(&mut town);
    names(&mut town);
    town
}

/// The corners of a rectangle; the first is the last too. Against the clock, so that a coastline has
/// its land inside.
fn rectangle((west, south): Metres, (east, north): Metres) -> [Metres; 5] {
    [
        (west, south),
        (east, south),
        (east, north),
        (west, north),
        (west, south),
    ]
}

fn ground(town: &mut Extract) {
    // In two parts, the second first; both leave the box.
    town.way(
        &[(1_000, 320), (1_500, 280), (2_100, 300)],
        "natural=coastline",
    );
    town.way(
        &[(-100, 300), (600, 280), (1_000, 320)],
        "natural=coastline",
    );
    let island = rectangle((800, 100), (900, 180));
    town.way(&island, "natural=coastline place=islet name=Fyrholmen");
    let lake = rectangle((1_400, 1_000), (1_600, 1_200));
    town.way(&lake, "natural=water name=Källsjön");
    let pond = rectangle((320, 920), (330, 930));
    town.way(&pond, "natural=water name=Tiny");
    // Two lines around the park, the second against the first, and a hole.
    let south = town.way(&[(300, 900), (700, 900), (700, 1_300)], "");
    let north = town.way(&[(300, 900), (300, 1_300), (700, 1_300)], "barrier=fence");
    let hole = town.way(&rectangle((450, 1_050), (550, 1_150)), "");
    town.relation(
        &[south, hole, north],
        "type=multipolygon leisure=park name=Slottsparken",
    );
    town.relation(&[south], "type=route route=bus name=Line+1");
    // As at the edge of an extract: its other line is not there.
    town.relation(&[south, 9_999], "type=multipolygon natural=water name=Open");
}

fn streets(town: &mut Extract) {
    town.way(
        &[(-50, 600), (400, 600), (800, 600)],
        "highway=primary name=Storgatan",
    );
    town.way(
        &[(2_050, 600), (1_200, 600), (800, 600)],
        "highway=primary name=Storgatan",
    );
    town.way(
        &[
            (400, 350),
            (400, 600),
            (400, 800),
            (410, 1_100),
            (400, 1_500),
        ],
        "highway=residential name=Ågatan",
    );
    town.way(
        &[(800, 350), (800, 600), (800, 800)],
        "highway=living_street name=Mühlenstraße",
    );
    town.way(
        &[
            (400, 800),
            (600, 800),
            (800, 800),
            (1_200, 800),
            (1_600, 800),
        ],
        "highway=residential name=Main+Street",
    );
    // Two carriageways, 20 m apart: one corner.
    town.way(
        &[(1_200, 600), (1_200, 800), (1_200, 1_400)],
        "highway=secondary name=2nd+Avenue",
    );
    town.way(
        &[(1_220, 1_400), (1_220, 800), (1_220, 600)],
        "highway=secondary name=2nd+Avenue",
    );
    town.way(
        &[(1_200, 800), (1_220, 800)],
        "highway=residential name=Main+Street",
    );
    town.way(
        &[(1_600, 1_450), (1_900, 1_450)],
        "highway=residential name=Storgatan",
    );
    town.way(
        &[(1_500, 600), (1_550, 700), (2_050, 700)],
        "highway=trunk_link",
    );
    town.way(&[(100, 650), (200, 650)], "highway=service");
    town.way(
        &[(100, 700), (200, 700)],
        "highway=construction name=Framtidsgatan",
    );
}

fn houses(town: &mut Extract) {
    // Even numbers in the south; 6 and 10 are not mapped.
    for (east, number) in [(450, "2"), (500, "4"), (600, "8"), (700, "12-14")] {
        let tags = format!("addr:street=Main+Street addr:housenumber={number}");
        town.node((east, 790), &tags);
    }
    for (east, number) in [(450, "1"), (500, "3"), (550, "5+A")] {
        let tags = format!("addr:street=Main+Street addr:housenumber={number}");
        town.node((east, 812), &tags);
    }
    // A building, with its entrance.
    let seven = "addr:street=Main+Street addr:housenumber=7";
    town.way(
        &rectangle((600, 810), (620, 830)),
        &format!("building=yes {seven}"),
    );
    town.node((610, 811), &format!("entrance=main {seven}"));
    town.node((810, 700), "addr:street=Mühlenstraße addr:housenumber=12a");
    town.node((420, 610), "addr:street=Storgatan addr:housenumber=12");
    town.node((1_700, 1_460), "addr:street=Storgatan addr:housenumber=12");
    town.node((820, 140), "addr:place=Fyrholmen addr:housenumber=1");
    town.node((830, 150), "addr:place=Fyrholmen addr:housenumber=Fyren");
}

fn names(town: &mut Extract) {
    town.node((800, 700), "place=town name=Vinterhamn population=12000");
    town.node((1_750, 1_480), "place=village name=Nyby");
    town.node((1_500, 650), "place=suburb name=Östra+hamnen");
    town.node((100, 100), "place=locality name=Nowhere");
    town.way(
        &[(1_000, 1_600), (1_000, 900), (1_000, 320)],
        "waterway=river name=Lillån",
    );
}
