//! Asks the server when bikes were taken on the day that the film shows.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::{Element, Event};

use super::events::{on, on_change, when_still};
use super::{fetch, instant_value};
use crate::city::City;

/// Keeps the chart in step with the film, as long as that is open.
pub(super) fn follow(city: City) {
    let Some((panel, chart)) = element("details.past").zip(element("#city-day")) else {
        return;
    };
    // A page that could not wait for it has come without.
    let is_missing = chart.inner_html().is_empty();
    let renew = Rc::new(when_still({
        let panel = panel.clone();
        move |()| {
            if panel.has_attribute("open") {
                draw(
                    chart.clone(),
                    format!("/city/day?at={}", instant_value(city)),
                );
            }
        }
    }));
    if is_missing {
        renew(());
    }
    on::<Event>(&panel, "toggle", {
        let renew = Rc::clone(&renew);
        move |_| renew(())
    });
    on_change(move || city.instant.track(), move || renew(()));
}

/// Puts in what the server answers; without an answer the chart stays as it was, and the film goes on.
fn draw(chart: Element, address: String) {
    spawn_local(async move {
        if let Some(html) = fetch::text(&address).await {
            chart.set_inner_html(&html);
        }
    });
}

fn element(selector: &str) -> Option<Element> {
    document().query_selector(selector).ok()?
}
