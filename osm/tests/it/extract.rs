//! Writes extracts in PBF, as <https://wiki.openstreetmap.org/wiki/PBF_Format> describes it.

use std::collections::BTreeMap;

/// Degrees of a metre to the north and, at [`SOUTH_WEST`], to the east.
const METRE: (f64, f64) = (1.0 / 111_195.0, 1.0 / 57_000.0);
/// Where metres are counted from: in the Baltic Sea.
const SOUTH_WEST: (f64, f64) = (59.2, 19.5);

/// A place in metres east and north of the south-west corner.
pub(crate) type Metres = (i32, i32);

/// Latitude and longitude of a place.
pub(crate) fn degrees((east, north): Metres) -> (f64, f64) {
    let (lat, lon) = SOUTH_WEST;
    (
        lat + f64::from(north) * METRE.0,
        lon + f64::from(east) * METRE.1,
    )
}

/// `highway=primary name=Storgatan`; a blank in a value is `+`.
type Tags<'a> = &'a str;

/// Things that are collected, then written.
#[derive(Debug, Default)]
pub(crate) struct Extract {
    /// East and north end of the box it says to show; none if it says nothing.
    pub(crate) ends: Option<Metres>,
    /// What a reader must know beside the present schema.
    pub(crate) feature: Option<&'static str>,
    pub(crate) nodes: Vec<(Metres, String)>,
    pub(crate) at: BTreeMap<Metres, i64>,
    pub(crate) ways: Vec<(Vec<i64>, String)>,
    pub(crate) relations: Vec<(Vec<i64>, String)>,
}

impl Extract {
    /// The node at a place; two ways through one place share it.
    fn node_at(&mut self, at: Metres) -> i64 {
        let next = self.nodes.len() as i64 + 1;
        *self.at.entry(at).or_insert_with(|| {
            self.nodes.push((at, String::new()));
            next
        })
    }

    pub(crate) fn node(&mut self, at: Metres, tags: Tags<'_>) {
        let id = self.node_at(at);
        self.nodes[id as usize - 1].1 = tags.to_owned();
    }

    pub(crate) fn way(&mut self, through: &[Metres], tags: Tags<'_>) -> i64 {
        let nodes = through.iter().map(|at| self.node_at(*at)).collect();
        self.ways.push((nodes, tags.to_owned()));
        self.ways.len() as i64
    }

    /// An area of several ways.
    pub(crate) fn relation(&mut self, ways: &[i64], tags: Tags<'_>) {
        self.relations.push((ways.to_vec(), tags.to_owned()));
    }

    /// The file: a head, nodes in both ways to write them, ways, relations.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let half = self.nodes.len() / 2;
        let mut file = blob("OSMHeader", self.head());
        file.extend(blob("OSMData", self.dense_nodes(0, half)));
        file.extend(blob("OSMData", self.plain_nodes(half)));
        file.extend(blob("OSMData", block(&self.ways, way)));
        file.extend(blob("OSMData", block(&self.relations, relation)));
        file
    }

    fn head(&self) -> Message {
        let mut head = Message::default();
        if let Some(ends) = self.ends {
            let ((south, west), (north, east)) = (degrees((0, 0)), degrees(ends));
            let mut bbox = Message::default();
            for (field, value) in [(1, west), (2, east), (3, north), (4, south)] {
                bbox.signed(field, (value * 1e9).round() as i64);
            }
            head.message(1, &bbox);
        }
        for feature in ["OsmSchema-V0.6", "DenseNodes"]
            .into_iter()
            .chain(self.feature)
        {
            head.bytes(4, feature.as_bytes());
        }
        head
    }

    fn dense_nodes(&self, from: usize, to: usize) -> Message {
        let mut strings = Strings::default();
        let nodes = &self.nodes[from..to];
        let at = |at: Metres| {
            let (lat, lon) = degrees(at);
            [lat, lon].map(|degrees| (degrees * 1e7).round() as i64)
        };
        let mut dense = Message::default();
        dense.deltas(1, (from..to).map(|index| index as i64 + 1));
        dense.deltas(8, nodes.iter().map(|node| at(node.0)[0]));
        dense.deltas(9, nodes.iter().map(|node| at(node.0)[1]));
        let tags = nodes.iter().flat_map(|(_, tags)| {
            let tags = strings.indices(tags);
            let pairs = tags.into_iter().flat_map(|(key, value)| [key, value]);
            pairs.chain([0]).collect::<Vec<_>>()
        });
        dense.packed(10, tags);
        let mut group = Message::default();
        group.message(2, &dense);
        strings.block(&group)
    }

    fn plain_nodes(&self, from: usize) -> Message {
        let mut strings = Strings::default();
        let mut group = Message::default();
        for (index, (at, tags)) in self.nodes.iter().enumerate().skip(from) {
            let (lat, lon) = degrees(*at);
            let mut node = Message::default();
            node.signed(1, index as i64 + 1);
            node.tags(&strings.indices(tags));
            node.signed(8, (lat * 1e7).round() as i64);
            node.signed(9, (lon * 1e7).round() as i64);
            group.message(1, &node);
        }
        strings.block(&group)
    }
}

