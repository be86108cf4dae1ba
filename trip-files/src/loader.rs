//! Reads units, one month after the other, and takes each trip from one file.
//!
//! ```text
//!  unit ─ kept? ──────────────────────────── runs ─┐
//!    └─ open ─ unpack ─ parse ─ order ─ sample ─ table ─┴─ taken? ─▶ streams of a month ─▶ the pipeline
//! ```
//!
//! All units of a month are read before one of its rows is handed over, so that of two files with
//! the same trips the better one can be taken (see [`crate::taken`]). One month is prepared while
//! the one before is sent. Runs on a thread that may block.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::sync::Arc;

use domain::error_chain;
use domain::reject::{FILE_CHARS_MAX, cut};
use flate2::read::MultiGzDecoder;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::{info, warn};
use xxhash_rust::xxh3::xxh3_64;
use zip::ZipArchive;

use crate::catalog::{Catalog, Unit};
use crate::error::{NotRead, RefusedFile, TripFilesError};
use crate::kept::{self, Kept, SentFile};
use crate::months::{Month, Preference};
use crate::order::RowStream;
use crate::progress::{Counted, Reading};
use crate::spill::Spill;
use crate::store::{Entry, FileFormat, Input};
use crate::table::{self, Table, content_hash};
use crate::taken::{Taken, Verdict};
use crate::unpack::{Bounded, DEPTH_MAX, members};

/// Bytes copied or hashed at a time (chosen: what a disk gives at once).
const COPY_BYTES: usize = 256 * 1024;

/// Folder of the notes of what was taken, beside what is kept of the stores.
const TAKEN: &str = "taken";

/// One month's files, ready to be merged.
#[derive(Debug, Default)]
pub struct Loaded {
    /// One for each file that is not a duplicate, in the order of their names.
    pub streams: Vec<RowStream>,
    /// What is kept of the units, and how many of the streams are the unit's.
    pub kept: Vec<(Kept, usize)>,
    /// The month to come; none if this is the last one.
    pub next_month: Option<Month>,
    /// Files left out because another one has the same content or the same trips.
    pub duplicate_files: u64,
    /// Files that could not be used; each is one reject.
    pub refused_files: u64,
}

/// Files with their names, archives' names before them.
type Tables = Vec<(String, Table)>;

/// A unit of the month being read.
struct ReadUnit {
    number: usize,
    tables: Tables,
    /// Whether reading it again would give the same and is worth sparing.
    is_to_keep: bool,
}

/// Reads the units of a catalog.
#[derive(Debug)]
pub(crate) struct Loader {
    catalog: Catalog,
    kept: Vec<Kept>,
    spill: Arc<Spill>,
    reading: Reading,
    /// Name of the file that had this content first.
    seen: HashMap<u64, String>,
    taken: Taken,
    waiting: Vec<Waiting>,
}

/// A file whose trips are in others that an earlier run has sent in part.
#[derive(Debug)]
struct Waiting {
    name: String,
    hash: u64,
    /// Hashes of the others.
    on: Vec<u64>,
    else_refuse: RefusedFile,
}

/// What the topic holds of earlier runs' files.
#[derive(Debug, Default)]
pub struct HeldFiles {
    /// Units all of whose rows are there: they are not read.
    pub sent: Vec<SentUnit>,
    /// By the hashes of files how many rows there are, if there are any.
    pub taken: HashMap<u64, u64>,
}

/// A unit that an earlier run has sent, if the topic is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentUnit {
    /// Its number in the catalog.
    pub unit: usize,
    pub files: Vec<SentFile>,
}

