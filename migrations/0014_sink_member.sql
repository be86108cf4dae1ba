-- Several sinks share the partitions of a topic, as the members of a consumer group of Kafka's do.
-- Written and read by sink, in one transaction every half second (a heartbeat); read by `status`.

-- One row a sink process that runs.
create table sink_member (
    member text primary key,                -- its name, which begins all its names in pg_stat_activity
    joined_at timestamptz not null,
    heartbeat_at timestamptz not null,      -- by this server's clock: who is silent too long is removed
    address inet                            -- where it connects from; null: the Unix socket
) with (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- Which member owns a partition: both its streams.
create table partition_lease (
    topic text,
    partition smallint,
    member text,                            -- null: nobody; no foreign key, so that removals stay small
    generation bigint not null,             -- grows with each change; the owner's streams take it over
    primary key (topic, partition)
) with (fillfactor = 50);

insert into partition_lease (topic, partition, generation)
select topic, partition, max(generation) from stream_cursor group by topic, partition;
