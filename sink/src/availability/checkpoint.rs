//! The availability's memory in `availability_checkpoint`, so that a start need not read all
//! records again.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::Availability;
use sqlx::postgres::PgConnection;

use super::baseline;
use crate::error::SinkError;

/// Raised whenever what is saved changes its form or meaning; another one is not read.
const FORMAT: i32 = 3;

/// Time and id of the newest event of each station: the greatest that was read, ahead of the clock or
/// not.
pub(crate) type Newest = HashMap<i32, (DateTime<Utc>, i64)>;

/// The docks, the stations' newest events, and by partition the first offset that is not in them.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    pub(crate) availability: Availability,
    pub(crate) newest: Newest,
    pub(crate) next_offsets: BTreeMap<u32, i64>,
    /// From when on the past that is stored is not right.
    pub(crate) past_stale_from: Option<DateTime<Utc>>,
}

/// `format, next_offsets, state, past_stale_from`
type Row = (i32, String, Vec<u8>, Option<DateTime<Utc>>);

impl Checkpoint {
    /// Reads the checkpoint; none if there is none or it cannot be read, which is logged. Then it is
    /// deleted, so that nothing is dropped that has to be read again.
    pub(crate) async fn load(connection: &mut PgConnection) -> Result<Option<Self>, SinkError> {
        let row: Option<Row> = sqlx::query_as(
            "select format, next_offsets::text, state, past_stale_from from availability_checkpoint",
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(SinkError::database("read the availability's checkpoint"))?;
        let Some((format, next_offsets, state, past_stale_from)) = row else {
            return Ok(None);
        };
        let decoded = if format == FORMAT {
            Self::decode(&next_offsets, &state).map_err(|error| error.to_string())
        } else {
            Err(format!("its format is {format}, not {FORMAT}"))
        };
        match decoded {
            Ok(checkpoint) => Ok(Some(Self {
                past_stale_from,
                ..checkpoint
            })),
            Err(error) => {
                tracing::warn!(
                    error,
                    "the availability's checkpoint is unreadable: reading all records anew"
                );
                sqlx::query("delete from availability_checkpoint")
                    .execute(connection)
                    .await
                    .map_err(SinkError::database("delete the availability's checkpoint"))?;
                Ok(None)
            }
        }
    }

    /// What is known without one: what was dropped.
    pub(crate) async fn from_baseline(connection: &mut PgConnection) -> Result<Self, SinkError> {
        let (baseline, newest) = baseline::load(connection).await?;
        Ok(Self {
            availability: Availability::from(baseline),
            newest,
            ..Self::default()
        })
    }

    fn decode(next_offsets: &str, state: &[u8]) -> serde_json::Result<Self> {
        let next_offsets = serde_json::from_str(next_offsets)?;
        let (availability, newest) = serde_json::from_slice(state)?;
        Ok(Self {
            availability,
            newest,
            next_offsets,
            past_stale_from: None,
        })
    }

    pub(crate) async fn save(
        connection: &mut PgConnection,
        (availability, newest): (&Availability, &Newest),
        next_offsets: &BTreeMap<u32, i64>,
        past_stale_from: Option<DateTime<Utc>>,
    ) -> Result<(), SinkError> {
        let failed = || SinkError::database("save the availability's checkpoint");
        let encoded = |error: serde_json::Error| failed()(sqlx::Error::Encode(error.into()));
        let state = serde_json::to_vec(&(availability, newest)).map_err(encoded)?;
        let offsets = serde_json::to_string(next_offsets).map_err(encoded)?;
        sqlx::query(
            "insert into availability_checkpoint
                 (format, clock, next_offsets, state, past_stale_from)
             values ($1, $2, $3::jsonb, $4, $5)
             on conflict (only_row) do update set format = excluded.format,
                 clock = excluded.clock, next_offsets = excluded.next_offsets,
                 state = excluded.state, past_stale_from = excluded.past_stale_from",
        )
        .bind(FORMAT)
        .bind(availability.clock())
        .bind(offsets)
        .bind(state)
        .bind(past_stale_from)
        .execute(connection)
        .await
        .map_err(failed())?;
        Ok(())
    }
}
