-- What grows with each trip stands in one table a month, so that old months go as a whole: at once, and
-- their room with them. What they said of the docks stays, so that the availability can be made from the
-- rest.

-- The rows that are there become one table, up to the end of their last month. They are read three times,
-- and not written again.
alter table records rename to records_before;
alter index records_pkey rename to records_before_pkey;
alter table dock_status rename to dock_status_before;
alter index dock_status_pkey rename to dock_status_before_pkey;

-- By month of `time`, UTC. Each month has the primary key (id); none is over all of them, because it would
-- have to hold `time` too, and cost 8 bytes a row. An id has one time, so it is in one month only.
create table records (like records_before including defaults) partition by range (time);
create table dock_status (like dock_status_before including defaults) partition by range (time);

-- What no month is made for: times of another century are somebody's mistake, and are kept.
create table records_after partition of records (primary key (id))
    for values from ('2100-01-01Z') to (maxvalue);
create table dock_status_after partition of dock_status (primary key (id))
    for values from ('2100-01-01Z') to (maxvalue);
with moved as (delete from records_before where time >= '2100-01-01Z' returning *)
insert into records select * from moved;
with moved as (delete from dock_status_before where time >= '2100-01-01Z' returning *)
insert into dock_status select * from moved;

do $$
declare
    last timestamptz := greatest(
        (select max(time) from records_before), (select max(time) from dock_status_before));
    until timestamptz := greatest('2000-01-01Z',
        (date_trunc('month', last at time zone 'UTC') + interval '1 month') at time zone 'UTC');
