//! What may follow a street: borough, town, neighbourhood, state, ZIP code, country.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::area::Areas;
use super::numbers::is_number;
use super::words::words;

/// What one name says about where a street is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AreaHint {
    /// It lies in one of these areas.
    In(Areas),
    /// The state or the country, which other names only make narrower.
    Around(Areas),
    /// `New York`: the state, the city, or as a postal town Manhattan.
    NewYork,
}

/// Words of the longest name.
pub(super) const WORDS_MAX: usize = 4;

/// Reads a name of one spelling, such as `long island city`, or a ZIP code.
pub(super) fn area_hint(name: &str) -> Option<AreaHint> {
    let zip = || zip(name).map(AreaHint::In);
    NAMES.get(name).copied().or_else(zip)
}

const MANHATTAN: &str = "manhattan, new york county, midtown, midtown east, midtown west, \
    midtown manhattan, downtown manhattan, lower manhattan, upper manhattan, uptown, harlem, \
    east harlem, west harlem, central harlem, spanish harlem, chelsea, soho, noho, nolita, \
    tribeca, greenwich village, west village, east village, lower east side, upper east side, \
    upper west side, ues, uws, les, hells kitchen, clinton, murray hill, kips bay, gramercy, \
    gramercy park, flatiron, flatiron district, union square, nomad, garment district, \
    theater district, times square, hudson yards, meatpacking district, stuyvesant town, \
    alphabet city, chinatown, little italy, two bridges, financial district, fidi, \
    battery park city, civic center, yorkville, carnegie hill, lenox hill, sutton place, \
    turtle bay, tudor city, lincoln square, manhattan valley, morningside heights, \
    manhattanville, hamilton heights, sugar hill, washington heights, hudson heights, \
    fort george, inwood, roosevelt island, governors island";

const BRONX: &str = "bronx, the bronx, bx, bronx county, south bronx, mott haven, port morris, \
    hunts point, longwood, melrose, morrisania, highbridge, concourse, grand concourse, fordham, \
    belmont, tremont, university heights, kingsbridge, riverdale, spuyten duyvil, norwood, \
    bedford park, soundview, parkchester, throgs neck, pelham bay, morris park, wakefield, \
    williamsbridge, co-op city, city island, castle hill, marble hill";

const BROOKLYN: &str = "brooklyn, bklyn, bk, kings county, downtown brooklyn, \
    brooklyn heights, dumbo, vinegar hill, cobble hill, boerum hill, carroll gardens, gowanus, \
    red hook, park slope, prospect heights, fort greene, clinton hill, crown heights, \
    bedford-stuyvesant, bedford stuyvesant, bed-stuy, bed stuy, williamsburg, \
    east williamsburg, greenpoint, bushwick, brownsville, east new york, canarsie, flatbush, \
    east flatbush, flatlands, kensington, windsor terrace, sunset park, borough park, bay ridge, \
    dyker heights, bensonhurst, bath beach, gravesend, midwood, sheepshead bay, brighton beach, \
    coney island, marine park, mill basin, ditmas park, brooklyn navy yard";

const QUEENS: &str = "queens, qns, queens county, astoria, long island city, lic, ditmars, sunnyside, \
    woodside, maspeth, middle village, ridgewood, glendale, elmhurst, east elmhurst, \
    jackson heights, corona, flushing, college point, whitestone, beechhurst, bayside, \
    oakland gardens, fresh meadows, kew gardens, kew gardens hills, forest hills, rego park, \
    jamaica, jamaica estates, briarwood, hollis, hollis hills, st albans, springfield gardens, \
    cambria heights, queens village, bellerose, floral park, glen oaks, little neck, douglaston, \
    rosedale, laurelton, richmond hill, south richmond hill, ozone park, south ozone park, \
    woodhaven, howard beach, broad channel, far rockaway, rockaway, rockaway beach, \
    rockaway park, arverne, edgemere, breezy point, dutch kills, hunters point, ravenswood, \
    steinway";

const STATEN_ISLAND: &str = "staten island, richmond county, si, st george, stapleton, \
    tompkinsville, port richmond, new dorp, great kills, tottenville, west brighton, \
    mariners harbor";

const NEW_JERSEY: &str = "nj, new jersey, jersey city, jc, hudson county, hoboken, weehawken, \
    union city, west new york, north bergen, guttenberg, secaucus, bayonne, newark, harrison, \
    kearny, edgewater, cliffside park, fort lee, englewood, hackensack, teaneck, elizabeth, \
    paterson, clifton, passaic, journal square, paulus hook, newport, bergen-lafayette, \
    the heights, exchange place, harsimus cove, hamilton park, liberty harbor";

