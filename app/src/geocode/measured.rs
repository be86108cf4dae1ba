//! How far off the answers are: every dock left out in turn, and places that are well known.
//!
//! The figures stand in the crate's README too; the tests keep them the same.

use std::fmt;

use domain::geo::distance_m;
use domain::stations::reference_stations;

use super::ManhattanGeocoder;
use super::address::ParsedSearch;
use super::area::Area;
use super::degrees::Degrees;
use super::docks::Dock;
use super::manhattan::{ADDRESS_M, CORNER_M};

/// An answer further off than this is a wrong one, in metres.
const WRONG_M: f64 = 500.0;

/// Distances of answers from the truth, and how many were asked for.
#[derive(Debug, Default)]
struct Measured {
    asked: usize,
    metres: Vec<f64>,
}

impl Measured {
    /// Asks for a place of which the truth is known.
    fn ask(&mut self, geocoder: &ManhattanGeocoder, question: &str, (lat, lon): Degrees) {
        self.asked += 1;
        if let Ok(found) = geocoder.find(question) {
            let metres = distance_m(found.lat, found.lon, lat, lon);
            assert!(
                metres <= WRONG_M,
                "{question}: {metres:.0} m off, {found:?}"
            );
            self.metres.push(metres);
            self.metres.sort_by(f64::total_cmp);
        }
    }

    /// Whole percents of what was asked.
    fn percent(&self, part: usize) -> usize {
        (100 * part + self.asked / 2) / self.asked
    }

    fn within(&self, most_m: f64) -> usize {
        self.percent(
            self.metres
                .iter()
                .filter(|metres| **metres <= most_m)
                .count(),
        )
    }

    fn nine_of_ten_m(&self) -> f64 {
        self.metres[self.metres.len() * 9 / 10]
    }

    /// Prints the figures, and holds them to the README and to what answers say of themselves.
    fn check(&self, what: &str, most_m: f64) {
        let row = format!("| {what} | {self} |");
        eprintln!("{row} nine of ten within {:.0} m", self.nine_of_ten_m());
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&row), "README.md says otherwise than {row}");
        assert!(self.nine_of_ten_m() <= most_m);
    }
}

/// Figures of a row of the README's table.
impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let furthest = self.metres.last().copied().unwrap_or_default();
        write!(
            f,
            "{} | {} % | {} % | {} % | {} % | {furthest:.0} m",
            self.asked,
            self.percent(self.metres.len()),
            self.within(50.0),
            self.within(150.0),
            self.within(WRONG_M),
        )
    }
}

#[test]
fn a_dock_that_is_not_known_is_found_by_its_corner_or_not_at_all() {
    let docks: Vec<_> = reference_stations().iter().map(Dock::new).collect();
    let (mut all, mut manhattan) = (Measured::default(), Measured::default());
    for left_out in &docks {
        if !matches!(left_out.parsed, ParsedSearch::Corner(..)) {
            continue;
        }
        let others = docks.iter().filter(|dock| dock.station != left_out.station);
        let geocoder = ManhattanGeocoder::new(others.cloned().collect());
        let station = left_out.station;
        let at = (station.lat, station.lon);
        all.ask(&geocoder, station.street, at);
        if Area::at(at) == Some(Area::Manhattan) {
            manhattan.ask(&geocoder, station.street, at);
        }
    }
    all.check("each corner with a dock, the dock left out", CORNER_M);
    manhattan.check("of these, Manhattan's", CORNER_M);
}

#[test]
fn well_known_places_are_where_they_are() {
    let geocoder = ManhattanGeocoder::from_reference_stations();
    for (what, places) in [
        (
            "well-known places, to which street numbers were held",
            LOOKED_AT,
        ),
        ("well-known places, to which nothing was held", HELD_OUT),
    ] {
        let mut measured = Measured::default();
        for (address, at) in places {
            measured.ask(&geocoder, address, *at);
        }
        measured.check(what, ADDRESS_M);
    }
}

