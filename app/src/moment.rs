//! Instants as people in the city read them.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use domain::time::to_local;

use crate::model::{Moment, WallTime};

/// Writes an instant in UTC and by the clocks of the city.
#[must_use]
pub(crate) fn moment(at: DateTime<Utc>, timezone: &str) -> Moment {
    let (local, city) = to_local(at, timezone);
    Moment {
        utc: utc(at),
        local: format!("{} {city}", local.format("%Y-%m-%dT%H:%M:%S")),
    }
}

/// The city's wall clock as it stands in the page's address: `2020-03-01T08:30`, with seconds if there are
/// any.
pub(crate) fn address_time(at: DateTime<Utc>, timezone: &str) -> String {
    let (local, _) = to_local(at, timezone);
    let form = if local.second() == 0 {
        "%Y-%m-%dT%H:%M"
    } else {
        "%Y-%m-%dT%H:%M:%S"
    };
    local.format(form).to_string()
}

/// RFC 3339, to the second.
pub(crate) fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Day and time of day in the city.
#[must_use]
pub(crate) fn wall_time(at: DateTime<Utc>, timezone: &str) -> WallTime {
    let (local, _) = to_local(at, timezone);
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    WallTime {
        month: small(local.month()),
        day: small(local.day()),
        hour: small(local.hour()),
        minute: small(local.minute()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, timezone: &str) -> String {
        moment(text.parse().unwrap(), timezone).local
    }

    #[test]
    fn summer_time_begins_on_the_eighth_of_march() {
        let read = |text| read(text, "America/New_York");
        assert_eq!(read("2020-03-02T13:14:05Z"), "2020-03-02T08:14:05 New York");
        assert_eq!(read("2020-03-08T06:59:59Z"), "2020-03-08T01:59:59 New York");
        assert_eq!(read("2020-03-08T07:00:00Z"), "2020-03-08T03:00:00 New York");
    }

    #[test]
    fn each_city_has_its_own_clocks() {
        let at = "2025-02-28T23:30:00Z";
        assert_eq!(read(at, "Europe/Lisbon"), "2025-02-28T23:30:00 Lisbon");
        assert_eq!(read(at, "Asia/Tokyo"), "2025-03-01T08:30:00 Tokyo");
        let seen = wall_time(at.parse().unwrap(), "Asia/Tokyo");
        assert_eq!(seen.to_text(), "3-1-8-30");
        assert_eq!(WallTime::parse(&seen.to_text()), Some(seen));
    }
}
