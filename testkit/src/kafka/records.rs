//! What topics hold, through files in the form of the independent client's `dump` and `load`.

use std::path::Path;

use bytes::{Buf as _, BufMut as _, Bytes};

use super::KafkaCluster;
use crate::Seen;

/// Of every topic that the client makes.
const PARTITIONS: usize = 3;

impl KafkaCluster {
    /// What a topic holds, by partition.
    pub async fn dump(&self, topic: &str) -> Vec<Vec<Seen>> {
        self.dump_with(topic, &[]).await
    }

    /// What the group of the topic's name has not read yet.
    pub async fn rest(&self, topic: &str) -> Vec<Vec<Seen>> {
        self.dump_with(topic, &[topic]).await
    }

    async fn dump_with(&self, topic: &str, group: &[&str]) -> Vec<Vec<Seen>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump");
        let arguments = ["dump", topic, file.to_str().unwrap()];
        self.python(&[&arguments, group].concat()).await;
        read(&file)
    }

    /// Adds these records, by partition and without their headers.
    pub async fn load(&self, topic: &str, partitions: &[Vec<Seen>]) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        std::fs::write(&file, framed(partitions)).unwrap();
        self.python(&["load", topic, file.to_str().unwrap()]).await;
    }
}

fn read(file: &Path) -> Vec<Vec<Seen>> {
    let mut bytes = Bytes::from(std::fs::read(file).unwrap());
    let mut partitions = vec![Vec::new(); PARTITIONS];
    while bytes.has_remaining() {
        let partition = usize::try_from(bytes.get_i32()).unwrap();
        partitions[partition].push(Seen {
            timestamp: bytes.get_i64(),
            key: take(&mut bytes),
            value: take(&mut bytes),
            headers: (0..bytes.get_i32())
                .map(|_| (take(&mut bytes), take(&mut bytes)))
                .collect(),
        });
    }
    partitions
}

fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(bytes.get_i32()).ok()?;
    Some(bytes.split_to(length))
}

fn framed(partitions: &[Vec<Seen>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (partition, records) in (0..).zip(partitions) {
        for record in records {
            bytes.put_i32(partition);
            bytes.put_i64(record.timestamp);
            put(&mut bytes, record.key.as_deref());
            put(&mut bytes, record.value.as_deref());
            bytes.put_i32(0);
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    let length = part.map_or(-1, |part| i32::try_from(part.len()).unwrap());
    bytes.put_i32(length);
    bytes.put_slice(part.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_dumped_again() {
        let seen = |timestamp, value: Option<&'static [u8]>| Seen {
            timestamp,
            key: Some(Bytes::new()),
            value: value.map(Bytes::from_static),
            headers: Vec::new(),
        };
        let records = vec![
            vec![seen(7, Some(b"a")), seen(-1, None)],
            vec![],
            vec![seen(0, None)],
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), framed(&records)).unwrap();
        assert_eq!(read(file.path()), records);
    }
}
