//! The root component: the page and the content it starts with.

use leptos::prelude::*;

use crate::city::City;
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
    let mut content = SharedValue::new(|| content).into_inner();
    content.snapshot.docks = docks;
    (content, drawn)
}

/// The content as it came with the page; what the server drew stays as it is.
#[cfg(not(feature = "ssr"))]
fn content() -> (PageContent, Drawn) {
    #[cfg_attr(
        not(feature = "hydrate"),
        expect(unused_mut, reason = "only the browser reads docks")
    )]
    let mut content = SharedValue::new(PageContent::default).into_inner();
    #[cfg(feature = "hydrate")]
    {
        content.snapshot.docks = crate::client::page::docks();
    }
    (content, Drawn::default())
}
