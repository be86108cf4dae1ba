//! The live line: server-sent events, and what to say when they stop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use web_sys::{Event, EventSource, MessageEvent};

use super::events::{now_ms, on};
use crate::city::{City, Freshness};
use crate::model::{Database, Delta, Heartbeat, stale_seconds};

/// How often the page asks itself whether the numbers are still fresh.
const CHECK: Duration = Duration::from_secs(1);
/// Without any event for this long the line is dead, even if nobody said so: the server sends a
/// heartbeat every ten seconds.
const DEAD_AFTER_MS: f64 = 25_000.0;
/// A browser that gave up is asked to try again this often.
const REOPEN_EVERY_MS: f64 = 3_000.0;

/// One browser's line. Its callbacks and the timer hold it.
struct Line {
    city: City,
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

/// Opens the line and keeps it open.
pub(super) fn listen(city: City) {
    let now = now_ms();
    let line = Rc::new(Line {
        city,
        source: RefCell::new(None),
        opened_at: Cell::new(now),
        heard_at: Cell::new(now),
        published_at: Cell::new(None),
        is_open: Cell::new(false),
        database: Cell::new(Database::Up),
    });
    line.open();
    // The page ends before the timer does.
    set_interval(move || line.check(), CHECK);
}

impl Line {
    fn open(self: &Rc<Self>) {
        self.opened_at.set(now_ms());
        let since = self.city.version.get_untracked();
        let Ok(source) = EventSource::new(&format!("/live?since={since}")) else {
            return;
        };
        self.on_message(&source, "docks", |line, text| {
            if let Ok(delta) = serde_json::from_str::<Delta>(text) {
                line.take(delta);
            }
        });
        self.on_message(&source, "heartbeat", |line, text| {
            if let Ok(heartbeat) = serde_json::from_str::<Heartbeat>(text) {
                line.take_heartbeat(heartbeat);
            }
        });
        let line = Rc::clone(self);
        on::<Event>(&source, "open", move |_| {
            line.is_open.set(true);
            line.heard_at.set(now_ms());
        });
        let line = Rc::clone(self);
        on::<Event>(&source, "error", move |_| {
            line.is_open.set(false);
            line.tell();
        });
        if let Some(old) = self.source.replace(Some(source)) {
            old.close();
        }
    }

    fn on_message(self: &Rc<Self>, source: &EventSource, name: &str, take: fn(&Self, &str)) {
        let line = Rc::clone(self);
        on::<MessageEvent>(source, name, move |event| {
            line.is_open.set(true);
            line.heard_at.set(now_ms());
            if let Some(text) = event.data().as_string() {
                take(&line, &text);
            }
        });
    }

    fn take(&self, delta: Delta) {
        if delta.version != self.city.version.get_untracked() {
            self.published_at.set(Some(now_ms()));
        }
        self.city.apply(delta);
        self.tell();
    }

    fn take_heartbeat(&self, heartbeat: Heartbeat) {
        self.database.set(heartbeat.database);
        self.published_at
            .set(heartbeat.age_ms.map(|age| now_ms() - age as f64));
        self.tell();
    }

    /// Notices a line that died in silence and a browser that gave up.
    fn check(self: &Rc<Self>) {
        let now = now_ms();
        if now - self.heard_at.get() > DEAD_AFTER_MS {
            self.is_open.set(false);
        }
        let has_given_up = self
            .source
            .borrow()
            .as_ref()
            .is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        let is_dead = now - self.heard_at.get() > DEAD_AFTER_MS;
        let is_time = now - self.opened_at.get()
            > if has_given_up {
                REOPEN_EVERY_MS
            } else {
                DEAD_AFTER_MS
            };
        if (has_given_up || is_dead) && is_time {
            self.open();
        }
        self.tell();
    }

    /// Says how far the numbers can be trusted, if that is news.
    fn tell(&self) {
        let age_ms = self.published_at.get().map(|at| (now_ms() - at) as u64);
        let silent = stale_seconds(age_ms, self.city.stale_after_ms);
        let freshness = if !self.is_open.get() {
            Freshness::Reconnecting
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
