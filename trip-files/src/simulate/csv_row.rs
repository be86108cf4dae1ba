//! A row of the city's trip file: legacy columns, wall clock of New York.

use chrono::{Datelike, Timelike};
use domain::Rider;
use domain::time::to_new_york;

use super::map::Map;
use super::ride::{Ride, bike_id, utc};

pub(super) const HEADER: &str = "\"tripduration\",\"starttime\",\"stoptime\",\"start station id\",\"start station name\",\"start station latitude\",\"start station longitude\",\"end station id\",\"end station name\",\"end station latitude\",\"end station longitude\",\"bikeid\",\"usertype\",\"birth year\",\"gender\"";

/// Writes a ride's row, without line end.
pub(super) fn write_row(row: &mut String, ride: &Ride, map: &Map) {
    use std::fmt::Write as _;
    let (from, to) = (map.station(ride.from), map.station(ride.to));
    let rider = match ride.rider {
        Rider::Member => "Subscriber",
        Rider::Casual => "Customer",
    };
    let seconds = (ride.arrived_at - ride.departed_at) / 1_000;
    let written = (|| {
        write!(row, "{seconds},")?;
        write_time(row, ride.departed_at)?;
        row.push(',');
        write_time(row, ride.arrived_at)?;
        for station in [from, to] {
            let (id, street) = (&station.station_id, &station.street);
            write!(row, ",{id},\"{street}\",{},{}", station.lat, station.lon)?;
        }
        write!(row, ",{},\"{rider}\",1969,0", bike_id(ride.bike))
    })();
    written.expect("writing to a text cannot fail");
}

/// Writes `"2020-03-01 00:14:07.0880"`.
fn write_time(row: &mut String, millis: i64) -> std::fmt::Result {
    use std::fmt::Write as _;
    let local = to_new_york(utc(millis));
    write!(
        row,
        "\"{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}0\"",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        local.nanosecond() / 1_000_000,
    )
}
