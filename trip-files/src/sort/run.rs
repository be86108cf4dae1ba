//! Ordered rows in a file: 62 bytes a trip, numbers little-endian.
//!
//! ```text
//!  trip    1  departed_at i64  arrived_at i64  bike u32  rider and kind u8  from  to
//!             from, to: lat f64  lon f64  station u32
//!             rider and kind: rider 0 to 2, and four times the bike's kind 0 to 3; 0 is none
//!  reject  2  at i64  line u64  reason: length u32, text  row: length u32, text
//! ```
//!
//! A reject before the first good row has the least number as its time. Bikes and stations are indices into the file's names; a bike of 0 is none.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use domain::{BikeKind, Reject, Rider};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::compact::{CompactTrip, NameIndex, Place};
use crate::row::{Content, Row};

const TRIP: u8 = 1;
const REJECT: u8 = 2;

/// Stands for the time of a row that has none.
const NO_TIME: i64 = i64::MIN;

/// Bytes read or written at a time (chosen: many runs are open at once).
const BUFFER_BYTES: usize = 64 * 1024;

/// A longer text is no text of ours (chosen: twice what a whole row can have).
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A run, and what it must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Name of the file in its folder.
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// xxh3 of the file.
    pub(crate) hash: u64,
}

impl Run {
    /// Writes rows, which are in order, to a new file.
    pub(super) fn write(
        folder: &Path,
        name: &str,
        rows: impl Iterator<Item = Row>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(folder.join(name))?);
        let mut record = Vec::new();
        let mut run = Self {
            name: name.to_owned(),
            rows: 0,
            bytes: 0,
            hash: 0,
        };
        let mut hash = Xxh3::new();
        for row in rows {
            record.clear();
            encode(&row, &mut record);
            file.write_all(&record)?;
            hash.update(&record);
            run.rows += 1;
            run.bytes += record.len() as u64;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.hash = hash.digest();
        Ok(run)
    }

    /// Whether the file is there as it was written; reads all of it.
    pub(crate) fn is_whole(&self, folder: &Path) -> bool {
        self.read_through(folder)
            .is_ok_and(|found| found == (self.bytes, self.hash))
    }

    /// Length and hash of the file.
    fn read_through(&self, folder: &Path) -> io::Result<(u64, u64)> {
        let mut file = File::open(folder.join(&self.name))?;
        let mut hash = Xxh3::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut length = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((length, hash.digest())),
                count => {
                    hash.update(&buffer[..count]);
                    length += count as u64;
                }
            }
        }
    }
}

/// Reads a run from its start.
#[derive(Debug)]
pub(super) struct RunReader {
    input: BufReader<File>,
    /// Rows not read yet.
    left: u64,
    /// Name of the rows' file, as it stands in rejects.
    file: String,
}

impl RunReader {
    pub(super) fn open(folder: &Path, run: &Run, file: &str) -> io::Result<Self> {
        let input = File::open(folder.join(&run.name))?;
        Ok(Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            left: run.rows,
            file: file.to_owned(),
        })
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let [kind] = self.bytes()?;
        let at = i64::from_le_bytes(self.bytes()?);
        let content = match kind {
            TRIP => Content::Trip(self.trip(at)?),
            REJECT => Content::Reject(Box::new(self.reject()?)),
            _ => return Err(damaged()),
        };
        let at = Some(at).filter(|at| *at != NO_TIME);
        Ok(Some(Row { at, content }))
    }

    fn trip(&mut self, departed_at: i64) -> io::Result<CompactTrip> {
        let arrived_at = i64::from_le_bytes(self.bytes()?);
        let bike = NameIndex::new(u32::from_le_bytes(self.bytes()?));
        let [rider_and_kind] = self.bytes()?;
        Ok(CompactTrip {
            departed_at,
            arrived_at,
            bike,
            rider: match rider_and_kind % 4 {
                0 => None,
                1 => Some(Rider::Member),
                2 => Some(Rider::Casual),
                _ => return Err(damaged()),
            },
            bike_kind: match rider_and_kind / 4 {
                0 => None,
                1 => Some(BikeKind::Classic),
                2 => Some(BikeKind::Electric),
                3 => Some(BikeKind::Docked),
                _ => return Err(damaged()),
            },
            from: self.place()?,
            to: self.place()?,
        })
    }

    fn place(&mut self) -> io::Result<Place> {
        Ok(Place {
            lat: f64::from_le_bytes(self.bytes()?),
            lon: f64::from_le_bytes(self.bytes()?),
            station: NameIndex::new(u32::from_le_bytes(self.bytes()?)).ok_or_else(damaged)?,
        })
    }

    fn reject(&mut self) -> io::Result<Reject> {
        Ok(Reject {
            file: self.file.clone(),
            line: u64::from_le_bytes(self.bytes()?),
            reason: self.text()?,
            row: self.text()?,
        })
    }

    fn text(&mut self) -> io::Result<String> {
        let length = u32::from_le_bytes(self.bytes()?) as usize;
        if length > TEXT_BYTES_MAX {
            return Err(damaged());
        }
        let mut text = vec![0; length];
        self.input.read_exact(&mut text)?;
        String::from_utf8(text).map_err(|_| damaged())
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a run of ordered rows is damaged",
    )
}

