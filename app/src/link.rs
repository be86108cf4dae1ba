//! Links to the page itself: its query holds the search, the selected dock and the instant of the past.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for something else in a query (RFC 3986): all but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The page's query, such as `?q=1+Park+Ave&dock=12&at=2020-03-01T08:30`; empty without any of them.
pub(crate) fn page_query(search: &str, dock: Option<i32>, at: Option<&str>) -> String {
    let search = (!search.is_empty()).then(|| format!("q={}", query_value(search)));
    let dock = dock.map(|id| format!("dock={id}"));
    // Digits, hyphens, colons and a T: all of them may stand in a query.
    let at = at.map(|at| format!("at={at}"));
    let parts: Vec<_> = [search, dock, at].into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("?{}", parts.join("&"))
    }
}

/// A text as the value of a query parameter, with `+` for blanks as forms write them.
pub(crate) fn query_value(text: &str) -> String {
    // A percent sign of the text is `%25` by now, so every `%20` is a blank.
    utf8_percent_encode(text, RESERVED)
        .to_string()
        .replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_survives_its_way_through_the_address() {
        assert_eq!(query_value("1 Park Ave & é"), "1+Park+Ave+%26+%C3%A9");
        assert_eq!(query_value("~a-b_c.d %20"), "~a-b_c.d+%2520");
    }

    #[test]
    fn a_query_holds_what_there_is() {
        assert_eq!(page_query("", None, None), "");
        assert_eq!(page_query("", Some(3), None), "?dock=3");
        assert_eq!(page_query("1 Park Ave", None, None), "?q=1+Park+Ave");
        assert_eq!(
            page_query("1 Park Ave", Some(3), Some("2020-03-01T08:30")),
            "?q=1+Park+Ave&dock=3&at=2020-03-01T08:30"
        );
    }
}
