//! Asks the server when bikes were taken on the day that the film shows.

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::{Element, Event};

use super::events::{on, when_still};
use super::fetch_text;
use crate::city::City;
use crate::link::query_value;

/// Keeps the chart in step with the film, as long as that is open.
pub(super) fn follow(city: City) {
    let Some((panel, chart)) = element("details.past").zip(element("#city-day")) else {
        return;
    };
    let renew = when_still({
        let panel = panel.clone();
        move |()| {
            if !panel.has_attribute("open") {
                return;
            }
            let at = city.instant.with_untracked(|instant| {
                let local = instant.as_ref().map(|instant| query_value(&instant.local));
                local.unwrap_or_default()
            });
            let chart = chart.clone();
            spawn_local(async move {
                // Without an answer the chart stays as it was: the film goes on.
                if let Some(html) = fetch_text(&format!("/city/day?at={at}")).await {
                    chart.set_inner_html(&html);
                }
            });
        }
    });
    let renew = std::rc::Rc::new(renew);
    on::<Event>(&panel, "toggle", {
        let renew = std::rc::Rc::clone(&renew);
        move |_| renew(())
    });
    Effect::watch(
        move || city.instant.track(),
        move |(), _, _| renew(()),
        false,
    );
}

fn element(selector: &str) -> Option<Element> {
    document().query_selector(selector).ok()?
}
