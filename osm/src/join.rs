//! Ways joined end to end.

use std::collections::HashMap;

/// Whether a way may be joined against its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// It may: a street, or the edge of an area.
    Either,
    /// It may not: a coastline, which has the land on its left.
    Kept,
}

/// What ways become: their nodes, from end to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Joined {
    /// Those that end where they begin; that node is in them twice.
    pub(crate) rings: Vec<Vec<i64>>,
    /// All others.
    pub(crate) open: Vec<Vec<i64>>,
}

/// Joins ways where one ends and another begins.
pub(crate) fn join(ways: Vec<Vec<i64>>, direction: Direction) -> Joined {
    let mut loose = Loose::new(ways, direction);
    let mut joined = Joined::default();
    while let Some(mut chain) = loose.next_start() {
        while chain.first() != chain.last()
            && let Some(next) = chain.last().and_then(|end| loose.take_at(*end))
        {
            chain.extend(next.into_iter().skip(1));
        }
        if chain.len() > 3 && chain.first() == chain.last() {
            joined.rings.push(chain);
        } else {
            joined.open.push(chain);
        }
    }
    joined
}

/// Ways that are not joined yet.
struct Loose {
    ways: Vec<Vec<i64>>,
    /// Which ways begin or end at a node.
    at: HashMap<i64, Vec<usize>>,
    direction: Direction,
    /// Ways in the order in which they may begin a chain: those that follow no other first.
    starts: std::vec::IntoIter<usize>,
}

impl Loose {
    fn new(ways: Vec<Vec<i64>>, direction: Direction) -> Self {
        let ways: Vec<_> = ways.into_iter().filter(|way| way.len() > 1).collect();
        let mut at = HashMap::<_, Vec<_>>::new();
        for (index, way) in ways.iter().enumerate() {
            for end in [way[0], way[way.len() - 1]] {
                at.entry(end).or_default().push(index);
            }
        }
        let mut loose = Self {
            ways,
            at,
            direction,
            starts: Vec::new().into_iter(),
        };
        let mut starts: Vec<_> = (0..loose.ways.len()).collect();
        starts.sort_by_key(|index| !loose.follows_none(*index));
        loose.starts = starts.into_iter();
        loose
    }

    /// Whether no other way can come before this one.
    fn follows_none(&self, index: usize) -> bool {
        let way = &self.ways[index];
        let others = |end: i64| self.at[&end].iter().filter(move |other| **other != index);
        let (first, last) = (way[0], way[way.len() - 1]);
        match self.direction {
            Direction::Either => others(first).next().is_none() || others(last).next().is_none(),
            Direction::Kept => others(first).all(|other| self.ways[*other].last() != Some(&first)),
        }
    }

    fn next_start(&mut self) -> Option<Vec<i64>> {
        let ways = &mut self.ways;
        let mut way = self
            .starts
            .find_map(|index| Some(std::mem::take(&mut ways[index])).filter(|it| !it.is_empty()))?;
        let is_met = |end: i64| {
            self.at[&end]
                .iter()
                .any(|other| !self.ways[*other].is_empty())
        };
        if self.direction == Direction::Either && !is_met(way[way.len() - 1]) && is_met(way[0]) {
            way.reverse();
        }
        Some(way)
    }

    /// A way that begins at a node, turned if it may be.
    fn take_at(&mut self, node: i64) -> Option<Vec<i64>> {
        let begins = |way: &Vec<i64>| way.first() == Some(&node);
        let ends = |way: &Vec<i64>| way.last() == Some(&node);
        let may_turn = self.direction == Direction::Either;
        let at = self.at.get(&node)?.iter().copied();
        let index = at
            .into_iter()
            .find(|index| begins(&self.ways[*index]) || may_turn && ends(&self.ways[*index]))?;
        let mut way = std::mem::take(&mut self.ways[index]);
        if !begins(&way) {
            way.reverse();
        }
        Some(way)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn check(ways: &[&[i64]], direction: Direction, expected: &str) {
        let ways = ways.iter().map(|way| way.to_vec()).collect();
        let Joined { rings, open } = join(ways, direction);
        assert_eq!(format!("rings {rings:?}, open {open:?}"), expected);
    }

    #[test]
    fn ways_become_rings_in_any_order_and_direction() {
        check(
            &[&[1, 2, 3], &[5, 4, 3], &[5, 6, 1]],
            Direction::Either,
            "rings [[1, 2, 3, 4, 5, 6, 1]], open []",
        );
        check(
            &[&[1, 2, 3, 1], &[7, 8, 9, 7]],
            Direction::Either,
            "rings [[1, 2, 3, 1], [7, 8, 9, 7]], open []",
        );
    }

    #[test]
    fn a_coastline_is_joined_in_its_direction_only() {
        check(
            &[&[3, 4], &[1, 2, 3], &[9, 4]],
            Direction::Kept,
            "rings [], open [[1, 2, 3, 4], [9, 4]]",
        );
        check(
            &[&[3, 4], &[1, 2, 3], &[9, 4]],
            Direction::Either,
            "rings [], open [[1, 2, 3, 4, 9]]",
        );
    }

    #[test]
    fn a_way_of_one_node_is_none() {
        check(&[&[1], &[]], Direction::Either, "rings [], open []");
    }

    proptest! {
        #[test]
        fn every_step_of_every_way_is_in_what_they_become(ways in vec(vec(0_i64..9, 2..5), 0..9)) {
            let steps = |ways: &[Vec<i64>]| {
                let mut steps: Vec<_> = ways
                    .iter()
                    .flat_map(|way| way.windows(2).map(|step| (step[0].min(step[1]), step[0].max(step[1]))))
                    .collect();
                steps.sort_unstable();
                steps
            };
            for direction in [Direction::Either, Direction::Kept] {
                let Joined { rings, open } = join(ways.clone(), direction);
                prop_assert_eq!(steps(&[rings, open].concat()), steps(&ways));
            }
        }
    }
}
