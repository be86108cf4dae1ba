//! An extract on the disk, read block by block as often as needed.
//!
//! A block is 8,000 things at most, and a few megabytes in memory. Which kinds of things a block has is
//! noted when it is read first: later passes leave out the others without unpacking them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use basemap::{Extent, Point};
use osmpbf::{BlobDecode, BlobReader, HeaderBlock, PrimitiveBlock, RelMemberType};

use crate::OsmError;
use crate::tags::Tags;

/// What an extract may ask its reader to know.
const FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

/// Kinds of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds {
    pub(crate) nodes: bool,
    pub(crate) ways: bool,
    pub(crate) relations: bool,
}

impl Kinds {
    fn meets(self, other: Self) -> bool {
        self.nodes && other.nodes || self.ways && other.ways || self.relations && other.relations
    }
}

/// Takes the things of one pass.
pub(crate) trait Visitor {
    /// Which kinds it takes.
    fn wanted(&self) -> Kinds;

    fn node(&mut self, _id: i64, _at: Point, _tags: &Tags<'_>) {}

    /// `nodes` are the way's points, in order.
    fn way(&mut self, _id: i64, _nodes: &[i64], _tags: &Tags<'_>) {}

    /// `ways` are the relation's members of that kind, in order.
    fn relation(&mut self, _ways: &[i64], _tags: &Tags<'_>) {}
}

/// How many things were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Read {
    /// Points.
    pub nodes: u64,
    /// Lines, and areas of one line.
    pub ways: u64,
    /// Areas of several lines, and much that is not used.
    pub relations: u64,
}

/// An extract, and what is known of it.
#[derive(Debug)]
pub(crate) struct Extract {
    path: PathBuf,
    bytes: u64,
    /// Of each block that was read.
    kinds: Vec<Kinds>,
    /// The box that it says to show.
    pub(crate) declared: Option<Extent>,
    pub(crate) read: Read,
}

impl Extract {
    pub(crate) fn open(path: &Path) -> Result<Self, OsmError> {
        let metadata = std::fs::metadata(path).map_err(|source| OsmError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            bytes: metadata.len(),
            kinds: Vec::new(),
            declared: None,
            read: Read::default(),
        })
    }

    /// The extract's size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Shows all things of the wanted kinds to `visitor`; `told` hears how many bytes are done.
    pub(crate) fn pass(
        &mut self,
        visitor: &mut impl Visitor,
        told: &mut dyn FnMut(u64),
    ) -> Result<(), OsmError> {
        let reader = BlobReader::from_path(&self.path);
        let reader = reader.map_err(|error| self.damaged(0, &error))?;
        let mut at = 0;
        for (index, blob) in reader.enumerate() {
            let blob = blob.map_err(|error| self.damaged(at, &error))?;
            at = blob.offset().map_or(at, |offset| offset.0);
            told(at);
            let known = self.kinds.get(index).copied();
            if known.is_some_and(|kinds| !kinds.meets(visitor.wanted())) {
                continue;
            }
            // The decoder panics at a kind of member that is none.
            let block = catch_unwind(AssertUnwindSafe(|| {
                let block = blob.decode()?;
                Ok(match &block {
                    BlobDecode::OsmHeader(header) => Block::Head(Box::new(head(header))),
                    BlobDecode::OsmData(data) => Block::Things(show(data, visitor)),
                    BlobDecode::Unknown(_) => Block::Other,
                })
            }));
            let block = block.unwrap_or(Err(Unreadable::Thing));
            let block = block.map_err(|error| self.damaged(at, &error))?;
            self.note(index, block)?;
        }
        if self.kinds.is_empty() {
            return Err(self.damaged(0, &"it is empty"));
        }
        told(self.bytes);
        Ok(())
    }

    /// Remembers what a block holds when it was read first.
    fn note(&mut self, index: usize, block: Block) -> Result<(), OsmError> {
        if index < self.kinds.len() {
            return Ok(());
        }
        self.kinds.push(match block {
            Block::Head(head) => {
                if let Some(feature) = head.unknown_feature {
                    let path = self.path();
                    return Err(OsmError::Feature { path, feature });
                }
                self.declared = self.declared.or(head.extent);
                Kinds::default()
            }
            Block::Things(read) => {
                self.read.nodes += read.nodes;
                self.read.ways += read.ways;
                self.read.relations += read.relations;
                Kinds {
                    nodes: read.nodes > 0,
                    ways: read.ways > 0,
                    relations: read.relations > 0,
                }
            }
            Block::Other => Kinds::default(),
        });
        Ok(())
    }

    fn damaged(&self, at: u64, reason: &dyn std::fmt::Display) -> OsmError {
        OsmError::Damaged {
            path: self.path(),
            at,
            reason: reason.to_string(),
        }
    }
}

/// What a block is.
enum Block {
    Head(Box<Head>),
    Things(Read),
    Other,
}

struct Head {
    extent: Option<Extent>,
    unknown_feature: Option<String>,
}

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Block(#[from] osmpbf::Error),
    #[error("a thing in it is of no kind")]
    Thing,
}

fn head(header: &HeaderBlock) -> Head {
    let extent = header.bbox().and_then(|bbox| {
        Some(Extent {
            min: Point::from_degrees(bbox.bottom, bbox.left)?,
            max: Point::from_degrees(bbox.top, bbox.right)?,
        })
    });
    let mut features = header.required_features().iter();
    let unknown_feature = features.find(|feature| !FEATURES.contains(&feature.as_str()));
    Head {
        extent: extent.filter(|it| it.min.lat() < it.max.lat() && it.min.lon() < it.max.lon()),
        unknown_feature: unknown_feature.cloned(),
    }
}

/// Shows the things of a block, and counts all that are in it.
fn show(block: &PrimitiveBlock, visitor: &mut impl Visitor) -> Read {
    let wanted = visitor.wanted();
    let mut read = Read::default();
    for group in block.groups() {
        for node in group.nodes() {
            read.nodes += 1;
            if let Some(at) = Point::from_degrees(node.lat(), node.lon())
                && wanted.nodes
            {
                visitor.node(node.id(), at, &node.tags().collect());
            }
        }
        for node in group.dense_nodes() {
            read.nodes += 1;
            if let Some(at) = Point::from_degrees(node.lat(), node.lon())
                && wanted.nodes
            {
                visitor.node(node.id(), at, &node.tags().collect());
            }
        }
        for way in group.ways() {
            read.ways += 1;
            if wanted.ways {
                let nodes: Vec<_> = way.refs().collect();
                visitor.way(way.id(), &nodes, &way.tags().collect());
            }
        }
        for relation in group.relations() {
            read.relations += 1;
            if wanted.relations {
                let members = relation.members();
                let ways = members.filter(|member| member.member_type == RelMemberType::Way);
                let ways: Vec<_> = ways.map(|member| member.member_id).collect();
                visitor.relation(&ways, &relation.tags().collect());
            }
        }
    }
    read
}
