//! The map without a screen: projection, ground, streets, the look of a dock, and the state of a map
//! that a rider moves.
//!
//! Below the docks lies the ground of a base map ([`ground`]), or where there is none the land
//! around the docks ([`land`]). Streets are the base map's too; where it has none, a street is a line
//! through the docks named after it. The browser draws all of it
//! on canvases (`client`), the server as SVG for pages without script ([`svg`]).

pub(crate) mod ground;
pub(crate) mod land;
pub(crate) mod line;
pub(crate) mod look;
pub(crate) mod marks;
pub(crate) mod motion;
pub(crate) mod names;
pub(crate) mod outline;
pub(crate) mod plane;
pub(crate) mod pointers;
pub(crate) mod ripples;
pub(crate) mod streets;
#[cfg(feature = "ssr")]
pub(crate) mod svg;
pub(crate) mod view;
pub(crate) mod viewport;
