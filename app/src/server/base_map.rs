//! The base map that this server draws and hands out: New York's, which the program carries, or one of the
//! city's own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use basemap::{Addresses, BaseMap, CityMap};

use super::assets::hash;
use super::error::AppError;
use super::packed::Packed;
use crate::model::{BaseMapLink, Dock};

/// Bytes of a city's own file (chosen: ten times what is expected of the largest city).
const FILE_BYTES_MAX: u64 = 512 << 20;

/// The base map, and the file that browsers get; copies share it.
#[derive(Debug, Clone)]
pub(crate) struct ServedMap(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    base_map: BaseMap,
    file: Packed,
    /// Names the content.
    hash: String,
}

impl ServedMap {
    /// The one that the program carries.
    pub(crate) fn new_york() -> Self {
        let parts = Parts {
            base_map: new_york().clone(),
            file: Packed::new(Bytes::from_static(basemap::NEW_YORK)),
            hash: hash(basemap::NEW_YORK),
        };
        Self(Arc::new(parts))
    }

    /// Reads a city's own file, with what the search knows of the city.
    ///
    /// # Errors
    /// [`AppError::BaseMapFile`] if it cannot be read, [`AppError::BaseMap`] if it is none.
    pub(crate) fn open(path: &Path) -> Result<(Self, Addresses), AppError> {
        let file = read(path).map_err(|source| AppError::BaseMapFile {
            path: path.to_owned(),
            source,
        })?;
        let decoded = CityMap::decode(&file).and_then(|city_map| {
            let (drawn, _) = CityMap::parts(&file)?;
            Ok((city_map, Bytes::copy_from_slice(drawn)))
        });
        let (city_map, file) = decoded.map_err(|source| AppError::BaseMap {
            path: path.to_owned(),
            source,
        })?;
        let parts = Parts {
            base_map: city_map.base_map,
            hash: hash(&file),
            file: Packed::new(file),
        };
        Ok((Self(Arc::new(parts)), city_map.addresses))
    }

    /// The base map.
    pub(crate) fn base_map(&self) -> &BaseMap {
        &self.0.base_map
    }

    /// What browsers get, and the name of its content.
    pub(super) fn file(&self) -> (&Packed, &str) {
        (&self.0.file, &self.0.hash)
    }

    /// The base map if it lies under any of these docks, or will lie under the first ones that come;
    /// none for docks elsewhere.
    pub(crate) fn under(&self, docks: &[Dock]) -> Option<&BaseMap> {
        let base_map = self.base_map();
        let is_in = |dock: &Dock| base_map.detail.holds(dock.lat, dock.lon);
        (docks.is_empty() || docks.iter().any(is_in)).then_some(base_map)
    }

    /// The same for the browser.
    pub(crate) fn link_under(&self, docks: &[Dock]) -> Option<BaseMapLink> {
        let attribution = &self.under(docks)?.attribution;
        // A file is its maker's word: no other kind of address becomes a link.
        let terms = Some(&attribution.url).filter(|url| url.starts_with("https://"));
        Some(BaseMapLink {
            address: format!("/city.basemap?v={}", self.0.hash),
            attribution: attribution.text.clone(),
            terms: terms.cloned().unwrap_or_default(),
        })
    }
}

/// Whether a file is a city's map, before anything is started for it.
///
/// # Errors
/// As [`AppState::new`](super::AppState::new) has for it.
pub fn check_base_map(path: &Path) -> Result<(), AppError> {
    ServedMap::open(path).map(drop)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let reason = format!("it has more than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// New York.
pub(crate) fn new_york() -> &'static BaseMap {
    static NEW_YORK: LazyLock<BaseMap> = LazyLock::new(|| {
        BaseMap::decode(basemap::NEW_YORK).expect("the file was built into the program")
    });
    &NEW_YORK
}
