//! Which vehicles of a feed are bikes, and which of them have a motor.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::raw::Id;

/// What a vehicle is to who looks for a bike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bike without a motor.
    Classic,
    /// A bike with one.
    Electric,
    /// A scooter, a moped, a car: no bike.
    Other,
}

/// An entry of the file, spelled alike in all versions that have it.
#[derive(Debug, Deserialize)]
pub(super) struct VehicleType {
    vehicle_type_id: Id,
    form_factor: String,
    propulsion_type: String,
}

impl From<VehicleType> for (String, Kind) {
    fn from(found: VehicleType) -> Self {
        let is_bike = ["bicycle", "cargo_bicycle"].contains(&&*found.form_factor);
        let kind = match &*found.propulsion_type {
            _ if !is_bike => Kind::Other,
            "electric" | "electric_assist" => Kind::Electric,
            _ => Kind::Classic,
        };
        (found.vehicle_type_id.into(), kind)
    }
}

/// The types of a feed, by id; none where it has no such file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VehicleTypes(BTreeMap<String, Kind>);

impl FromIterator<(String, Kind)> for VehicleTypes {
    fn from_iter<I: IntoIterator<Item = (String, Kind)>>(types: I) -> Self {
        Self(types.into_iter().collect())
    }
}

impl VehicleTypes {
    pub(super) fn kind(&self, id: &str) -> Option<Kind> {
        self.0.get(id).copied()
    }

    /// Whether the feed says nothing of its vehicles.
    pub(super) fn are_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the types tell e-bikes from others. Where all bikes are of one type, such as in our own
    /// feed of trip files, it says that they are bikes and no more.
    pub(super) fn have_ebikes(&self) -> bool {
        self.0.values().any(|kind| *kind == Kind::Electric)
    }
}
