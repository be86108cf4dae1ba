//! The event stream of `/live`, and what the page says when nothing comes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use web_sys::{Event, EventSource, MessageEvent};

use super::events::{now_ms, on};
use super::offline;
use crate::city::{City, Freshness};
use crate::json::Json;
use crate::model::{Database, Delta, Heartbeat, stale_seconds};

/// How often the page asks itself whether the numbers are still fresh.
const CHECK: Duration = Duration::from_secs(1);
/// Without any event for this long the stream is broken, even if the browser has not noticed: the
/// server sends a heartbeat every ten seconds.
const BROKEN_AFTER_MS: f64 = 25_000.0;
/// A browser that has given the stream up is made to open it again this often.
const REOPEN_EVERY_MS: f64 = 3_000.0;
/// Whoever has heard nothing for so long is told how old the numbers are.
const OFFLINE_AFTER_MS: f64 = 20_000.0;

/// The page's event stream. Its callbacks and the timer hold it.
struct EventStream {
    city: City,
    /// The browser's end; none if it could not be opened.
    source: RefCell<Option<EventSource>>,
    /// When the current source was opened.
    opened_at: Cell<f64>,
    /// When anything was heard.
    heard_at: Cell<f64>,
    /// When the sink last published, as far as is known.
    published_at: Cell<Option<f64>>,
    is_open: Cell<bool>,
    database: Cell<Database>,
}

/// Opens the stream and keeps it open.
pub(super) fn listen(city: City) {
    let now = now_ms();
    let stream = Rc::new(EventStream {
        city,
        source: RefCell::new(None),
        opened_at: Cell::new(now),
        heard_at: Cell::new(now),
        published_at: Cell::new(offline::kept_for_ms().map(|age| now - age)),
        is_open: Cell::new(false),
        database: Cell::new(Database::Up),
    });
    stream.open();
    if stream.published_at.get().is_some() {
        stream.update_freshness();
    }
    // The page ends before the timer does.
    set_interval(move || stream.check(), CHECK);
}

impl EventStream {
    fn open(self: &Rc<Self>) {
        self.opened_at.set(now_ms());
        let since = self.city.version.get_untracked();
        let Ok(source) = EventSource::new(&format!("/live?since={since}")) else {
            return;
        };
        self.on_message(&source, "docks", |stream, text| {
            let delta = Json::parse(text).and_then(|json| Delta::read(&json));
            delta.into_iter().for_each(|delta| stream.take_delta(delta));
        });
        self.on_message(&source, "heartbeat", |stream, text| {
            if let Some(json) = Json::parse(text) {
                stream.take_heartbeat(Heartbeat::read(&json));
            }
        });
        let stream = Rc::clone(self);
        on::<Event>(&source, "open", move |_| {
            stream.is_open.set(true);
            stream.heard_at.set(now_ms());
        });
        let stream = Rc::clone(self);
        on::<Event>(&source, "error", move |_| {
            stream.is_open.set(false);
            stream.update_freshness();
        });
        if let Some(old) = self.source.replace(Some(source)) {
            old.close();
        }
    }

    fn on_message(self: &Rc<Self>, source: &EventSource, name: &str, take: fn(&Self, &str)) {
        let stream = Rc::clone(self);
        on::<MessageEvent>(source, name, move |event| {
            stream.is_open.set(true);
            stream.heard_at.set(now_ms());
            if let Some(text) = event.data().as_string() {
                take(&stream, &text);
            }
        });
    }

    fn take_delta(&self, delta: Delta) {
        if self.city.is_past() {
            return;
        }
        if delta.version != self.city.version.get_untracked() {
            self.published_at.set(Some(now_ms()));
        }
        self.city.apply(delta);
        self.update_freshness();
    }

    fn take_heartbeat(&self, heartbeat: Heartbeat) {
        self.database.set(heartbeat.database);
        self.published_at
            .set(heartbeat.age_ms.map(|age| now_ms() - age as f64));
        self.update_freshness();
    }

    /// Opens the stream again if the browser has given it up, or if nothing was heard for too long.
    fn check(self: &Rc<Self>) {
        if self.city.is_past() {
            // The way back to now is a new page.
            if let Some(source) = self.source.take() {
                source.close();
            }
            return;
        }
        let now = now_ms();
        if now - self.heard_at.get() > BROKEN_AFTER_MS {
            self.is_open.set(false);
        }
        let has_given_up = self
            .source
            .borrow()
            .as_ref()
            .is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        let is_broken = now - self.heard_at.get() > BROKEN_AFTER_MS;
        let is_time = now - self.opened_at.get()
            > if has_given_up {
                REOPEN_EVERY_MS
            } else {
                BROKEN_AFTER_MS
            };
        if (has_given_up || is_broken) && is_time {
            self.open();
        }
        self.update_freshness();
    }

    /// How far the numbers of a page can be trusted that hears nothing.
    fn without_stream(&self) -> Freshness {
        let known_at = self
            .published_at
            .get()
            .unwrap_or_else(|| self.heard_at.get());
        let age_ms = now_ms() - known_at;
        if age_ms < OFFLINE_AFTER_MS {
            Freshness::Reconnecting
        } else {
            Freshness::Offline((age_ms / 1_000.0) as u64)
        }
    }

    /// Works out how far the numbers can be trusted; the page is told only if that has changed.
    fn update_freshness(&self) {
        if self.city.is_past() {
            return;
        }
        let age_ms = self.published_at.get().map(|at| (now_ms() - at) as u64);
        let silent = stale_seconds(age_ms, self.city.stale_after_ms);
        let freshness = if !self.is_open.get() {
            self.without_stream()
        } else if self.database.get() == Database::Down {
            Freshness::DatabaseDown
        } else if let Some(seconds) = silent {
            Freshness::Silent(seconds)
        } else {
            Freshness::Live
        };
        if self.city.freshness.get_untracked() != freshness {
            self.city.freshness.set(freshness);
        }
    }
}
