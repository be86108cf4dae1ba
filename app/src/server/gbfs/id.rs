//! Ids as GBFS allows them.

use std::fmt::Write as _;

/// An id as the format allows it: printable ASCII without blanks, anything else as `%` and its
/// bytes. Two ids never become one.
pub(super) fn printable(text: &str) -> String {
    let mut id = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            id.push(char::from(byte));
        } else {
            write!(id, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_printable_and_no_two_ids_become_one() {
        assert_eq!(printable("6926.01"), "6926.01");
        assert_eq!(printable("Shop Morgan "), "Shop%20Morgan%20");
        assert_eq!(printable("100%é"), "100%25%C3%A9");
        assert_ne!(printable("a%20b"), printable("a b"));
    }
}
