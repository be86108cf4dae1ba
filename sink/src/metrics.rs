//! What a sink shows to those who run it.

use std::time::Duration;

use telemetry::{Label, Metric, Role, Value};
use tokio::sync::watch;

use crate::module::Module;
use crate::state::{MembershipState, SinkState, StreamState, StreamStatus};

/// The sink as a role that is watched; give it a receiver of the state that [`crate::run`] writes.
#[derive(Debug, Clone)]
pub struct SinkRole(pub watch::Receiver<SinkState>);

/// All states of a stream, as their label has them.
const STATUSES: [(StreamStatus, &str); 6] = [
    (StreamStatus::Unassigned, "unassigned"),
    (StreamStatus::Starting, "starting"),
    (StreamStatus::Running, "running"),
    (StreamStatus::Retrying, "retrying"),
    (StreamStatus::Failed, "failed"),
    (StreamStatus::Stopped, "stopped"),
];

impl Role for SinkRole {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn metrics(&self) -> Vec<Metric> {
        let state = self.0.borrow();
        let mut metrics = membership(&state.membership);
        metrics.extend(rows(&state));
        metrics.extend(lags(&state));
        metrics.extend(work(&state));
        metrics.extend(published(&state));
        metrics
    }

    fn failures(&self) -> Vec<String> {
        with_status(&self.0.borrow(), |status| status == StreamStatus::Failed)
    }

    fn waits(&self) -> Vec<String> {
        let state = self.0.borrow();
        if state.streams.is_empty() {
            return vec!["sink: no partition is found yet".to_owned()];
        }
        let membership = &state.membership;
        if let Some(error) = &membership.last_error {
            return vec![format!("sink: no heartbeat could be sent: {error}")];
        }
        if !membership.is_joined {
            return vec!["sink: it has not joined the other sinks yet".to_owned()];
        }
        with_status(&state, |status| {
            matches!(status, StreamStatus::Starting | StreamStatus::Retrying)
        })
    }
}

fn with_status(state: &SinkState, wanted: fn(StreamStatus) -> bool) -> Vec<String> {
    let streams = state.streams.iter();
    let streams = streams.filter(|(_, stream)| wanted(stream.status));
    let lines = streams.map(|((partition, module), stream)| {
        let reason = stream.last_error.as_deref().unwrap_or("not opened yet");
        format!("sink: {module} of partition {partition}: {reason}")
    });
    lines.collect()
}

/// Sum over a module's streams.
fn sum<T: std::iter::Sum>(state: &SinkState, module: Module, of: fn(&StreamState) -> T) -> T {
    let streams = state.streams.iter();
    let of_module = streams.filter(|((_, of_stream), _)| *of_stream == module);
    of_module.map(|(_, stream)| of(stream)).sum()
}

fn membership(membership: &MembershipState) -> Vec<Metric> {
    vec![
        Metric::gauge(
            "partitions_owned",
            "Partitions that this sink writes; others share the rest",
            Some(membership.owned() as f64),
        ),
        Metric::count(
            "rebalances",
            "Changes of the partitions that this sink owns",
            membership.rebalances,
        ),
    ]
}

fn rows(state: &SinkState) -> Vec<Metric> {
    let split = |of: fn(&StreamState) -> u64| sum(state, Module::TripSplit, of);
    let window = |of: fn(&StreamState) -> u64| sum(state, Module::DockWindow, of);
    vec![
        Metric::count(
            "records_written",
            "Departures and arrivals written to table records",
            split(|stream| stream.rows),
        ),
        Metric::count(
            "windows_written",
            "Windows written to table frequency",
            window(|stream| stream.rows),
        ),
        Metric::count(
            "rejects_written",
            "Rows that could not be used, written to table rejected",
            split(|stream| stream.rejects),
        ),
        Metric::count(
            "duplicates_dropped",
            "Resent records dropped",
            split(|stream| stream.duplicates),
        ),
        Metric::count(
            "late_departures",
            "Departures that came after their window had closed",
            window(|stream| stream.late_events),
        ),
    ]
}

