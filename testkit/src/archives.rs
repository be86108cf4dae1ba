//! Trip files made for a test, plain and compressed.

use std::io::Write;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

/// A simulated city's trips as a file.
pub fn city(parameters: &str) -> Vec<u8> {
    let mut text = Vec::new();
    trip_files::simulate::write_csv(&parameters.parse().unwrap(), &mut text).unwrap();
    text
}

/// The same rows in another order, the same in every run.
pub fn shuffled(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let header = lines.remove(0);
    // A step that has no divisor in common with the number of rows meets every row once.
    let (count, mut step) = (lines.len(), 7_919);
    while count.is_multiple_of(step) {
        step += 2;
    }
    let rows = (0..count).flat_map(|row| lines[row * step % count]);
    header.iter().chain(rows).copied().collect()
}

/// The text as a `.csv.gz`.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A `.zip` of members by name.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(text).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A line for each row of a Parquet file, its values joined by `|`, as Postgres' `concat` writes them; times in
/// microseconds.
pub fn parquet_lines(file: Vec<u8>) -> Vec<String> {
    let file = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    let rows = file.get_row_iter(None).unwrap();
    rows.map(|row| line(&row.unwrap())).collect()
}

fn line(row: &Row) -> String {
    let fields = row.get_column_iter().map(|(_, field)| match field {
        Field::Null => String::new(),
        Field::Bool(true) => "t".to_owned(),
        Field::Bool(false) => "f".to_owned(),
        Field::Long(number) | Field::TimestampMicros(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Str(text) => text.clone(),
        other => panic!("{other:?}"),
    });
    fields.collect::<Vec<_>>().join("|")
}
