//! Where the device is, as a search.

use leptos::prelude::window;
use wasm_bindgen::prelude::*;
use web_sys::{Position, PositionError};

use crate::decimal::fixed;
use crate::words::Word;

/// Asks the browser, which asks the rider; calls `found` with degrees such as `40.74610, -73.98180` or
/// with a message.
pub(crate) fn locate(found: impl Fn(Result<String, Word>) + Clone + 'static) {
    let Ok(geolocation) = window().navigator().geolocation() else {
        return found(Err(Word::PlaceUnknown));
    };
    let at = found.clone();
    let at = Closure::once_into_js(move |position: Position| {
        let coordinates = position.coords();
        // Five decimals are a metre.
        let (lat, lon) = (coordinates.latitude(), coordinates.longitude());
        at(Ok(format!("{}, {}", fixed(lat, 5), fixed(lon, 5))));
    });
    let refused = found.clone();
    let refused = Closure::once_into_js(move |error: PositionError| {
        let is_refused = error.code() == PositionError::PERMISSION_DENIED;
        refused(Err(if is_refused {
            Word::PlaceRefused
        } else {
            Word::PlaceUnknown
        }));
    });
    let asked = geolocation.get_current_position_with_error_callback(
        at.unchecked_ref(),
        Some(refused.unchecked_ref()),
    );
    if asked.is_err() {
        found(Err(Word::PlaceUnknown));
    }
}
