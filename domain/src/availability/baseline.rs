//! What is known of the docks from rows that are not kept any more.

use chrono::{DateTime, Utc};

use super::{Availability, BikeEvent, Dock, DockStatus};

/// What all events before an instant say together: availability begun with it and given the events from
/// then on shows what it would show of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The instant; none if every row is kept.
    pub until: Option<DateTime<Utc>>,
    /// How many there were, of events and statuses.
    pub events: u64,
    /// Each dock that had any, by location.
    pub docks: Vec<(i32, Flow)>,
    /// The latest one of each bike.
    pub bikes: Vec<BikeEvent>,
    /// The latest one of each dock that a live feed has counted.
    pub statuses: Vec<DockStatus>,
}

/// The trips without a bike id at one dock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Arrivals less departures.
    pub sum: i32,
    /// The least that this ever was, 0 or below.
    pub least: i32,
    /// Whether there were any.
    pub any: bool,
}

impl From<Baseline> for Availability {
    fn from(baseline: Baseline) -> Self {
        let docks = baseline.docks.into_iter().map(|(location_id, flow)| {
            let dock = Dock {
                flow: flow.sum,
                flow_min: flow.least,
                estimated: flow.any,
                ..Dock::default()
            };
            (location_id, dock)
        });
        let mut availability = Self {
            clock: baseline.until,
            docks: docks.collect(),
            ..Self::default()
        };
        for event in baseline.bikes {
            availability.settle(event);
        }
        for status in baseline.statuses {
            availability.settle_status(status);
        }
        availability
    }
}
