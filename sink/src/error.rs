//! The errors, and whether a retry can help.

use domain::record_id::PARTITIONS_MAX;
use domain::{Position, error_chain};
use partition_client::ClientError;

/// What an operator can do where log and tables do not belong together.
const REMEDIES: &str = "Give the sink the database that belongs to the log, or start it once with \
     `--on-other-log rebuild` (empty the tables and read this log from its start) or with \
     `--on-other-log continue` (keep them, add what this log has, note the gap)";

/// An error of the sink; each names where in the topic or the database it happened.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The database address is not one.
    #[error("the database address is not a postgres:// url")]
    DatabaseUrl(#[source] Option<sqlx::Error>),
    /// Postgres cannot be reached or refuses the login.
    #[error("could not connect to postgres at {address}")]
    Connect {
        /// Host, port and database, never the password.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The tables are of a newer version of this program.
    #[error(
        "the database at {address} is of a newer bikeshare: it has migration {version}, this one \
         knows none after {known}; use the newer program"
    )]
    NewerDatabase {
        /// Host, port and database.
        address: String,
        /// The migration found.
        version: i64,
        /// The newest migration this program has.
        known: i64,
    },
    /// A migration failed or was edited after it had run.
    #[error("could not migrate the database at {address}")]
    Migrate {
        /// Host, port and database.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The tables are not there, or older, and this login may not make them.
    #[error(
        "the tables at {address} have to be made or updated first, which this user may not: run \
         `bikeshare migrate` as the user who owns the database"
    )]
    NotMigrated {
        /// Host, port, database and user.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The database cannot hold every text.
    #[error(
        "{address} stores texts as {encoding}, and stations have names of all languages: give a database \
         made with `create database bikes encoding 'UTF8' template template0`"
    )]
    Encoding {
        /// Host, port, database and user.
        address: String,
        /// Postgres' name for it.
        encoding: String,
    },
    /// A statement failed.
    #[error("could not {doing}")]
    Database {
        /// What was being done, with its position.
        doing: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// Old rows cannot be put where they are kept; they stay in the tables.
    #[error("could not archive old records in {place}")]
    Archive {
        /// The file or folder.
        place: String,
        /// What the place says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database holds another topic.
    #[error(
        "the database belongs to topic \"{found}\", not \"{topic}\": give each topic its own \
         database"
    )]
    OtherTopic {
        /// The topic of the configuration.
        topic: String,
        /// The topic found.
        found: String,
    },
    /// The topic has more partitions than the key of `records` can name.
    #[error(
        "topic {topic} has {partitions} partitions, but the keys of table records can name only \
         {PARTITIONS_MAX}: give the sink a topic with fewer"
    )]
    TooManyPartitions {
        /// The topic.
        topic: String,
        /// Its partitions.
        partitions: u32,
    },
    /// Another sink owns the partition since.
    #[error("{position}: {module} is written by {owner} now: this sink writes it no more")]
    Fenced {
        /// Where this sink would have gone on.
        position: Position,
        /// The stream's module.
        module: &'static str,
        /// Who has it now.
        owner: String,
    },
    /// The cluster cannot be reached or does not respond.
    #[error("could not {doing}")]
    Broker {
        /// What was being done, with its position.
        doing: String,
        /// The client's error.
        #[source]
        source: anyhow::Error,
    },
    /// The broker skipped records.
    #[error(
        "{position}: records are missing, {expected} should have come: the broker skipped them"
    )]
    Gap {
        /// The record that came.
        position: Position,
        /// The offset that should have come.
        expected: i64,
    },
    /// The broker says nothing although the log goes on.
    #[error(
        "{position}: {module} gives nothing although the log ends at {end}: the broker may have \
         skipped a batch whose output is larger than a response may be"
    )]
    Silence {
        /// The record that should have come.
        position: Position,
        /// The module.
        module: &'static str,
        /// The end of the log.
        end: i64,
    },
    /// The log is not the one that was read into the tables.
    #[error(
        "{position}: this log is not the one that the tables were filled from: the last record \
         stored was {stored}, the log has {found} in its place. {REMEDIES}"
    )]
    OtherLog {
        /// Where the cursor stands.
        position: Position,
        /// The record before it, as it was when it was stored.
        stored: String,
        /// The record before it, as it is in the log.
        found: String,
    },
    /// Another sink publishes while the tables are to be emptied.
    #[error("another sink works on this database: stop it before the tables are built anew")]
    InUse,
    /// The cursor is beyond the end of the log.
    #[error(
        "{position}: the log ends at {end}, before what is stored: it was created anew, or lost \
         its tail. {REMEDIES}"
    )]
    BeyondEnd {
        /// Where the cursor stands.
        position: Position,
        /// The end of the log.
        end: i64,
    },
    /// The log no longer has what comes next.
    #[error(
        "{position}: the log starts at {start}: records before it were deleted unread. {REMEDIES}"
    )]
    Deleted {
        /// Where the cursor stands.
        position: Position,
        /// The first offset there is.
        start: i64,
    },
    /// The broker could not start the SmartModule, or the module stopped with an error.
    #[error("{position}: module {module} does not run: {reason}")]
    Module {
        /// Where the stream stood.
        position: Position,
        /// Name and version.
        module: String,
        /// The broker's message.
        reason: String,
    },
    /// An output of a module is not one.
    #[error("{position}: module {module} gave no usable output: {reason}")]
    Output {
        /// The record that should have come.
        position: Position,
        /// The module.
        module: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl SinkError {
    /// Whether the same may succeed later without anybody's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Database { source, .. } => {
                is_transient_error(source)
            }
            Self::Broker { source, .. } => !is_damage(source),
            // A mended module may be uploaded: it is fetched anew with each retry. Who is fenced may own
            // the partition again.
            Self::Module { .. } | Self::Silence { .. } | Self::Fenced { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn database(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Database { doing, source }
    }

    pub(crate) fn broker(doing: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::Broker {
            doing: doing.into(),
            source: source.into(),
        }
    }

    /// Whether log and tables do not belong together.
    pub(crate) fn is_log_mismatch(&self) -> bool {
        matches!(
            self,
            Self::OtherLog { .. } | Self::BeyondEnd { .. } | Self::Deleted { .. }
        )
    }

    /// The error without its remedies.
    pub(crate) fn cause(&self) -> String {
        let text = self.to_string();
        text.trim_end_matches(REMEDIES).trim_end().to_owned()
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        error_chain(self)
    }
}

impl From<ClientError> for SinkError {
    fn from(error: ClientError) -> Self {
        Self::broker(error.doing, error.cause)
    }
}

/// Whether the embedded broker has found its log not to be as it was written: that stays until
/// somebody restores the file. The protocol has no code for it.
fn is_damage(source: &anyhow::Error) -> bool {
    format!("{source:#}").contains(" is damaged at offset ")
}

/// Whether the same statement may succeed later: an error passes unless it is known to stay.
fn is_transient_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => !error.code().is_some_and(|code| is_permanent(&code)),
        sqlx::Error::Configuration(_)
        | sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => false,
        _ => true,
    }
}

