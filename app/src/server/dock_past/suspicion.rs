//! When bikes that nobody takes are perhaps broken.

/// Bikes that are usually taken in a time in which none was.
const SUSPICIOUS_MIN: f64 = 12.0;

/// Bikes that were taken in it even on the quietest of these days.
const LEAST_MIN: i32 = 5;

/// Days that tell what is usual.
const USUAL_DAYS_MIN: usize = 2;

/// Whether nobody can be expected to leave bikes alone for so long: `usual` are the bikes that were taken
/// on other days in the same hours. The limits are chosen by the table in the test below.
pub(crate) fn is_suspicious(usual: &[i32]) -> bool {
    let least = usual.iter().min().copied().unwrap_or(0);
    usual.len() >= USUAL_DAYS_MIN && mean(usual) >= SUSPICIOUS_MIN && least >= LEAST_MIN
}

pub(crate) fn mean(bikes: &[i32]) -> f64 {
    f64::from(bikes.iter().sum::<i32>()) / bikes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untouched_bikes_are_suspicious_where_several_are_usually_taken() {
        assert!(is_suspicious(&[18, 6, 17, 9]));
        assert!(!is_suspicious(&[18]), "one day is not what is usual");
        assert!(!is_suspicious(&[2, 3, 1, 2]));
        assert!(
            !is_suspicious(&[20, 2, 18, 19]),
            "once they nearly stayed before"
        );
        assert!(!is_suspicious(&[]));
    }

    /// Of docks whose bikes nobody takes any more since `stuck_h`, the share that is told after so many
    /// hours; and the alarms a day of docks that are all right.
    ///
    /// Bikes are taken at a rate that changes with the hour and, from day to day, by a factor with a
    /// standard deviation of 0.35: rain, holidays.
    #[test]
    fn most_stuck_docks_are_found_and_hardly_any_other() {
        use rand::rngs::StdRng;
        use rand::{Rng as _, SeedableRng as _};

        let mut random = StdRng::seed_from_u64(7);
        let hourly = |hour: i64| match hour % 24 {
            8 | 17 | 18 => 2.0,
            7 | 9 | 16 | 19 => 1.4,
            10..=15 | 20..=22 => 0.8,
            _ => 0.15,
        };
        let mut day = |rate: f64| -> Vec<i32> {
            let factor: f64 = 1.0 + 0.35 * (random.random_range(-1.0..1.0_f64) * 3.0_f64.sqrt());
            (0..24)
                .map(|hour| {
                    let mean = rate * factor.max(0.0) * hourly(hour);
                    // Knuth's way to draw from a Poisson distribution.
                    let (limit, mut product, mut taken) = ((-mean).exp(), 1.0, -1);
                    while product > limit || taken < 0 {
                        product *= random.random::<f64>();
                        taken += 1;
                    }
                    taken
                })
                .collect()
        };
        let mut lines = String::new();
        for rate in [1.0, 3.0, 8.0] {
            let (mut found, mut false_alarms) = ([0; 2], 0);
            let docks = 1_000;
            for _ in 0..docks {
                let usual: Vec<_> = (0..4).map(|_| day(rate)).collect();
                let today = day(rate);
                let sum = |hours: &[i32]| hours.iter().sum::<i32>();
                // Stuck from 8 o'clock.
                for (found, until) in found.iter_mut().zip([12, 20]) {
                    let window: Vec<_> = usual.iter().map(|day| sum(&day[8..until])).collect();
                    *found += i32::from(is_suspicious(&window));
                }
                // All right: an alarm at the end of any hour counts.
                let is_alarm = |hour: usize| {
                    let last = today[..hour].iter().rposition(|taken| *taken > 0);
                    let since = last.map_or(0, |last| last + 1);
                    let window: Vec<_> = usual.iter().map(|day| sum(&day[since..hour])).collect();
                    is_suspicious(&window)
                };
                false_alarms += i32::from((1..=24).any(is_alarm));
            }
            let share = |number: i32| f64::from(number) / f64::from(docks) * 100.0;
            let daily = rate * (0..24).map(hourly).sum::<f64>();
            lines += &format!(
                "{daily:.0} bikes a day: {:.0} % found after 4 hours, {:.0} % after 12, {:.1} % with a false alarm a day\n",
                share(found[0]),
                share(found[1]),
                share(false_alarms)
            );
        }
        expect_test::expect![[r#"
            20 bikes a day: 0 % found after 4 hours, 75 % after 12, 0.4 % with a false alarm a day
            60 bikes a day: 76 % found after 4 hours, 100 % after 12, 0.5 % with a false alarm a day
            160 bikes a day: 100 % found after 4 hours, 100 % after 12, 0.3 % with a false alarm a day
        "#]]
        .assert_eq(&lines);
    }
}
