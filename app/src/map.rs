//! The map without a screen: projection, land, streets, the look of a dock, and the state of a map
//! that a rider moves.
//!
//! The base map comes out of the docks themselves, no outside data: land is where docks are, a
//! street is a line through the docks named after it. The browser draws it on a canvas
//! (`client`), the server as SVG for pages without script ([`svg`]).

pub(crate) mod land;
pub(crate) mod look;
pub(crate) mod marks;
pub(crate) mod motion;
pub(crate) mod plane;
pub(crate) mod pointers;
pub(crate) mod ripples;
pub(crate) mod streets;
#[cfg(feature = "ssr")]
pub(crate) mod svg;
pub(crate) mod view;
pub(crate) mod viewport;
