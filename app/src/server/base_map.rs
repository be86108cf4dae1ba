//! The base map that the program carries, and for which docks it is drawn.

use std::sync::LazyLock;

use basemap::BaseMap;

use crate::model::Dock;

/// The base map under these docks, or under the first ones that come; none for docks elsewhere.
pub(crate) fn under(docks: &[Dock]) -> Option<&'static BaseMap> {
    let is_in = |dock: &Dock| new_york().detail.holds(dock.lat, dock.lon);
    (docks.is_empty() || docks.iter().any(is_in)).then(new_york)
}

/// New York, whatever docks there are.
pub(crate) fn new_york() -> &'static BaseMap {
    static NEW_YORK: LazyLock<BaseMap> = LazyLock::new(|| {
        BaseMap::decode(basemap::NEW_YORK).expect("the file was built into the program")
    });
    &NEW_YORK
}
