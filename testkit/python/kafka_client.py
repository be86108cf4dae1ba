"""Kafka as an ordinary client sees it: kafka-python, which shares no code with the bridge's client.

    kafka_client.py BROKERS nodes                   how many there are
    kafka_client.py BROKERS create TOPIC            takes records of 2 MiB
    kafka_client.py BROKERS create-small TOPIC      takes what Kafka takes by default
    kafka_client.py BROKERS grow TOPIC PARTITIONS
    kafka_client.py BROKERS write TOPIC COUNT SEED LARGE
    kafka_client.py BROKERS load TOPIC FILE         what dump wrote
    kafka_client.py BROKERS dump TOPIC FILE [GROUP]  all, or what a group has not read yet
    kafka_client.py BROKERS read TOPIC GROUP COUNT COUNT COUNT
                                                    as a group, so many of each partition
    kafka_client.py BROKERS committed TOPIC GROUP   where a group is in each partition
"""

import random
import struct
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic

PARTITIONS = 3
FIRST_TIME = 1_600_000_000_000
MIB = 1 << 20

# Brokers that share two cores with everything else may be silent for a while; two seconds is the
# default.
PATIENT = {"api_version_auto_timeout_ms": 60_000}


def create(brokers, topic, settings):
    admin = KafkaAdminClient(bootstrap_servers=brokers, **PATIENT)
    # The records are older than a week: Kafka would delete them at once.
    settings["retention.ms"] = "-1"
    admin.create_topics([NewTopic(topic, PARTITIONS, 2, topic_configs=settings)])


def part(chance, longest):
    """Null, empty, text or binary."""
    kind = chance.random()
    if kind < 0.05:
        return None
    if kind < 0.1:
        return b""
    if kind < 0.6:
        return f"trip {chance.randrange(1000)}".encode()
    return chance.randbytes(chance.randrange(1, longest))


def record_headers(chance):
    """None for most; names may repeat, values may be empty; kafka-python refuses null here."""
    if chance.random() < 0.9:
        return []
    names = ["trace", "trace", "", "kind"]
    return [(chance.choice(names), part(chance, 30) or b"") for _ in range(chance.randrange(1, 4))]


def write(brokers, topic, count, seed, large):
    chance = random.Random(seed)
    producer = KafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        max_request_size=2 * MIB,
        linger_ms=20,
        **PATIENT,
    )
    sent = []
    for number in range(count):
        key = part(chance, 20)
        value = chance.randbytes(MIB) if number % (count // large + 1) == 7 else part(chance, 300)
        if key is None and value is None:
            value = b""  # kafka-python refuses both; the caller writes such a record.
        sent.append(
            producer.send(
                topic,
                value=value,
                key=key,
                headers=record_headers(chance),
                partition=chance.randrange(PARTITIONS),
                # Not in order, as clocks of many producers are not.
                timestamp_ms=FIRST_TIME + number * 10 - chance.randrange(1000),
            )
        )
    producer.flush()
    for future in sent:
        future.get(60)
    print(count)


def framed(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def framed_parts(data, at):
    """The framed text at a position, and the position after it."""
    (length,) = struct.unpack_from(">i", data, at)
    at += 4
    return (None, at) if length < 0 else (data[at : at + length], at + length)


def load(brokers, topic, file):
    """Records in dump's form, without headers."""
    with open(file, "rb") as source:
        data = source.read()
    producer = KafkaProducer(bootstrap_servers=brokers, acks="all", linger_ms=20, **PATIENT)
    sent = []
    at = 0
    while at < len(data):
        partition, timestamp = struct.unpack_from(">iq", data, at)
        key, at = framed_parts(data, at + 12)
        value, at = framed_parts(data, at)
        at += 4  # No headers.
        sent.append(
            producer.send(
                topic, value=value, key=key, partition=partition, timestamp_ms=timestamp
            )
        )
    producer.flush()
    for future in sent:
        future.get(60)
    print(len(sent))


def a_consumer(brokers, group=None, **settings):
    return KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=group,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * MIB,
        **PATIENT,
        **settings,
    )


def read(brokers, topic, group, counts):
    """Partitions of which nothing is to be read have no commit."""
    consumer = a_consumer(brokers, group, max_poll_records=1)
    for number, count in enumerate(counts):
        if count == 0:
            continue
        consumer.assign([TopicPartition(topic, number)])
        while count > 0:
            count -= sum(map(len, consumer.poll(timeout_ms=500).values()))
        consumer.commit()


def committed(brokers, topic, group):
    consumer = a_consumer(brokers, group)
    for number in range(PARTITIONS):
        print(consumer.committed(TopicPartition(topic, number)))


def dump(brokers, topic, file, group=None):
    """Per record: partition, time, key, value, headers; lengths before them, -1 for null."""
    consumer = a_consumer(brokers, group)
    with open(file, "wb") as out:
        for number in range(PARTITIONS):
            partition = TopicPartition(topic, number)
            consumer.assign([partition])
            if group is None:
                consumer.seek_to_beginning()
            end = consumer.end_offsets([partition])[partition]
            # Without its own limit this waits for ever where a group has committed.
            while (consumer.position(partition, timeout_ms=500) or 0) < end:
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        out.write(struct.pack(">iq", number, record.timestamp))
                        out.write(framed(record.key) + framed(record.value))
                        out.write(struct.pack(">i", len(record.headers)))
                        for name, value in record.headers:
                            out.write(framed(name.encode()) + framed(value))


def main():
    brokers, command, *rest = sys.argv[1:]
    brokers = brokers.split(",")
    if command == "nodes":
        admin = KafkaAdminClient(bootstrap_servers=brokers, **PATIENT)
        print(len(admin.describe_cluster()["brokers"]))
        return
    topic, *rest = rest
    if command == "create":
        create(brokers, topic, {"max.message.bytes": str(2 * MIB)})
    elif command == "create-small":
        create(brokers, topic, {})
    elif command == "grow":
        more = NewPartitions(total_count=int(rest[0]))
        KafkaAdminClient(bootstrap_servers=brokers, **PATIENT).create_partitions({topic: more})
    elif command == "write":
        write(brokers, topic, *map(int, rest))
    elif command == "read":
        read(brokers, topic, rest[0], list(map(int, rest[1:])))
    elif command == "committed":
        committed(brokers, topic, *rest)
    elif command == "load":
        load(brokers, topic, *rest)
    elif command == "dump":
        dump(brokers, topic, *rest)


main()
