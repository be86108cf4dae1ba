//! The root component: the page and the content it starts with.

use leptos::prelude::*;

use crate::city::City;
use crate::model::PageContent;
use crate::pages::home::Home;

/// The page, rendered on the server and taken over by the browser.
#[component]
pub(crate) fn App() -> impl IntoView {
    let (content, still_map, panel) = content();
    provide_context(City::new(content));
    view! { <Home still_map panel /> }
}

/// The content that the request's handler provides, and map and panel of the past drawn from it.
///
/// All of it travels inside the page but the docks: the browser reads them off the list.
#[cfg(feature = "ssr")]
fn content() -> (PageContent, String, String) {
    let mut content = use_context::<PageContent>().unwrap_or_default();
    let base_map = crate::server::base_map::under(&content.snapshot.docks);
    let still_map = crate::map::svg::draw(&content, base_map);
    let panel = crate::components::past::panel::draw(&content);
    let docks = std::mem::take(&mut content.snapshot.docks);
    let mut content = SharedValue::new(|| content).into_inner();
    content.snapshot.docks = docks;
    (content, still_map, panel)
}

/// The content as it came with the page; what the server drew stays as it is.
#[cfg(not(feature = "ssr"))]
fn content() -> (PageContent, String, String) {
    #[cfg_attr(
        not(feature = "hydrate"),
        expect(unused_mut, reason = "only the browser reads docks")
    )]
    let mut content = SharedValue::new(PageContent::default).into_inner();
    #[cfg(feature = "hydrate")]
    {
        content.snapshot.docks = crate::client::page::docks();
    }
    (content, String::new(), String::new())
}