fn encode(row: &Row, out: &mut Vec<u8>) {
    out.push(match &row.content {
        Content::Trip(_) => TRIP,
        Content::Reject(_) => REJECT,
    });
    out.extend_from_slice(&row.at.unwrap_or(NO_TIME).to_le_bytes());
    match &row.content {
        Content::Trip(trip) => encode_trip(trip, out),
        Content::Reject(reject) => {
            out.extend_from_slice(&reject.line.to_le_bytes());
            encode_text(&reject.reason, out);
            encode_text(&reject.row, out);
        }
    }
}

fn encode_trip(trip: &CompactTrip, out: &mut Vec<u8>) {
    out.extend_from_slice(&trip.arrived_at.to_le_bytes());
    out.extend_from_slice(&trip.bike.map_or(0, NameIndex::get).to_le_bytes());
    let rider = match trip.rider {
        None => 0,
        Some(Rider::Member) => 1,
        Some(Rider::Casual) => 2,
    };
    let kind = match trip.bike_kind {
        None => 0,
        Some(BikeKind::Classic) => 1,
        Some(BikeKind::Electric) => 2,
        Some(BikeKind::Docked) => 3,
    };
    out.push(rider + 4 * kind);
    for place in [&trip.from, &trip.to] {
        out.extend_from_slice(&place.lat.to_le_bytes());
        out.extend_from_slice(&place.lon.to_le_bytes());
        out.extend_from_slice(&place.station.get().to_le_bytes());
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let length = u32::try_from(end).expect("a text is far shorter");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(line: u64, reason: &str, row: &str) -> Row {
        Row {
            at: None,
            content: Content::Reject(Box::new(Reject::new("a.csv", line, reason, row))),
        }
    }

    #[test]
    fn a_run_that_is_cut_short_is_not_whole_and_an_error_where_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [reject(1, "no trip", "a,é"), reject(2, "", "")];
        let run = Run::write(folder.path(), "0.run", rows.clone().into_iter()).unwrap();
        assert!(run.is_whole(folder.path()));
        let file = File::options()
            .write(true)
            .open(folder.path().join("0.run"));
        let file = file.unwrap();
        file.set_len(run.bytes - 1).unwrap();
        assert!(!run.is_whole(folder.path()));
        let mut reader = RunReader::open(folder.path(), &run, "a.csv").unwrap();
        assert_eq!(reader.next().unwrap(), Some(rows[0].clone()));
        assert!(reader.next().is_err());
    }

    #[test]
    fn a_run_in_which_a_bit_has_flipped_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [reject(1, "no trip", "a,é"), reject(2, "", "b")];
        let run = Run::write(folder.path(), "0.run", rows.into_iter()).unwrap();
        let path = folder.path().join("0.run");
        let written = fs::read(&path).unwrap();
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            assert!(!run.is_whole(folder.path()), "bit {bit}");
        }
        fs::write(&path, written).unwrap();
        assert!(run.is_whole(folder.path()));
    }

    #[test]
    fn bytes_that_are_no_run_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0.run"), [9; 100]).unwrap();
        let run = Run {
            name: "0.run".to_owned(),
            rows: 1,
            bytes: 100,
            hash: 0,
        };
        let mut reader = RunReader::open(folder.path(), &run, "a.csv").unwrap();
        assert!(reader.next().is_err());
    }
}
