//! The map without a screen: projection, view, land, streets and the look of a dock.
//!
//! The base map comes out of the docks themselves, no outside data: land is where docks are, a
//! street is a line through the docks named after it. The browser draws it on a canvas
//! (`client`), the server as SVG for pages without script ([`svg`]).

pub mod land;
pub mod look;
pub mod plane;
pub mod streets;
#[cfg(feature = "ssr")]
pub mod svg;
pub mod view;
