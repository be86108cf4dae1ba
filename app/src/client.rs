//! The browser: draws the map, listens to the event stream and keeps the page's address.

mod address;
mod base;
mod brush;
mod changes;
mod events;
mod frame;
mod gestures;
pub(crate) mod keys;
mod live;
mod map_canvas;
mod map_state;
pub(crate) mod page;
mod palette;
pub(crate) mod panic;
mod screen;
mod tiles;

use crate::city::City;
use crate::components::map_nodes::MapNodes;

/// Brings the rendered page to life.
pub(crate) fn start(city: City, nodes: MapNodes) {
    let write_view = address::view_writer();
    if let Some(map) = map_canvas::MapCanvas::start(city, nodes, address::view(), write_view) {
        changes::follow(city, &map);
        gestures::attach(&map, nodes);
        address::follow(city, &map);
    }
    live::listen(city);
}
