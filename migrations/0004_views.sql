-- The three tables with their coordinates spelled out, for people and for reports.

-- Reads records and location; one row an event.
create view records_view as
select
    r.id,
    r.time,
    r.bike_id,
    r.docked,
    r.location_id,
    l.station_id,
    l.street,
    l.latitude,
    l.longitude,
    ((r.id >> 1) & 1023)::int as partition,
    r.id >> 11 as "offset"
from records r
join location l using (location_id);

-- Reads frequency; one row a window: departures of the whole city.
create view frequency_view as
select
    time,
    sum(amount) as amount
from frequency
group by time;

-- Reads availability and location; one row a dock.
create view availability_view as
select
    a.location_id,
    l.station_id,
    l.street,
    l.latitude,
    l.longitude,
    a.bikes,
    a.estimated,
    a.version
from availability a
join location l using (location_id);
