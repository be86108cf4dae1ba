//! Plays the past: fetches periods, and shows the docks as they were.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use domain::Service;
use domain::availability::DockCount;
use domain::past::Period;
use js_sys::{Date, Object, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, HtmlElement, HtmlInputElement, HtmlSelectElement};

use super::events::{now_ms, on};
use super::fetch;
use crate::city::City;
use crate::decimal;
use crate::link::Address;
use crate::model::{Count, Delta, Instant, Outcome, WallTime};
use crate::words::Word;

/// Time between two pictures of the film (chosen: the eye follows, a phone keeps up).
const PICTURE: Duration = Duration::from_millis(100);

/// Periods kept (chosen: what the fastest film shows in three seconds of New York; some 10 MB).
const PERIODS_MAX: usize = 18;

/// Periods are fetched so many seconds before the film comes to them.
const FETCH_AHEAD_S: i64 = 2;

/// The page's film. Its callbacks and the timer hold it.
struct Film {
    city: City,
    timezone: String,
    first: i64,
    last: Cell<i64>,
    parts: Parts,
    /// Those fetched last at the end, each with the first second that it does not answer for.
    periods: RefCell<Vec<(Rc<Period>, i64)>>,
    is_fetching: Cell<bool>,
    /// What the rider wants to see.
    wanted: Cell<Option<i64>>,
    /// What the docks on the page show; none before the first picture.
    shown: Cell<Option<i64>>,
    plays: Cell<bool>,
    /// Whether the next picture is waited for.
    is_due: Cell<bool>,
    /// When the film went on, and what is left of less than a second of it.
    played_at: Cell<f64>,
    rest: Cell<f64>,
}

/// The parts of the panel that the server wrote.
struct Parts {
    play: HtmlElement,
    slider: HtmlInputElement,
    speed: HtmlSelectElement,
    /// The field for an instant.
    at: HtmlInputElement,
}

/// Shows what the rider wants to see, for as long as the page lives.
pub(super) fn start(city: City) {
    let (Some(past), Some(parts)) = (city.past.get_value(), Parts::find()) else {
        return;
    };
    let film = Rc::new(Film {
        city,
        timezone: past.timezone,
        first: past.first,
        last: Cell::new(past.last),
        parts,
        periods: RefCell::default(),
        is_fetching: Cell::new(false),
        wanted: Cell::new(past.shown.map(|instant| instant.second)),
        shown: Cell::new(None),
        plays: Cell::new(false),
        is_due: Cell::new(false),
        played_at: Cell::new(0.0),
        rest: Cell::new(0.0),
    });
    film.listen();
}

impl Parts {
    fn find() -> Option<Self> {
        Some(Self {
            play: part("play")?,
            slider: part("slider")?,
            speed: part("speed")?,
            at: part("at")?,
        })
    }
}

fn part<T: JsCast>(id: &str) -> Option<T> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

impl Film {
    fn listen(self: &Rc<Self>) {
        let film = Rc::clone(self);
        on::<Event>(&self.parts.slider, "input", move |_| {
            if let Some(second) = decimal::integer(&film.parts.slider.value()) {
                film.show(second);
            }
        });
        let film = Rc::clone(self);
        on::<Event>(&self.parts.play, "click", move |_| {
            film.set_plays(!film.plays.get());
            film.played_at.set(now_ms());
            if !film.is_due.get() {
                film.play();
            }
        });
        let city = self.city;
        let Some(form) = part::<HtmlElement>("instant") else {
            return;
        };
        // Search and dock may be others than when the server wrote the form.
        let film = Rc::clone(self);
        on::<Event>(&form, "submit", move |event| {
            event.prevent_default();
            let address = Address {
                at: Some(film.parts.at.value()),
                ..untrack(|| city.address())
            };
            // Only an address of another kind is refused.
            window().location().set_href(&address.link()).ok();
        });
    }

    fn set_plays(&self, plays: bool) {
        self.plays.set(plays);
        let (word, sign) = if plays {
            (Word::Pause, "❚❚")
        } else {
            (Word::Play, "▶")
        };
        let label = self.city.text(word);
        // No element refuses an attribute.
        self.parts.play.set_attribute("aria-label", label).ok();
        self.parts.play.set_text_content(Some(sign));
    }

    /// One picture after the other, until it is paused or comes to its end.
    fn play(self: &Rc<Self>) {
        if !self.plays.get() {
            return;
        }
        let now = now_ms();
        let passed = now - self.played_at.replace(now);
        let wanted = self.wanted.get().unwrap_or(self.first);
        // A period that is still on its way holds the film up.
        if self.shown.get() == Some(wanted) {
            let (speed, last) = (self.speed(), self.last.get());
            let seconds = self.rest.get() + passed / 1_000.0 * speed as f64;
            self.rest.set(seconds.fract());
            let next = (wanted + seconds as i64).min(last);
            self.fetch_ahead(next, (next + speed * FETCH_AHEAD_S).min(last));
            if next == last {
                self.set_plays(false);
            }
            self.show(next);
        } else {
            self.show(wanted);
        }
        let film = Rc::clone(self);
        self.is_due.set(true);
        let go_on = move || {
            film.is_due.set(false);
            film.play();
        };
        set_timeout(go_on, PICTURE);
    }

    /// Seconds of the past in one second.
    fn speed(&self) -> i64 {
        decimal::integer(&self.parts.speed.value()).unwrap_or(60)
    }

