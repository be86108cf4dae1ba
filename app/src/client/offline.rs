//! A page that opens without a network: `app/install/offline.js` keeps it on the device.

use leptos::prelude::{document, window};
use wasm_bindgen::JsValue;
use web_sys::Event;

use super::events::on;
use crate::decimal;

/// Has this page's server kept on the device, as it is whenever a rider leaves the page.
pub(super) fn keep() {
    // Elsewhere browsers have no service workers: https, or the machine itself.
    if !window().is_secure_context() {
        return;
    }
    let workers = window().navigator().service_worker();
    // A browser that may not keep anything goes on without.
    drop(workers.register("/offline.js"));
    on::<Event>(&document(), "visibilitychange", move |_| {
        if document().hidden()
            && let Some(worker) = workers.controller()
        {
            // A text can always be sent.
            worker.post_message(&JsValue::from_str("keep")).ok();
        }
    });
}

/// How long ago the page was kept, in milliseconds; none for one that comes from the server.
pub(super) fn kept_for_ms() -> Option<f64> {
    let root = document().document_element()?;
    let kept_at = decimal::parse(&root.get_attribute("data-kept-at")?)?;
    // A device's clock may have been set since.
    Some((js_sys::Date::now() - kept_at).max(0.0))
}
