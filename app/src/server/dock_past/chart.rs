//! A dock's day in words and as a chart: today's bikes, and those of the same weekday in weeks before.

use chrono::{DateTime, Datelike as _};
use domain::time::to_local;
use leptos::prelude::*;

use super::past::DockPast;
use crate::server::day::Day;
use crate::server::past::LookBackError;
use crate::server::svg::{path, push};
use crate::words::{Word, Words};

/// What is drawn.
pub(super) struct Chart {
    pub(super) words: Words,
    pub(super) day: Day,
    /// The last second that is known.
    pub(super) now: i64,
    /// From the day before on.
    pub(super) lately: DockPast,
    pub(super) usual: Vec<Usual>,
    pub(super) suspicion: Option<Suspicion>,
    pub(super) timezone: String,
}

/// Bikes that nobody has taken for so long that they are perhaps broken.
pub(super) struct Suspicion {
    pub(super) since: i64,
    /// Bikes that are taken in these hours on other days.
    pub(super) usually_taken: f64,
}

/// The same weekday in a week before.
pub(super) struct Usual {
    pub(super) day: Day,
    pub(super) past: DockPast,
}

/// The chart's size in its own pixels.
const SIZE: (f64, f64) = (340.0, 96.0);
/// Room below for the hours, and above for the number of bikes.
const FOOT: f64 = 16.0;
const HEAD: f64 = 14.0;
/// Usual bikes are drawn at so many instants of the day, one more at its end.
const STEPS: i64 = 48;
/// A chart is at least this high, in bikes.
const BIKES_MIN: i32 = 5;

/// Draws it.
pub(super) fn draw(chart: &Chart) -> String {
    let suspicion = chart.suspicion.as_ref();
    let suspicion = suspicion.and_then(|suspicion| chart.suspicion_text(suspicion));
    let suspicion = suspicion.map(|text| view! { <p class="suspicion">{text}</p> });
    let figure = chart.is_known().then(|| {
        let usual = chart.usual_text();
        view! {
            <figure>
                <div inner_html=chart.svg()></div>
                <figcaption>{chart.today_text()} {usual}</figcaption>
            </figure>
        }
    });
    let panel = view! {
        {suspicion}
        <p class="since">{chart.since_text()}</p>
        {figure}
    };
    panel.to_html()
}

/// Why there is nothing to draw.
pub(super) fn message(words: Words, error: LookBackError) -> String {
    let text = words.get(error.word());
    view! { <p class="since">{text}</p> }.to_html()
}

impl Chart {
    fn is_known(&self) -> bool {
        !self.lately.steps().is_empty()
    }

    /// `8 bikes, none taken for 4 hours, when about 9 usually are: perhaps broken`.
    fn suspicion_text(&self, suspicion: &Suspicion) -> Option<String> {
        let Suspicion {
            since,
            usually_taken,
        } = suspicion;
        let bikes = self.lately.at(self.now)?.bikes;
        let hours = (self.now - since) / 3_600;
        let hours = i32::try_from(hours).unwrap_or(i32::MAX);
        let hours = self.words.amount(hours, Word::AnHour, Word::Hours);
        let usually_taken = format!("{usually_taken:.0}");
        Some(self.words.fill(
            Word::PerhapsBroken,
            &[&bikes.to_string(), &hours, &usually_taken],
        ))
    }

    /// `Last taken 08:12 · Last returned 07:55`.
    fn since_text(&self) -> String {
        let (taken, returned) = (self.lately.taken().last(), self.lately.returned().last());
        let at = |word, at: i64| self.words.fill(word, &[&self.clock(at)]);
        let parts = [
            taken.map(|(second, _)| at(Word::LastTaken, second)),
            returned.map(|(second, _)| at(Word::LastReturned, second)),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return self.words.get(Word::NothingForADay).to_owned();
        }
        parts.join(" · ")
    }

    fn today_text(&self) -> String {
        let (before, now) = (self.day.start - 1, self.now);
        let taken = self.lately.taken_between(before, now).to_string();
        let returned = self.lately.returned_between(before, now).to_string();
        self.words
            .fill(Word::TakenAndReturned, &[&taken, &returned])
    }

    fn usual_text(&self) -> Option<String> {
        let weekday = local(self.day.start, &self.timezone)?.weekday();
        let weekday = weekday.num_days_from_monday() as usize;
        let weekday = self.words.nth(Word::LongWeekdays, weekday);
        match self.usual.len() {
            0 => None,
            1 => Some(self.words.fill(Word::TheDayBefore, &[weekday])),
            weeks => {
                let weeks = weeks.to_string();
                Some(self.words.fill(Word::TheDaysBefore, &[weekday, &weeks]))
            }
        }
    }

