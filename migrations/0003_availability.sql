-- What the app reads fast: bikes at each dock at the replay clock. Written by the sink's
-- availability task (one per database) in one transaction with NOTIFY availability, '<version>'.

-- One row a dock that ever had an event. A publish writes only the docks that changed.
create table availability (
    location_id int primary key references location,
    bikes int not null,                     -- bikes docked there at the clock, never below 0
    estimated boolean not null,             -- true: net flow of trips that name no bike
    version bigint not null                 -- the publish that wrote the row
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- Serves the app's deltas: … where version > $last.
create index availability_version on availability (version);

-- The clock of the whole city: the least watermark over the partitions. Never goes back.
create table replay_clock (
    only_row boolean primary key default true check (only_row),
    at timestamptz not null,                -- event time: "now" in the app
    version bigint not null,                -- grows by 1 with each publish
    published_at timestamptz not null       -- wall clock: tells how old the page's data is
) with (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- The availability task's memory, saved now and then so that a restart need not read all records.
create table availability_checkpoint (
    only_row boolean primary key default true check (only_row),
    format int not null,                    -- of state; an unknown one means: rebuild from records
    clock timestamptz,                      -- replay clock of the state; null: none yet
    next_offsets jsonb not null,            -- {"0": 120, …}: records before them are in the state
    state bytea not null
);
