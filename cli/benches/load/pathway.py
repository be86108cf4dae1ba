"""Trips into the three tables by Pathway, as a batch: arguments are the folder of CSV files and a folder not needed.

Records as Pathway's stream of changes, its fastest way into Postgres; the two small tables as snapshots.
"""

import datetime
import os
import sys

import pathway as pw

columns = {"starttime": str, "stoptime": str, "bikeid": int}
for end in ("start", "end"):
    columns |= {
        f"{end} station name": str,
        f"{end} station latitude": float,
        f"{end} station longitude": float,
    }
postgres = {
    "host": os.environ["PGHOST"],
    "port": os.environ["PGPORT"],
    "user": os.environ["PGUSER"],
    "password": os.environ["PGPASSWORD"],
    "dbname": os.environ["PGDATABASE"],
}


def utc(column):
    return column.dt.strptime("%Y-%m-%d %H:%M:%S%.f", contains_timezone=False).dt.to_utc("UTC")


trips = pw.io.csv.read(sys.argv[1], schema=pw.schema_from_types(**columns), mode="static")
trips = trips.select(
    bike_id=trips.bikeid,
    departed=utc(trips.starttime),
    arrived=utc(trips.stoptime),
    start=pw.make_tuple(trips["start station name"], trips["start station latitude"], trips["start station longitude"]),
    end=pw.make_tuple(trips["end station name"], trips["end station latitude"], trips["end station longitude"]),
)
events = trips.select(
    event=pw.make_tuple(
        pw.make_tuple(trips.departed, trips.bike_id, trips.start, False),
        pw.make_tuple(trips.arrived, trips.bike_id, trips.end, True),
    )
).flatten(pw.this.event)
events = events.select(
    ts=pw.declare_type(pw.DateTimeUtc, events.event[0]),
    bike_id=pw.declare_type(int, events.event[1]),
    street=pw.declare_type(str, events.event[2][0]),
    lat=pw.declare_type(float, events.event[2][1]),
    lon=pw.declare_type(float, events.event[2][2]),
    docked=pw.declare_type(bool, events.event[3]),
)
records = events.select(events.ts, events.bike_id, events.lat, events.lon, events.docked)
pw.io.postgres.write(records, postgres, "records")

location = events.groupby(events.street, events.lat, events.lon).reduce(events.street, events.lat, events.lon)
pw.io.postgres.write(
    location,
    postgres,
    "location",
    output_table_type="snapshot",
    primary_key=[location.street, location.lat, location.lon],
)

window = pw.temporal.tumbling(duration=datetime.timedelta(seconds=5))
frequency = trips.windowby(trips.departed, window=window).reduce(
    ts=pw.this._pw_window_start, amount=pw.reducers.count()
)
pw.io.postgres.write(
    frequency, postgres, "frequency", output_table_type="snapshot", primary_key=[frequency.ts]
)

pw.run(monitoring_level=pw.MonitoringLevel.NONE)
