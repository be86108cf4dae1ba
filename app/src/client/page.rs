//! Reads the docks off the page as the server rendered it: the list is the data.

use domain::Service;
use leptos::prelude::document;
use wasm_bindgen::JsCast as _;
use web_sys::Element;

use crate::decimal;
use crate::model::{Count, Dock, WallTime, parse_stock};

/// Every dock of the list, in its order.
pub(crate) fn docks() -> Vec<Dock> {
    let Ok(items) = document().query_selector_all("#docks li") else {
        return Vec::new();
    };
    (0..items.length())
        .filter_map(|index| dock(items.item(index)?.unchecked_ref()))
        .collect()
}

/// `<li data-dock="12" data-bikes="7" data-at="40.74571,-73.98195">…<span class="name">…`
fn dock(item: &Element) -> Option<Dock> {
    let at = item.get_attribute("data-at")?;
    let (lat, lon) = at.split_once(',')?;
    Some(Dock {
        id: decimal::integer(&item.get_attribute("data-dock")?)?,
        name: item
            .query_selector(".name")
            .ok()
            .flatten()?
            .text_content()?,
        lat: decimal::parse(lat)?,
        lon: decimal::parse(lon)?,
        count: Count {
            bikes: decimal::integer(&item.get_attribute("data-bikes")?)?,
            estimated: item.has_attribute("data-estimated"),
            service: service(item),
            last_seen: item
                .get_attribute("data-last-seen")
                .and_then(|text| WallTime::parse(&text)),
            stock: item
                .get_attribute("data-stock")
                .map(|text| parse_stock(&text))
                .unwrap_or_default(),
        },
    })
}

/// `data-service="installed returning"`; everything without it.
fn service(item: &Element) -> Service {
    let Some(held) = item.get_attribute("data-service") else {
        return Service::default();
    };
    let holds = |name: &str| held.split(' ').any(|held| held == name);
    Service {
        installed: holds("installed"),
        renting: holds("renting"),
        returning: holds("returning"),
    }
}
