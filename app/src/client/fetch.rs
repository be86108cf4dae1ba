//! What the page asks its server for.

use js_sys::Uint8Array;
use leptos::prelude::window;
use wasm_bindgen::JsCast as _;
use web_sys::Response;

/// The text at an address; none where the server has nothing to say, or does not answer.
pub(super) async fn text(address: &str) -> Option<String> {
    let text = response(address).await?.text().ok()?.await.ok()?;
    text.as_string()
}

/// The bytes at an address, likewise.
pub(super) async fn bytes(address: &str) -> Option<Vec<u8>> {
    let buffer = response(address).await?.array_buffer().ok()?.await.ok()?;
    Some(Uint8Array::new(&buffer).to_vec())
}

async fn response(address: &str) -> Option<Response> {
    let response = window().fetch_with_str(address).await.ok()?;
    let response: Response = response.unchecked_into();
    response.ok().then_some(response)
}
