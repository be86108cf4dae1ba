//! The search, as a server function: the same answer as a page with `?q=`, without the page.

use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

use crate::model::Outcome;

/// Looks an address up; reads no table.
///
/// # Errors
/// Only what the way to the server can break; a search that cannot be understood is an
/// [`Outcome::Flash`].
#[server(prefix = "/api", endpoint = "search", input = GetUrl, output = Json)]
pub(crate) async fn search(q: String) -> Result<Outcome, ServerFnError> {
    use std::sync::Arc;

    let geocoder = expect_context::<Arc<crate::geocode::Geocoder>>();
    let words = expect_context::<crate::words::Words>();
    Ok(geocoder.look_up(&q, words))
}
