//! Links to the page itself: its query holds the search, the selected dock, the instant of the past and
//! what is sought.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::seeking::Seeking;

/// What stands for something else in a query (RFC 3986): all but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What the page's address says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    /// The search, as typed; empty without one.
    pub(crate) search: String,
    /// The selected dock.
    pub(crate) dock: Option<i32>,
    /// The instant of the past, by the city's clocks.
    pub(crate) at: Option<String>,
    /// What the rider looks for.
    pub(crate) seeking: Seeking,
}

impl Address {
    /// Such as `?q=1+Park+Ave&dock=12&at=2020-03-01T08:30&for=docks`; empty without any of them.
    pub(crate) fn query(&self) -> String {
        let search = (!self.search.is_empty()).then(|| format!("q={}", query_value(&self.search)));
        let dock = self.dock.map(|id| format!("dock={id}"));
        // Digits, hyphens, colons and a T: all of them may stand in a query.
        let at = self.at.as_ref().map(|at| format!("at={at}"));
        let seeking = self.seeking.in_address();
        let seeking = seeking.map(|seeking| format!("for={seeking}"));
        let parts: Vec<_> = [search, dock, at, seeking].into_iter().flatten().collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!("?{}", parts.join("&"))
        }
    }

    /// The page itself, with this query.
    pub(crate) fn link(&self) -> String {
        format!("/{}", self.query())
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
        let mut address = Address::default();
        assert_eq!(address.query(), "");
        address.dock = Some(3);
        assert_eq!(address.query(), "?dock=3");
        address.search = "1 Park Ave".to_owned();
        address.at = Some("2020-03-01T08:30".to_owned());
        address.seeking = Seeking::Docks;
        assert_eq!(
            address.link(),
            "/?q=1+Park+Ave&dock=3&at=2020-03-01T08:30&for=docks"
        );
    }
}
