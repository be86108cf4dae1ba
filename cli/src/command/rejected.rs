//! `bikeshare rejected`: what could not be used, and why.

use anyhow::{Context, Result};
use clap::Args;
use futures_util::TryStreamExt;

use crate::addresses::{DataDirFlag, DatabaseFlag, connect_database};
use crate::output::say;

/// List the rows that could not become trips: file, line and reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare rejected                 each row, of the `up` running on ./data
  bikeshare rejected --summary       how many rows for each reason")]
pub(crate) struct Arguments {
    /// Count the rows by file and kind of reason instead of listing them.
    #[arg(long)]
    summary: bool,
    /// List at most so many rows.
    #[arg(long, value_name = "ROWS", default_value = "1000")]
    limit: i64,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// What the user sees of one reject: file, line, reason.
type Row = (String, i64, String);

const LIST: &str = "select file, line, reason from rejected order by file, line limit $1";
/// Quoted values differ from row to row; what is left is the kind of reason.
const SUMMARY: &str = "\
    select file, count(*), regexp_replace(reason, '\"[^\"]*\"', '…', 'g') as kind \
    from rejected group by file, kind order by file, count(*) desc limit $1";

/// Runs the subcommand.
///
/// # Errors
/// If Postgres cannot be reached or has no such table.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let mut database = connect_database(&arguments.database.resolve(&arguments.data_dir)?).await?;
    let query = if arguments.summary { SUMMARY } else { LIST };
    let mut rows = sqlx::query_as::<_, Row>(query)
        .bind(arguments.limit)
        .fetch(&mut database);
    let mut count = 0_i64;
    while let Some((file, number, reason)) = rows
        .try_next()
        .await
        .context("could not read table \"rejected\"")?
    {
        count += 1;
        if arguments.summary {
            say!("{file}: {number} rows: {reason}");
        } else {
            say!("{file}:{number}: {reason}");
        }
    }
    if count == arguments.limit {
        eprintln!("there may be more: raise --limit");
    }
    if count == 0 {
        eprintln!("nothing was rejected");
    }
    Ok(())
}
