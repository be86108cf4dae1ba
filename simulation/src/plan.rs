//! What happens, in which order: all of it drawn from a seed, before anything happens.
//!
//! A plan is a list. A step that makes no sense where it stands does nothing, so a plan from which steps
//! were taken is a plan as well: that is how a history is made shorter ([`crate::shrink`]).

use producer::Speed;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use sink::Module;

use crate::city::Shape;
use crate::docks::Publish;
use crate::mirror::{BRIDGES, Break, MirrorStep};
use crate::producing::Delivery;
use crate::sinks::Heartbeat;
use crate::stream::Trouble;

pub(crate) const SINKS: usize = 3;
pub(crate) const PRODUCERS: usize = 2;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    StartProducer {
        producer: usize,
        files: u8,
    },
    CrashProducer {
        producer: usize,
    },
    Take {
        producer: usize,
        rows: u8,
    },
    Send {
        producer: usize,
        partition: usize,
        records: u8,
        delivery: Delivery,
    },
    /// Somebody writes bytes that are no record.
    Foreign {
        partition: usize,
    },
    /// A request that was given up arrives.
    Arrive {
        partition: usize,
    },
    Replicate {
        partition: usize,
    },
    /// Another replica leads: what was not replicated is gone.
    FailOver {
        partition: usize,
    },
    RestartBroker,
    StartSink {
        sink: usize,
    },
    KillSink {
        sink: usize,
    },
    StopSink {
        sink: usize,
    },
    Freeze {
        sink: usize,
    },
    Thaw {
        sink: usize,
    },
    Heartbeat {
        sink: usize,
        outcome: Heartbeat,
    },
    Stream {
        sink: usize,
        partition: u32,
        module: Module,
        trouble: Trouble,
    },
    Publish {
        sink: usize,
        outcome: Publish,
    },
    /// What nobody knew of a commit is decided.
    Decide {
        is_committed: bool,
    },
    CrashDatabase,
    /// The database's clock is set.
    SetClock {
        by_ms: i64,
    },
    Pass {
        ms: u16,
    },
    Mirror(MirrorStep),
}

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) partitions: u32,
    pub(crate) speed: Speed,
    /// Records that a producer reads at first from a partition's end.
    pub(crate) first_step: i64,
    pub(crate) fetch_bytes_max: i32,
    pub(crate) steps: Vec<Step>,
}

/// How often what goes wrong: each seed has kinds that do not happen at all.
struct Odds {
    /// In a thousand, of a step's own trouble.
    trouble: u32,
    /// Relative to steps that do something useful.
    weights: [u32; 22],
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let shape = Shape {
            files: random.random_range(1..=3),
            rows_max: random.random_range(3..=16),
            bikes: random.random_range(1..=4),
            stations: random.random_range(2..=5),
            has_anonymous: random.random_ratio(1, 5),
        };
        let speed = match random.random_ratio(1, 2) {
            true => Speed::Max,
            false => Speed::Times(f64::from(random.random_range(5_u8..60))),
        };
        let partitions = random.random_range(1..=3);
        let odds = Odds::draw(&mut random);
        let count = random.random_range(60..=360);
        Self {
            seed,
            shape,
            partitions,
            speed,
            first_step: random.random_range(1..=12),
            // Eight times as much holds what any batch gives.
            fetch_bytes_max: random.random_range(1_500..=8_000),
            steps: (0..count)
                .map(|_| odds.step(shape.files, partitions, &mut random))
                .collect(),
        }
    }
}

impl Odds {
    fn draw(random: &mut SmallRng) -> Self {
        let common = [
            3, 0, 24, 40, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 24, 170, 14, 0, 0, 0, 16, 60,
        ];
        let faults = [
            0, 3, 0, 0, 1, 4, 8, 3, 1, 0, 3, 1, 3, 0, 0, 0, 0, 6, 1, 2, 0, 0,
        ];
        let mut weights = common;
        for (weight, fault) in weights.iter_mut().zip(faults) {
            if fault > 0 && random.random_ratio(2, 3) {
                *weight = fault * random.random_range(1..=3);
            }
        }
        let trouble = match random.random_range(0..4) {
            0 => 0,
            1 => 30,
            2 => 120,
            _ => 300,
        };
        Self { trouble, weights }
    }

