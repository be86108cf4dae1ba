//! `/api/past…`: what stood at the docks at an earlier instant, and the periods that a film is made of.
//!
//! Each request reads one row by its key over one of [`CONNECTIONS_MAX`] connections, waits for one no
//! longer than [`WAIT_MAX`], and decodes what two dozen kilobytes hold.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::DateTime;
use domain::Service;
use domain::availability::DockCount;
use domain::past::{PackedPeriod, Period};
use domain::time::{from_local, parse_local};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};

use super::board::Board;
use super::conditional::conditional;
use super::dock_past::past::DockPast;
use super::state::AppState;
use crate::model::{Count, Moment};
use crate::moment::{moment, wall_time};
use crate::query::departures::read_departures;
use crate::query::past::{PastRange, read_period, read_periods};
use crate::words::{Language, Word};

/// Connections to Postgres for all riders who look back (chosen: each is in use for milliseconds).
const CONNECTIONS_MAX: u32 = 4;

/// Periods that one question about a dock reads (chosen: two days of a large city, some 2 MB).
const PERIODS_MAX: usize = 200;

/// A rider waits no longer than this for one of them, and Postgres works no longer on a request.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// See [`WAIT_MAX`]: a row takes milliseconds.
const SESSION: &str = "set statement_timeout = '2s'; set tcp_user_timeout = '10s'";

/// A page waits no longer for a piece of it: it has more to show (chosen: a rider sees no difference).
const PIECE_WAIT_MAX: Duration = Duration::from_millis(300);

/// A connection that nobody needs is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// A period is complete when it is stored, but what comes late may correct it: browsers ask whether it
/// is the same (chosen: a film goes on without asking, a correction is seen within a minute).
const CACHING: &str = "public, max-age=60";
/// The last period still grows.
const CACHING_LAST: &str = "public, no-cache";

/// The routes below.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/past", get(docks))
        .route("/api/past/period", get(period))
}

/// Where the past is read; copies share the connections.
#[derive(Debug, Clone)]
pub(crate) struct PastReader(Option<PgPool>);

impl PastReader {
    /// Opens no connection yet; without an address that Postgres understands there is no past.
    pub(super) fn new(database_url: &str) -> Self {
        let options = PgConnectOptions::from_str(database_url).ok();
        Self(options.map(|options| {
            let pool = PgPoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(WAIT_MAX)
                .idle_timeout(IDLE_MAX)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        let set = sqlx::raw_sql(SESSION).execute(connection);
                        set.await.map(drop)
                    })
                });
            pool.connect_lazy_with(options.application_name("bikeshare page past"))
        }))
    }

    async fn period(&self, second: i64) -> Result<PackedPeriod, LookBackError> {
        let at = DateTime::from_timestamp(second, 0).ok_or(LookBackError::NoPast)?;
        let period = self.read(async |connection| read_period(connection, at).await);
        period.await?.ok_or(LookBackError::NoPast)
    }

    /// What a dock showed between two seconds.
    ///
    /// # Errors
    /// [`LookBackError::Unreadable`] where that is more than [`PERIODS_MAX`] periods hold, too.
    pub(super) async fn of_dock(
        &self,
        dock: i32,
        from: i64,
        until: i64,
    ) -> Result<DockPast, LookBackError> {
        let past = self.of_dock_in_part(dock, from, until).await?;
        if past.until() < until {
            tracing::warn!(dock, from, until, "more periods than are read at once");
            return Err(LookBackError::Unreadable);
        }
        Ok(past)
    }

    /// What a dock showed from a second on, as far as [`PERIODS_MAX`] periods tell it.
    pub(super) async fn of_dock_in_part(
        &self,
        dock: i32,
        from: i64,
        until: i64,
    ) -> Result<DockPast, LookBackError> {
        let at = |second| DateTime::from_timestamp(second, 0).ok_or(LookBackError::NoPast);
        let (begin, end) = (at(from)?, at(until)?);
        let read = async |connection: &mut PgConnection| {
            read_periods(connection, begin, end, PERIODS_MAX + 1).await
        };
        let mut packed = self.read(read).await?;
        let beyond = packed.get(PERIODS_MAX).map(|beyond| beyond.start - 1);
        packed.truncate(PERIODS_MAX);
        let until = beyond.unwrap_or(until);
        let decode = move || {
            let periods: Result<Vec<_>, _> = packed.iter().map(decoded).collect();
            Ok(DockPast::of(&periods?, dock, from, until))
        };
        // A day of a large city is some milliseconds of work.
        let decoding = tokio::task::spawn_blocking(decode).await;
        decoding.map_err(|_| LookBackError::Unreadable)?
    }

    /// Bikes taken in the city between two seconds, in steps, as [`read_departures`] gives them.
    pub(super) async fn departures(
        &self,
        from: i64,
        until: i64,
        step_s: i64,
    ) -> Result<Vec<(i64, i64)>, LookBackError> {
        let at = |second| DateTime::from_timestamp(second, 0).ok_or(LookBackError::NoPast);
        let (from, until) = (at(from)?, at(until)?);
        self.read(async |connection| read_departures(connection, from, until, step_s).await)
            .await
    }

    /// Reads over one of the connections, within [`WAIT_MAX`].
    pub(super) async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, LookBackError> {
        let pool = self.0.as_ref().ok_or(LookBackError::NoPast)?;
        let reading = async {
            let mut connection = pool.acquire().await?;
            read(&mut connection).await
        };
        match tokio::time::timeout(WAIT_MAX, reading).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(%error, "could not read the past");
                Err(LookBackError::Unreadable)
            }
            Err(_) => Err(LookBackError::Unreadable),
        }
    }
}

