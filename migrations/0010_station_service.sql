-- What a live feed says of a station beside its bikes, and of itself.

-- As GBFS names them; true where a feed says nothing. A default that needs no rewriting of the rows.
alter table dock_status
    add column is_installed boolean not null default true,  -- the station is on the street
    add column is_renting boolean not null default true,    -- bikes can be taken
    add column is_returning boolean not null default true,  -- bikes can be brought back
    -- The feed went on without the station, which it had at `time` for the last time.
    add column missing boolean not null default false;

-- The same at the clock, for the app.
alter table availability
    add column is_installed boolean not null default true,
    add column is_renting boolean not null default true,
    add column is_returning boolean not null default true,
    add column last_seen timestamptz;                       -- null: the feed has the station, or there is none

-- What the live feed said of its system last. Written by sink; read by app for clocks and names.
create table system (
    only_row boolean primary key default true check (only_row),
    timezone text not null,                 -- IANA name: Europe/Paris
    language text not null                  -- BCP 47 tag of the stations' names: fr
);

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
    a.last_seen
from availability a
join location l using (location_id);
