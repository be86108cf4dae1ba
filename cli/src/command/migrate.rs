//! `bikeshare migrate`: makes the tables, for logins that may not.

use anyhow::{Context, Result};
use clap::Args;

use crate::addresses::{DataDirFlag, DatabaseFlag};
use crate::output::say;

/// Make or update the tables, as their owner; the other commands then need fewer rights.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare migrate --database-url postgres://owner@db.example/bikes
  bikeshare migrate --roles --database-url postgres://owner@db.example/bikes
  psql postgres://owner@db.example/bikes -c 'create role page login in role bikeshare_reader'

`up` and `sink` do it too, with a login that may; on tables that are up to date they need no more
than the role bikeshare_writer, and `serve` no more than bikeshare_reader.")]
pub(crate) struct Arguments {
    /// Also make the roles `bikeshare_reader` and `bikeshare_writer`, as `migrations/roles.sql` does.
    #[arg(long)]
    roles: bool,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// Runs the subcommand.
///
/// # Errors
/// If Postgres cannot be reached or refuses.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let url = arguments.database.resolve(&arguments.data_dir)?;
    sink::migrate(&url).await?;
    if arguments.roles {
        sink::make_roles(&url)
            .await
            .context("the tables are up to date, the roles are not")?;
    }
    say!("the tables are up to date");
    Ok(())
}
