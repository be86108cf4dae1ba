//! Whether the tables say what they must: each law as a statement that finds what breaks it.
//!
//! All laws are looked at in one snapshot, so a sink may write meanwhile. What a task writes a moment
//! later than another one (the availability after the records) breaks a law for that moment: so what is
//! found counts only if a snapshot after [`PAUSE`] shows it again.

mod laws;
mod role;

use std::fmt;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::database;
use crate::error::SinkError;
use laws::LAWS;
pub use role::{AuditRole, AuditState};

/// Between the first look and the second.
const PAUSE: Duration = Duration::from_secs(3);
/// Examples of what breaks a law.
const EXAMPLES_MAX: i64 = 5;

/// A rule that the tables always keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Law {
    /// One word, the same in metrics and messages.
    pub name: &'static str,
    /// The rule as a sentence.
    pub text: &'static str,
    /// Gives one text for each thing that breaks it.
    sql: &'static str,
}

/// What became of one law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The law.
    pub law: Law,
    /// How many rows, windows or docks break it.
    pub violations: u64,
    /// Some of them, in words.
    pub examples: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Law { name, text, .. } = self.law;
        if self.violations == 0 {
            return write!(f, "ok      {name:<13} {text}");
        }
        write!(f, "BROKEN  {name:<13} {text}: {} do not", self.violations)?;
        for example in &self.examples {
            write!(f, "\n        {example}")?;
        }
        Ok(())
    }
}

/// Looks at all laws; needs the role `bikeshare_reader`. Reads `records` in full several times: a
/// million trips took 23 seconds on two busy cores.
///
/// Waits for Postgres at most `law_max` for each law.
///
/// # Errors
/// If Postgres is away, falls silent or has other tables.
pub async fn audit(url: &str, law_max: Duration) -> Result<Vec<Finding>, SinkError> {
    let mut connection = database::connect(url, "audit", database::CONNECT_MAX).await?;
    let mut findings = look(&mut connection, &LAWS, law_max).await?;
    let broken: Vec<_> = findings
        .iter()
        .filter(|finding| finding.violations > 0)
        .map(|finding| finding.law)
        .collect();
    if !broken.is_empty() {
        tokio::time::sleep(PAUSE).await;
        for again in look(&mut connection, &broken, law_max).await? {
            findings
                .iter_mut()
                .filter(|finding| finding.law == again.law)
                .for_each(|finding| *finding = again.clone());
        }
    }
    database::close(connection).await;
    Ok(findings)
}

/// Looks at some laws in one snapshot.
async fn look(
    connection: &mut PgConnection,
    laws: &[Law],
    law_max: Duration,
) -> Result<Vec<Finding>, SinkError> {
    let opening = async {
        let mut snapshot = connection.begin().await?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *snapshot)
            .await?;
        Ok(snapshot)
    };
    let opening = async {
        opening
            .await
            .map_err(SinkError::database("audit the tables"))
    };
    let mut snapshot = database::with_timeout(law_max, "audit the tables", opening).await?;
    let mut findings = Vec::new();
    for law in laws {
        let doing = format!("audit law \"{}\"", law.name);
        let looking = look_at(&mut snapshot, law, &doing);
        findings.push(database::with_timeout(law_max, &doing, looking).await?);
    }
    // Nothing was written; the connection is closed or used again behind it.
    drop(snapshot);
    Ok(findings)
}

async fn look_at(
    snapshot: &mut PgConnection,
    law: &Law,
    doing: &str,
) -> Result<Finding, SinkError> {
    let statement = format!(
        "with violations (text) as ({}) select count(*) over (), text from violations
         order by text limit {EXAMPLES_MAX}",
        law.sql
    );
    let found: Vec<(i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .fetch_all(snapshot)
        .await
        .map_err(SinkError::database(doing))?;
    Ok(Finding {
        law: *law,
        violations: found.first().map_or(0, |(count, _)| count.unsigned_abs()),
        examples: found.into_iter().map(|(_, text)| text).collect(),
    })
}
