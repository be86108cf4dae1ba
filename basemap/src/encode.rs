//! Writing a base map; the format is in the crate's documentation.

use crate::writer::Writer;
use crate::{BaseMap, NameKind, StreetClass};

/// What every base map begins with: its kind and its version.
pub(crate) const MAGIC: &str = "BASEMAP2";

impl BaseMap {
    /// Writes the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.point(self.detail.min);
        writer.point(self.detail.max);
        writer.text(&self.attribution.text);
        writer.text(&self.attribution.url);
        writer.list(&self.land, |writer, ring| writer.points(ring));
        writer.list(&self.parks, |writer, ring| writer.points(ring));
        writer.list(&self.streets, |writer, street| {
            writer.kind(&StreetClass::ALL, &street.class);
            writer.text(&street.name);
            writer.list(&street.lines, |writer, line| writer.points(line));
        });
        writer.list(&self.names, |writer, name| {
            writer.kind(&NameKind::ALL, &name.kind);
            writer.point(name.at);
            writer.text(&name.text);
        });
        writer.seal(MAGIC)
    }
}
