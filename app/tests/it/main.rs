//! The page as browsers, and readers without script, get it.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test panics where the page is not as it says"
)]

mod api;
mod base_map;
mod city;
mod find;
mod follow;
mod fuzz;
mod gbfs;
mod health;
mod language;
mod limits;
mod live;
mod names;
mod own_city;
mod page;
mod past;
mod port;
mod search;
mod support;
mod weight;
