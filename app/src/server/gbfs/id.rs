//! Ids as GBFS allows them.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What an id may not hold as it is, other than characters beyond ASCII. The percent sign is among
/// it, so that no two ids become one.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// An id as the format allows it: printable ASCII without blanks, anything else as `%` and its bytes.
pub(super) fn printable(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
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
