//! The map's box: a still drawing until the browser's script takes over with a canvas.

use leptos::either::Either;
use leptos::prelude::*;

use crate::city::City;
use crate::components::map_nodes::MapNodes;
use crate::words::Word;

/// The map of all docks, in step with the lists.
#[component]
pub(crate) fn MapView(
    /// The map as SVG, for before and without script.
    still_map: String,
) -> impl IntoView {
    let city = expect_context::<City>();
    let nodes = MapNodes::default();
    start(city, nodes);
    let sought = move || city.text(city.seeking.get().several());
    let none = move || city.words.fill(Word::NoneOf, &[sought()]);
    let is_empty = move || city.docks.with(Vec::is_empty);
    view! {
        <section class="map" aria-label=city.text(Word::Map)>
            <div id="still-map" class="still" inner_html=still_map></div>
            <canvas node_ref=nodes.base class="base" aria-hidden="true"></canvas>
            <canvas
                id="map"
                node_ref=nodes.marks
                class="marks"
                tabindex="0"
                role="application"
                aria-label=city.text(Word::MapHelp)
            ></canvas>
            <canvas node_ref=nodes.names class="names" aria-hidden="true"></canvas>
            <div class="label" node_ref=nodes.label aria-hidden="true"></div>
            <div class="zoom" node_ref=nodes.buttons>
                <button type="button" data-zoom="in" aria-label=city.text(Word::ZoomIn)>"+"</button>
                <button type="button" data-zoom="out" aria-label=city.text(Word::ZoomOut)>"−"</button>
                <button type="button" data-zoom="all" aria-label=city.text(Word::ShowAll)>"⤢"</button>
            </div>
            <ul class="legend" aria-label=city.text(Word::Legend)>
                <li><span class="dot some"></span>{sought}</li>
                <li><span class="dot none"></span>{none}</li>
                <li><span class="dot place"></span>{city.text(Word::Address)}</li>
            </ul>
            <Show when=is_empty>
                <p class="empty">{city.text(Word::NoDocksYet)}</p>
            </Show>
            {attribution(city)}
        </section>
    }
}

/// Who made the tiles or, without tiles, the base map; with their terms, where these ask for it.
fn attribution(city: City) -> Option<impl IntoView> {
    let (text, terms) = match (city.tiles.get_value(), city.base_map.get_value()) {
        (Some(tiles), _) => (tiles.attribution, String::new()),
        (None, Some(base_map)) => (base_map.attribution, base_map.terms),
        (None, None) => return None,
    };
    let credit = match terms.as_str() {
        "" => Either::Left(text.clone()),
        _ => Either::Right(view! { <a href=terms rel="noopener">{text.clone()}</a> }),
    };
    (!text.is_empty()).then(|| view! { <p class="attribution">{credit}</p> })
}

#[cfg(feature = "hydrate")]
fn start(city: City, nodes: MapNodes) {
    // Runs once the elements are there; untracked, since a second run would undo the first.
    Effect::new(move || untrack(|| crate::client::start(city, nodes)));
}

#[cfg(not(feature = "hydrate"))]
fn start(_city: City, _nodes: MapNodes) {}
