//! The files of `migrations/`, carried in the program.
//!
//! Not by `sqlx::migrate!`: it has the compiler run a Postgres client, which is built a second time
//! for that.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../migrations/", $name)))
    };
}

/// Name and text, in order; a name is `VERSION_DESCRIPTION.sql`.
const FILES: [(&str, &str); 16] = [
    file!("0001_records.sql"),
    file!("0002_stream_cursor.sql"),
    file!("0003_availability.sql"),
    file!("0004_views.sql"),
    file!("0005_inferred.sql"),
    file!("0006_dock_status.sql"),
    file!("0007_stream_failure.sql"),
    file!("0008_last_record.sql"),
    file!("0009_location_history.sql"),
    file!("0010_station_service.sql"),
    file!("0011_station_stock.sql"),
    file!("0012_bike_kind.sql"),
    file!("0013_past.sql"),
    file!("0014_sink_member.sql"),
    file!("0015_months.sql"),
    file!("0016_module_version.sql"),
];

/// All migrations, with the versions, descriptions and checksums that sqlx gives them.
pub(crate) fn migrator() -> Migrator {
    Migrator::with_migrations(FILES.map(|(name, text)| migration(name, text)).to_vec())
}

fn migration(name: &str, text: &'static str) -> Migration {
    let name = name.trim_end_matches(".sql");
    let (version, description) = name.split_once('_').unwrap_or((name, ""));
    let version = version
        .parse()
        .expect("a migration's name begins with its version");
    Migration::new(
        version,
        description.replace('_', " ").into(),
        MigrationType::Simple,
        text.into_sql_str(),
        false,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_carried() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let there = std::fs::read_dir(folder).unwrap();
        let names = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // `roles.sql` is no migration: see `roles`.
        let is_migration = |name: &String| name.ends_with(".sql") && name != "roles.sql";
        let mut names: Vec<_> = names.filter(is_migration).collect();
        names.sort();
        assert_eq!(names, FILES.map(|(name, _)| name));
        assert!(
            migrator()
                .iter()
                .map(|migration| migration.version)
                .eq(1..=16)
        );
    }
}
