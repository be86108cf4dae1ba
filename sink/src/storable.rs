//! Texts that Postgres can store.

/// The text without what Postgres cannot store: a NUL becomes U+FFFD.
pub(crate) fn storable(text: &str) -> String {
    let mut stored = String::with_capacity(text.len());
    push_storable(&mut stored, text);
    stored
}

/// Adds the text without what Postgres cannot store.
pub(crate) fn push_storable(stored: &mut String, text: &str) {
    let mut parts = text.split('\0');
    stored.push_str(parts.next().unwrap_or_default());
    for part in parts {
        stored.push(char::REPLACEMENT_CHARACTER);
        stored.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_cannot_store_is_replaced() {
        assert_eq!(storable("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert_eq!(storable("E 14 St"), "E 14 St");
    }
}
