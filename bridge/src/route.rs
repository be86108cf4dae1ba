//! Which topic is mirrored where: parsed from text, refused where it would go in circles.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Apache Kafka, or what speaks its protocol.
    Kafka,
    /// Fluvio, real or embedded.
    Fluvio,
}

impl Side {
    /// Where records of this side go.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Kafka => Self::Fluvio,
            Self::Fluvio => Self::Kafka,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kafka => "kafka",
            Self::Fluvio => "fluvio",
        })
    }
}

impl FromStr for Side {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        match text {
            "kafka" => Ok(Self::Kafka),
            "fluvio" => Ok(Self::Fluvio),
            _ => Err(RouteError::Side(text.to_owned())),
        }
    }
}

/// A topic and its mirror on the other side; displays as `kafka:trips=trips` or, through a
/// SmartModule, `fluvio:trips+trip-split=events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where records come from.
    pub from: Side,
    /// The topic there.
    pub source: String,
    /// The topic on the other side.
    pub target: String,
    /// The SmartModule whose outputs are mirrored instead of the records; only out of Fluvio.
    pub module: Option<String>,
}

/// A route that is none, or that must not be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Neither of the two.
    #[error("\"{0}\" is neither kafka nor fluvio")]
    Side(String),
    /// No topic is named.
    #[error("\"{0}\" names no topic: write SOURCE, SOURCE=TARGET or kafka:SOURCE=TARGET")]
    NoTopic(String),
    /// A name that Fluvio does not take.
    #[error(
        "\"{0}\" cannot be a topic in Fluvio, which takes a-z, 0-9 and - inside: name another \
         one, as in SOURCE=TARGET"
    )]
    FluvioName(String),
    /// The text says no direction and none was given beside it.
    #[error("\"{0}\" does not say where from: write kafka:{0} or fluvio:{0}, or give --from")]
    NoSide(String),
    /// A SmartModule on the way into Fluvio.
    #[error(
        "\"{0}\" names a smartmodule on the way into Fluvio: they run inside Fluvio, on the way out"
    )]
    ModuleInto(String),
    /// What a SmartModule gives would be taken for a mirror.
    #[error(
        "\"{0}\" names no target: what a smartmodule gives needs a topic of its own, as in \
         fluvio:SOURCE+MODULE=TARGET"
    )]
    NoTarget(String),
    /// What comes out would go in again.
    #[error("topics would be mirrored in a circle: {0}")]
    Loop(String),
    /// Two routes into one topic.
    #[error("two routes lead to {0}: their records would be mixed")]
    SharedTarget(String),
}

impl Route {
    /// Parses `[kafka:|fluvio:]SOURCE[=TARGET]` or `[fluvio:]SOURCE+MODULE=TARGET`; `from` is the
    /// direction where the text has none.
    ///
    /// # Errors
    /// If it is not of this form, or a name is none for Fluvio.
    pub fn parse(text: &str, from: Option<Side>) -> Result<Self, RouteError> {
        let (from, topics) = match text.split_once(':') {
            Some((side, topics)) => (side.parse()?, topics),
            None => (
                from.ok_or_else(|| RouteError::NoSide(text.to_owned()))?,
                text,
            ),
        };
        let (source, target) = match topics.split_once('=') {
            Some((source, target)) => (source, Some(target)),
            None => (topics, None),
        };
        let (source, module) = match source.split_once('+') {
            Some((source, module)) => (source, Some(module)),
            None => (source, None),
        };
        if module.is_some() && from == Side::Kafka {
            return Err(RouteError::ModuleInto(text.to_owned()));
        }
        if module.is_some() && target.is_none() {
            return Err(RouteError::NoTarget(text.to_owned()));
        }
        let target = target.unwrap_or(source);
        if [Some(source), Some(target), module].contains(&Some("")) {
            return Err(RouteError::NoTopic(text.to_owned()));
        }
        let route = Self {
            from,
            source: source.to_owned(),
            target: target.to_owned(),
            module: module.map(str::to_owned),
        };
        match route.fluvio_topic() {
            name if is_fluvio_name(name) => Ok(route),
            name => Err(RouteError::FluvioName(name.to_owned())),
        }
    }

    /// The route's topic in Fluvio.
    pub(crate) fn fluvio_topic(&self) -> &str {
        match self.from {
            Side::Kafka => &self.target,
            Side::Fluvio => &self.source,
        }
    }

    /// Whether the other route begins where this one ends.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        self.target_place() == other.source_place()
    }

    fn source_place(&self) -> (Side, &str) {
        (self.from, &self.source)
    }

    fn target_place(&self) -> (Side, &str) {
        (self.from.other(), &self.target)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.source)?;
        if let Some(module) = &self.module {
            write!(f, "+{module}")?;
        }
        write!(f, "={}", self.target)
    }
}