fn lags(state: &SinkState) -> Vec<Metric> {
    let partition = |number: u32| ("partition", number.to_string());
    let ends = || state.log_ends.iter();
    let end_offsets = ends().map(|(number, end)| {
        let labels = vec![partition(*number)];
        (labels, Value::Gauge(end.offset as f64))
    });
    let records = state
        .streams
        .iter()
        .filter(|(_, stream)| stream.status != StreamStatus::Unassigned)
        .filter_map(|((number, module), stream)| {
            let end = state.log_ends.get(number)?.offset;
            let labels = vec![partition(*number), of_module(*module)];
            let lag = end - stream.next_offset.max(stream.quiet_until);
            Some((labels, Value::Gauge(lag.max(0) as f64)))
        });
    let seconds = ends().filter_map(|(number, end)| {
        let stream = state.streams.get(&(*number, Module::TripSplit))?;
        if stream.status == StreamStatus::Unassigned {
            return None;
        }
        let lag = (end.at? - stream.watermark?).as_seconds_f64();
        Some((vec![partition(*number)], Value::Gauge(lag.max(0.0))))
    });
    vec![
        Metric::labelled(
            "log_end_offset",
            "Offset after the last record of the log, looked at every 5 seconds",
            end_offsets,
        ),
        Metric::labelled(
            "lag_records",
            "Records of the log that are not in the tables yet, of partitions that this sink owns",
            records,
        ),
        Metric::labelled(
            "lag_seconds",
            "Event time between the newest record stored and the last one of the log",
            seconds,
        ),
    ]
}

fn of_module(module: Module) -> Label {
    ("module", module.name().to_owned())
}

fn work(state: &SinkState) -> Vec<Metric> {
    let count = |of: fn(&StreamState) -> u64| {
        Module::ALL.map(|module| {
            let count = sum(state, module, of);
            (vec![of_module(module)], Value::Count(count))
        })
    };
    let writing = Module::ALL.map(|module| {
        let time: Duration = sum(state, module, |stream| stream.writing);
        (vec![of_module(module)], Value::Seconds(time.as_secs_f64()))
    });
    let streams = STATUSES.map(|(status, name)| {
        let streams = state.streams.values();
        let count = streams.filter(|stream| stream.status == status).count();
        let labels = vec![("status", name.to_owned())];
        (labels, Value::Gauge(count as f64))
    });
    vec![
        Metric::labelled(
            "commits",
            "Transactions of rows and cursor",
            count(|stream| stream.commits),
        ),
        Metric::labelled("commit_seconds", "Time in these transactions", writing),
        Metric::labelled(
            "retries",
            "Sessions of a stream that ended with an error and were tried again",
            count(|stream| stream.retries),
        ),
        Metric::labelled(
            "streams_opened",
            "Streams opened through a SmartModule",
            count(|stream| stream.opened),
        ),
        Metric::labelled("streams", "Streams by what they do now", streams),
    ]
}

