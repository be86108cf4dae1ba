//! What an entry of `station_status.json` says beside its count, and what holds where its numbers
//! contradict each other.
//!
//! A count of vehicles is one of bikes where nothing says otherwise. A number that cannot be is left out,
//! e-bikes above the bikes are all of them, and each such entry is a reject, though it is used.

use domain::Stock;
use serde_json::Value;

use super::raw::{Id, RawNumbers};
use super::vehicles::{Kind, VehicleTypes};

/// A count above this is a fault of the feed: it would become as many events (chosen: several times
/// the largest station with an attendant).
pub(super) const STATION_BIKES_MAX: u64 = 1_000;

/// Bikes among the vehicles, and what is there beside them; reasons to doubt it go to `doubts`.
pub(super) fn read(
    (field, vehicles): (&str, u32),
    raw: &RawNumbers,
    types: &VehicleTypes,
    doubts: &mut Vec<String>,
) -> (u32, Stock) {
    let listed = Listed::read(&raw.vehicle_types_available, types, doubts);
    let bikes = listed.bikes(vehicles);
    if listed.contradicts(vehicles) {
        doubts.push(format!("vehicle_types_available is not what {field} says"));
    }
    let by_type = listed.ebikes(bikes).filter(|_| types.have_ebikes());
    let stock = Stock {
        ebikes: by_type.or_else(|| named_ebikes(raw, bikes, doubts)),
        free_docks: number("num_docks_available", &raw.num_docks_available, doubts),
        capacity: None,
        broken_bikes: number(raw.disabled_name, &raw.disabled, doubts),
        broken_docks: number("num_docks_disabled", &raw.num_docks_disabled, doubts),
    };
    (bikes, stock)
}

/// Reads a number of bikes or docks; none if nothing is said.
pub(super) fn number(name: &str, value: &Value, doubts: &mut Vec<String>) -> Option<u16> {
    if value.is_null() {
        return None;
    }
    let number = value.as_u64().filter(|number| *number <= STATION_BIKES_MAX);
    let number = number.and_then(|number| u16::try_from(number).ok());
    if number.is_none() {
        doubts.push(format!(
            "{name} is no whole number from 0 to {STATION_BIKES_MAX}: left out"
        ));
    }
    number
}

/// E-bikes as feeds name them that do not list their vehicles by type.
fn named_ebikes(raw: &RawNumbers, bikes: u32, doubts: &mut Vec<String>) -> Option<u16> {
    let mut read = |name, value: &Value| Some((name, number(name, value, doubts)?));
    let of_citi_bike = read("num_ebikes_available", &raw.num_ebikes_available);
    let (name, ebikes) = of_citi_bike.or_else(|| {
        let older = older_ebikes(&raw.num_bikes_available_types);
        read("ebike of num_bikes_available_types", &older)
    })?;
    if u32::from(ebikes) > bikes {
        doubts.push(format!(
            "{name} is above the number of bikes: all are e-bikes"
        ));
    }
    Some(ebikes.min(u16::try_from(bikes).unwrap_or(u16::MAX)))
}

/// `{"mechanical": 3, "ebike": 2}`, or a list of such objects with one name each.
fn older_ebikes(value: &Value) -> Value {
    let objects = match value {
        Value::Array(objects) => objects.as_slice(),
        object => std::slice::from_ref(object),
    };
    let ebikes = objects.iter().find_map(|object| object.get("ebike"));
    ebikes.cloned().unwrap_or_default()
}

/// The vehicles of an entry by kind.
#[derive(Debug, Default)]
struct Listed {
    classic: u32,
    electric: u32,
    other: u32,
    /// Whether the list says something, and only what is understood.
    is_clear: bool,
}

impl Listed {
    fn read(list: &Value, types: &VehicleTypes, doubts: &mut Vec<String>) -> Self {
        let entries = list.as_array().map_or(&[][..], Vec::as_slice);
        let mut listed = Self {
            is_clear: !entries.is_empty() && !types.are_unknown(),
            ..Self::default()
        };
        if types.are_unknown() {
            return listed;
        }
        for entry in entries {
            let id = entry.get("vehicle_type_id").and_then(Id::read);
            let kind = id.and_then(|id| types.kind(&id));
            let count = entry.get("count").unwrap_or(&Value::Null);
            let count = number("a count of vehicle_types_available", count, doubts);
            let (Some(kind), Some(count)) = (kind, count) else {
                if kind.is_none() {
                    doubts.push(
                        "vehicle_types_available has a type that vehicle_types has not".to_owned(),
                    );
                }
                listed.is_clear = false;
                continue;
            };
            let sum = match kind {
                Kind::Classic => &mut listed.classic,
                Kind::Electric => &mut listed.electric,
                Kind::Other => &mut listed.other,
            };
            *sum = sum.saturating_add(u32::from(count));
        }
        doubts.dedup();
        listed
    }

