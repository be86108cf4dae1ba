//! Choosing by weight in constant time.

use super::random::Random;

/// A weighted choice among `0..n` (Walker's alias method, as Vose builds it).
#[derive(Debug, Clone, Default)]
pub(super) struct Choice(Vec<Slot>);

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// A draw below this, of 2³², takes the slot's own index.
    own: u32,
    other: u16,
}

impl Choice {
    /// A choice with these weights, of which none is negative and one is not 0.
    pub(super) fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let count = u16::try_from(weights.len()).expect("there are fewer than 65536 stations");
        // Scaled so that the mean is 1.
        let mut rest: Vec<_> = weights.iter().map(|w| w * f64::from(count) / sum).collect();
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for index in 0..count {
            let side = if rest[usize::from(index)] < 1.0 {
                &mut small
            } else {
                &mut large
            };
            side.push(index);
        }
        let mut slots: Vec<_> = (0..count)
            .map(|other| Slot {
                own: u32::MAX,
                other,
            })
            .collect();
        while let (Some(few), Some(many)) = (small.pop(), large.last().copied()) {
            let (few, donor) = (usize::from(few), usize::from(many));
            slots[few] = Slot {
                own: threshold(rest[few]),
                other: many,
            };
            rest[donor] -= 1.0 - rest[few];
            if rest[donor] < 1.0 {
                large.pop();
                small.push(many);
            }
        }
        Self(slots)
    }

    pub(super) fn choose(&self, random: &mut Random) -> usize {
        let draw = random.next();
        let index = usize::try_from(((draw >> 32) * self.0.len() as u64) >> 32)
            .expect("it is less than a usize");
        let slot = self.0[index];
        // The lower half of the draw is independent of the upper one.
        if (draw & u64::from(u32::MAX)) < u64::from(slot.own) {
            index
        } else {
            usize::from(slot.other)
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share is between 0 and 1"
)]
fn threshold(share: f64) -> u32 {
    (share * f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_chosen_as_often_as_its_weight_says() {
        let choice = Choice::new(&[1.0, 0.0, 3.0, 6.0]);
        let mut random = Random::new(1);
        let mut counts = [0_i32; 4];
        for _ in 0..100_000 {
            counts[choice.choose(&mut random)] += 1;
        }
        for (count, expected) in counts.into_iter().zip([10_000, 0, 30_000, 60_000]) {
            assert!((count - expected).abs() < 600, "{counts:?}");
        }
    }
}
