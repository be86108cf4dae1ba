-- Why a stream has stopped for good, where others than the sink's process can see it.

-- Written by the sink when it gives a stream up, cleared when a sink takes the stream over. Read by
-- /healthz and `bikeshare status`.
alter table stream_cursor add column failure text;
