//! Which version of a SmartModule made a stream's rows: table `module_version`.

use chrono::{DateTime, Utc};
use domain::record::WindowState;
use sqlx::postgres::PgConnection;

use crate::cursor::Cursor;
use crate::module::{LoadedModule, Module};
use crate::storable::storable;
use crate::stream_key::StreamKey;

/// The version with which a session writes, from the session's first transaction on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionVersion {
    name: String,
    sha256: String,
    /// First offset that is written with it, as in ids.
    from_offset: i64,
    /// Windows that start earlier are closed; none before the first one closed.
    closed_until: Option<DateTime<Utc>>,
}

impl SessionVersion {
    pub(crate) fn of(module: &LoadedModule, cursor: &Cursor) -> Self {
        let state = cursor.state.as_deref();
        let state = state.and_then(|state| serde_json::from_str::<WindowState>(state).ok());
        Self {
            name: module.name().to_owned(),
            sha256: module.sha256().to_owned(),
            from_offset: cursor.next_offset + cursor.id_shift,
            closed_until: state.and_then(|state| state.closed_until),
        }
    }

    /// Notes, in the transaction under way, from where on the stream's rows are of this version, unless those
    /// before are, too.
    pub(crate) async fn write(
        &self,
        transaction: &mut PgConnection,
        key: &StreamKey,
    ) -> Result<(), sqlx::Error> {
        // Of rows that somebody has removed together with the cursor.
        sqlx::query(
            "delete from module_version
             where topic = $1 and partition = $2 and module = $3 and from_offset >= $4",
        )
        .bind(&key.topic)
        .bind(key.partition_sql())
        .bind(key.module.name())
        .bind(self.from_offset)
        .execute(&mut *transaction)
        .await?;
        let has_windows = key.module == Module::DockWindow;
        sqlx::query(
            "insert into module_version (topic, partition, module, from_offset, from_window, name, sha256)
             select $1, $2, $3, $4, case when $5 then coalesce($6, '-infinity') end, $7, $8
             where not exists (
                 select from (
                     select name, sha256 from module_version
                     where topic = $1 and partition = $2 and module = $3
                     order by from_offset desc limit 1) as before
                 where name = $7 and sha256 = $8)",
        )
        .bind(&key.topic)
        .bind(key.partition_sql())
        .bind(key.module.name())
        .bind(self.from_offset)
        .bind(has_windows)
        .bind(self.closed_until)
        .bind(storable(&self.name))
        .bind(&self.sha256)
        .execute(transaction)
        .await?;
        Ok(())
    }
}