fn published(state: &SinkState) -> Vec<Metric> {
    let availability = &state.availability;
    let clock = availability.clock;
    vec![
        Metric::gauge(
            "publishes",
            "1 if this sink is the one that publishes the availability, else 0",
            Some(f64::from(u8::from(availability.publishes))),
        ),
        Metric::gauge(
            "clock_timestamp_seconds",
            "The published replay clock, in seconds since 1970",
            clock.map(|clock| clock.timestamp_micros() as f64 / 1e6),
        ),
        Metric::gauge(
            "published_version",
            "Number of the last publish",
            Some(availability.version as f64),
        ),
        Metric::gauge("docks", "Docks published", Some(availability.docks as f64)),
        Metric::count(
            "rows_dropped",
            "Rows that were older than they are kept",
            availability.rows_dropped,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::state::{AvailabilityState, LogEnd};

    fn state() -> SinkState {
        let at = |text: &str| Some(text.parse().unwrap());
        let stream = |status, next_offset| StreamState {
            status,
            next_offset,
            watermark: at("2020-03-01T05:00:05Z"),
            rows: 40,
            rejects: 2,
            commits: 3,
            retries: 1,
            opened: 2,
            writing: Duration::from_millis(250),
            last_error: Some("postgres is away".to_owned()),
            ..StreamState::default()
        };
        let end = LogEnd {
            offset: 30,
            at: at("2020-03-01T05:01:00Z"),
        };
        SinkState {
            membership: MembershipState {
                member: "sink-1".to_owned(),
                is_joined: true,
                owners: [(0, "sink-1".to_owned()), (1, "sink-2".to_owned())].into(),
                rebalances: 2,
                last_error: None,
            },
            streams: [
                ((0, Module::TripSplit), stream(StreamStatus::Running, 22)),
                ((0, Module::DockWindow), stream(StreamStatus::Retrying, 20)),
            ]
            .into(),
            log_ends: [(0, end)].into(),
            availability: AvailabilityState {
                publishes: true,
                clock: at("2020-03-01T05:00:05Z"),
                version: 7,
                docks: 54,
                ..AvailabilityState::default()
            },
        }
    }

    #[test]
    fn what_a_sink_shows_is_of_its_streams() {
        let (_sender, state) = watch::channel(state());
        let role: std::sync::Arc<dyn Role> = std::sync::Arc::new(SinkRole(state));
        expect![[r##"
            # HELP bikeshare_build The build that says this.
            # TYPE bikeshare_build info
            bikeshare_build_info{version="1.2.3"} 1
            # HELP bikeshare_sink_partitions_owned Partitions that this sink writes; others share the rest
            # TYPE bikeshare_sink_partitions_owned gauge
            bikeshare_sink_partitions_owned 1
            # HELP bikeshare_sink_rebalances Changes of the partitions that this sink owns
            # TYPE bikeshare_sink_rebalances counter
            bikeshare_sink_rebalances_total 2
            # HELP bikeshare_sink_records_written Departures and arrivals written to table records
            # TYPE bikeshare_sink_records_written counter
            bikeshare_sink_records_written_total 40
            # HELP bikeshare_sink_windows_written Windows written to table frequency
            # TYPE bikeshare_sink_windows_written counter
            bikeshare_sink_windows_written_total 40
            # HELP bikeshare_sink_rejects_written Rows that could not be used, written to table rejected
            # TYPE bikeshare_sink_rejects_written counter
            bikeshare_sink_rejects_written_total 2
            # HELP bikeshare_sink_duplicates_dropped Resent records dropped
            # TYPE bikeshare_sink_duplicates_dropped counter
            bikeshare_sink_duplicates_dropped_total 0
            # HELP bikeshare_sink_late_departures Departures that came after their window had closed
            # TYPE bikeshare_sink_late_departures counter
            bikeshare_sink_late_departures_total 0
            # HELP bikeshare_sink_log_end_offset Offset after the last record of the log, looked at every 5 seconds
            # TYPE bikeshare_sink_log_end_offset gauge
            bikeshare_sink_log_end_offset{partition="0"} 30
            # HELP bikeshare_sink_lag_records Records of the log that are not in the tables yet, of partitions that this sink owns
            # TYPE bikeshare_sink_lag_records gauge
            bikeshare_sink_lag_records{partition="0",module="trip-split"} 8
            bikeshare_sink_lag_records{partition="0",module="dock-window"} 10
            # HELP bikeshare_sink_lag_seconds Event time between the newest record stored and the last one of the log
            # TYPE bikeshare_sink_lag_seconds gauge
            bikeshare_sink_lag_seconds{partition="0"} 55
            # HELP bikeshare_sink_commits Transactions of rows and cursor
            # TYPE bikeshare_sink_commits counter
            bikeshare_sink_commits_total{module="trip-split"} 3
            bikeshare_sink_commits_total{module="dock-window"} 3
            # HELP bikeshare_sink_commit_seconds Time in these transactions
            # TYPE bikeshare_sink_commit_seconds counter
            bikeshare_sink_commit_seconds_total{module="trip-split"} 0.25
            bikeshare_sink_commit_seconds_total{module="dock-window"} 0.25
            # HELP bikeshare_sink_retries Sessions of a stream that ended with an error and were tried again
            # TYPE bikeshare_sink_retries counter
            bikeshare_sink_retries_total{module="trip-split"} 1
            bikeshare_sink_retries_total{module="dock-window"} 1
            # HELP bikeshare_sink_streams_opened Streams opened through a SmartModule
            # TYPE bikeshare_sink_streams_opened counter
            bikeshare_sink_streams_opened_total{module="trip-split"} 2
            bikeshare_sink_streams_opened_total{module="dock-window"} 2
            # HELP bikeshare_sink_streams Streams by what they do now
            # TYPE bikeshare_sink_streams gauge
            bikeshare_sink_streams{status="unassigned"} 0
            bikeshare_sink_streams{status="starting"} 0
            bikeshare_sink_streams{status="running"} 1
            bikeshare_sink_streams{status="retrying"} 1
            bikeshare_sink_streams{status="failed"} 0
            bikeshare_sink_streams{status="stopped"} 0
            # HELP bikeshare_sink_publishes 1 if this sink is the one that publishes the availability, else 0
            # TYPE bikeshare_sink_publishes gauge
            bikeshare_sink_publishes 1
            # HELP bikeshare_sink_clock_timestamp_seconds The published replay clock, in seconds since 1970
            # TYPE bikeshare_sink_clock_timestamp_seconds gauge
            bikeshare_sink_clock_timestamp_seconds 1583038805
            # HELP bikeshare_sink_published_version Number of the last publish
            # TYPE bikeshare_sink_published_version gauge
            bikeshare_sink_published_version 7
            # HELP bikeshare_sink_docks Docks published
            # TYPE bikeshare_sink_docks gauge
            bikeshare_sink_docks 54
            # HELP bikeshare_sink_rows_dropped Rows that were older than they are kept
            # TYPE bikeshare_sink_rows_dropped counter
            bikeshare_sink_rows_dropped_total 0
            # EOF
        "##]].assert_eq(&telemetry::text(&[role], "1.2.3").unwrap());
    }

    #[test]
    fn a_stream_that_retries_is_well_and_not_ready_and_one_that_failed_is_neither() {
        let (sender, state) = watch::channel(state());
        let role = SinkRole(state);
        let none: [&str; 0] = [];
        assert_eq!(role.failures(), none);
        assert_eq!(
            role.waits(),
            ["sink: dock-window of partition 0: postgres is away"]
        );
        sender.send_modify(|state| {
            let stream = state.streams.get_mut(&(0, Module::TripSplit)).unwrap();
            stream.status = StreamStatus::Failed;
        });
        assert_eq!(
            role.failures(),
            ["sink: trip-split of partition 0: postgres is away"]
        );
    }

    #[test]
    fn a_sink_without_a_partition_is_ready_once_it_has_joined() {
        let mut state = state();
        for stream in state.streams.values_mut() {
            stream.status = StreamStatus::Unassigned;
        }
        let (sender, state) = watch::channel(state);
        let role = SinkRole(state);
        let none: [&str; 0] = [];
        assert_eq!(role.waits(), none);
        sender.send_modify(|state| state.membership.is_joined = false);
        assert_eq!(
            role.waits(),
            ["sink: it has not joined the other sinks yet"]
        );
        let error = Some("postgres is away".to_owned());
        sender.send_modify(|state| state.membership.last_error = error);
        assert_eq!(
            role.waits(),
            ["sink: no heartbeat could be sent: postgres is away"]
        );
    }

    #[test]
    fn three_partitions_give_forty_series_at_most() {
        let mut state = state();
        for partition in 1..3 {
            for module in Module::ALL {
                let stream = state.streams[&(0, module)].clone();
                state.streams.insert((partition, module), stream);
            }
            state.log_ends.insert(partition, state.log_ends[&0]);
        }
        let (_sender, state) = watch::channel(state);
        let metrics = SinkRole(state).metrics();
        let series: usize = metrics.iter().map(|metric| metric.samples.len()).sum();
        assert!(series <= 40, "{series}");
    }
}