    /// Shows a second, as soon as its period is here.
    fn show(self: &Rc<Self>, second: i64) {
        self.wanted.set(Some(second));
        let Some(period) = self.period(second) else {
            return self.fetch_if_missing(second);
        };
        let sequel = self
            .shown
            .get()
            .filter(|shown| (period.start()..=second).contains(shown));
        let docks = match sequel {
            Some(shown) => {
                let changes = period.changes(shown, second).iter();
                changes
                    .map(|change| (change.location_id, self.count(change.count)))
                    .collect()
            }
            None => self.all_docks(&period, second),
        };
        self.shown.set(Some(second));
        let (clock, local, address) = self.times(second);
        let Parts { slider, at, .. } = &self.parts;
        slider.set_value(&second.to_string());
        let shown = self.city.words.local_time(&local);
        slider.set_attribute("aria-valuetext", &shown).ok();
        at.set_value(&address);
        self.city.show_past(Instant {
            second,
            local: address,
        });
        self.city.apply(Delta {
            version: self.city.version.get_untracked() + 1,
            clock: Some(clock),
            local: Some(local),
            docks,
            ..Delta::default()
        });
    }

    /// Every dock of the page; those that were not there yet are closed.
    fn all_docks(&self, period: &Period, second: i64) -> Vec<(i32, Count)> {
        let closed = DockCount {
            service: Service {
                installed: false,
                renting: false,
                returning: false,
            },
            ..DockCount::default()
        };
        let docks = self.city.ids().into_iter().map(|id| (id, closed));
        let mut docks: Vec<_> = docks.collect();
        let changes = period.changes(period.start(), second).iter();
        let changes = changes.map(|change| (change.location_id, change.count));
        for (id, count) in period.keyframe().iter().copied().chain(changes) {
            if let Ok(at) = docks.binary_search_by_key(&id, |(id, _)| *id) {
                docks[at].1 = count;
            }
        }
        let counts = docks.into_iter().map(|(id, count)| (id, self.count(count)));
        counts.collect()
    }

    /// The period that holds a second, if it is here.
    fn period(&self, second: i64) -> Option<Rc<Period>> {
        let periods = self.periods.borrow();
        let holds =
            |(period, until): &&(Rc<Period>, i64)| (period.start()..*until).contains(&second);
        let held = periods.iter().rfind(holds);
        held.map(|(period, _)| Rc::clone(period))
    }

    /// Fetches the first period that is missing between two seconds.
    fn fetch_ahead(self: &Rc<Self>, mut second: i64, until: i64) {
        while let Some(period) = self.period(second) {
            second = period.end().max(second + 1);
            if second > until {
                return;
            }
        }
        self.fetch_if_missing(second);
    }

    /// Fetches the period of a second, unless it is here or one is on its way.
    fn fetch_if_missing(self: &Rc<Self>, second: i64) {
        let second = second.min(self.last.get()).max(self.first);
        if self.period(second).is_some() || self.is_fetching.replace(true) {
            return;
        }
        let film = Rc::clone(self);
        spawn_local(async move {
            let period = fetch_period(second).await;
            film.is_fetching.set(false);
            match period {
                Some(period) => film.take(period, second),
                None => film.give_up(),
            }
        });
    }

    /// Keeps a period, which answers for the second that was asked for, also if a later one is still
    /// being made.
    fn take(self: &Rc<Self>, period: Period, asked: i64) {
        self.last.set(self.last.get().max(period.end()));
        let is_last = period.end() >= self.last.get();
        let until = period.end().max(asked + 1) + i64::from(is_last);
        {
            let mut periods = self.periods.borrow_mut();
            periods.push((Rc::new(period), until));
            if periods.len() > PERIODS_MAX {
                periods.remove(0);
            }
        }
        // What the rider wants may be another one by now.
        let wanted = self.wanted.get();
        if wanted != self.shown.get() {
            wanted.into_iter().for_each(|second| self.show(second));
        }
    }

    fn give_up(&self) {
        self.set_plays(false);
        let text = self.city.text(Word::PastUnreadable);
        self.city.outcome.set(Some(Outcome::Flash(text.to_owned())));
    }

    fn count(&self, count: DockCount) -> Count {
        let last_seen = count.last_seen.and_then(|at| {
            let (_, _, address) = self.times(at.timestamp());
            let (_, day) = address.split_once('-')?;
            let (day, time) = day.split_once('T')?;
            let time = time.split(':').take(2).collect::<Vec<_>>().join("-");
            WallTime::parse(&format!("{day}-{time}"))
        });
        Count {
            bikes: count.bikes,
            estimated: count.estimated,
            service: count.service,
            last_seen,
            stock: count.stock,
        }
    }

    /// A second in UTC, by the city's clocks and for the address, as the server writes them.
    fn times(&self, second: i64) -> (String, String, String) {
        let date = Date::new(&JsValue::from_f64(second as f64 * 1_000.0));
        let utc: String = date.to_iso_string().into();
        let zone = Object::new();
        // A new object takes any property.
        Reflect::set(&zone, &"timeZone".into(), &(&*self.timezone).into()).ok();
        // Swedes write dates as addresses do.
        let local: String = date.to_locale_string("sv-SE", &zone).into();
        let local = local.replace(' ', "T");
        let city = self.timezone.rsplit('/').next().unwrap_or_default();
        (
            utc.replace(".000", ""),
            format!("{local} {}", city.replace('_', " ")),
            local.strip_suffix(":00").unwrap_or(&local).to_owned(),
        )
    }
}

async fn fetch_period(second: i64) -> Option<Period> {
    let wire = fetch::bytes(&format!("/api/past/period?second={second}")).await?;
    Period::from_wire(&wire).ok()
}
