//! What a search that is being typed may become, as a server function.

use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

use crate::model::Suggestion;

/// The likeliest searches that begin as typed, at most six, the likeliest first; reads no table.
///
/// # Errors
/// Only what the way to the server can break.
#[server(prefix = "/api", endpoint = "suggest", input = GetUrl, output = Json)]
pub(crate) async fn suggest(q: String) -> Result<Vec<Suggestion>, ServerFnError> {
    use std::sync::Arc;

    let geocoder = expect_context::<Arc<crate::geocode::Geocoder>>();
    Ok(geocoder.suggest(&q))
}
