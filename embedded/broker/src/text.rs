//! Makes texts that clients or modules have sent fit for a line of the program's log.

use std::fmt::Display;

/// Chosen: a line of a log stays readable.
const CHARS_MAX: usize = 300;

/// A text without control characters and of bounded length: it cannot forge a line of a log.
pub(crate) fn printable(text: &(impl Display + ?Sized)) -> String {
    let text = text.to_string();
    let mut printed = String::new();
    for (index, char) in text.chars().enumerate() {
        if index == CHARS_MAX {
            printed.push('…');
            break;
        }
        match char {
            '"' | '\'' => printed.push(char),
            other => printed.extend(other.escape_debug()),
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_long_texts_are_cut() {
        let forged = "a\r\n\x1b[2Jb\u{202e}\u{2028}\\ \"é\"";
        assert_eq!(
            printable(forged),
            r#"a\r\n\u{1b}[2Jb\u{202e}\u{2028}\\ "é""#
        );
        let long = printable(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), CHARS_MAX + 1);
    }
}
