//! The modules' outputs as they are read: the JSON of `domain::split` and `domain::window`, with
//! texts borrowed from the record, because at bulk speed every allocation shows.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use domain::window::{Gap, WindowCount, WindowState};
use domain::{Inferred, Reject, Service, System};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A [`domain::SplitOutput`].
#[derive(Debug, Deserialize)]
pub(crate) struct SplitWire<'a> {
    pub(crate) offset: i64,
    #[serde(borrow)]
    pub(crate) source: Text<'a>,
    pub(crate) seq: u64,
    #[serde(borrow, default)]
    pub(crate) departure: Option<DockWire<'a>>,
    #[serde(borrow, default)]
    pub(crate) arrival: Option<DockWire<'a>>,
    #[serde(borrow, default)]
    pub(crate) status: Option<StatusWire<'a>>,
    #[serde(default)]
    pub(crate) system: Option<System>,
    #[serde(default)]
    pub(crate) tick: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) reject: Option<Reject>,
}

/// A [`domain::split::DockEvent`].
#[derive(Debug, Deserialize)]
pub(crate) struct DockWire<'a> {
    #[serde(borrow, default)]
    pub(crate) bike_id: Option<Text<'a>>,
    pub(crate) at: DateTime<Utc>,
    #[serde(borrow)]
    pub(crate) station: StationWire<'a>,
}

/// A [`domain::Status`].
#[derive(Debug, Deserialize)]
pub(crate) struct StatusWire<'a> {
    #[serde(borrow)]
    pub(crate) station: StationWire<'a>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) bikes: u32,
    #[serde(default)]
    pub(crate) inferred: Option<Inferred>,
    #[serde(default)]
    pub(crate) service: Service,
    #[serde(default)]
    pub(crate) missing: bool,
}

/// A [`domain::Station`].
#[derive(Debug, Deserialize)]
pub(crate) struct StationWire<'a> {
    #[serde(borrow)]
    pub(crate) station_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) street: Text<'a>,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
}

/// A [`domain::WindowOutput`].
#[derive(Debug, Deserialize)]
pub(crate) struct WindowWire<'a> {
    pub(crate) offset: i64,
    /// First record the output speaks for: the one behind the output before.
    #[serde(default)]
    pub(crate) from: Option<i64>,
    /// Of the record at `offset`.
    #[serde(borrow, default)]
    pub(crate) source: Option<Text<'a>>,
    #[serde(default)]
    pub(crate) seq: u64,
    #[serde(default)]
    pub(crate) gap: Option<Gap>,
    #[serde(default)]
    pub(crate) closed: Vec<WindowCount>,
    #[serde(default)]
    pub(crate) late: Vec<WindowCount>,
    #[serde(borrow, default)]
    pub(crate) seen: Vec<(Text<'a>, u64)>,
    #[serde(default)]
    pub(crate) state: Option<WindowState>,
}

/// A text that is borrowed unless it has escapes. (`Option<Cow<str>>` never borrows in serde.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }
}
