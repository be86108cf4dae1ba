//! Cuts a text into rows and rows into fields.
//!
//! Citi Bike's files never break a line inside a quoted value, but cut files do. So quotes may join
//! lines only where that makes sense: a line that is a whole row by itself always is one, and what
//! stands before it was cut. One stray quote costs one row, not the rest of the file.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use csv::StringRecord;

/// A longer line is cut there (chosen: 300 times a usual row).
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

/// A row of more lines was cut (chosen: no known row has more than one).
const ROW_LINES_MAX: usize = 16;

/// A row as it stands in the file.
#[derive(Debug, Default)]
pub(crate) struct RawRow {
    /// Line where the row starts, counted from 1.
    pub(crate) line: u64,
    /// The text without its line end.
    pub(crate) text: Vec<u8>,
}

/// Reads rows, blank lines left out.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    input: R,
    /// Lines read so far.
    line: u64,
    /// Lines read ahead that turned out to be rows of their own.
    ahead: VecDeque<RawRow>,
    /// Separators in a whole row; known from the first row.
    separators: Option<usize>,
}

impl<R: BufRead> Rows<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            ahead: VecDeque::new(),
            separators: None,
        }
    }

    /// Reads the next row into `row`; gives false at the end.
    pub(crate) fn next(&mut self, row: &mut RawRow) -> io::Result<bool> {
        loop {
            if !self.next_line(row)? {
                return Ok(false);
            }
            if self.line == 1 && row.text.starts_with("\u{feff}".as_bytes()) {
                row.text.drain(..3);
            }
            if !row.text.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        if self.separators.is_none() {
            self.separators = Some(shape(&row.text).separators);
        } else if shape(&row.text).is_open {
            self.join(row)?;
        }
        Ok(true)
    }

    /// Appends the lines that close the row's open quote, if there are such lines.
    fn join(&mut self, row: &mut RawRow) -> io::Result<()> {
        let mut joined = row.text.clone();
        let mut taken = Vec::new();
        while taken.len() < ROW_LINES_MAX && joined.len() < LINE_BYTES_MAX {
            let mut line = RawRow::default();
            if !self.next_line(&mut line)? {
                break;
            }
            let alone = shape(&line.text);
            let is_whole = !alone.is_open && Some(alone.separators) == self.separators;
            joined.push(b'\n');
            joined.extend_from_slice(&line.text);
            taken.push(line);
            if is_whole {
                break;
            }
            if alone.is_open {
                if Some(shape(&joined).separators) == self.separators {
                    row.text = joined;
                    return Ok(());
                }
                break;
            }
        }
        for line in taken.into_iter().rev() {
            self.ahead.push_front(line);
        }
        Ok(())
    }

    fn next_line(&mut self, row: &mut RawRow) -> io::Result<bool> {
        if let Some(line) = self.ahead.pop_front() {
            *row = line;
            return Ok(true);
        }
        row.text.clear();
        let limit = LINE_BYTES_MAX as u64;
        let read = (&mut self.input)
            .take(limit)
            .read_until(b'\n', &mut row.text)?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        row.line = self.line;
        if row.text.last() == Some(&b'\n') {
            row.text.pop();
        } else if read == LINE_BYTES_MAX {
            self.input.skip_until(b'\n')?;
        }
        if row.text.last() == Some(&b'\r') {
            row.text.pop();
        }
        Ok(true)
    }
}

/// What a line looks like from outside.
struct Shape {
    /// Whether a quote is left open at its end.
    is_open: bool,
    /// Commas outside quotes.
    separators: usize,
}

fn shape(line: &[u8]) -> Shape {
    let mut shape = Shape {
        is_open: false,
        separators: 0,
    };
    for byte in line {
        match byte {
            b'"' => shape.is_open = !shape.is_open,
            b',' if !shape.is_open => shape.separators += 1,
            _ => {}
        }
    }
    shape
}

/// Splits rows into fields; one for a file: the reader's tables cost more than a row.
#[derive(Debug)]
pub(crate) struct Fields {
    reader: csv_core::Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
}

/// A row that is not UTF-8.
#[derive(Debug, thiserror::Error)]
#[error("row is not UTF-8")]
pub(crate) struct NotUtf8;

