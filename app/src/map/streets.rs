//! Streets: from how far each class is drawn; and where no base map has any, those that are read out of
//! the docks' names.
//!
//! A dock named `E 32 St & Park Ave` stands on both. All docks of one street are joined to their
//! nearest neighbours on it, if these are near enough to be the same piece of street.

use basemap::StreetClass;

use super::line::Line;
use super::plane::Point;
use crate::sorted::sort_by;

/// Docks of one street further apart than this, in metres, are not joined: there may be a river
/// between them, or another borough's street of the same name.
const JOIN_MAX_M: f64 = 700.0;

/// A street with the lines that are known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Street {
    pub(crate) class: StreetClass,
    /// Its name; read out of docks' names, without a compass direction: `32 St`. Empty for a main road
    /// without one.
    pub(crate) name: String,
    /// Its lines; those that are read out of docks' names go straight from dock to dock.
    pub(crate) lines: Vec<Line>,
}

/// From which zoom streets of a class are drawn: below it they would be a veil over the land.
pub(crate) fn zoom_min(class: StreetClass) -> f64 {
    match class {
        StreetClass::Main => 11.0,
        StreetClass::Middle => 12.5,
        StreetClass::Local => 13.6,
    }
}

/// How wide streets of a class are: in metres, and in pixels where these would be fewer.
#[cfg_attr(
    not(feature = "hydrate"),
    allow(dead_code, reason = "the style sheet says it of the still map")
)]
pub(crate) fn width(class: StreetClass) -> (f64, f64) {
    match class {
        StreetClass::Main => (17.0, 1.8),
        StreetClass::Middle => (12.0, 1.1),
        StreetClass::Local => (9.0, 0.9),
    }
}

/// The streets that at least two near docks share, ordered by name.
#[must_use]
pub(crate) fn streets<'a>(docks: impl IntoIterator<Item = (&'a str, Point)>) -> Vec<Street> {
    let mut corners = Vec::new();
    for (dock_name, point) in docks {
        let streets = names(dock_name).into_iter();
        corners.extend(streets.map(|name| (name.to_ascii_lowercase(), name, point)));
    }
    sort_by(&mut corners, |a, b| a.0.cmp(&b.0));
    corners
        .chunk_by(|a, b| a.0 == b.0)
        .map(|corners| Street {
            class: StreetClass::Middle,
            // As the first dock writes it.
            name: corners[0].1.clone(),
            lines: join(&corners.iter().map(|corner| corner.2).collect::<Vec<_>>()),
        })
        .filter(|street| !street.lines.is_empty())
        .collect()
}

/// The two streets of a corner's name; none for a dock with another kind of name.
fn names(dock_name: &str) -> Vec<String> {
    let bare = dock_name.split('(').next().unwrap_or_default();
    let sides: Vec<&str> = bare
        .split(" & ")
        .flat_map(|side| side.split(" and "))
        .collect();
    if sides.len() != 2 {
        return Vec::new();
    }
    sides
        .into_iter()
        .map(plain_name)
        .filter(|name| !name.is_empty())
        .collect()
}

/// `W 32 Street ` and `E 32 St` are both `32 St`.
fn plain_name(side: &str) -> String {
    let mut words: Vec<&str> = side.split_whitespace().collect();
    let is_numbered = |word: Option<&&str>| {
        word.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    };
    if words
        .first()
        .is_some_and(|word| matches!(*word, "E" | "W" | "N" | "S"))
        && is_numbered(words.get(1))
    {
        words.remove(0);
    }
    if let Some(last) = words.last_mut() {
        *last = match *last {
            "Street" => "St",
            "Av" | "Avenue" => "Ave",
            other => other,
        };
    }
    words.join(" ")
}

/// Joins points by a least spanning tree without edges over [`JOIN_MAX_M`] (Prim).
fn join(points: &[Point]) -> Vec<Line> {
    // For each point outside the tree: its distance to the tree, and to which point of it.
    let mut outside: Vec<(usize, f64, usize)> = (1..points.len())
        .map(|i| (i, points[i].distance(points[0]), 0))
        .collect();
    let mut pieces = Vec::new();
    while let Some(nearest) =
        (0..outside.len()).min_by(|a, b| outside[*a].1.total_cmp(&outside[*b].1))
    {
        let (added, metres, from) = outside.swap_remove(nearest);
        // Two docks on one corner need no line between them.
        if (20.0..JOIN_MAX_M).contains(&metres) {
            pieces.extend(Line::through(vec![points[from], points[added]]));
        }
        for (i, distance, via) in &mut outside {
            let through_added = points[*i].distance(points[added]);
            if through_added < *distance {
                (*distance, *via) = (through_added, added);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(docks: &[(&str, f64, f64)], expected: &[&str]) {
        let docks = docks
            .iter()
            .map(|(name, x, y)| (*name, Point { x: *x, y: *y }));
        let seen: Vec<_> = streets(docks)
            .iter()
            .map(|street| format!("{} {}", street.name, street.lines.len()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn docks_of_one_street_are_joined_in_a_chain() {
        check(
            &[
                ("E 32 St & Park Ave", 0.0, 0.0),
                ("W 32 St & 7 Ave", 600.0, 0.0),
                ("E 32 Street & 3 Ave", -300.0, 0.0),
            ],
            &["32 St 2"],
        );
    }

    #[test]
    fn a_street_of_the_same_name_beyond_the_river_is_another_piece() {
        check(
            &[
                ("Clinton St & Grand St", 0.0, 0.0),
                ("Madison St & Clinton St", 0.0, 400.0),
                ("Clinton St & Union St", 0.0, 3_000.0),
                ("Kane St & Clinton St", 0.0, 3_300.0),
            ],
            &["Clinton St 2"],
        );
    }

    #[test]
    fn a_dock_that_is_no_corner_has_no_street() {
        check(
            &[("Newport PATH", 0.0, 0.0), ("Newport PATH", 100.0, 0.0)],
            &[],
        );
    }
}