/// Whether an error of this SQLSTATE recurs until somebody changes data, tables or rights.
///
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn is_permanent(code: &str) -> bool {
    if code == "23514" {
        // No table of a partitioned one is for this row: its month was dropped a moment ago, and the next
        // session makes it again.
        return false;
    }
    let class = code.get(..2).unwrap_or_default();
    matches!(
        class,
        "22"            // a value does not fit
            | "23"      // a constraint is violated
            | "28"      // the login is refused
            | "3D"      // there is no such database
            | "3F"      // there is no such schema
            | "42"      // a table, a column or a right is missing
            | "54" // a limit of the program is exceeded
    ) || matches!(code, "XX001" | "XX002") // data or an index is damaged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_log_stays_damaged() {
        let read = |text: &'static str| SinkError::broker("read trips/0", anyhow::anyhow!(text));
        assert!(read("connection reset").is_transient());
        let damage = r#"topic "trips" partition 0 is damaged at offset 57: "0.log", byte 9: …"#;
        assert!(!read(damage).is_transient());
    }

    #[test]
    fn errors_pass_unless_they_are_known_to_stay() {
        let passes = [
            "08006", "25006", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01",
            "58030", "0A000", "XX000", "ZZ999", "23514",
        ];
        assert!(passes.iter().all(|code| !is_permanent(code)));
        let stay = [
            "22003", "23505", "28P01", "3D000", "42703", "42501", "XX001",
        ];
        assert!(stay.iter().all(|code| is_permanent(code)));
    }
}
