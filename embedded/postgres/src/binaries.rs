//! Finding the server binaries that the machine already has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::PostgresError;

/// Oldest major version we start (the oldest its makers still supported in 2025).
const MAJOR_MIN: u32 = 13;
/// What a folder must hold to be taken.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// The folder with `postgres`, `initdb` and `pg_ctl` that [`crate::Postgres::start`] uses
/// for a new database.
///
/// `PG_BIN` if set, and then nothing else; else the first that works of: what
/// `pg_config --bindir` says, the folders in `PATH`, the newest of Debian's
/// `/usr/lib/postgresql/*/bin`, of the PGDG packages' `/usr/pgsql-*/bin`, and of Homebrew's
/// `opt/postgresql*/bin`.
///
/// # Errors
/// [`PostgresError::NoBinaries`] or, for a wrong `PG_BIN`, [`PostgresError::BadBinaries`].
pub fn find_binaries() -> Result<PathBuf, PostgresError> {
    find_for(None)
}

/// Like [`find_binaries`], but prefers a server of this major version, so that a data folder
/// stays usable when a newer server is installed beside its own.
pub(crate) fn find_for(major: Option<u32>) -> Result<PathBuf, PostgresError> {
    if let Some(named) = std::env::var_os("PG_BIN").filter(|value| !value.is_empty()) {
        return check(Path::new(&named)).map(|server| server.bin);
    }
    choose(&candidates(), major)
}

/// Version of the server in `bin`, for example `15.18`.
///
/// # Errors
/// [`PostgresError::BadBinaries`] if `bin/postgres --version` does not run or says
/// something else.
pub fn version(bin: &Path) -> Result<String, PostgresError> {
    let bad = |reason| PostgresError::BadBinaries {
        folder: bin.to_owned(),
        reason,
    };
    let program = bin.join("postgres");
    let output = Command::new(&program)
        .arg("--version")
        .output()
        .map_err(|error| bad(format!("postgres does not run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text)
        .map(str::to_owned)
        .ok_or_else(|| bad(format!("`postgres --version` says \"{}\"", text.trim())))
}

/// Major version in a text like `15.18` or `18beta1`.
pub(crate) fn major_of(version: &str) -> Option<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// A folder that passed [`check`].
struct Found {
    bin: PathBuf,
    major: u32,
}

/// The first working folder of the wanted major version, else the first that works.
fn choose(candidates: &[PathBuf], major: Option<u32>) -> Result<PathBuf, PostgresError> {
    let mut refused = Vec::new();
    let mut first = None;
    for candidate in candidates {
        match check(candidate) {
            Ok(found) if major.is_none_or(|major| major == found.major) => return Ok(found.bin),
            Ok(found) => first = first.or(Some(found.bin)),
            Err(error) => refused.push(error.to_string()),
        }
    }
    first.ok_or_else(|| PostgresError::NoBinaries {
        tried: if refused.is_empty() {
            "PG_BIN, pg_config, PATH and the usual folders name none".to_owned()
        } else {
            refused.join("; ")
        },
    })
}

/// Checks that a folder, or the one its `postgres` links to, holds a whole working server.
fn check(folder: &Path) -> Result<Found, PostgresError> {
    let bad = |reason| PostgresError::BadBinaries {
        folder: folder.to_owned(),
        reason,
    };
    // Behind a link, because `initdb` looks for the server's other files beside itself.
    let linked = folder.join("postgres").canonicalize().ok();
    let bin = linked
        .as_deref()
        .and_then(Path::parent)
        .filter(|bin| missing_program(bin).is_none())
        .unwrap_or(folder);
    if let Some(missing) = missing_program(bin) {
        return Err(bad(format!("{missing} is missing")));
    }
    let version = version(bin)?;
    match major_of(&version) {
        Some(major) if major >= MAJOR_MIN => Ok(Found {
            bin: bin.to_owned(),
            major,
        }),
        _ => Err(bad(format!(
            "it is postgres {version}; {MAJOR_MIN} or newer is needed"
        ))),
    }
}

fn missing_program(bin: &Path) -> Option<&'static str> {
    PROGRAMS
        .into_iter()
        .find(|program| !bin.join(program).is_file())
}

/// Folders that may hold a server, best first, each once.
fn candidates() -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).filter(|folder| folder.join("postgres").exists());
    let mut all: Vec<PathBuf> = pg_config().into_iter().chain(in_path).collect();
    all.extend(newest_first("/usr/lib/postgresql", "", "bin"));
    all.extend(newest_first("/usr", "pgsql-", "bin"));
    all.extend(newest_first("/opt/homebrew/opt", "postgresql", "bin"));
    all.extend(newest_first("/usr/local/opt", "postgresql", "bin"));
    all.retain(|folder| seen.insert(folder.clone()));
    all
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    folder.join("postgres").exists().then_some(folder)
}