    fn step(&self, files: u8, partitions: u32, random: &mut SmallRng) -> Step {
        let total: u32 = self.weights.iter().sum();
        let mut drawn = random.random_range(0..total);
        let kind = self.weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let producer = random.random_range(0..PRODUCERS);
        let sink = random.random_range(0..SINKS);
        let number = random.random_range(0..partitions);
        let partition = number as usize;
        match kind.unwrap_or_default() {
            0 => Step::StartProducer {
                producer,
                files: random.random_range(1..1 << files),
            },
            1 => Step::CrashProducer { producer },
            2 => Step::Take {
                producer,
                rows: random.random_range(1..=6),
            },
            3 => Step::Send {
                producer,
                partition,
                records: random.random_range(1..=6),
                delivery: self.delivery(random),
            },
            4 => Step::Foreign { partition },
            5 => Step::Arrive { partition },
            6 => Step::Replicate { partition },
            7 => Step::FailOver { partition },
            8 => Step::RestartBroker,
            9 => Step::StartSink { sink },
            10 => Step::KillSink { sink },
            11 => Step::StopSink { sink },
            12 => Step::Freeze { sink },
            13 => Step::Thaw { sink },
            14 => Step::Heartbeat {
                sink,
                outcome: self.heartbeat(random),
            },
            15 => Step::Stream {
                sink,
                partition: number,
                module: Module::ALL[random.random_range(0..Module::ALL.len())],
                trouble: self.trouble(random),
            },
            16 => Step::Publish {
                sink,
                outcome: self.publish(random),
            },
            17 => Step::Decide {
                is_committed: random.random(),
            },
            18 => Step::CrashDatabase,
            19 => Step::SetClock {
                by_ms: random.random_range(-20_000..=20_000),
            },
            20 => Step::Pass {
                ms: random.random_range(50..=900),
            },
            _ => Step::Mirror(self.mirror(random)),
        }
    }

    fn mirror(&self, random: &mut SmallRng) -> MirrorStep {
        let trouble = match self.is_trouble(random) {
            false => Break::Nothing,
            true => match random.random_range(0..5) {
                0 => Break::Before,
                1 => Break::After,
                2 => Break::Skip,
                number => Break::Undecided {
                    is_committed: number == 3,
                },
            },
        };
        let bridge = random.random_range(0..BRIDGES);
        match random.random_range(0..40) {
            0..8 => MirrorStep::Write {
                records: random.random_range(1..=4),
                gap: random.random_range(0..=2),
            },
            8..20 => MirrorStep::Inward {
                records: random.random_range(1..=5),
                trouble,
            },
            20..38 => MirrorStep::Outward { bridge, trouble },
            38 => MirrorStep::Crash { bridge },
            _ => MirrorStep::Forget,
        }
    }

    fn is_trouble(&self, random: &mut SmallRng) -> bool {
        random.random_ratio(self.trouble, 1_000)
    }

    fn delivery(&self, random: &mut SmallRng) -> Delivery {
        use Delivery::{Late, RequestLost, ResponseLost, Stored, Unreadable, Unreplicated};
        match self.is_trouble(random) {
            false => Stored,
            true => {
                let all = [ResponseLost, Unreplicated, RequestLost, Late, Unreadable];
                all[random.random_range(0..all.len())]
            }
        }
    }

    fn heartbeat(&self, random: &mut SmallRng) -> Heartbeat {
        match (self.is_trouble(random), random.random()) {
            (false, _) => Heartbeat::Heard,
            (true, false) => Heartbeat::Lost,
            (true, true) => Heartbeat::ResponseLost,
        }
    }

    fn trouble(&self, random: &mut SmallRng) -> Trouble {
        use Trouble::{Committed, Cut, OutputLost, Silence, Skip, Uncommitted, Undecided};
        match (self.is_trouble(random), random.random_ratio(1, 4)) {
            (false, false) => Trouble::Nothing,
            (false, true) => Trouble::Gather,
            (true, _) => {
                let all = [
                    Committed,
                    Uncommitted,
                    Undecided,
                    Cut,
                    Silence,
                    Skip,
                    OutputLost,
                ];
                all[random.random_range(0..all.len())]
            }
        }
    }

    fn publish(&self, random: &mut SmallRng) -> Publish {
        match (self.is_trouble(random), random.random_ratio(1, 3)) {
            (false, false) => Publish::Done,
            (false, true) => Publish::Saved,
            (true, false) => Publish::ResponseLost,
            (true, true) => Publish::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_every_time_and_another_seed_another_one() {
        let text = |seed| format!("{:?}", Plan::draw(seed).steps);
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }
}
