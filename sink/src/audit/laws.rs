//! The laws, each with the statement that finds what breaks it.
//!
//! An id is `offset << 11 | partition << 1 | ordinal` ([`domain::RecordId`]).

use super::Law;

/// In the order in which trips flow.
pub(super) const LAWS: [Law; 13] = [
    Law {
        name: "streams",
        text: "every stream goes on",
        sql: "
            select format('%s of partition %s has stopped: %s', module, partition, failure)
            from stream_cursor where failure is not null",
    },
    Law {
        name: "leases",
        text: "no stream is of a newer generation than its partition's lease",
        sql: "
            select format('%s of partition %s has generation %s, the lease has %s',
                c.module, partition, c.generation, l.generation)
            from stream_cursor c left join partition_lease l using (topic, partition)
            where l.generation is null or c.generation > l.generation",
    },
    Law {
        name: "sources",
        text: "both modules have read the same rows of each source",
        sql: "
            select format('%s in partition %s: trip-split read up to %s, dock-window up to %s',
                source, partition, s.seq, w.seq)
            from (select * from source_cursor where module = 'trip-split') s
            full join (select * from source_cursor where module = 'dock-window') w
                using (topic, partition, source)
            join stream_cursor sc using (topic, partition)
            join stream_cursor wc using (topic, partition)
            where sc.module = 'trip-split' and wc.module = 'dock-window'
                and sc.next_offset = wc.next_offset and s.seq is distinct from w.seq",
    },
    Law {
        name: "cursors",
        text: "no row is of a record behind its stream's cursor",
        sql: "
            select format('a row of partition %s has offset %s, the cursor is at %s',
                partition, id >> 11, next_offset + id_shift)
            from stream_cursor
            cross join lateral (
                select id from records where id >= (next_offset + id_shift) << 11
                union select id from dock_status where id >= (next_offset + id_shift) << 11
                union select id from rejected where id >= (next_offset + id_shift) << 11
            ) behind
            where module = 'trip-split' and (id >> 1) & 1023 = partition",
    },
    Law {
        name: "pairs",
        text: "every trip has its departure and its arrival",
        sql: "
            select format('%s of partition %s, offset %s is alone',
                case when e.docked then 'the arrival' else 'the departure' end,
                (e.id >> 1) & 1023, e.id >> 11)
            from records e left join records other on other.id = e.id # 1
            where not e.inferred and other.id is null
                -- The other one may be of a month that was dropped.
                and not exists (select from baseline b
                    where b.partition = (e.id >> 1) & 1023 and e.id <= b.last_id)",
    },
    Law {
        name: "docked",
        text: "a departure empties a dock and an arrival fills it",
        sql: "
            select format('partition %s, offset %s: docked is %s', (id >> 1) & 1023, id >> 11, docked)
            from records where docked <> (id & 1 = 1)",
    },
    Law {
        name: "rejects",
        text: "no record is both a trip and a reject",
        sql: "
            select format('partition %s, offset %s', (j.id >> 1) & 1023, j.id >> 11)
            from rejected j join records r on r.id in (j.id, j.id | 1)",
    },
    Law {
        name: "locations",
        text: "every row's station is in table location",
        sql: "
            select format('location_id %s', location_id)
            from (select location_id from records union select location_id from dock_status
                  union select location_id from location_history) used
            left join location l using (location_id) where l.location_id is null",
    },
    Law {
        name: "history",
        text: "a station has a name and place in each partition that has its events",
        sql: "
            select format('location_id %s in partition %s', location_id, partition)
            from (select distinct location_id, (id >> 1) & 1023 as partition from records) used
            where not exists (select from location_history h
                where h.location_id = used.location_id and (h.id >> 1) & 1023 = used.partition)",
    },
    Law {
        name: "watermarks",
        text: "no departure is newer than its stream's watermark",
        sql: "
            select format('partition %s: a departure of %s, the watermark is %s',
                partition, max(r.time), c.watermark)
            from records r join stream_cursor c on c.partition = (r.id >> 1) & 1023
            where c.module = 'trip-split' and not r.docked
            group by partition, c.watermark
            having max(r.time) > c.watermark or c.watermark is null",
    },
    Law {
        // Only where dock-window has not read further than trip-split, so that records has its rows.
        name: "windows",
        text: "table frequency has the departures per window of table records",
        sql: "
            with closed as (
                select w.partition, w.next_offset + w.id_shift as next_offset,
                    (w.state ->> 'closed_until')::timestamptz as until,
                    coalesce((select max(until) from baseline), '-infinity') as kept_from
                from stream_cursor w join stream_cursor s using (topic, partition)
                where w.module = 'dock-window' and s.module = 'trip-split'
                    and w.next_offset <= s.next_offset
            ), counted as (
                select date_bin('5 s', time, timestamptz 'epoch') as time, partition,
                    count(*) as amount
                from records join closed on partition = (id >> 1) & 1023
                where not docked and id >> 11 < next_offset and time >= kept_from
                    and date_bin('5 s', time, timestamptz 'epoch') < until
                group by 1, 2
            ), written as (
                select f.time, f.partition, f.amount from frequency f join closed using (partition)
                where f.time >= kept_from
            )
            select format('window %s of partition %s: %s in frequency, %s in records', time,
                partition, coalesce(w.amount, 0), coalesce(c.amount, 0))
            from written w full join counted c using (time, partition)
            where w.amount is distinct from c.amount",
    },
    Law {
        name: "clock",
        text: "the replay clock is not ahead of any partition",
        sql: "
            select format('the clock is %s, partition %s is at %s', at, partition, watermark)
            from replay_clock cross join stream_cursor
            where module = 'trip-split' and (watermark is null or at > watermark)",
    },
    Law {
        // The definition, of what is kept and what was dropped; for docks whose bikes have no ids, the net
        // flow over the least baseline that never is negative.
        name: "availability",
        text: "a dock shows the bikes whose latest event by the clock is an arrival there",
        sql: "
            with due as (
                select r.* from records r, replay_clock c where r.time <= c.at and not r.inferred
            ), counted as (
                select distinct on (location_id) location_id, bikes
                from (
                    select location_id, bikes, time, id from dock_status
                    union all select location_id, bikes, time, id from baseline_status
                ) s, replay_clock c where s.time <= c.at
                order by location_id, s.time desc, s.id desc
            ), latest as (
                select distinct on (bike_id) location_id, docked from (
                    select bike_id, location_id, docked, time, id from due where bike_id is not null
                    union all select bike_id, location_id, docked, time, id from baseline_bike
                ) events order by bike_id, time desc, id desc
            ), parked as (
                select location_id, count(*) as bikes from latest where docked group by 1
            ), flows as (
                select location_id, time, id, sum(case when docked then 1 else -1 end)
                    over (partition by location_id order by time, id) as flow
                from due where bike_id is null
            ), kept as (
                select location_id, (array_agg(flow order by time desc, id desc))[1] as flow,
                    least(0, min(flow)) as flow_min
                from flows group by 1
            ), net as (
                select location_id, coalesce(b.flow, 0) + coalesce(k.flow, 0)
                    - least(b.flow_min, coalesce(b.flow, 0) + coalesce(k.flow_min, 0)) as bikes
                from kept k full join (select * from baseline_dock where estimated) b
                    using (location_id)
            ), defined as (
                select location_id,
                    coalesce(t.bikes, coalesce(p.bikes, 0) + coalesce(n.bikes, 0)) as bikes
                from (select location_id from due union select location_id from counted
                      union select location_id from baseline_dock) d
                left join parked p using (location_id)
                left join net n using (location_id)
                left join counted t using (location_id)
            )
            select format('%s: %s shown, %s by the records', coalesce(l.street, location_id::text),
                coalesce(a.bikes::text, 'nothing'), coalesce(d.bikes::text, 'nothing'))
            from availability a full join defined d using (location_id)
            left join location l using (location_id)
            where a.bikes is distinct from d.bikes",
    },
];
