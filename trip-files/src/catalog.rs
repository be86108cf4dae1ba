//! Which files there are, in the order in which their months come.

use std::collections::BTreeMap;
use std::io;

use zip::ZipArchive;

use crate::error::{NotRead, RefusedFile};
use crate::months::Month;
use crate::progress::Reading;
use crate::store::{Entry, FileFormat, Input, Listing, Store};
use crate::unpack::members;

/// A file, or what a file has of one month: is read, kept and sent as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) entry: Entry,
    /// Names of those members of an archive that are meant; empty if all are.
    pub(crate) members: Vec<String>,
    pub(crate) month: Option<Month>,
}

/// All units, ordered by month; those without a month come first.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) store: Box<dyn Store>,
    pub(crate) units: Vec<Unit>,
    /// Whether the source names one file: then it is an error if it cannot be used.
    pub(crate) is_single: bool,
}

impl Unit {
    /// Its name, of a part of an archive the first member's.
    pub(crate) fn name(&self) -> String {
        match self.members.first() {
            Some(member) => format!("{}/{member}", self.entry.name),
            None => self.entry.name.clone(),
        }
    }
}

impl Catalog {
    /// Lists the store and looks into archives whose name has no month.
    ///
    /// # Errors
    /// If the store cannot be listed. An archive that cannot be used is listed as it is.
    pub(crate) fn open(store: Box<dyn Store>, reading: &Reading) -> Result<Self, NotRead> {
        let (entries, is_single) = match store.list()? {
            Listing::File(entry) => (vec![entry], true),
            Listing::Files(entries) => (entries, false),
        };
        let mut found = Vec::new();
        for entry in &entries {
            found.extend(contents(store.as_ref(), entry, reading)?);
        }
        Ok(Self {
            store,
            units: units(found),
            is_single,
        })
    }
}

/// A file, or one in an archive.
#[derive(Debug)]
struct Found {
    entry: Entry,
    member: Option<String>,
    /// With the archive's name before it.
    name: String,
}

impl Found {
    fn whole(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            entry: entry.clone(),
            member: None,
        }
    }
}

/// The entry, or the members of an archive that may hold several months.
fn contents(store: &dyn Store, entry: &Entry, reading: &Reading) -> Result<Vec<Found>, NotRead> {
    let whole = || vec![Found::whole(entry)];
    if FileFormat::of(&entry.name) != Some(FileFormat::Zip) || Month::in_name(&entry.name).is_some()
    {
        return Ok(whole());
    }
    if reading.is_stopped() {
        return Err(NotRead::Stopped);
    }
    match list(store, entry).map_err(NotRead::from) {
        // Reading it will show the same, at its turn.
        Err(NotRead::Refused(_)) => Ok(whole()),
        Err(error) => Err(error),
        Ok(members) => Ok(members),
    }
}

fn list(store: &dyn Store, entry: &Entry) -> Result<Vec<Found>, RefusedFile> {
    let input: Box<dyn Input> = store.open(entry)?;
    let archive = ZipArchive::new(io::BufReader::new(input))?;
    let found = members(&archive)?.into_iter().map(|member| Found {
        entry: entry.clone(),
        name: format!("{}/{}", entry.name, member.name),
        member: Some(member.name),
    });
    Ok(found.collect())
}

/// Puts together what belongs to one month of one file.
fn units(found: Vec<Found>) -> Vec<Unit> {
    let mut units: BTreeMap<(Option<Month>, String), Unit> = BTreeMap::new();
    for found in found {
        let month = Month::in_name(&found.name);
        let unit = units.entry((month, found.entry.name.clone()));
        let unit = unit.or_insert_with(|| Unit {
            entry: found.entry,
            members: Vec::new(),
            month,
        });
        unit.members.extend(found.member);
    }
    units.into_values().collect()
}
