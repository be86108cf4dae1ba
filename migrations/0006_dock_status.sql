-- The bikes at a station as a live feed counted them: the truth for availability.

-- One row a change of the count; a station's first one has no event in records. Written by sink,
-- never updated. Read by the sink's availability task in ranges of id, and by people.
create table dock_status (
    -- As in records, where the inferred event of the same record has the same id.
    id bigint primary key,
    time timestamptz not null,              -- from when on the count holds
    location_id int not null,               -- no foreign key, as in records
    bikes int not null                      -- bikes there, 0 or more
);