impl Loader {
    /// Forgets what is kept of files that the store has no more.
    ///
    /// # Errors
    /// If the folder of what is kept cannot be used.
    pub(crate) fn new(
        catalog: Catalog,
        spill: Arc<Spill>,
        reading: Reading,
    ) -> Result<Self, TripFilesError> {
        let folder = kept::store_folder(spill.folder(), catalog.store.as_ref());
        let kept: Vec<_> = catalog
            .units
            .iter()
            .map(|unit| Kept::of(&folder, unit))
            .collect();
        kept::remove_others(&folder, &kept).map_err(|source| spill.error(source))?;
        let notes = spill.is_lasting().then(|| spill.folder().join(TAKEN));
        Ok(Self {
            catalog,
            kept,
            taken: Taken::read(notes).map_err(|source| spill.error(source))?,
            spill,
            reading,
            seen: HashMap::new(),
            waiting: Vec::new(),
        })
    }

    /// Hashes of the files that earlier runs have taken, as far as that was noted.
    pub(crate) fn taken(&self) -> Vec<u64> {
        self.taken.hashes().collect()
    }

    /// The units of which a note says that they were sent.
    pub(crate) fn sent(&self) -> Vec<SentUnit> {
        let sent = |(unit, kept): (usize, &Kept)| kept.sent().map(|files| SentUnit { unit, files });
        self.kept.iter().enumerate().filter_map(sent).collect()
    }

    /// Reads all units but those that were sent, and hands over a month whenever the last one was
    /// taken.
    pub(crate) fn run(
        mut self,
        held: &HeldFiles,
        to: &mpsc::Sender<Result<Loaded, TripFilesError>>,
        runtime: &Handle,
    ) {
        if let Err(source) = self.taken.keep_only(&held.taken) {
            let error = self.spill.error(source);
            // Nobody waits for it if the run has ended.
            return runtime.block_on(to.send(Err(error))).unwrap_or_default();
        }
        let skip = &held.sent;
        let files = skip.iter().flat_map(|unit| &unit.files);
        self.seen = files.map(|file| (file.hash, file.name.clone())).collect();
        let mut months = self.months(&skip.iter().map(|sent| sent.unit).collect());
        months.reverse();
        while let Some((_, units)) = months.pop() {
            // Its turn first: what is read ahead lies on the disk.
            let Ok(permit) = runtime.block_on(to.reserve()) else {
                return;
            };
            let next_month = months.last().and_then(|(month, _)| *month);
            let is_last = months.is_empty();
            let loaded = self.month(&units, is_last).map(|loaded| Loaded {
                next_month,
                ..loaded
            });
            self.reading.end();
            match loaded {
                Ok(loaded) => permit.send(Ok(loaded)),
                Err(NotRead::Stopped) => return,
                Err(NotRead::Failed(error)) => return permit.send(Err(error)),
                Err(NotRead::Refused(source)) => {
                    let name = self.catalog.units[units[0]].entry.name.clone();
                    return permit.send(Err(TripFilesError::Refused { name, source }));
                }
            }
        }
    }

    /// Numbers of the units to read, by month.
    fn months(&self, skip: &HashSet<usize>) -> Vec<(Option<Month>, Vec<usize>)> {
        let mut months: Vec<(Option<Month>, Vec<usize>)> = Vec::new();
        for (number, unit) in self.catalog.units.iter().enumerate() {
            if skip.contains(&number) {
                continue;
            }
            match months.last_mut() {
                Some((month, units)) if *month == unit.month => units.push(number),
                _ => months.push((unit.month, vec![number])),
            }
        }
        months
    }

    fn month(&mut self, units: &[usize], is_last: bool) -> Result<Loaded, NotRead> {
        let mut loaded = Loaded::default();
        let mut read = Vec::new();
        for number in self.by_preference(units) {
            let unit = self.unit(number, &mut read, &mut loaded)?;
            read.push(unit);
        }
        read.sort_by_key(|unit| unit.number);
        for unit in &read {
            if unit.is_to_keep && self.spill.is_lasting() {
                let saved = self.kept[unit.number].save(&unit.tables);
                saved.map_err(|source| self.spill.error(source))?;
            }
        }
        let settled = self.taken.settle();
        settled.map_err(|source| self.spill.error(source))?;
        for unit in read {
            self.hand_over(unit, &mut loaded)?;
        }
        if is_last {
            self.end_waiting(&mut loaded)?;
        }
        Ok(loaded)
    }

