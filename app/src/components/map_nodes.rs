//! The elements that the page lays out for the map and the browser draws on.

use leptos::prelude::*;

/// Handles to the elements; empty until the page is there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MapNodes {
    /// Ground and streets; redrawn when the view changes.
    pub(crate) base: NodeRef<leptos::html::Canvas>,
    /// Docks and the search; redrawn with every change.
    pub(crate) marks: NodeRef<leptos::html::Canvas>,
    /// Names of the ground; redrawn when the view changes.
    pub(crate) names: NodeRef<leptos::html::Canvas>,
    /// Name and count of the dock under the pointer, or of the selected one.
    pub(crate) label: NodeRef<leptos::html::Div>,
    /// Zoom in, zoom out, show all.
    pub(crate) buttons: NodeRef<leptos::html::Div>,
}
