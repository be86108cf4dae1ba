-- Marks the events that nobody saw: a live feed's count differed from the count before.

-- A default that needs no rewriting of the rows that are there; trips leave it to the default, so
-- their COPY is as narrow as before. Beside `docked` it takes no room either.
alter table records add column inferred boolean not null default false;

-- Reads records and location; one row an event.
create or replace view records_view as
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
    r.id >> 11 as "offset",
    r.inferred
from records r
join location l using (location_id);
