//! The browser: draws the map, listens to the event stream and keeps the page's address.

mod address;
mod base;
mod brush;
mod changes;
mod city_day;
pub(crate) mod dock_day;
mod events;
mod favourites;
mod fetch;
mod frame;
mod gestures;
mod ground_names;
pub(crate) mod keys;
mod live;
pub(crate) mod locate;
mod map_canvas;
mod map_state;
mod offline;
pub(crate) mod page;
mod palette;
pub(crate) mod panic;
mod past;
mod screen;
pub(crate) mod search;
mod tiles;

use basemap::BaseMap;
use leptos::prelude::*;
use leptos::task::spawn_local;

use self::map_canvas::MapCanvas;
use crate::city::City;
use crate::components::map_nodes::MapNodes;
use crate::link::query_value;

/// Brings the rendered page to life; its map when the base map is there, which has been on its way
/// since the page's head.
pub(crate) fn start(city: City, nodes: MapNodes) {
    if !city.is_past() {
        live::listen(city);
    }
    past::start(city);
    city_day::follow(city);
    favourites::follow(city);
    offline::keep();
    let Some(link) = city.base_map.get_value() else {
        return start_map(city, nodes, None);
    };
    let page = Owner::current().unwrap_or_default();
    spawn_local(async move {
        // Without one the docks tell where land is.
        let file = fetch::bytes(&link.address).await;
        let base_map = file.and_then(|file| BaseMap::decode(&file).ok());
        page.with(|| untrack(|| start_map(city, nodes, base_map)));
    });
}

fn start_map(city: City, nodes: MapNodes, base_map: Option<BaseMap>) {
    let write_view = address::view_writer();
    let map = MapCanvas::start(city, nodes, base_map, address::view(), write_view);
    if let Some(map) = map {
        changes::follow(city, &map);
        gestures::attach(&map, nodes);
        address::follow(city, &map);
    }
}

/// The instant of the past that the page shows, as a value in an address; empty where it is live.
fn instant_value(city: City) -> String {
    city.instant.with_untracked(|instant| {
        let local = instant.as_ref().map(|instant| query_value(&instant.local));
        local.unwrap_or_default()
    })
}