/// Places to which the numbers of blocks in `cross_streets` and of lower Broadway were held: the
/// Empire State Building, the Flatiron Building, the Public Library and others as well known.
const LOOKED_AT: &[(&str, Degrees)] = &[
    ("350 5th Ave", (40.7484, -73.9857)),
    ("175 5th Ave", (40.7411, -73.9897)),
    ("476 5th Ave", (40.7532, -73.9822)),
    ("1000 5th Ave", (40.7794, -73.9632)),
    ("1071 5th Ave", (40.7830, -73.9590)),
    ("725 5th Ave", (40.7625, -73.9739)),
    ("768 5th Ave", (40.7646, -73.9745)),
    ("1048 5th Ave", (40.7812, -73.9603)),
    ("1109 5th Ave", (40.7854, -73.9573)),
    ("1220 5th Ave", (40.7925, -73.9519)),
    ("1230 5th Ave", (40.7931, -73.9514)),
    ("405 Lexington Ave", (40.7516, -73.9755)),
    ("601 Lexington Ave", (40.7586, -73.9702)),
    ("1395 Lexington Ave", (40.7830, -73.9526)),
    ("200 Park Ave", (40.7535, -73.9766)),
    ("230 Park Ave", (40.7545, -73.9760)),
    ("301 Park Ave", (40.7565, -73.9739)),
    ("375 Park Ave", (40.7585, -73.9722)),
    ("390 Park Ave", (40.7595, -73.9729)),
    ("432 Park Ave", (40.7616, -73.9719)),
    ("643 Park Ave", (40.7673, -73.9660)),
    ("695 Park Ave", (40.7685, -73.9649)),
    ("550 Madison Ave", (40.7615, -73.9732)),
    ("945 Madison Ave", (40.7735, -73.9638)),
    ("885 3rd Ave", (40.7580, -73.9688)),
    ("1260 6th Ave", (40.7600, -73.9799)),
    ("1221 Avenue of the Americas", (40.7598, -73.9822)),
    ("425 6th Ave", (40.7346, -73.9990)),
    ("881 7th Ave", (40.7651, -73.9799)),
    ("625 8th Ave", (40.7568, -73.9907)),
    ("620 8th Ave", (40.7562, -73.9901)),
    ("75 9th Ave", (40.7424, -74.0055)),
    ("899 10th Ave", (40.7705, -73.9885)),
    ("200 Central Park West", (40.7813, -73.9740)),
    ("145 Central Park West", (40.7784, -73.9748)),
    ("211 Central Park West", (40.7825, -73.9720)),
    ("2109 Broadway", (40.7806, -73.9819)),
    ("2124 Broadway", (40.7805, -73.9811)),
    ("2880 Broadway", (40.8055, -73.9654)),
    ("1697 Broadway", (40.7638, -73.9829)),
    ("1634 Broadway", (40.7615, -73.9836)),
    ("828 Broadway", (40.7332, -73.9909)),
    ("26 Broadway", (40.7055, -74.0131)),
    ("75 Broadway", (40.7081, -74.0122)),
    ("120 Broadway", (40.7083, -74.0105)),
    ("233 Broadway", (40.7124, -74.0083)),
    ("280 Broadway", (40.7143, -74.0057)),
    ("488 Broadway", (40.7222, -73.9995)),
    ("561 Broadway", (40.7242, -73.9980)),
    ("721 Broadway", (40.7294, -73.9936)),
    ("225 W 86th St", (40.7883, -73.9766)),
    ("59 W 44 St", (40.7559, -73.9822)),
    ("27 W 44 St", (40.7556, -73.9810)),
    ("490 Riverside Dr", (40.8118, -73.9632)),
    ("1047 Amsterdam Ave", (40.8038, -73.9619)),
    ("515 Malcolm X Blvd", (40.8146, -73.9408)),
    ("11 W 53 St", (40.7614, -73.9776)),
    ("1 W 72 St", (40.7766, -73.9761)),
    ("253 W 125 St", (40.8100, -73.9500)),
    ("151 W 34 St", (40.7508, -73.9894)),
    ("222 W 23 St", (40.7444, -73.9969)),
    ("1 E 70 St", (40.7713, -73.9672)),
    ("2 E 91 St", (40.7844, -73.9578)),
    ("254 W 54 St", (40.7643, -73.9840)),
    ("300 W 57 St", (40.7667, -73.9835)),
    ("15 E 7 St", (40.7287, -73.9897)),
    ("236 E 3 St", (40.7221, -73.9816)),
    ("125 E 11 St", (40.7318, -73.9891)),
    ("109 E 42 St", (40.7519, -73.9764)),
    ("89 E 42 St", (40.7527, -73.9772)),
    ("220 E 42 St", (40.7497, -73.9731)),
    ("320 E 43 St", (40.7497, -73.9710)),
    ("66 W 12 St", (40.7356, -73.9970)),
    ("74 E 4 St", (40.7265, -73.9905)),
    ("524 W 59 St", (40.7705, -73.9885)),
    ("622 W 168 St", (40.8406, -73.9424)),
    ("405 E 42 St", (40.7489, -73.9680)),
    ("655 W 34 St", (40.7577, -74.0025)),
    ("30 W 68 St", (40.7738, -73.9786)),
];

