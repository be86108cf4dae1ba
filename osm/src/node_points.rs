//! Where the nodes are that something is drawn through.

use basemap::Point;

/// Points by their nodes' ids, 16 bytes each.
#[derive(Debug, Default)]
pub(crate) struct NodePoints {
    ids: Vec<i64>,
    at: Vec<Option<Point>>,
    /// Where the last one was found: extracts are ordered by id.
    last: usize,
}

impl NodePoints {
    /// Room for these nodes, given in any order and as often as they occur.
    pub(crate) fn wanted(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        ids.shrink_to_fit();
        Self {
            at: vec![None; ids.len()],
            ids,
            last: 0,
        }
    }

    /// Keeps a point, if it is wanted.
    pub(crate) fn set(&mut self, id: i64, at: Point) {
        let is_behind = self.ids.get(self.last).is_none_or(|last| *last > id);
        let from = if is_behind { 0 } else { self.last };
        // Ever longer steps from the last one, then halves: near nodes are found at once.
        let mut step = 1;
        while self.ids.get(from + step).is_some_and(|next| *next < id) {
            step *= 2;
        }
        let to = (from + step + 1).min(self.ids.len());
        if let Ok(found) = self.ids[from..to].binary_search(&id) {
            self.last = from + found;
            self.at[self.last] = Some(at);
        }
    }

    /// The points of these nodes; those that the extract does not have are left out.
    pub(crate) fn of(&self, nodes: &[i64]) -> Vec<Point> {
        let mut points: Vec<_> = nodes.iter().filter_map(|id| self.get(*id)).collect();
        points.dedup();
        points
    }

    pub(crate) fn get(&self, id: i64) -> Option<Point> {
        self.at[self.ids.binary_search(&id).ok()?]
    }

    /// All that were found.
    pub(crate) fn all(&self) -> impl Iterator<Item = Point> {
        self.at.iter().copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_wanted_node_is_kept_in_whatever_order_it_comes(
            wanted in vec(-40_i64..40, 0..20),
            there in vec(-40_i64..40, 0..60),
        ) {
            let mut points = NodePoints::wanted(wanted.clone());
            let mut expected = BTreeMap::new();
            for id in there {
                let at = Point::from_quanta(id as i32, 7).unwrap();
                points.set(id, at);
                expected.insert(id, at);
            }
            for id in wanted {
                prop_assert_eq!(points.get(id), expected.get(&id).copied());
            }
        }
    }
}
