//! What changed on the map: a ripple runs outward from each dock whose count is another than when
//! it was last drawn.

use crate::math::within;

/// A ripple runs for this long, in milliseconds.
const RIPPLE_MS: f64 = 900.0;
/// Ripples at a time; a city that changes everywhere needs none.
const RIPPLES_MAX: usize = 80;

/// The counts as last drawn, and the ripples of those that changed.
#[derive(Debug, Default)]
pub(crate) struct Ripples {
    /// Bikes of each dock, in the list's order.
    drawn: Vec<i32>,
    /// Docks with the millisecond at which they changed, the oldest first.
    running: Vec<(i32, f64)>,
}

impl Ripples {
    /// Takes another list of docks over: what is in it now is no change.
    pub(crate) fn reset(&mut self, bikes: impl Iterator<Item = i32>) {
        self.drawn = bikes.collect();
    }

    /// Notes what is drawn of the dock at `index` of the list; says whether that is another count than
    /// before. A dock that is not in the list has not changed.
    pub(crate) fn note(&mut self, index: usize, bikes: i32) -> bool {
        let drawn = self.drawn.get_mut(index);
        drawn.is_some_and(|drawn| std::mem::replace(drawn, bikes) != bikes)
    }

    /// Lets a ripple run from a dock, if not too many do.
    pub(crate) fn start(&mut self, dock: i32, now_ms: f64) {
        if self.running.len() < RIPPLES_MAX {
            self.running.push((dock, now_ms));
        }
    }

    /// The docks from which ripples run, with the share of the way that each has run, 0 to 1.
    pub(crate) fn running(&mut self, now_ms: f64) -> Vec<(i32, f64)> {
        self.running
            .retain(|(_, began_ms)| now_ms - began_ms < RIPPLE_MS);
        let share = |began_ms: f64| within((now_ms - began_ms) / RIPPLE_MS, 0.0, 1.0);
        self.running
            .iter()
            .map(|(dock, began_ms)| (*dock, share(*began_ms)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ripples() -> Ripples {
        let mut ripples = Ripples::default();
        ripples.reset([5, 0, 7].into_iter());
        ripples
    }

    #[test]
    fn a_count_is_a_change_once() {
        let mut ripples = ripples();
        assert!(!ripples.note(0, 5));
        assert!(ripples.note(0, 4));
        assert!(!ripples.note(0, 4));
        assert!(!ripples.note(3, 1), "not in the list");
    }

    #[test]
    fn docks_that_have_just_come_are_no_change() {
        let mut ripples = ripples();
        ripples.reset([9, 9].into_iter());
        assert!(!ripples.note(0, 9) && !ripples.note(1, 9));
    }

    #[test]
    fn a_ripple_runs_for_nine_tenths_of_a_second() {
        let mut ripples = ripples();
        ripples.start(12, 1_000.0);
        // A frame's time may lie a little before the change.
        assert_eq!(ripples.running(999.0), [(12, 0.0)]);
        assert_eq!(ripples.running(1_450.0), [(12, 0.5)]);
        assert_eq!(ripples.running(1_900.0), []);
        assert_eq!(ripples.running(1_450.0), [], "it does not come back");
    }

    #[test]
    fn a_city_that_changes_everywhere_ripples_no_more_than_a_few_docks() {
        let mut ripples = ripples();
        (0..500).for_each(|dock| ripples.start(dock, 0.0));
        assert_eq!(ripples.running(0.0).len(), RIPPLES_MAX);
    }
}
