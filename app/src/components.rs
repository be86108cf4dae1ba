//! The parts of the page; each is one file with one job.

pub(crate) mod clock;
pub(crate) mod dock_item;
pub(crate) mod dock_list;
pub(crate) mod dock_panel;
pub(crate) mod favourites;
pub(crate) mod flash;
pub(crate) mod map_nodes;
pub(crate) mod map_view;
pub(crate) mod past;
pub(crate) mod search_form;
pub(crate) mod search_results;
pub(crate) mod seeking_choice;
pub(crate) mod status;
pub(crate) mod suggestions;

use leptos::ev::MouseEvent;

/// Whether a click on a link is for this page, and not for another tab or window.
pub(crate) fn is_plain(event: &MouseEvent) -> bool {
    !(event.ctrl_key() || event.meta_key() || event.shift_key())
}
