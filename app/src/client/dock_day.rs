//! Asks the server for the selected dock's day, and for its newest state as long as it is selected.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::events::on_change;
use super::{fetch, instant_value};
use crate::city::City;
use crate::words::Word;

/// Between two looks at a dock that stays selected.
const EVERY: Duration = Duration::from_secs(30);

/// Keeps the day in step with the selection for as long as the page lives.
pub(crate) fn follow(city: City, day: NodeRef<leptos::html::Div>) {
    let question = Rc::new(Cell::new(0_u32));
    let renew = {
        let question = Rc::clone(&question);
        move || {
            question.set(question.get().wrapping_add(1));
            let (number, question) = (question.get(), Rc::clone(&question));
            let Some(address) = address(city) else { return };
            spawn_local(async move {
                let html = fetch::text(&address).await;
                let html = html.unwrap_or_else(|| {
                    let text = city.text(Word::DayUnreadable);
                    format!("<p class=\"since\">{text}</p>")
                });
                // Another dock may have been selected by now.
                if question.get() == number
                    && let Some(day) = day.get_untracked()
                {
                    day.set_inner_html(&html);
                }
            });
        }
    };
    on_change(move || city.selected.track(), {
        let renew = renew.clone();
        move || {
            if let Some(day) = day.get_untracked() {
                day.set_inner_html("");
            }
            renew();
        }
    });
    // A page that could not wait for it has come without.
    if day
        .get_untracked()
        .is_some_and(|day| day.inner_html().is_empty())
    {
        renew();
    }
    let is_live = move || !city.is_past();
    // Only a page without a window refuses a timer.
    set_interval_with_handle(
        move || {
            if is_live() {
                renew()
            }
        },
        EVERY,
    )
    .ok();
}

/// Of the selected dock, at the instant that the page shows.
fn address(city: City) -> Option<String> {
    let dock = city.selected.get_untracked()?;
    let at = instant_value(city);
    Some(format!("/dock/past?dock={dock}&at={at}"))
}
