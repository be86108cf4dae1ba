-- What a live feed says of a station beside its bikes and what it offers.

-- Null where a feed says nothing. No default, so no rewriting of the rows.
alter table dock_status
    add column ebikes smallint,             -- of `bikes` those with a motor
    add column free_docks smallint,         -- docks that are empty and take a bike
    add column capacity smallint,           -- docks in all
    add column broken_bikes smallint,       -- cannot be taken; not among `bikes`
    add column broken_docks smallint,       -- take no bike; not among `free_docks`
    add column last_reported timestamptz;   -- when the station last spoke to its operator

-- The same at the clock, for the app.
alter table availability
    add column ebikes smallint,
    add column free_docks smallint,
    add column capacity smallint,
    add column broken_bikes smallint,
    add column broken_docks smallint,
    add column last_reported timestamptz;

-- Reads availability and location; one row a dock.
create or replace view availability_view as
select
    a.location_id,
    l.station_id,
    l.street,
    l.latitude,
    l.longitude,
    a.bikes,
    a.estimated,
    a.version,
    a.is_installed,
    a.is_renting,
    a.is_returning,
    a.last_seen,
    a.ebikes,
    a.free_docks,
    a.capacity,
    a.broken_bikes,
    a.broken_docks,
    a.last_reported
from availability a
join location l using (location_id);