    /// Leaves out what waited for a file that has come, and refuses what waited in vain.
    fn end_waiting(&mut self, loaded: &mut Loaded) -> Result<(), NotRead> {
        for file in std::mem::take(&mut self.waiting) {
            if !self.taken.are_missing(&file.on) {
                loaded.duplicate_files += 1;
                continue;
            }
            loaded.refused_files += 1;
            let (name, table) = refused(file.name, file.hash, &file.else_refuse);
            let stream = RowStream::file(&name, table, self.spill.folder());
            let stream = stream.map_err(|source| self.spill.error(source))?;
            loaded.streams.push(stream);
        }
        Ok(())
    }

    /// The better ones first: of two with the same trips the first is taken, and need not be undone.
    fn by_preference(&self, units: &[usize]) -> Vec<usize> {
        let mut units = units.to_vec();
        units.sort_by_cached_key(|&number| Preference::of(&self.catalog.units[number].name()));
        units
    }

    fn unit(
        &mut self,
        number: usize,
        read: &mut [ReadUnit],
        loaded: &mut Loaded,
    ) -> Result<ReadUnit, NotRead> {
        let (tables, is_to_keep) = match self.kept[number].tables() {
            Some(tables) => (tables, false),
            None => self.read(number, loaded)?,
        };
        let mut unit = ReadUnit {
            number,
            tables: Vec::new(),
            is_to_keep,
        };
        for (name, table) in tables {
            self.file(name, table, &mut unit, read, loaded);
        }
        Ok(unit)
    }

    /// Takes a file, or finds that its trips are taken.
    fn file(
        &mut self,
        name: String,
        table: Table,
        unit: &mut ReadUnit,
        read: &mut [ReadUnit],
        loaded: &mut Loaded,
    ) {
        let verdict = match self.is_new(&name, table.hash) {
            true => {
                let rows = table.counts.rows;
                self.taken.judge(&name, (table.hash, rows), &table.sample)
            }
            false => Verdict::LeaveOut,
        };
        // A copy of another file may be all that is left of it the next time.
        unit.is_to_keep &= matches!(verdict, Verdict::Take { .. });
        match verdict {
            Verdict::LeaveOut => loaded.duplicate_files += 1,
            Verdict::Wait { on, else_refuse } => self.waiting.push(Waiting {
                name,
                hash: table.hash,
                on,
                else_refuse,
            }),
            Verdict::Refuse(reason) => {
                loaded.refused_files += 1;
                unit.tables.push(refused(name, table.hash, &reason));
            }
            Verdict::Take { instead_of } => {
                unit.tables.push((name, table));
                for other in read.iter_mut().chain([unit]) {
                    let count = other.tables.len();
                    other
                        .tables
                        .retain(|(_, table)| !instead_of.contains(&table.hash));
                    loaded.duplicate_files += (count - other.tables.len()) as u64;
                    other.is_to_keep &= count == other.tables.len();
                }
            }
        }
    }

    fn hand_over(&self, unit: ReadUnit, loaded: &mut Loaded) -> Result<(), NotRead> {
        let kept = &self.kept[unit.number];
        loaded.kept.push((kept.clone(), unit.tables.len()));
        for (name, table) in unit.tables {
            let stream = RowStream::file(&name, table, &kept.folder);
            let stream = stream.map_err(|source| self.spill.error(source))?;
            loaded.streams.push(stream);
        }
        Ok(())
    }

    /// Whether this is the first file with this content.
    fn is_new(&mut self, name: &str, hash: u64) -> bool {
        if let Some(first) = self.seen.get(&hash) {
            warn!(
                file = name,
                duplicate_of = first,
                "file \"{name}\" has the same content as \"{first}\": it is left out"
            );
            return false;
        }
        self.seen.insert(hash, name.to_owned());
        true
    }