static NAMES: LazyLock<BTreeMap<String, AreaHint>> = LazyLock::new(|| {
    let around = [
        ("ny", Areas::CITY | Areas::ELSEWHERE),
        ("ny state", Areas::CITY | Areas::ELSEWHERE),
        ("new york state", Areas::CITY | Areas::ELSEWHERE),
        ("nyc", Areas::CITY),
        ("new york city", Areas::CITY),
        ("city of new york", Areas::CITY),
        ("usa", Areas::ALL),
        ("us", Areas::ALL),
        ("united states", Areas::ALL),
        ("united states of america", Areas::ALL),
    ];
    let inside = [
        (MANHATTAN, Areas::MANHATTAN),
        (BRONX, Areas::BRONX),
        (BROOKLYN, Areas::BROOKLYN),
        (QUEENS, Areas::QUEENS),
        (STATEN_ISLAND, Areas::STATEN_ISLAND),
        (NEW_JERSEY, Areas::NEW_JERSEY),
    ];
    let spelled = |name: &str| words(name).join(" ");
    let around = around.map(|(name, areas)| (spelled(name), AreaHint::Around(areas)));
    let inside = inside.iter().flat_map(|(names, areas)| {
        let names = names.split(',').map(str::trim);
        names.map(|name| (spelled(name), AreaHint::In(*areas)))
    });
    let new_york = (spelled("new york"), AreaHint::NewYork);
    inside.chain(around).chain([new_york]).collect()
});

/// The areas of a ZIP code, by the first three digits with few exceptions; ZIP+4 as well.
fn zip(word: &str) -> Option<Areas> {
    let code = match word.split_once('-') {
        Some((code, four)) if four.len() == 4 && is_number(four) => code,
        Some(_) => return None,
        None => word,
    };
    let number: u32 = code.parse().ok()?;
    (code.len() == 5 && is_number(code)).then(|| match (number, number / 100) {
        // Marble Hill: Manhattan's, with the Bronx's post.
        (10_463, _) => Areas::MANHATTAN | Areas::BRONX,
        // Glen Oaks and Floral Park; the other 110 are Nassau's.
        (11_001 | 11_004 | 11_005 | 11_040, _) => Areas::QUEENS,
        (_, 110) => Areas::ELSEWHERE,
        (_, 100..=102) => Areas::MANHATTAN,
        (_, 103) => Areas::STATEN_ISLAND,
        (_, 104) => Areas::BRONX,
        (_, 112) => Areas::BROOKLYN,
        (_, 111 | 113 | 114 | 116) => Areas::QUEENS,
        (_, 70..=89) => Areas::NEW_JERSEY,
        _ => Areas::ELSEWHERE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_code_tells_its_borough() {
        for (code, areas) in [
            ("10016", Areas::MANHATTAN),
            ("10118-0110", Areas::MANHATTAN),
            ("10282", Areas::MANHATTAN),
            ("10304", Areas::STATEN_ISLAND),
            ("10455", Areas::BRONX),
            ("10463", Areas::MANHATTAN | Areas::BRONX),
            ("11217", Areas::BROOKLYN),
            ("11005", Areas::QUEENS),
            ("11021", Areas::ELSEWHERE),
            ("11109", Areas::QUEENS),
            ("11372", Areas::QUEENS),
            ("11432", Areas::QUEENS),
            ("11697", Areas::QUEENS),
            ("11550", Areas::ELSEWHERE),
            ("07302", Areas::NEW_JERSEY),
            ("90210", Areas::ELSEWHERE),
        ] {
            assert_eq!(area_hint(code), Some(AreaHint::In(areas)), "{code}");
        }
        for word in ["1001", "100166", "+1234", "10016-1", "e 32 st"] {
            assert_eq!(area_hint(word), None, "{word}");
        }
    }

    #[test]
    fn no_name_has_more_words_than_are_looked_at_or_two_meanings() {
        let lists = [
            MANHATTAN,
            BRONX,
            BROOKLYN,
            QUEENS,
            STATEN_ISLAND,
            NEW_JERSEY,
        ];
        let names: Vec<_> = lists
            .iter()
            .flat_map(|names| names.split(','))
            .map(|name| words(name).join(" "))
            .collect();
        for name in &names {
            assert!(name.split(' ').count() <= WORDS_MAX, "{name}");
            assert_eq!(
                names.iter().filter(|other| *other == name).count(),
                1,
                "{name}"
            );
        }
    }
}
