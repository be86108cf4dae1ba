//! The map's box: a still drawing until the browser's script takes over with a canvas.

use leptos::prelude::*;

use crate::city::City;
use crate::components::map_nodes::MapNodes;

/// Who made what the base map was prepared from.
const BASE_MAP_SOURCES: &str = "Land: NYC Planning, GSHHG";

/// The map of all docks, in step with the lists.
#[component]
pub(crate) fn MapView(
    /// The map as SVG, for before and without script.
    still_map: String,
) -> impl IntoView {
    let city = expect_context::<City>();
    let nodes = MapNodes::default();
    start(city, nodes);
    let attribution = city.tiles.with_value(|tiles| match tiles {
        Some(tiles) => tiles.attribution.clone(),
        None if city.base_map.with_value(Option::is_some) => BASE_MAP_SOURCES.to_owned(),
        None => String::new(),
    });
    let attribution = Some(attribution).filter(|text| !text.is_empty());
    let sought = move || city.seeking.get().several();
    let is_empty = move || city.docks.with(Vec::is_empty);
    view! {
        <section class="map" aria-label="Map">
            <div id="still-map" class="still" inner_html=still_map></div>
            <canvas node_ref=nodes.base class="base" aria-hidden="true"></canvas>
            <canvas
                id="map"
                node_ref=nodes.marks
                class="marks"
                tabindex="0"
                role="application"
                aria-label="Map of docks: arrow keys move it, plus and minus zoom. The list of docks holds the same."
            ></canvas>
            <canvas node_ref=nodes.names class="names" aria-hidden="true"></canvas>
            <div class="label" node_ref=nodes.label aria-hidden="true"></div>
            <div class="zoom" node_ref=nodes.buttons>
                <button type="button" data-zoom="in" aria-label="Zoom in">"+"</button>
                <button type="button" data-zoom="out" aria-label="Zoom out">"−"</button>
                <button type="button" data-zoom="all" aria-label="Show all docks">"⤢"</button>
            </div>
            <ul class="legend" aria-label="Legend">
                <li><span class="dot some"></span>{sought}</li>
                <li><span class="dot none"></span>"no "{sought}</li>
                <li><span class="dot place"></span>"address"</li>
            </ul>
            <Show when=is_empty>
                <p class="empty">"no docks yet: waiting for the first trips"</p>
            </Show>
            {attribution.map(|text| view! { <p class="attribution">{text}</p> })}
        </section>
    }
}

#[cfg(feature = "hydrate")]
fn start(city: City, nodes: MapNodes) {
    // Runs once the elements are there; untracked, since a second run would undo the first.
    Effect::new(move || untrack(|| crate::client::start(city, nodes)));
}

#[cfg(not(feature = "hydrate"))]
fn start(_city: City, _nodes: MapNodes) {}
