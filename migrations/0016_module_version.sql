-- Which version of a SmartModule made a row. A module may be changed at any time, and a stream takes a
-- changed one up between two commits: so a version has made all rows of a stream from an offset on.

-- One row for each change of a stream's version. Written by sink with the first rows that are of it; read by
-- `status` and people.
create table module_version (
    topic text,
    partition smallint,
    module text,                            -- as in stream_cursor
    from_offset bigint,                     -- offset in ids of the first record that went through it
    from_window timestamptz,                -- of dock-window: windows that start earlier had been closed before
    name text not null,                     -- what the cluster calls the module
    sha256 text not null,                   -- of its wasm, as sha256sum prints it
    stored_at timestamptz not null default now(),
    primary key (topic, partition, module, from_offset)
);

-- Until where each version goes, the last one without an end.
create view module_version_view as
select
    topic,
    partition,
    module,
    name,
    sha256,
    int8range(from_offset, lead(from_offset) over stream) as offsets,
    case module when 'dock-window' then tstzrange(from_window, lead(from_window) over stream) end as windows,
    stored_at
from module_version
window stream as (partition by topic, partition, module order by from_offset);
