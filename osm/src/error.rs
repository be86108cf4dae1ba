//! Why an extract became no map.

use std::io;
use std::path::PathBuf;

use crate::selection::NODES_MAX;

/// Each text names the file or what to do.
#[derive(Debug, thiserror::Error)]
pub enum OsmError {
    /// The system does not give the file.
    #[error("could not read {path:?}")]
    Read {
        /// The extract.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is another kind of file, or damaged.
    #[error(
        "{path:?} cannot be read at byte {at}, {reason}: it must be a whole extract of \
         OpenStreetMap in PBF (.osm.pbf)"
    )]
    Damaged {
        /// The extract.
        path: PathBuf,
        /// Where the block begins that cannot be read.
        at: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It holds what cannot be left out unread, such as the history of each thing.
    #[error("{path:?} needs a reader for {feature:?}: take an extract of the present, .osm.pbf")]
    Feature {
        /// The extract.
        path: PathBuf,
        /// As the extract names it.
        feature: String,
    },
    /// More than fits into memory.
    #[error(
        "{path:?} has more than {NODES_MAX} points of streets, waters and houses: take a part of it \
         with --bbox"
    )]
    TooLarge {
        /// The extract.
        path: PathBuf,
    },
    /// No street has a name there.
    #[error(
        "{path:?} has no street with a name{}: take an extract of the city, or another --bbox",
        if *.has_bbox { " in the box asked for" } else { "" }
    )]
    Empty {
        /// The extract.
        path: PathBuf,
        /// Whether only a part of it was asked for.
        has_bbox: bool,
    },
}