/// `<parent>/<prefix>*/<leaf>` by the number at the end of the middle name, greatest first.
fn newest_first(parent: &str, prefix: &str, leaf: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.trim_start_matches('@');
            // Homebrew's plain `postgresql` has no number.
            Some((major_of(number).unwrap_or(0), entry.path().join(leaf)))
        })
        .filter(|(_, folder)| folder.is_dir())
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The third word of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    (words.next()? == "postgres" && words.next()? == "(PostgreSQL)").then(|| words.next())?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder of shell scripts that pass for a server of this version.
    fn fake_server(parent: &Path, version: &str) -> PathBuf {
        let bin = parent.join(version).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for program in PROGRAMS {
            let file = bin.join(program);
            let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Test)'\n");
            std::fs::write(&file, script).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
        bin.canonicalize().unwrap()
    }

    #[test]
    fn the_version_is_the_third_word() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0)"),
            Some("15.18")
        );
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta1\n"),
            Some("18beta1")
        );
        assert_eq!(parse_version("psql (PostgreSQL) 15.18"), None);
        assert_eq!(major_of("15.18"), Some(15));
        assert_eq!(major_of("18beta1"), Some(18));
        assert_eq!(major_of("devel"), None);
    }

    #[test]
    fn the_folder_behind_a_link_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        let real = fake_server(temp.path(), "16.1");
        let links = temp.path().join("links");
        std::fs::create_dir(&links).unwrap();
        symlink(real.join("postgres"), links.join("postgres")).unwrap();
        assert_eq!(choose(&[links], None).unwrap(), real);
    }

    #[test]
    fn a_data_folders_own_major_version_is_preferred() {
        let temp = tempfile::tempdir().unwrap();
        let [new, old] = ["17.2", "15.9"].map(|version| fake_server(temp.path(), version));
        let both = [new.clone(), old.clone()];
        assert_eq!(choose(&both, None).unwrap(), new);
        assert_eq!(choose(&both, Some(15)).unwrap(), old);
        assert_eq!(choose(&both, Some(16)).unwrap(), new);
    }

    #[test]
    fn a_client_only_or_too_old_folder_is_refused_with_its_reason_and_the_remedy() {
        let temp = tempfile::tempdir().unwrap();
        let client = fake_server(temp.path(), "16.3");
        std::fs::remove_file(client.join("initdb")).unwrap();
        let old = fake_server(temp.path(), "9.6");
        let text = choose(&[client, old], None).unwrap_err().to_string();
        assert!(text.contains("initdb is missing"), "{text}");
        assert!(
            text.contains("it is postgres 9.6; 13 or newer is needed"),
            "{text}"
        );
        assert!(text.contains("apt-get install postgresql"), "{text}");
    }

    #[test]
    fn the_newest_versioned_folder_comes_first_by_number_not_by_letter() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "17"] {
            std::fs::create_dir_all(temp.path().join(name).join("bin")).unwrap();
        }
        let found = newest_first(temp.path().to_str().unwrap(), "", "bin");
        let names: Vec<_> = found
            .iter()
            .map(|f| f.parent().unwrap().file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["17", "15", "9.6"]);
    }
}