/// Places that nothing was held to: theatres, hotels, clubs, churches and offices.
const HELD_OUT: &[(&str, Degrees)] = &[
    ("40 W 40 St", (40.7530, -73.9843)),
    ("149 W 45 St", (40.7578, -73.9847)),
    ("214 W 42 St", (40.7561, -73.9878)),
    ("245 W 44 St", (40.7582, -73.9883)),
    ("225 W 44 St", (40.7580, -73.9877)),
    ("222 W 45 St", (40.7584, -73.9875)),
    ("226 W 46 St", (40.7590, -73.9867)),
    ("222 W 51 St", (40.7625, -73.9851)),
    ("219 W 49 St", (40.7612, -73.9850)),
    ("111 W 44 St", (40.7567, -73.9839)),
    ("123 W 43 St", (40.7561, -73.9846)),
    ("131 W 55 St", (40.7640, -73.9795)),
    ("302 W 45 St", (40.7591, -73.9892)),
    ("405 W 55 St", (40.7668, -73.9870)),
    ("481 8th Ave", (40.7528, -73.9932)),
    ("401 7th Ave", (40.7498, -73.9906)),
    ("111 8th Ave", (40.7414, -74.0032)),
    ("150 W 17 St", (40.7401, -73.9978)),
    ("28 E 20 St", (40.7387, -73.9893)),
    ("1 Madison Ave", (40.7411, -73.9877)),
    ("51 Madison Ave", (40.7427, -73.9856)),
    ("365 5th Ave", (40.7486, -73.9839)),
    ("424 5th Ave", (40.7514, -73.9832)),
    ("551 5th Ave", (40.7552, -73.9794)),
    ("611 5th Ave", (40.7582, -73.9771)),
    ("2 E 55 St", (40.7612, -73.9747)),
    ("1 W 54 St", (40.7613, -73.9758)),
    ("700 5th Ave", (40.7617, -73.9754)),
    ("2 E 61 St", (40.7654, -73.9718)),
    ("781 5th Ave", (40.7644, -73.9727)),
    ("1 E 60 St", (40.7647, -73.9722)),
    ("1 E 65 St", (40.7681, -73.9697)),
    ("725 Park Ave", (40.7698, -73.9642)),
    ("740 Park Ave", (40.7708, -73.9640)),
    ("35 E 76 St", (40.7744, -73.9633)),
    ("980 Park Ave", (40.7790, -73.9588)),
    ("1140 Park Ave", (40.7841, -73.9556)),
    ("1711 3rd Ave", (40.7855, -73.9487)),
    ("1468 Madison Ave", (40.7900, -73.9526)),
    ("1216 5th Ave", (40.7918, -73.9525)),
    ("2090 Adam Clayton Powell Jr Blvd", (40.8089, -73.9491)),
    ("144 W 125 St", (40.8086, -73.9479)),
    ("132 W 138 St", (40.8165, -73.9413)),
    ("180 W 135 St", (40.8149, -73.9427)),
    ("414 W 141 St", (40.8214, -73.9472)),
    ("3940 Broadway", (40.8391, -73.9411)),
    ("4140 Broadway", (40.8464, -73.9381)),
    ("2211 Broadway", (40.7835, -73.9805)),
    ("2245 Broadway", (40.7847, -73.9796)),
    ("2537 Broadway", (40.7938, -73.9727)),
    ("300 Central Park West", (40.7880, -73.9684)),
    ("115 Central Park West", (40.7759, -73.9759)),
    ("170 Central Park West", (40.7793, -73.9740)),
    ("15 Central Park West", (40.7694, -73.9812)),
    ("1941 Broadway", (40.7738, -73.9827)),
    ("113 W 60 St", (40.7711, -73.9850)),
    ("1 W 67 St", (40.7729, -73.9783)),
    ("281 1st Ave", (40.7334, -73.9821)),
    ("462 1st Ave", (40.7392, -73.9753)),
    ("550 1st Ave", (40.7422, -73.9740)),
    ("330 W 42 St", (40.7574, -73.9917)),
    ("825 8th Ave", (40.7624, -73.9870)),
    ("432 W 44 St", (40.7603, -73.9930)),
    ("802 Broadway", (40.7318, -73.9914)),
    ("100 E 17 St", (40.7363, -73.9889)),
    ("105 2nd Ave", (40.7273, -73.9885)),
    ("181 2nd Ave", (40.7310, -73.9861)),
    ("342 E 11 St", (40.7295, -73.9845)),
    ("47 5th Ave", (40.7344, -73.9940)),
    ("310 Riverside Dr", (40.7994, -73.9715)),
];
