-- Where a station was from when on: ids are used again elsewhere, stations are renamed and moved.

-- One row a name and place that a partition's events saw a station at, and had not seen it at just
-- before. Written by the sink's streams with the events, so it says the same after any replay; a row
-- gives way to another one when an event of an earlier time has seen the station there already. Each
-- partition knows what its own events saw, so no partition waits for another one and the order between
-- them does not matter. Read by streams at start, by the availability task in ranges of id, and through
-- the views. `location` has the newest one of all partitions; the availability task sees to that.
create table location_history (
    id bigint primary key,                  -- as in records: the event or status that told it
    location_id int not null references location,
    since timestamptz not null,             -- the earliest event that saw the station there
    street text not null,
    latitude float8 not null,
    longitude float8 not null
);

-- Serves a station's whole history, when a row of it is new: … where location_id = any($1).
create index location_history_location on location_history (location_id);

-- What was known of each station until now, for each partition as if from the beginning on. The ids
-- are below those of all events, of the partition that they name.
insert into location_history
select
    -(location_id::bigint << 11) | (partition << 1),
    location_id,
    to_timestamp(0),
    street,
    latitude,
    longitude
from location
cross join (select distinct partition::bigint as partition from stream_cursor) partitions;

-- Reads location_history; one row as there, with the time at which the next one begins. The first one
-- of a station holds for all time before it too.
create view location_history_view as
select
    h.id,
    h.location_id,
    l.station_id,
    h.street,
    h.latitude,
    h.longitude,
    ((h.id >> 1) & 1023)::int as partition,
    case when lag(h.id) over others is null then '-infinity' else h.since end as since,
    coalesce(lead(h.since) over others, 'infinity') as until
from location_history h
join location l using (location_id)
window others as (partition by h.location_id, (h.id >> 1) & 1023 order by h.since, h.id);

-- Reads records and location_history_view; one row an event, with the name and place that the station
-- had then. The outer join keeps an event whose station has no history, which cannot be.
create or replace view records_view as
select
    r.id,
    r.time,
    r.bike_id,
    r.docked,
    r.location_id,
    l.station_id,
    coalesce(h.street, l.street) as street,
    coalesce(h.latitude, l.latitude) as latitude,
    coalesce(h.longitude, l.longitude) as longitude,
    ((r.id >> 1) & 1023)::int as partition,
    r.id >> 11 as "offset",
    r.inferred
from records r
join location l using (location_id)
left join location_history_view h
    on h.location_id = r.location_id
    and h.partition = ((r.id >> 1) & 1023)::int
    and r.time >= h.since
    and r.time < h.until;
