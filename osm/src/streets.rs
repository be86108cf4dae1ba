//! Streets as they are drawn: pieces of one name and class joined, and simplified.

use std::collections::BTreeMap;

use basemap::{Extent, Line, Street, StreetClass};

use crate::join::{Direction, join};
use crate::node_points::NodePoints;
use crate::selection::{NameId, StreetWay};
use crate::shape::{LINE_TOLERANCE, simplified};

/// The streets of a frame, wide ones first, then by name. A line that leaves the frame ends a step
/// beyond it.
pub(crate) fn streets(
    ways: &[StreetWay],
    names: &[(&str, NameId)],
    points: &NodePoints,
    extent: Extent,
) -> Vec<Street> {
    let mut text = vec![""; names.len()];
    for (name, id) in names {
        text[*id as usize] = *name;
    }
    let mut grouped = BTreeMap::<(StreetClass, &str), Vec<Vec<i64>>>::new();
    for way in ways {
        let name = way.name.map_or("", |id| text[id as usize]);
        let group = grouped.entry((way.class, name)).or_default();
        group.push(way.nodes.clone());
    }
    let streets = grouped.into_iter().map(|((class, name), ways)| {
        let joined = join(ways, Direction::Either);
        let ways = joined.open.into_iter().chain(joined.rings);
        let lines = ways.flat_map(|nodes| inside(&points.of(&nodes), extent));
        Street {
            class,
            name: name.to_owned(),
            lines: lines
                .map(|line| simplified(&line, LINE_TOLERANCE))
                .collect(),
        }
    });
    streets.filter(|street| !street.lines.is_empty()).collect()
}

/// The parts of a line of which one end of each step lies in the frame.
fn inside(line: &Line, extent: Extent) -> Vec<Line> {
    let is_in = |step: &[basemap::Point]| step.iter().any(|at| extent.holds(at.lat(), at.lon()));
    let mut parts: Vec<Line> = Vec::new();
    let mut was_in = false;
    for step in line.windows(2) {
        match parts.last_mut().filter(|_| was_in) {
            Some(part) if is_in(step) => part.push(step[1]),
            _ if is_in(step) => parts.push(step.to_vec()),
            _ => {}
        }
        was_in = is_in(step);
    }
    parts
}

#[cfg(test)]
mod tests {
    use basemap::Point;

    use super::*;

    #[test]
    fn a_line_is_cut_where_it_is_away_from_the_frame() {
        let point = |east| Point::from_quanta(5, east).unwrap();
        let extent = Extent {
            min: Point::from_quanta(0, 0).unwrap(),
            max: Point::from_quanta(10, 10).unwrap(),
        };
        let line: Line = [-20, -10, 5, 20, 40, 5, 6].map(point).to_vec();
        let parts = inside(&line, extent);
        let east: Vec<Vec<_>> = parts
            .iter()
            .map(|part| part.iter().map(|at| at.quanta().1).collect())
            .collect();
        assert_eq!(east, [vec![-10, 5, 20], vec![40, 5, 6]]);
    }
}
