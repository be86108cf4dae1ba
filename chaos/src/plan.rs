//! What is done to the parts, in which order: a seed gives the same plan every time.
//!
//! The plan is dealt as cards are: all pairs of a fault and what it can hit, shuffled, then all of them
//! again. So a run of some length has met each pair. Real time is not in it: when a step begins depends
//! on how soon the system recovers from the one before, which no seed can repeat.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// What runs as a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Producer,
    Sink,
    Page,
    Broker,
    Postgres,
}

/// A connection that goes through a proxy of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    ProducerBroker,
    SinkBroker,
    SinkPostgres,
    PagePostgres,
}

/// Which half of a connection stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// What the role sends does not arrive.
    ToServer,
    /// What the server answers does not arrive.
    ToRole,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL; the part is started again when the fault ends.
    Kill(Part),
    /// SIGSTOP, and SIGCONT when the fault ends: what was asked before is answered after it.
    Freeze(Part),
    /// All connections are reset, and new ones too, until the fault ends.
    Cut(Link),
    /// What is sent arrives later by so much.
    Delay(Link, Duration),
    /// One direction is not read, the other is; nothing is lost.
    Halve(Link, Direction),
}

impl Fault {
    /// Its name in tables.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill -9",
            Self::Freeze(_) => "freeze",
            Self::Cut(_) => "cut",
            Self::Delay(..) => "delay",
            Self::Halve(..) => "halve",
        }
    }

    /// What it hits, in tables.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Kill(part) | Self::Freeze(part) => match part {
                Part::Producer => "producer",
                Part::Sink => "sink",
                Part::Page => "page",
                Part::Broker => "broker",
                Part::Postgres => "postgres",
            },
            Self::Cut(link) | Self::Delay(link, _) | Self::Halve(link, _) => match link {
                Link::ProducerBroker => "producer-broker",
                Link::SinkBroker => "sink-broker",
                Link::SinkPostgres => "sink-postgres",
                Link::PagePostgres => "page-postgres",
            },
        }
    }

    /// Whether riders see it and no table does.
    pub(crate) fn is_of_page(self) -> bool {
        self.target().starts_with("page")
    }
}

/// One fault and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) fault: Fault,
    pub(crate) lasts: Duration,
    /// Peace before it, counted from the recovery of the one before.
    pub(crate) pause: Duration,
    /// The next step does not wait for this one's recovery, which is not timed then.
    pub(crate) is_overtaken: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fault, lasts, pause) = (self.fault, self.lasts, self.pause);
        write!(f, "after {pause:?}: {} {}", fault.kind(), fault.target())?;
        match fault {
            Fault::Delay(_, by) => write!(f, " by {by:?}")?,
            Fault::Halve(_, Direction::ToServer) => write!(f, ", role to server,")?,
            Fault::Halve(_, Direction::ToRole) => write!(f, ", server to role,")?,
            Fault::Kill(_) | Fault::Freeze(_) | Fault::Cut(_) => {}
        }
        write!(f, " for {lasts:?}")?;
        match self.is_overtaken {
            true => write!(f, ", the next one at once"),
            false => Ok(()),
        }
    }
}

/// The steps of a seed, without end.
#[derive(Debug)]
pub(crate) struct Plan {
    random: StdRng,
    /// Without the broker: one that is given by address is not ours to harm.
    has_broker: bool,
    deck: Vec<Fault>,
}

impl Plan {
    pub(crate) fn new(seed: u64, has_broker: bool) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            has_broker,
            deck: Vec::new(),
        }
    }

    fn deal(&mut self) -> Vec<Fault> {
        use Link::{PagePostgres, ProducerBroker, SinkBroker, SinkPostgres};
        use Part::{Broker, Page, Postgres, Producer, Sink};
        let mut deck = Vec::new();
        for part in [Producer, Sink, Page, Broker, Postgres] {
            deck.extend([Fault::Kill(part), Fault::Freeze(part)]);
        }
        for link in [ProducerBroker, SinkBroker, SinkPostgres, PagePostgres] {
            let by = Duration::from_millis(self.random.random_range(20..400));
            let direction = match self.random.random() {
                true => Direction::ToServer,
                false => Direction::ToRole,
            };
            let halved = Fault::Halve(link, direction);
            deck.extend([Fault::Cut(link), Fault::Delay(link, by), halved]);
        }
        deck.retain(|fault| self.has_broker || !fault.target().contains("broker"));
        deck.shuffle(&mut self.random);
        deck
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.deck.is_empty() {
            self.deck = self.deal();
        }
        // One in eight is longer than the patience of who waits for an answer.
        let lasts_ms = match self.random.random_ratio(1, 8) {
            true => 5_000..14_000,
            false => 100..2_500,
        };
        Some(Step {
            fault: self.deck.pop()?,
            lasts: Duration::from_millis(self.random.random_range(lasts_ms)),
            pause: Duration::from_millis(self.random.random_range(50..800)),
            is_overtaken: self.random.random_ratio(1, 4),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_every_time_and_another_seed_another_one() {
        let plan = |seed| Plan::new(seed, true).take(60).collect::<Vec<_>>();
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }

    #[test]
    fn every_deal_meets_every_pair_of_a_fault_and_what_it_can_hit() {
        let pairs = |steps: &[Step]| -> BTreeSet<_> {
            let faults = steps.iter().map(|step| step.fault);
            faults.map(|fault| (fault.kind(), fault.target())).collect()
        };
        let steps: Vec<_> = Plan::new(7, true).take(44).collect();
        assert_eq!(pairs(&steps[..22]).len(), 22);
        assert_eq!(pairs(&steps[..22]), pairs(&steps[22..]));
        let without_broker: Vec<_> = Plan::new(7, false).take(14).collect();
        assert_eq!(pairs(&without_broker).len(), 14);
        assert!(
            without_broker
                .iter()
                .all(|step| !step.to_string().contains("broker"))
        );
    }
}