    /// Reads a unit from its store, and tells whether it is worth keeping. A file that cannot be
    /// used does not stop the others.
    fn read(&self, number: usize, loaded: &mut Loaded) -> Result<(Tables, bool), NotRead> {
        let unit = &self.catalog.units[number];
        let kept = &self.kept[number];
        kept.clear().map_err(|source| self.spill.error(source))?;
        let mut reader = UnitReader {
            loader: self,
            kept,
            unit,
            tables: Vec::new(),
            refused: 0,
        };
        match reader.entry() {
            Err(NotRead::Refused(reason)) if !self.catalog.is_single => {
                reader.refuse(&unit.entry.name, self.hash_of(&unit.entry), &reason);
            }
            read => read?,
        }
        loaded.refused_files += reader.refused;
        // A file that was refused may be better the next time.
        let is_to_keep = reader.refused == 0;
        Ok((reader.tables, is_to_keep))
    }

    /// What tells a file that cannot be used from others.
    fn hash_of(&self, entry: &Entry) -> u64 {
        let store = self.catalog.store.as_ref();
        if store.is_remote() {
            return xxh3_64(entry.version.as_bytes());
        }
        let hash = store.open(entry).and_then(hash_of);
        hash.unwrap_or_default()
    }
}

/// Reads one unit.
struct UnitReader<'a> {
    loader: &'a Loader,
    kept: &'a Kept,
    unit: &'a Unit,
    tables: Tables,
    refused: u64,
}