/// A block of ways or relations, whose field `write` tells.
fn block(things: &[(Vec<i64>, String)], write: impl Fn(&mut Message, &[i64]) -> u64) -> Message {
    let mut strings = Strings::default();
    let mut group = Message::default();
    for (id, (of, tags)) in (1..).zip(things) {
        let mut thing = Message::default();
        thing.unsigned(1, id);
        thing.tags(&strings.indices(tags));
        let field = write(&mut thing, of);
        group.message(field, &thing);
    }
    strings.block(&group)
}

fn way(way: &mut Message, nodes: &[i64]) -> u64 {
    way.deltas(8, nodes.iter().copied());
    3
}

fn relation(relation: &mut Message, ways: &[i64]) -> u64 {
    relation.packed(8, ways.iter().map(|_| 0));
    relation.deltas(9, ways.iter().copied());
    relation.packed(10, ways.iter().map(|_| 1));
    4
}

/// The texts of a block, each once; the first is never used.
struct Strings(Vec<String>);

impl Default for Strings {
    fn default() -> Self {
        Self(vec![String::new()])
    }
}

impl Strings {
    fn indices(&mut self, tags: &str) -> Vec<(u64, u64)> {
        let tags = tags.split(' ').filter_map(|tag| tag.split_once('='));
        tags.map(|(key, value)| (self.index(key), self.index(&value.replace('+', " "))))
            .collect()
    }

    fn index(&mut self, text: &str) -> u64 {
        let known = self.0.iter().position(|known| known == text);
        known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        }) as u64
    }

    fn block(&self, group: &Message) -> Message {
        let mut table = Message::default();
        for text in &self.0 {
            table.bytes(1, text.as_bytes());
        }
        let mut block = Message::default();
        block.message(1, &table);
        block.message(2, group);
        block
    }
}

/// A block with its head, not compressed.
fn blob(kind: &str, content: Message) -> Vec<u8> {
    let mut blob = Message::default();
    blob.bytes(1, &content.0);
    let mut head = Message::default();
    head.bytes(1, kind.as_bytes());
    head.unsigned(3, blob.0.len() as u64);
    let length = (head.0.len() as u32).to_be_bytes();
    [length.as_slice(), &head.0, &blob.0].concat()
}

/// A message of protobuf.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn unsigned(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    fn signed(&mut self, field: u64, number: i64) {
        self.unsigned(field, zigzag(number));
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, numbers: impl Iterator<Item = u64>) {
        let mut packed = Self::default();
        numbers.for_each(|number| packed.varint(number));
        self.message(field, &packed);
    }

    /// Numbers as the way from the one before.
    fn deltas(&mut self, field: u64, numbers: impl Iterator<Item = i64>) {
        let mut last = 0;
        let deltas = numbers.map(|number| zigzag(number - std::mem::replace(&mut last, number)));
        self.packed(field, deltas);
    }

    fn tags(&mut self, tags: &[(u64, u64)]) {
        self.packed(2, tags.iter().map(|(key, _)| *key));
        self.packed(3, tags.iter().map(|(_, value)| *value));
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}
