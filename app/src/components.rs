//! The parts of the page; each is one file with one job.

pub mod clock;
pub mod dock_item;
pub mod dock_list;
pub mod flash;
pub(crate) mod map_nodes;
pub mod map_view;
pub mod search_form;
pub mod search_results;
pub mod status;
