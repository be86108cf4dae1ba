//! An error and its causes as one text.

use std::error::Error;

/// The error and its causes in one line: `could not read trips/0: connection refused`.
///
/// A cause that the text before it ends with already is not said twice.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Step(&'static str, Option<Box<Step>>);

    impl std::fmt::Display for Step {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Step {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|step| step as _)
        }
    }

    #[test]
    fn each_cause_is_said_once() {
        let refused = Step("connection refused", None);
        let socket = Step("socket: connection refused", Some(Box::new(refused)));
        let read = Step("could not read trips/0", Some(Box::new(socket)));
        assert_eq!(
            error_chain(&read),
            "could not read trips/0: socket: connection refused"
        );
    }
}
