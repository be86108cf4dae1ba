//! Keys in lists.

use leptos::prelude::document;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// Arrow keys, Home and End move the focus from item to item.
pub(crate) fn move_focus_in_list(event: &KeyboardEvent) {
    let Some(item) = document()
        .active_element()
        .and_then(|active| active.closest("li").ok().flatten())
    else {
        return;
    };
    let target = match event.key().as_str() {
        "ArrowDown" => item.next_element_sibling(),
        "ArrowUp" => item.previous_element_sibling(),
        "Home" => item
            .parent_element()
            .and_then(|list| list.first_element_child()),
        "End" => item
            .parent_element()
            .and_then(|list| list.last_element_child()),
        _ => return,
    };
    event.prevent_default();
    if let Some(link) = target.and_then(|item| link_in(&item)) {
        // Only an element that left the page refuses the focus.
        link.focus().ok();
    }
}

fn link_in(item: &Element) -> Option<HtmlElement> {
    item.query_selector("a").ok().flatten()?.dyn_into().ok()
}