impl Fields {
    pub(crate) fn new() -> Self {
        Self {
            // Its default knows no quotes.
            reader: csv_core::Reader::new(),
            output: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Splits `text` into the fields of `record`.
    pub(crate) fn split(&mut self, text: &[u8], record: &mut StringRecord) -> Result<(), NotUtf8> {
        let text = std::str::from_utf8(text).map_err(|_| NotUtf8)?;
        record.clear();
        if !text.contains('"') {
            text.split(',').for_each(|field| record.push_field(field));
            return Ok(());
        }
        let count = self.unquote(text.as_bytes());
        let mut start = 0;
        for &end in self.ends.iter().take(count) {
            // Removing quotes from UTF-8 text leaves UTF-8 text.
            let field = std::str::from_utf8(&self.output[start..end]).map_err(|_| NotUtf8)?;
            record.push_field(field);
            start = end;
        }
        Ok(())
    }

    /// Fills `output` and `ends`; gives the number of fields.
    fn unquote(&mut self, text: &[u8]) -> usize {
        // Neither can be too small: fields are no longer than the text and one comma ends each.
        self.output.resize(text.len() + 1, 0);
        self.ends.resize(text.len() + 2, 0);
        let reader = &mut self.reader;
        reader.reset();
        let (_, _, written, ended) = reader.read_record(text, &mut self.output, &mut self.ends);
        let (_, _, _, last) =
            reader.read_record(&[], &mut self.output[written..], &mut self.ends[ended..]);
        ended + last
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, Vec<String>)> {
        let mut rows = Rows::new(text);
        let mut fields = Fields::new();
        let (mut raw, mut record, mut found) = (RawRow::default(), StringRecord::new(), Vec::new());
        while rows.next(&mut raw).unwrap() {
            fields.split(&raw.text, &mut record).unwrap();
            found.push((raw.line, record.iter().map(str::to_owned).collect()));
        }
        found
    }

    fn check(text: &str, expected: Expect) {
        let lines: Vec<_> = rows(text.as_bytes())
            .iter()
            .map(|(line, fields)| format!("{line}: {fields:?}\n"))
            .collect();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn quotes_line_ends_and_a_byte_order_mark_are_taken_off() {
        check(
            "\u{feff}a,\"b\",c\r\n1,\"x, \"\"y\"\"\",3\r\n\r\n2,,\n,,\"last\"",
            expect![[r#"
                1: ["a", "b", "c"]
                2: ["1", "x, \"y\"", "3"]
                4: ["2", "", ""]
                5: ["", "", "last"]
            "#]],
        );
    }

    #[test]
    fn a_value_may_go_over_a_line_end() {
        check(
            "a,b\n1,\"x\ny\"\n2,z\n",
            expect![[r#"
                1: ["a", "b"]
                2: ["1", "x\ny"]
                4: ["2", "z"]
            "#]],
        );
    }

    #[test]
    fn a_row_cut_inside_quotes_takes_no_other_row_with_it() {
        check(
            "a,b\n1,\"x\n2,\"y\"\n3,\"z\n4,w\n",
            expect![[r#"
                1: ["a", "b"]
                2: ["1", "x"]
                3: ["2", "y"]
                4: ["3", "z"]
                5: ["4", "w"]
            "#]],
        );
    }

    #[test]
    fn two_rows_cut_inside_quotes_are_two_rows() {
        check(
            "a,b,c\n1,\"x\n2,\"y\n3,\"z\",\n",
            expect![[r#"
                1: ["a", "b", "c"]
                2: ["1", "x"]
                3: ["2", "y"]
                4: ["3", "z", ""]
            "#]],
        );
    }

    #[test]
    fn an_overlong_line_is_cut_and_the_next_one_is_whole() {
        let text = format!("a\n{}\nb\n", "x".repeat(3 * LINE_BYTES_MAX));
        let lengths: Vec<_> = rows(text.as_bytes())
            .iter()
            .map(|(line, fields)| (*line, fields[0].len()))
            .collect();
        assert_eq!(lengths, [(1, 1), (2, LINE_BYTES_MAX), (3, 1)]);
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_wrote_is_read_back(
            table in prop::collection::vec(prop::collection::vec("[a-z\", é]{1,8}", 3), 1..20),
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let read: Vec<_> = rows(&text).into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(read, table);
        }
    }
}
