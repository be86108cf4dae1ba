"""What the official Python client sees of a Fluvio cluster.

usage: conformance.py HOST:PORT TOPIC MODULE.wasm

Creates TOPIC, produces three trips, reads them back as they are and through the SmartModule,
lists what there is, and deletes the topic again. Prints one line for each thing seen.
"""

import json
import sys

from fluvio import (
    ConsumerConfig,
    Fluvio,
    FluvioAdmin,
    FluvioConfig,
    Offset,
    SmartModuleKind,
)


def trip(seq):
    station = {"station_id": "72", "street": "W 52 St & 11 Ave", "lat": 40.767, "lon": -73.994}
    return json.dumps(
        {
            "source": "python",
            "seq": seq,
            "trip": {
                "departed_at": "2020-03-01T05:14:07Z",
                "from": station,
                "arrived_at": "2020-03-01T05:20:36Z",
                "to": station,
            },
        }
    )


def read(consumer, config, count):
    """The first `count` records of the partition: the stream itself never ends."""
    records = consumer.stream_with_config(Offset.beginning(), config)
    return [next(records).value_string() for _ in range(count)]


def main(address, topic, module):
    config = FluvioConfig.new(address)
    config.disable_tls()
    admin = FluvioAdmin.connect_with_config(config)
    admin.create_topic(topic)
    print("created:", topic in [found.name() for found in admin.all_topics()])

    fluvio = Fluvio.connect_with_config(config)
    producer = fluvio.topic_producer(topic)
    sent = [producer.send(b"72", trip(seq).encode()) for seq in range(3)]
    producer.flush()
    print("offsets:", [output.wait().offset() for output in sent])

    consumer = fluvio.partition_consumer(topic, 0)
    values = read(consumer, ConsumerConfig(), 3)
    print("read back:", values == [trip(seq) for seq in range(3)])

    split = ConsumerConfig()
    split.smartmodule(path=module, kind=SmartModuleKind.ArrayMap)
    events = [json.loads(value) for value in read(consumer, split, 6)]
    for event in events:
        kind = "departure" if "departure" in event else "arrival"
        print("through the module:", event["offset"], event["seq"], kind)

    admin.delete_topic(topic)
    print("deleted:", topic not in [found.name() for found in admin.all_topics()])


if __name__ == "__main__":
    main(*sys.argv[1:])
