//! The address of a database, which may hold a password: read from where others cannot see it, and
//! never printed.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result};

/// Before the path of a file that holds the address.
const FILE: &str = "file:";

/// `postgres://…`, or `file:PATH` of a file that holds it.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address itself.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self) -> Result<String> {
        let Some(path) = self.0.strip_prefix(FILE) else {
            return Ok(self.0.clone());
        };
        let text = std::fs::read_to_string(path);
        let text =
            text.with_context(|| format!("could not read a database address in {path:?}"))?;
        Ok(text.trim().to_owned())
    }
}

impl FromStr for DatabaseUrl {
    // A wrong one is found when it is used: clap would print it.
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Warns if a command line, which every user of this machine can read, holds a password.
pub(crate) fn warn_of_passwords(mut arguments: impl Iterator<Item = OsString>) {
    if arguments.any(|word| word.to_str().is_some_and(shows_password)) {
        tracing::warn!(
            "the command line holds a password, and every user of this machine can see it: give a \
             database's address in DATABASE_URL or as file:PATH, or its password in PGPASSFILE; \
             Kafka's in the file of --kafka-config"
        );
    }
}

/// `…://user:password@…`, `…?password=…`, `sasl.password=…`
fn shows_password(word: &str) -> bool {
    let is_said = |(_, password): (&str, &str)| !password.is_empty();
    let authority = word.split_once("://").map(|(_, rest)| {
        let end = rest.find(['/', '?', '#']);
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    });
    let login = authority.and_then(|text| text.rsplit_once('@'));
    login
        .and_then(|(login, _)| login.split_once(':'))
        .is_some_and(is_said)
        || word.split_once("password=").is_some_and(is_said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_printed() {
        let url: DatabaseUrl = "postgres://rider:secret@db.example/bikes".parse().unwrap();
        assert_eq!(format!("{url:?}"), "***");
    }

    #[test]
    fn an_address_in_a_file_is_read_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://db.example/bikes\n").unwrap();
        let url: DatabaseUrl = format!("file:{}", path.display()).parse().unwrap();
        assert_eq!(url.read().unwrap(), "postgres://db.example/bikes");
        let missing: DatabaseUrl = "file:/missing".parse().unwrap();
        let expected = "could not read a database address in \"/missing\"";
        assert_eq!(missing.read().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_password_on_the_command_line_is_seen() {
        for word in [
            "postgres://rider:secret@db.example/bikes",
            "--database-url=postgres://rider:s%40crt@db.example",
            "postgres://rider@db.example/bikes?password=secret",
            "sasl.password=secret",
        ] {
            assert!(shows_password(word), "{word}");
        }
        for word in [
            "postgres://rider@db.example:5432/bikes",
            "postgres://db.example/a:b@c",
            "https://tile.example/{z}/{x}/{y}.png",
            "s3://tripdata/JC-2020",
            "db.example:5432",
        ] {
            assert!(!shows_password(word), "{word}");
        }
    }
}