begin
    execute format('alter table records attach partition records_before
        for values from (minvalue) to (%L)', until);
    execute format('alter table dock_status attach partition dock_status_before
        for values from (minvalue) to (%L)', until);
end $$;

-- As before, over all months.
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

-- Reads the catalog; one row a table of records, and dock_status has the same ones.
create view records_month as
select
    c.relname::text as name,
    coalesce(substring(bound from $re$FROM \('([^']+)'\)$re$)::timestamptz, '-infinity') as start_at,
    coalesce(substring(bound from $re$TO \('([^']+)'\)$re$)::timestamptz, 'infinity') as end_at,
    pg_total_relation_size(c.oid) as bytes
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
cross join pg_get_expr(c.relpartbound, c.oid) as bound
where i.inhparent = 'records'::regclass;

-- The month for rows of a time, which is made if there is none. Called by the sink, which may not
-- make tables itself. Nobody waits for it: readers and writers of other months go on.
create function make_month(at timestamptz, out start_at timestamptz, out end_at timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    month timestamp := date_trunc('month', at at time zone 'UTC');
    parent text;
    name text;
begin
    -- One at a time: two streams meet a new month together.
    perform pg_advisory_xact_lock(108204912869380);
    select p.start_at, p.end_at into start_at, end_at from records_month p
    where at >= p.start_at and at < p.end_at;
    if found then
        return;
    end if;
    start_at := month at time zone 'UTC';
    end_at := (month + interval '1 month') at time zone 'UTC';
    foreach parent in array array['records', 'dock_status'] loop
        name := parent || to_char(month, '"_y"YYYY"m"MM');
        execute format('create table %I (like %I including defaults, primary key (id))', name, parent);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, name, start_at, end_at);
    end loop;
end $$;

-- What the rows that were dropped say: as much as the availability needs of them. Written by
-- drop_month; read by the sink's availability task and by the audit.

-- One row a partition of the topic.
create table baseline (
    partition smallint primary key,
    until timestamptz not null,             -- rows before it were dropped
    events bigint not null,                 -- how many: records that are not inferred, and statuses
    last_id bigint not null                 -- the greatest id among them
);

-- A bike's latest event.
create table baseline_bike (
    bike_id text primary key,
    time timestamptz not null,
    id bigint not null,
    location_id int not null,
    docked boolean not null
);

-- One row a dock that had an event or a status.
create table baseline_dock (
    location_id int primary key,
    flow int not null,                      -- arrivals less departures of bikes without an id
    flow_min int not null,                  -- the least that ever was, 0 or below
    estimated boolean not null,             -- there were such
    time timestamptz not null,              -- of the newest event or status, with its id
    id bigint not null
);

-- A dock's latest status.
create table baseline_status (like dock_status including defaults, primary key (location_id));

-- A file of rows that were dropped. Written by the sink, with the drop.
create table archived_month (
    name text not null,                     -- the table that the rows stood in
    number int not null,                    -- 1; one more each time late rows have made the month again
    file text not null,                     -- where it is
    rows bigint not null,
    archived_at timestamptz not null default now(),
    primary key (name, number, file)
);

-- The oldest month that ends by `keep_from` and is not empty, and what its drop has to wait for, if there
-- is something. No name: there is no such month.
create function old_month(keep_from timestamptz,
    out name text, out start_at timestamptz, out end_at timestamptz, out waits_for text)
language plpgsql as $$
declare
    saved availability_checkpoint%rowtype;
    is_unread boolean;
begin
    select p.name, p.start_at, p.end_at into name, start_at, end_at from records_month p
    where p.end_at <= keep_from and (p.name <> 'records_before'
        or exists (select from records_before) or exists (select from dock_status_before))
    order by p.end_at limit 1;
    if name is null then
        return;
    end if;
    select * into saved from availability_checkpoint;
    execute format('
        select exists (
            select from (select id from %I union all select id from %I) r
            where id >> 11 >= coalesce(($1 ->> ((id >> 1) & 1023)::text)::bigint, 0))',
        name, replace(name, 'records', 'dock_status')) into is_unread using saved.next_offsets;
    if saved.clock is null or saved.clock < end_at or is_unread then
        waits_for := 'the availability''s next checkpoint';
    elsif saved.past_stale_from < end_at then
        waits_for := 'the past, which is made anew';
    end if;
end $$;

-- Drops the month that `old_month` gives, and keeps what it said of the docks: both or neither.
-- Called by the sink, which may not drop tables itself.
create function drop_month(keep_from timestamptz,
    out name text, out end_at timestamptz, out dropped_rows bigint, out waits_for text)
language plpgsql security definer set search_path = public, pg_temp set work_mem = '64MB' as $$
declare
    statuses text;
begin
    select m.name, m.end_at into name, end_at from old_month(keep_from) m;
    if name is null then
        return;
    end if;
    statuses := replace(name, 'records', 'dock_status');
    -- Readers go on; a late row of this month waits. What has come before it is looked at again.
    execute format('lock table %I, %I in share row exclusive mode', name, statuses);
    select m.waits_for into waits_for from old_month(end_at) m;
    if waits_for is not null then
        return;
    end if;

    execute format('
        insert into baseline_bike as b
        select distinct on (bike_id collate "C") bike_id, time, id, location_id, docked
        from %I where bike_id is not null and not inferred
        order by bike_id collate "C", time desc, id desc
        on conflict (bike_id) do update set
            time = excluded.time, id = excluded.id, location_id = excluded.location_id,
            docked = excluded.docked
        where (excluded.time, excluded.id) > (b.time, b.id)', name);
    execute format('
        insert into baseline_status as b
        select distinct on (location_id) * from %I order by location_id, time desc, id desc
        on conflict (location_id) do update set
            id = excluded.id, time = excluded.time, bikes = excluded.bikes,
            is_installed = excluded.is_installed, is_renting = excluded.is_renting,
            is_returning = excluded.is_returning, missing = excluded.missing,
            ebikes = excluded.ebikes, free_docks = excluded.free_docks,
            capacity = excluded.capacity, broken_bikes = excluded.broken_bikes,
            broken_docks = excluded.broken_docks, last_reported = excluded.last_reported
        where (excluded.time, excluded.id) > (b.time, b.id)', statuses);
    execute format('
        with events as (
            select location_id, time, id, bike_id is null as is_estimated,
                case when bike_id is not null then 0 when docked then 1 else -1 end as bikes
            from %I where not inferred
            union all
            select location_id, time, id, false, 0 from %I
        ), flows as (
            select *, sum(bikes) over (partition by location_id order by time, id) as flow from events
        )
        insert into baseline_dock as b
        select location_id, sum(bikes), least(0, min(flow)), bool_or(is_estimated), max(time),
            (array_agg(id order by time desc, id desc))[1]
        from flows group by location_id
        on conflict (location_id) do update set
            flow_min = least(b.flow_min, b.flow + excluded.flow_min),
            flow = b.flow + excluded.flow,
            estimated = b.estimated or excluded.estimated,
            time = greatest(b.time, excluded.time),
            id = case when (excluded.time, excluded.id) > (b.time, b.id) then excluded.id else b.id end',
        name, statuses);
    execute format('
        insert into baseline as b
        select (id >> 1) & 1023, $1, count(*) filter (where not inferred), max(id)
        from (select id, inferred from %I union all select id, false from %I) dropped group by 1
        on conflict (partition) do update set
            until = greatest(b.until, excluded.until),
            events = b.events + excluded.events,
            last_id = greatest(b.last_id, excluded.last_id)', name, statuses) using end_at;
    execute format('select (select count(*) from %I) + (select count(*) from %I)', name, statuses)
        into dropped_rows;

    -- The table of what was there before months is needed for what may still come.
    execute format(case when name = 'records_before' then 'truncate %I, %I' else 'drop table %I, %I' end,
        name, statuses);
end $$;

-- Nobody else than the sink: `roles.sql` says the same for databases whose roles are made later.
revoke execute on function make_month, drop_month from public;
do $$
begin
    if to_regrole('bikeshare_writer') is not null then
        grant execute on function make_month, drop_month to bikeshare_writer;
    end if;
end $$;
