-- Where each stream goes on. Written by sink in the transaction that writes the rows, so that
-- rows and cursor are never apart; read by sink at start, by the availability task, by `status`.

-- One row a stream: topic, partition and SmartModule.
create table stream_cursor (
    topic text,
    partition smallint,
    module text,                            -- trip-split or dock-window
    next_offset bigint not null,            -- everything before it is in the tables
    owner text not null,                    -- the sink process that writes, for people
    generation bigint not null,             -- grows with each takeover: a writer with an older one stops
    watermark timestamptz,                  -- newest departure or tick stored; null: none yet
    state jsonb,                            -- open windows, handed to the module when a stream opens
    late_events bigint not null default 0,  -- departures that came after their window had closed
    duplicates bigint not null default 0,   -- resent records dropped by (source, seq)
    updated_at timestamptz not null default now(),
    primary key (topic, partition, module)
) with (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
-- A few rows updated many times a second: room in the page lets each update stay there (HOT).

-- The last record taken of each source, per stream: what a resent record is known by.
create table source_cursor (
    topic text,
    partition smallint,
    module text,
    source text,                            -- <file name>#<hash of the content> or simulate:<seed>
    seq bigint not null,                    -- rank in the source of the last record taken
    primary key (topic, partition, module, source)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