    /// The chart as SVG: an area for the spread, a line for its middle, a line of steps for today.
    fn svg(&self) -> String {
        let spread = self.spread();
        let top = self.top(&spread);
        let (width, height) = (SIZE.0, SIZE.1 - FOOT);
        let length = (self.day.end - self.day.start).max(1) as f64;
        let x = |second: i64| (second - self.day.start) as f64 / length * width;
        let y = |bikes: f64| height - bikes / f64::from(top) * (height - HEAD);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{}\">",
            SIZE.1,
            self.words.fill(Word::BikesToday, &[&top.to_string()])
        );
        if !spread.is_empty() {
            let upper = spread.iter().map(|(at, _, _, most)| (x(*at), y(*most)));
            let lower = spread
                .iter()
                .rev()
                .map(|(at, least, _, _)| (x(*at), y(*least)));
            path("spread", upper.chain(lower), &mut svg);
            path(
                "usual",
                spread.iter().map(|(at, _, mean, _)| (x(*at), y(*mean))),
                &mut svg,
            );
        }
        path(
            "today",
            self.today_line()
                .map(|(at, bikes)| (x(at), y(f64::from(bikes)))),
            &mut svg,
        );
        for hour in [6, 12, 18] {
            let at = x(self.day.start + hour * 3_600);
            push(
                &mut svg,
                format_args!(
                    "<path class=\"tick\" d=\"M{at:.0} 0V{height:.0}\"/>\
                 <text x=\"{at:.0}\" y=\"{:.0}\">{hour}:00</text>",
                    SIZE.1 - 3.0
                ),
            );
        }
        push(
            &mut svg,
            format_args!("<text class=\"top\" x=\"2\" y=\"10\">{top}</text></svg>"),
        );
        svg
    }

    /// The most bikes that are drawn.
    fn top(&self, spread: &[(i64, f64, f64, f64)]) -> i32 {
        let today = self.today_line().map(|(_, bikes)| bikes);
        let usual = spread.iter().map(|(_, _, _, most)| most.ceil() as i32);
        today.chain(usual).max().unwrap_or(0).max(BIKES_MIN)
    }

    /// Corners of today's line.
    fn today_line(&self) -> impl Iterator<Item = (i64, i32)> {
        let begin = self.lately.at(self.day.start);
        let begin = begin.map(|count| (self.day.start, count.bikes));
        let steps = self.lately.steps().iter();
        let today = steps.filter(|(second, _)| *second > self.day.start);
        let mut last = begin.map(|(_, bikes)| bikes);
        let corners = today.flat_map(move |(second, count)| {
            let before = last.replace(count.bikes).unwrap_or(count.bikes);
            [(*second, before), (*second, count.bikes)]
        });
        let end = self
            .lately
            .at(self.now)
            .map(|count| (self.now, count.bikes));
        begin.into_iter().chain(corners).chain(end)
    }

    /// Least, mean and most of the usual days at instants of today.
    fn spread(&self) -> Vec<(i64, f64, f64, f64)> {
        let length = self.day.end - self.day.start;
        let instants = (0..=STEPS).map(|step| length * step / STEPS);
        let at = |after: i64| {
            let counts = self.usual.iter().filter_map(|Usual { day, past }| {
                Some(f64::from(past.at(day.start + after)?.bikes))
            });
            let counts: Vec<_> = counts.collect();
            let least = counts.iter().copied().reduce(f64::min)?;
            let most = counts.iter().copied().reduce(f64::max)?;
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            Some((self.day.start + after, least, mean, most))
        };
        instants.filter_map(at).collect()
    }

    /// `08:12`, with the day if it is not today.
    fn clock(&self, second: i64) -> String {
        let Some(at) = local(second, &self.timezone) else {
            return String::new();
        };
        let time = at.format("%H:%M").to_string();
        if second >= self.day.start {
            return time;
        }
        let weekday = at.weekday().num_days_from_monday() as usize;
        format!("{} {time}", self.words.nth(Word::Weekdays, weekday))
    }
}

fn local(second: i64, timezone: &str) -> Option<chrono::NaiveDateTime> {
    let (local, _) = to_local(DateTime::from_timestamp(second, 0)?, timezone);
    Some(local)
}
