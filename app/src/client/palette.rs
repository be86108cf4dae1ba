//! The map's colours: the style sheet's, so that light and dark are decided in one place.

use leptos::prelude::{document, window};

/// Colours as CSS writes them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Palette {
    pub(super) water: String,
    pub(super) land: String,
    pub(super) shore: String,
    pub(super) park: String,
    pub(super) name: String,
    pub(super) water_name: String,
    pub(super) park_name: String,
    pub(super) street: String,
    pub(super) street_name: String,
    pub(super) some: String,
    pub(super) far: String,
    pub(super) none: String,
    pub(super) edge: String,
    pub(super) number: String,
    pub(super) place: String,
    pub(super) place_soft: String,
    pub(super) chosen: String,
}

impl Palette {
    /// Reads the custom properties as they are now.
    pub(super) fn read() -> Self {
        let style = document()
            .document_element()
            .and_then(|root| window().get_computed_style(&root).ok().flatten());
        let colour = |name: &str| {
            let value = style
                .as_ref()
                .and_then(|style| style.get_property_value(name).ok());
            value.unwrap_or_default().trim().to_owned()
        };
        Self {
            water: colour("--map-water"),
            land: colour("--map-land"),
            shore: colour("--map-shore"),
            park: colour("--map-park"),
            name: colour("--map-name"),
            water_name: colour("--map-water-name"),
            park_name: colour("--map-park-name"),
            street: colour("--map-street"),
            street_name: colour("--map-street-name"),
            some: colour("--dock-some"),
            far: colour("--dock-far"),
            none: colour("--dock-none"),
            edge: colour("--dock-edge"),
            number: colour("--dock-number"),
            place: colour("--place"),
            place_soft: colour("--place-soft"),
            chosen: colour("--dock-chosen"),
        }
    }
}
