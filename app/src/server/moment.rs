//! The replay clock as people in New York read it.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::time::to_new_york;

use crate::model::Moment;

/// Writes an instant for machines (UTC) and for people (New York).
#[must_use]
pub(crate) fn moment(at: DateTime<Utc>) -> Moment {
    Moment {
        utc: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        local: to_new_york(at).format("%a %-d %b %Y, %H:%M:%S").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_time_begins_on_the_eighth_of_march() {
        let read = |text: &str| moment(text.parse().unwrap()).local;
        assert_eq!(read("2020-03-02T13:14:05Z"), "Mon 2 Mar 2020, 08:14:05");
        assert_eq!(read("2020-03-08T06:59:59Z"), "Sun 8 Mar 2020, 01:59:59");
        assert_eq!(read("2020-03-08T07:00:00Z"), "Sun 8 Mar 2020, 03:00:00");
    }
}
