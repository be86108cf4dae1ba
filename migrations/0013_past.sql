-- What stood at the docks at any earlier second, so that nobody has to work it out of the records.

-- One row a period: a keyframe and the changes after it, about 3 bytes each. Written by the sink's
-- availability task in the transaction of its checkpoint, so that the last period ends where the
-- checkpoint's clock stands; read by the app.
create table past_period (
    -- The second of the keyframe. Serves … where start_at <= $1 order by start_at desc limit 1.
    start_at timestamptz primary key,
    end_at timestamptz not null,            -- the first second of the next one; of the last one: known up to it
    events bigint not null,                 -- events settled by its end, since the past began
    docks bytea not null                    -- as domain::past says
);

-- From when on the past is not right, because something came late; null: it is right.
alter table availability_checkpoint add column past_stale_from timestamptz;
