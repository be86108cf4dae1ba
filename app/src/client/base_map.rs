//! Fetches the base map from the server of the page.

use basemap::BaseMap;
use gloo_net::http::Request;

/// The base map at an address; none if it does not come, or is none: then the docks tell where land
/// is.
pub(super) async fn fetch(address: &str) -> Option<BaseMap> {
    let response = Request::get(address).send().await.ok()?;
    BaseMap::decode(&response.binary().await.ok()?).ok()
}
