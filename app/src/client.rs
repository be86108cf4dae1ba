//! The browser: draws the map, listens to the live line and keeps the page's address.

mod address;
mod base;
mod events;
mod gestures;
pub(crate) mod keys;
mod live;
mod map_canvas;
mod marks;
pub(crate) mod page;
mod palette;
pub(crate) mod panic;
mod tiles;

use crate::city::City;
use crate::components::map_view::MapNodes;

/// Brings the rendered page to life.
pub(crate) fn start(city: City, nodes: MapNodes) {
    let view = address::view();
    if let Some(map) = map_canvas::MapCanvas::start(city, nodes, view) {
        address::follow(city, &map);
    }
    live::listen(city);
}
