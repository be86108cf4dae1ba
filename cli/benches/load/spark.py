"""Trips into the three tables by PySpark Structured Streaming: arguments are the folder of CSV files and one for checkpoints.

Two queries over one source, each batch written by COPY, which is faster than Spark's own JDBC. The windows
are updated, not appended: appended, the last ones would never come.
"""

import os
import sys

import psycopg2
from psycopg2.extras import execute_values
from pyspark.sql import SparkSession, functions as F

os.environ["PYSPARK_PYTHON"] = sys.executable
source, checkpoint = sys.argv[1:3]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "4g")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
schema = ", ".join(
    f"`{name}` {kind}"
    for name, kind in [
        ("tripduration", "int"), ("starttime", "timestamp"), ("stoptime", "timestamp"),
        ("start station id", "int"), ("start station name", "string"),
        ("start station latitude", "double"), ("start station longitude", "double"),
        ("end station id", "int"), ("end station name", "string"),
        ("end station latitude", "double"), ("end station longitude", "double"),
        ("bikeid", "int"), ("usertype", "string"), ("birth year", "string"), ("gender", "int"),
    ]
)
trips = spark.readStream.schema(schema).option("header", True).csv(source)


class Lines:
    """A file to read from, made of lines."""

    def __init__(self, lines):
        self.lines, self.rest = lines, b""

    def read(self, size):
        parts, length = [self.rest], len(self.rest)
        for line in self.lines:
            parts.append(line.encode())
            length += len(parts[-1])
            if length >= size:
                break
        whole = b"".join(parts)
        self.rest = whole[size:]
        return whole[:size]


def copy_rows(sql, before=None, after=None):
    def copy(rows):
        connection = psycopg2.connect("", options="-c timezone=UTC")
        with connection, connection.cursor() as cursor:
            if before:
                cursor.execute(before)
            cursor.copy_expert(sql, Lines(row[0] + "\n" for row in rows), 1 << 16)
            if after:
                cursor.execute(after)
        connection.close()

    return copy


def line(*columns):
    return F.concat_ws("\t", *[F.col(column).cast("string") for column in columns])


def event(time, end, docked):
    return F.struct(
        F.col(time).alias("ts"),
        F.col("bikeid"),
        F.col(f"{end} station name").alias("street"),
        F.col(f"{end} station latitude").alias("lat"),
        F.col(f"{end} station longitude").alias("lon"),
        F.lit(docked).alias("docked"),
    )


def write_events(batch, _):
    events = batch.select(
        F.explode(F.array(event("starttime", "start", False), event("stoptime", "end", True))).alias("event")
    ).select("event.*")
    events.persist()
    events.select(line("ts", "bikeid", "lat", "lon", "docked")).foreachPartition(
        copy_rows("copy records (ts, bike_id, lat, lon, docked) from stdin")
    )
    places = [tuple(row) for row in events.select("street", "lat", "lon").distinct().collect()]
    connection = psycopg2.connect("")
    with connection, connection.cursor() as cursor:
        execute_values(cursor, "insert into location values %s on conflict do nothing", places)
    connection.close()
    events.unpersist()


def write_windows(batch, _):
    batch.select(F.col("window.start").alias("ts"), "count").select(line("ts", "count")).foreachPartition(
        copy_rows(
            "copy counted from stdin",
            "create temp table counted (ts timestamptz, amount int) on commit drop",
            "insert into frequency select * from counted on conflict (ts) do update set amount = excluded.amount",
        )
    )


windows = trips.withWatermark("starttime", "1 hour").groupBy(F.window("starttime", "5 seconds")).count()
queries = [
    trips.writeStream.foreachBatch(write_events),
    windows.writeStream.outputMode("update").foreachBatch(write_windows),
]
started = [
    query.option("checkpointLocation", f"{checkpoint}/{number}").trigger(availableNow=True).start()
    for number, query in enumerate(queries)
]
for query in started:
    query.awaitTermination()
spark.stop()
