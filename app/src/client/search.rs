//! The search and its completion, without a new page.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::fetch;
use crate::city::City;
use crate::json::Json;
use crate::link::query_value;
use crate::model::{Outcome, Suggestion};
use crate::words::Word;

/// Asks the server for what the rider searches for; nothing is found where that is nothing. The response
/// to an earlier search is let go.
pub(crate) fn search(city: City) {
    let query = city.query.get_untracked();
    if query.trim().is_empty() {
        return city.outcome.set(None);
    }
    city.searches.update(|searches| *searches += 1);
    spawn_local(async move {
        let found = get(&format!("/api/search?q={}", query_value(&query))).await;
        let outcome = found.and_then(|json| Outcome::read(&json));
        city.searches.update(|searches| *searches -= 1);
        if city.query.with_untracked(|now| *now == query) {
            let unanswered = || Outcome::Flash(city.text(Word::SearchUnanswered).to_owned());
            city.outcome.set(Some(outcome.unwrap_or_else(unanswered)));
        }
    });
}

/// What a search that is being typed may become; nothing if the server does not answer.
pub(crate) async fn suggest(typed: &str) -> Vec<Suggestion> {
    let list = get(&format!("/api/suggest?q={}", query_value(typed))).await;
    let list = list.map(|list| list.items()).unwrap_or_default();
    list.iter().filter_map(Suggestion::read).collect()
}

async fn get(address: &str) -> Option<Json> {
    Json::parse(&fetch::text(address).await?)
}