/// Why an instant cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookBackError {
    NoInstant,
    NoPast,
    NotYet,
    Unreadable,
}

impl LookBackError {
    /// The message for the rider.
    pub(super) fn word(self) -> Word {
        match self {
            Self::NoInstant => Word::NoInstant,
            Self::NoPast => Word::NoPast,
            Self::NotYet => Word::NotYet,
            Self::Unreadable => Word::PastUnreadable,
        }
    }

    /// The answer to whoever asked for it.
    pub(super) fn answer(self, language: Language) -> Response {
        let text = language.words().get(self.word());
        (self.status(), format!("{text}\n")).into_response()
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoInstant => StatusCode::BAD_REQUEST,
            Self::NoPast | Self::NotYet => StatusCode::NOT_FOUND,
            Self::Unreadable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The docks at an instant of the past.
pub(super) struct LookBack {
    /// The second shown.
    pub(super) second: i64,
    /// What each dock shows that was there; the others were not yet.
    counts: BTreeMap<i32, Count>,
    /// What the rider has to know of it.
    pub(super) note: Option<Word>,
}

impl LookBack {
    /// What a dock showed; one that was not there yet was closed.
    pub(super) fn count(&self, dock: i32) -> Count {
        self.counts.get(&dock).copied().unwrap_or(NOT_THERE)
    }
}

const NOT_THERE: Count = Count {
    bikes: 0,
    estimated: false,
    service: Service {
        installed: false,
        renting: false,
        returning: false,
    },
    last_seen: None,
    stock: domain::Stock {
        ebikes: None,
        free_docks: None,
        capacity: None,
        broken_bikes: None,
        broken_docks: None,
    },
};

/// Reads what stood at the docks at an instant, as the page's address names it.
pub(super) async fn look_back(app: &AppState, at: &str) -> Result<LookBack, LookBackError> {
    let stored = stored_at(app, instant_of(app, at)?).await?;
    let timezone = app.board.read(|board| board.system().timezone.clone());
    let counts = stored.counts.into_iter();
    let counts = counts.map(|(dock, count)| (dock, shown(count, &timezone)));
    Ok(LookBack {
        second: stored.second,
        counts: counts.collect(),
        note: stored.note,
    })
}

/// The docks at a second of the past, as it is stored.
pub(super) struct Stored {
    /// The second that `counts` are of.
    pub(super) second: i64,
    /// What each dock showed that was there.
    pub(super) counts: BTreeMap<i32, DockCount>,
    /// Why that is another second than the one asked about, or what else is to be known of it.
    pub(super) note: Option<Word>,
}

/// Reads what stood at the docks at a second that [`come`] has let through.
///
/// One before the past begins, or between its end and now, is moved to its next end, which the note
/// says.
pub(super) async fn stored_at(app: &AppState, asked: i64) -> Result<Stored, LookBackError> {
    let range = app.board.read(Board::past).ok_or(LookBackError::NoPast)?;
    let second = asked.clamp(range.first, range.last);
    let period = app.past.period(second).await?;
    let period = decoded(&period)?;
    Ok(Stored {
        second,
        counts: period.at(second.min(period.end())),
        note: note(&range, asked),
    })
}

/// The second that the page's address names.
///
/// # Errors
/// If it is no instant, and those of [`come`].
pub(super) fn instant_of(app: &AppState, at: &str) -> Result<i64, LookBackError> {
    let timezone = app.board.read(|board| board.system().timezone.clone());
    come(
        app,
        parse_at(at, &timezone).ok_or(LookBackError::NoInstant)?,
    )
}

/// The second, if it is of the past.
///
/// # Errors
/// If nothing of the past is stored, or if the second has not come yet.
pub(super) fn come(app: &AppState, second: i64) -> Result<i64, LookBackError> {
    let (range, now) = app.board.read(|board| (board.past(), board.now()));
    if range.is_none() {
        return Err(LookBackError::NoPast);
    }
    if now.is_none_or(|now| second > now.timestamp()) {
        return Err(LookBackError::NotYet);
    }
    Ok(second)
}

fn decoded(period: &PackedPeriod) -> Result<Period, LookBackError> {
    period.decode().map_err(|_| {
        tracing::warn!(start = period.start, "a period of the past cannot be read");
        LookBackError::Unreadable
    })
}

fn note(range: &PastRange, asked: i64) -> Option<Word> {
    if asked < range.first {
        Some(Word::PastBegins)
    } else if range.stale_from.is_some_and(|from| asked >= from) {
        Some(Word::PastIsCorrected)
    } else if asked > range.last {
        Some(Word::PastEnds)
    } else {
        None
    }
}

/// `2020-03-01T08:30` or `…:05` by the clocks of the city, or with a `Z` at its end in UTC; none if it is
/// something else.
fn parse_at(text: &str, timezone: &str) -> Option<i64> {
    let at = match text.strip_suffix('Z') {
        Some(text) => parse_local(text).ok()?.and_utc(),
        None => from_local(parse_local(text).ok()?, timezone)?,
    };
    Some(at.timestamp())
}

fn shown(count: DockCount, timezone: &str) -> Count {
    Count {
        bikes: count.bikes,
        estimated: count.estimated,
        service: count.service,
        last_seen: count.last_seen.map(|at| wall_time(at, timezone)),
        stock: count.stock,
    }
}

/// A piece of a page that is waiting for it; none where it takes longer than [`PIECE_WAIT_MAX`].
pub(super) fn soon<T>(piece: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    // Boxed: what draws is tens of kilobytes, and whoever waits would be as large.
    let piece = tokio::time::timeout(PIECE_WAIT_MAX, Box::pin(piece));
    async { piece.await.ok() }
}

/// What a request names; texts, since an address can hold anything.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PastQuery {
    pub(super) at: Option<String>,
    second: Option<String>,
}

pub(super) fn query(uri: &Uri) -> PastQuery {
    Query::try_from_uri(uri).map_or_else(|_| PastQuery::default(), |Query(query)| query)
}

/// The docks at an instant.
#[derive(Serialize)]
struct DocksAt {
    #[serde(flatten)]
    clock: Moment,
    note: Option<&'static str>,
    /// `[location_id, count]` of each dock that was there.
    docks: Vec<(i32, Count)>,
}

/// Answers `/api/past?at=2020-03-01T08:30`.
async fn docks(State(app): State<AppState>, language: Language, uri: Uri) -> Response {
    app.board.wait_for_reading().await;
    let at = query(&uri).at.unwrap_or_default();
    match look_back(&app, &at).await {
        Ok(past) => {
            let json = axum::Json(DocksAt {
                clock: app.moment(past.second),
                note: past.note.map(|word| language.words().get(word)),
                docks: past.counts.into_iter().collect(),
            });
            ([(header::CACHE_CONTROL, "no-store")], json).into_response()
        }
        Err(error) => error.answer(language),
    }
}

/// Answers `/api/past/period?second=1583069400` with the period that holds the second, or the last one
/// before it, as [`PackedPeriod::to_wire`] writes it.
async fn period(
    State(app): State<AppState>,
    language: Language,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let second = query(&uri).second.and_then(|second| second.parse().ok());
    let period = match second {
        Some(second) => app.past.period(second).await,
        None => Err(LookBackError::NoInstant),
    };
    let last = app.board.read(|board| board.past().map(|past| past.last));
    let (wire, caching) = match period {
        Ok(period) if Some(period.end) < last => (period.to_wire(), CACHING),
        Ok(period) => (period.to_wire(), CACHING_LAST),
        Err(error) => return error.answer(language),
    };
    conditional(&headers, "application/octet-stream", wire, caching)
}

impl AppState {
    /// A second as the page writes it.
    pub(super) fn moment(&self, second: i64) -> Moment {
        let at = DateTime::from_timestamp(second, 0).unwrap_or_default();
        let timezone = self.board.read(|board| board.system().timezone.clone());
        moment(at, &timezone)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(texts: &[&str], expected: Expect) {
        let read = |text: &&str| match parse_at(text, "America/New_York") {
            Some(second) => format!("{}\n", DateTime::from_timestamp(second, 0).unwrap()),
            None => "-\n".to_owned(),
        };
        expected.assert_eq(&texts.iter().map(read).collect::<String>());
    }

    #[test]
    fn an_instant_is_of_the_citys_clocks_or_of_utc() {
        check(
            &[
                "2020-03-01T08:30",
                "2020-07-01T08:30:05",
                "2020-03-01T08:30Z",
            ],
            expect![[r#"
                2020-03-01 13:30:00 UTC
                2020-07-01 12:30:05 UTC
                2020-03-01 08:30:00 UTC
            "#]],
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_first_and_one_that_is_skipped_the_next() {
        check(
            &["2020-11-01T01:30", "2020-03-08T02:30"],
            expect![[r#"
                2020-11-01 05:30:00 UTC
                2020-03-08 07:30:00 UTC
            "#]],
        );
    }

    #[test]
    fn anything_else_is_no_instant() {
        check(
            &[
                "",
                "now",
                "2020-02-30T08:30",
                "99999-01-01T00:00",
                "\0",
                "Z",
            ],
            expect![[r#"
                -
                -
                -
                -
                -
                -
            "#]],
        );
    }
}
