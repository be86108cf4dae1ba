-- Which kind of bike an event was of, where the trip's file says so (2021 and later).

-- One byte: c classic, e electric, d docked, as trip files call some bikes of 2021 to 2023. Trips of files
-- that do not say it leave it out, so their COPY is as narrow as before, and a null takes no room.
alter table records add column bike_kind "char";

-- As before, and the kind of bike in words.
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
    r.inferred,
    case r.bike_kind when 'c' then 'classic' when 'e' then 'electric' when 'd' then 'docked' end
        as bike_kind
from records r
join location l using (location_id)
left join location_history_view h
    on h.location_id = r.location_id
    and h.partition = ((r.id >> 1) & 1023)::int
    and r.time >= h.since
    and r.time < h.until;
