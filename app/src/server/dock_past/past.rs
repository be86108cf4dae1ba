//! What one dock showed between two seconds, out of the periods of the past.

use domain::availability::DockCount;
use domain::past::Period;

/// The counts of a dock between two seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DockPast {
    /// From which second on each count holds, in order. The first is of the beginning, or of when the
    /// dock came.
    steps: Vec<(i64, DockCount)>,
    /// The last second.
    until: i64,
}

impl DockPast {
    /// Reads a dock's counts out of periods that follow each other.
    pub(crate) fn of(periods: &[Period], dock: i32, from: i64, until: i64) -> Self {
        let mut past = Self {
            steps: Vec::new(),
            until,
        };
        for period in periods {
            let begin = from.max(period.start());
            if let Some(count) = period.count(dock, begin) {
                past.push(begin, count);
            }
            for change in period.changes(begin, until) {
                if change.location_id == dock {
                    past.push(change.second, change.count);
                }
            }
        }
        past
    }

    /// Notes a count unless it is the one before.
    fn push(&mut self, second: i64, count: DockCount) {
        let is_new = self.steps.last().is_none_or(|(_, last)| *last != count);
        if second <= self.until && is_new {
            self.steps.push((second, count));
        }
    }

    /// From which second on each count holds, in order.
    pub(crate) fn steps(&self) -> &[(i64, DockCount)] {
        &self.steps
    }

    /// The last second that this tells of.
    pub(crate) fn until(&self) -> i64 {
        self.until
    }

    /// What the dock showed at a second; none before it came.
    pub(crate) fn at(&self, second: i64) -> Option<DockCount> {
        let later = self.steps.partition_point(|(from, _)| *from <= second);
        let (_, count) = self.steps.get(later.checked_sub(1)?)?;
        Some(*count)
    }

    /// The seconds at which bikes were taken, and how many.
    pub(crate) fn taken(&self) -> impl DoubleEndedIterator<Item = (i64, i32)> {
        self.differences()
            .filter(|(_, more)| *more < 0)
            .map(|(second, more)| (second, -more))
    }

    /// The seconds at which bikes were returned, and how many.
    pub(crate) fn returned(&self) -> impl DoubleEndedIterator<Item = (i64, i32)> {
        self.differences().filter(|(_, more)| *more > 0)
    }

    fn differences(&self) -> impl DoubleEndedIterator<Item = (i64, i32)> {
        self.steps.windows(2).map(|pair| match pair {
            [(_, before), (second, after)] => (*second, after.bikes - before.bikes),
            _ => (0, 0),
        })
    }

    /// Since when there have been bikes to take, and none was taken; none where there is none.
    pub(crate) fn untouched_since(&self) -> Option<i64> {
        let rentable = |count: DockCount| count.service.can_rent() && count.bikes > 0;
        let (first, _) = *self.steps.first()?;
        let mut since = first;
        for (second, _) in self.taken() {
            since = second;
        }
        for pair in self.steps.windows(2) {
            if let [(_, before), (second, _)] = pair
                && !rentable(*before)
            {
                since = since.max(*second);
            }
        }
        rentable(self.at(self.until)?).then_some(since)
    }

    /// Bikes taken later than `after` and no later than `until`.
    pub(crate) fn taken_between(&self, after: i64, until: i64) -> i32 {
        sum_between(self.taken(), after, until)
    }

    /// Bikes returned likewise.
    pub(crate) fn returned_between(&self, after: i64, until: i64) -> i32 {
        sum_between(self.returned(), after, until)
    }
}

fn sum_between(events: impl Iterator<Item = (i64, i32)>, after: i64, until: i64) -> i32 {
    let between = events.filter(|(second, _)| (after + 1..=until).contains(second));
    between.map(|(_, bikes)| bikes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(steps: &[(i64, i32)], until: i64) -> DockPast {
        let count = |bikes| DockCount {
            bikes,
            ..DockCount::default()
        };
        let steps = steps.iter().map(|(second, bikes)| (*second, count(*bikes)));
        DockPast {
            steps: steps.collect(),
            until,
        }
    }

    #[test]
    fn what_was_taken_and_returned_is_told_with_its_second() {
        let past = past(&[(0, 3), (10, 2), (20, 4), (30, 1)], 100);
        assert_eq!(past.taken().collect::<Vec<_>>(), [(10, 1), (30, 3)]);
        assert_eq!(past.returned().collect::<Vec<_>>(), [(20, 2)]);
        assert_eq!(past.taken_between(10, 30), 3);
        let at = [-1, 0, 19, 20, 100].map(|second| past.at(second).map(|count| count.bikes));
        assert_eq!(at, [None, Some(3), Some(2), Some(4), Some(1)]);
    }

    #[test]
    fn bikes_are_untouched_since_one_was_taken_or_the_first_came() {
        let since = |steps: &[(i64, i32)]| past(steps, 100).untouched_since();
        assert_eq!(since(&[(0, 3)]), Some(0));
        assert_eq!(since(&[(0, 3), (10, 2), (20, 4)]), Some(10));
        assert_eq!(since(&[(0, 0), (30, 1), (40, 2)]), Some(30));
        assert_eq!(since(&[(0, 2), (10, 0)]), None);
        assert_eq!(since(&[]), None);
    }
}
