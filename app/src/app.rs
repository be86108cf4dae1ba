//! The root component: the page and the content it starts with.

use leptos::prelude::*;

use crate::city::City;
#[cfg(feature = "hydrate")]
use crate::json::Json;
use crate::model::PageContent;
use crate::pages::home::Home;

/// The page, rendered on the server and taken over by the browser.
#[component]
pub(crate) fn App() -> impl IntoView {
    let (content, drawn) = content();
    provide_context(City::new(content));
    view! { <Home drawn /> }
}

/// What the server draws; the browser's script takes it as it stands on the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    /// The map as SVG, for before and without script.
    pub(crate) still_map: String,
    /// What is stored of the past, as HTML.
    pub(crate) past: String,
    /// The selected dock's day, as HTML.
    pub(crate) dock_day: String,
}

/// The content that the request's handler provides, and what is drawn of it.
///
/// All of it travels inside the page but the docks: the browser reads them off the list.
#[cfg(feature = "ssr")]
fn content() -> (PageContent, Drawn) {
    let mut content = use_context::<PageContent>().unwrap_or_default();
    let served = use_context::<crate::server::base_map::ServedMap>();
    let base_map = served
        .as_ref()
        .and_then(|served| served.under(&content.snapshot.docks));
    let drawn = Drawn {
        still_map: crate::map::svg::draw(&content, base_map),
        past: crate::components::past::panel::draw(&content),
        dock_day: std::mem::take(&mut content.dock_day),
    };
    let docks = std::mem::take(&mut content.snapshot.docks);
    let json = serde_json::to_string(&content).expect("a page has finite numbers and texts only");
    SharedValue::new_str(|| json);
    content.snapshot.docks = docks;
    (content, drawn)
}

/// The content as it came with the page; what the server drew stays as it is.
#[cfg(feature = "hydrate")]
fn content() -> (PageContent, Drawn) {
    let json = SharedValue::new_str(String::new).into_inner();
    let content = Json::parse(&json).and_then(|json| PageContent::read(&json));
    let mut content = content.unwrap_or_default();
    content.snapshot.docks = crate::client::page::docks();
    (content, Drawn::default())
}

/// Neither server nor browser: nothing.
#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
fn content() -> (PageContent, Drawn) {
    Default::default()
}