    /// Bikes among the vehicles: all but those that are surely something else, and at least those that
    /// surely are bikes, because some operators leave the others out of their sum.
    fn bikes(&self, vehicles: u32) -> u32 {
        let surely = (self.classic + self.electric).min(vehicles);
        vehicles.saturating_sub(self.other).max(surely)
    }

    fn contradicts(&self, vehicles: u32) -> bool {
        let bikes = self.classic + self.electric;
        self.is_clear && vehicles != bikes && vehicles != bikes + self.other
    }

    /// E-bikes, if the list is one of these bikes.
    fn ebikes(&self, bikes: u32) -> Option<u16> {
        let is_whole = self.is_clear && self.classic + self.electric == bikes;
        is_whole
            .then(|| u16::try_from(self.electric).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn types() -> VehicleTypes {
        let types = [
            ("1", Kind::Classic),
            ("2", Kind::Electric),
            ("s", Kind::Other),
        ];
        types
            .map(|(id, kind)| (id.to_owned(), kind))
            .into_iter()
            .collect()
    }

    fn numbers(entry: Value) -> RawNumbers {
        let disabled = entry.get("num_bikes_disabled").cloned().unwrap_or_default();
        RawNumbers {
            disabled_name: "num_bikes_disabled",
            disabled,
            ..serde_json::from_value(entry).unwrap()
        }
    }

    fn check(types: &VehicleTypes, vehicles: u32, entry: Value, expected: Expect) {
        let mut doubts = Vec::new();
        let field = "num_bikes_available";
        let (bikes, stock) = read((field, vehicles), &numbers(entry), types, &mut doubts);
        let Stock {
            ebikes,
            free_docks,
            broken_bikes,
            broken_docks,
            ..
        } = stock;
        let show = |number: Option<u16>| number.map_or_else(|| "?".to_owned(), |it| it.to_string());
        let mut lines = vec![format!(
            "{bikes} bikes, {} electric, {} broken; docks: {} free, {} broken",
            show(ebikes),
            show(broken_bikes),
            show(free_docks),
            show(broken_docks),
        )];
        lines.extend(doubts);
        expected.assert_eq(&lines.join("\n"));
    }

    fn available(counts: &[(&str, i64)]) -> Value {
        let entry = |(id, count): &(&str, i64)| json!({"vehicle_type_id": id, "count": count});
        json!({"vehicle_types_available": counts.iter().map(entry).collect::<Vec<_>>()})
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        check(
            &types(),
            5,
            json!({}),
            expect!["5 bikes, ? electric, ? broken; docks: ? free, ? broken"],
        );
    }

    #[test]
    fn all_numbers_are_read() {
        check(
            &VehicleTypes::default(),
            5,
            json!({"num_ebikes_available": 2, "num_bikes_disabled": 1,
                   "num_docks_available": 12, "num_docks_disabled": 0}),
            expect!["5 bikes, 2 electric, 1 broken; docks: 12 free, 0 broken"],
        );
    }

    #[test]
    fn older_feeds_tell_the_kinds_in_an_object_or_in_a_list_of_them() {
        let told = |kinds: Value| json!({"num_bikes_available_types": kinds});
        let expected = || expect!["5 bikes, 2 electric, ? broken; docks: ? free, ? broken"];
        check(
            &types(),
            5,
            told(json!({"mechanical": 3, "ebike": 2})),
            expected(),
        );
        check(
            &types(),
            5,
            told(json!([{"mechanical": 3}, {"ebike": 2}])),
            expected(),
        );
    }

    #[test]
    fn scooters_are_no_bikes_whether_the_operator_sums_them_up_or_not() {
        let three_scooters = available(&[("1", 1), ("2", 1), ("s", 3)]);
        for vehicles in [5, 2] {
            check(
                &types(),
                vehicles,
                three_scooters.clone(),
                expect!["2 bikes, 1 electric, ? broken; docks: ? free, ? broken"],
            );
        }
        check(
            &types(),
            3,
            available(&[("s", 3)]),
            expect!["0 bikes, 0 electric, ? broken; docks: ? free, ? broken"],
        );
    }

    #[test]
    fn types_that_do_not_tell_bikes_apart_say_nothing_of_e_bikes() {
        let plain = VehicleTypes::from_iter([("1".to_owned(), Kind::Classic)]);
        check(
            &plain,
            5,
            available(&[("1", 5)]),
            expect!["5 bikes, ? electric, ? broken; docks: ? free, ? broken"],
        );
    }

    #[test]
    fn a_list_that_is_not_whole_says_nothing_of_e_bikes_and_nobody_is_left_out() {
        check(
            &types(),
            5,
            available(&[("2", 1), ("s", 2)]),
            expect![[r#"
                3 bikes, ? electric, ? broken; docks: ? free, ? broken
                vehicle_types_available is not what num_bikes_available says"#]],
        );
        check(
            &types(),
            5,
            available(&[("2", 1), ("car", 4)]),
            expect![[r#"
                5 bikes, ? electric, ? broken; docks: ? free, ? broken
                vehicle_types_available has a type that vehicle_types has not"#]],
        );
        check(
            &types(),
            1,
            available(&[("1", 2), ("s", 3)]),
            expect![[r#"
                1 bikes, ? electric, ? broken; docks: ? free, ? broken
                vehicle_types_available is not what num_bikes_available says"#]],
        );
    }

    #[test]
    fn numbers_that_cannot_be_are_left_out_and_told() {
        check(
            &types(),
            5,
            json!({"num_ebikes_available": 9, "num_docks_available": -1, "num_docks_disabled": "2",
                   "num_bikes_disabled": 1.5}),
            expect![[r#"
                5 bikes, 5 electric, ? broken; docks: ? free, ? broken
                num_ebikes_available is above the number of bikes: all are e-bikes
                num_docks_available is no whole number from 0 to 1000: left out
                num_bikes_disabled is no whole number from 0 to 1000: left out
                num_docks_disabled is no whole number from 0 to 1000: left out"#]],
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            (-3_i64..1_100).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(json!("7")),
            Just(json!([{"ebike": 3}, 4])),
            Just(json!({"mechanical": -1, "ebike": 70_000})),
        ]
    }

    fn any_list() -> impl Strategy<Value = Value> {
        let id = prop::sample::select(vec![
            json!("1"),
            json!("2"),
            json!("s"),
            json!("x"),
            json!(1),
            json!(null),
        ]);
        let entry = prop_oneof![
            8 => (id, prop_oneof![9 => (0_i64..9).prop_map(Value::from), 1 => any_json()])
                .prop_map(|(id, count)| json!({"vehicle_type_id": id, "count": count})),
            1 => any_json(),
        ];
        prop_oneof![
            8 => prop::collection::vec(entry, 0..6).prop_map(Value::from),
            1 => any_json(),
        ]
    }

    proptest! {
        /// Whatever a feed says, no more bikes come out than there are vehicles, and no more e-bikes than
        /// bikes.
        #[test]
        fn e_bikes_are_bikes_and_bikes_are_vehicles(
            vehicles in 0_u32..=1_000,
            list in any_list(),
            others in prop::array::uniform5(any_json()),
        ) {
            let [named, older, free, broken, disabled] = others;
            let entry = json!({
                "vehicle_types_available": list, "num_ebikes_available": named,
                "num_bikes_available_types": older, "num_docks_available": free,
                "num_docks_disabled": broken, "num_bikes_disabled": disabled,
            });
            for types in [types(), VehicleTypes::default()] {
                let mut doubts = Vec::new();
                let field = "num_bikes_available";
                let raw = numbers(entry.clone());
                let (bikes, stock) = read((field, vehicles), &raw, &types, &mut doubts);
                prop_assert!(bikes <= vehicles);
                prop_assert!(stock.ebikes.is_none_or(|ebikes| u32::from(ebikes) <= bikes));
                prop_assert!(types != VehicleTypes::default() || bikes == vehicles);
            }
        }
    }
}