/// Fails if routes lead back to where they began, or two of them into one topic.
///
/// # Errors
/// The first such route.
pub fn check_routes(routes: &[Route]) -> Result<(), RouteError> {
    let mut into = BTreeMap::new();
    for route in routes {
        if into.insert(route.target_place(), route).is_some() {
            let (side, topic) = route.target_place();
            return Err(RouteError::SharedTarget(format!("{side}:{topic}")));
        }
    }
    // Each topic has one route into it at most, so there is one way backwards from any route.
    for start in routes {
        let mut way = vec![start];
        let mut place = start.source_place();
        while let Some(before) = into.get(&place) {
            if std::ptr::eq(*before, start) {
                let way: Vec<_> = way.iter().rev().map(ToString::to_string).collect();
                return Err(RouteError::Loop(way.join(", ")));
            }
            if way.len() > routes.len() {
                break; // Into a circle that this route is not part of.
            }
            way.push(before);
            place = before.source_place();
        }
    }
    Ok(())
}

/// Source: `fluvio-controlplane-metadata`, validation of topic names.
fn is_fluvio_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.chars().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(texts: &[&str], expected: &Expect) {
        let routes: Result<Vec<_>, _> = texts
            .iter()
            .map(|text| Route::parse(text, Some(Side::Kafka)))
            .collect();
        let said = match routes.and_then(|routes| check_routes(&routes).map(|()| routes)) {
            Ok(routes) => routes.iter().map(|route| format!("{route}\n")).collect(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn a_route_is_a_topic_with_or_without_direction_and_another_name() {
        check(
            &["trips", "Trips_2=trips-2", "fluvio:trips=Trips.copy"],
            &expect![[r#"
                kafka:trips=trips
                kafka:Trips_2=trips-2
                fluvio:trips=Trips.copy
            "#]],
        );
    }

    #[test]
    fn a_route_out_of_fluvio_may_lead_through_a_smartmodule() {
        check(
            &["fluvio:trips+trip-split=bike-events", "fluvio:trips=trips"],
            &expect![[r#"
                fluvio:trips+trip-split=bike-events
                fluvio:trips=trips
            "#]],
        );
        check(
            &["trips+trip-split=bike-events"],
            &expect![[r#"
                "trips+trip-split=bike-events" names a smartmodule on the way into Fluvio: they run inside Fluvio, on the way out
            "#]],
        );
        check(
            &["fluvio:trips+trip-split"],
            &expect![[r#"
                "fluvio:trips+trip-split" names no target: what a smartmodule gives needs a topic of its own, as in fluvio:SOURCE+MODULE=TARGET
            "#]],
        );
    }

    #[test]
    fn what_is_no_route_is_refused_with_a_reason() {
        check(
            &["kafka:"],
            &expect![[r#"
            "kafka:" names no topic: write SOURCE, SOURCE=TARGET or kafka:SOURCE=TARGET
        "#]],
        );
        check(
            &["nats:a"],
            &expect![[r#"
            "nats" is neither kafka nor fluvio
        "#]],
        );
        check(
            &["Trips"],
            &expect![[r#"
            "Trips" cannot be a topic in Fluvio, which takes a-z, 0-9 and - inside: name another one, as in SOURCE=TARGET
        "#]],
        );
        let error = Route::parse("trips", None).unwrap_err();
        expect![[
            r#""trips" does not say where from: write kafka:trips or fluvio:trips, or give --from"#
        ]]
        .assert_eq(&error.to_string());
    }

    #[test]
    fn there_and_back_into_another_topic_is_no_circle() {
        check(
            &["a", "fluvio:a=b"],
            &expect![[r#"
            kafka:a=a
            fluvio:a=b
        "#]],
        );
    }

    #[test]
    fn circles_of_any_length_and_mixed_targets_are_refused() {
        check(
            &["a", "fluvio:a"],
            &expect![[r#"
            topics would be mirrored in a circle: fluvio:a=a, kafka:a=a
        "#]],
        );
        check(
            &["a=b", "fluvio:b=c", "c=d", "fluvio:d=a", "x"],
            &expect![[r#"
            topics would be mirrored in a circle: fluvio:b=c, kafka:c=d, fluvio:d=a, kafka:a=b
        "#]],
        );
        check(
            &["a=c", "b=c"],
            &expect![[r#"
            two routes lead to fluvio:c: their records would be mixed
        "#]],
        );
    }
}