impl UnitReader<'_> {
    fn entry(&mut self) -> Result<(), NotRead> {
        let entry = &self.unit.entry;
        let reading = &self.loader.reading;
        reading.begin(&entry.name, entry.bytes);
        let input = Counted::new(self.loader.catalog.store.open(entry)?, reading);
        match FileFormat::of(&entry.name) {
            Some(FileFormat::Zip) => self.archive(&entry.name, Box::new(input), 1),
            Some(FileFormat::CsvGzip) => self.gzip(&entry.name, input, entry.bytes),
            Some(FileFormat::Parquet) => self.prepared_entry(entry, input),
            // Whatever the name says, its first row tells whether it is a trip file.
            Some(FileFormat::Csv) | None => self.table(&entry.name, input),
        }
    }

    /// Reads the members of an archive: like a folder, a bad member does not stop the others.
    fn archive(
        &mut self,
        name: &str,
        input: Box<dyn Input + '_>,
        depth: usize,
    ) -> Result<(), NotRead> {
        let mut archive = ZipArchive::new(BufReader::new(input)).map_err(RefusedFile::from)?;
        let mut members = members(&archive)?;
        if depth == 1 && !self.unit.members.is_empty() {
            members.retain(|member| self.unit.members.contains(&member.name));
        }
        members.sort_by_cached_key(|member| Preference::of(&member.name));
        for member in members {
            let name = format!("{name}/{}", cut(&member.name, FILE_CHARS_MAX));
            let mut checksum = 0;
            let read = match archive.by_name(&member.name) {
                Ok(file) => {
                    checksum = u64::from(file.crc32());
                    let compressed = file.compressed_size();
                    self.member(&name, member.format, Bounded::new(file, compressed), depth)
                }
                Err(error) => Err(RefusedFile::from(error).into()),
            };
            match read {
                Err(NotRead::Refused(reason)) => self.refuse(&name, checksum, &reason),
                read => read?,
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        name: &str,
        format: FileFormat,
        input: impl Read,
        depth: usize,
    ) -> Result<(), NotRead> {
        match format {
            FileFormat::Csv => self.table(name, input),
            FileFormat::CsvGzip => self.gzip(name, input, 0),
            FileFormat::Parquet => {
                let (file, hash) = self.spool(input)?;
                self.prepared(name, Box::new(file), hash)
            }
            FileFormat::Zip if depth == DEPTH_MAX => Err(RefusedFile::TooDeep.into()),
            FileFormat::Zip => {
                let (file, _) = self.spool(input)?;
                self.archive(name, Box::new(file), depth + 1)
            }
        }
    }

    /// A local file is read where it is; a remote one is fetched once. What is hashed is
    /// what is read later, also if another file has taken its name meanwhile.
    fn prepared_entry(
        &mut self,
        entry: &Entry,
        mut input: Counted<Box<dyn Input>>,
    ) -> Result<(), NotRead> {
        let store = self.loader.catalog.store.as_ref();
        if store.is_remote() {
            let (file, hash) = self.spool(input)?;
            return self.prepared(&entry.name, Box::new(file), hash);
        }
        let hash = hash_of(&mut input)?;
        input.rewind()?;
        self.prepared(&entry.name, input.into_inner(), hash)
    }

    fn prepared(&mut self, name: &str, input: Box<dyn Input>, hash: u64) -> Result<(), NotRead> {
        let table = table::prepared(name, input, hash, &self.loader.reading)?;
        info!(
            file = name,
            rows = table.counts.rows,
            "opened prepared file \"{name}\": {} rows",
            table.counts.rows
        );
        self.tables.push((name.to_owned(), table));
        Ok(())
    }

    /// Copies what has its directory at its end onto this machine's disk, to be read; gives its hash.
    fn spool(&self, mut input: impl Read) -> Result<(File, u64), NotRead> {
        let unwritable = |source| NotRead::Failed(self.loader.spill.error(source));
        let folder = &self.kept.folder;
        let file = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
        let mut file = file.map_err(unwritable)?;
        let mut hash = content_hash();
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok((file, hash.digest())),
                count => {
                    hash.update(&buffer[..count]);
                    file.write_all(&buffer[..count]).map_err(unwritable)?;
                }
            }
        }
    }

    fn gzip(&mut self, name: &str, input: impl Read, compressed: u64) -> Result<(), NotRead> {
        let decompressed = MultiGzDecoder::new(BufReader::new(input));
        self.table(name, Bounded::new(decompressed, compressed))
    }

    fn table(&mut self, name: &str, input: impl Read) -> Result<(), NotRead> {
        let Loader { spill, reading, .. } = self.loader;
        // A remote file is kept on the disk; a local one can be read again.
        let is_remote = self.loader.catalog.store.is_remote();
        let memory = (!is_remote).then(|| spill.memory());
        let prefix = self.tables.len().to_string();
        let sort = spill.sort_config(&self.kept.folder, prefix, memory);
        let table = match table::read(name, input, sort, reading) {
            // A read that is stopped ends with an error of its own.
            Err(_) if reading.is_stopped() => return Err(NotRead::Stopped),
            table => table?,
        };
        info!(
            file = name,
            rows = table.counts.rows,
            rejected = table.counts.rejected,
            "read file \"{name}\": {} rows, of which {} are rejected",
            table.counts.rows,
            table.counts.rejected,
        );
        self.tables.push((name.to_owned(), table));
        Ok(())
    }

    /// Keeps a file that cannot be used as one reject.
    fn refuse(&mut self, name: &str, content_hash: u64, reason: &RefusedFile) {
        self.refused += 1;
        self.tables
            .push(refused(name.to_owned(), content_hash, reason));
    }
}

/// The one reject of a file that cannot be used.
fn refused(name: String, content_hash: u64, reason: &RefusedFile) -> (String, Table) {
    let reason = error_chain(reason);
    warn!(file = name, "file \"{name}\" is refused: {reason}");
    // With its name in the hash: two unreadable files are not duplicates of each other.
    let hash = content_hash ^ xxh3_64(name.as_bytes());
    let table = table::refused(&name, hash, &reason);
    (name, table)
}

/// Hash of the bytes as they lie in the store.
fn hash_of(mut input: impl Read) -> io::Result<u64> {
    let mut hash = content_hash();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            count => hash.update(&buffer[..count]),
        }
    }
}
