//! How a failure ends the program: one line on stderr, and an exit status.

use std::process::ExitCode;

use domain::reject::cut;

/// Exit status of a failure, as opposed to 2 for a wrong call.
const FAILED: u8 = 1;

/// A failure is cut there (chosen: a page; what it quotes may come from a file or a server).
const TEXT_CHARS_MAX: usize = 4_000;

/// Prints `error: …: caused by …` and gives the exit status.
pub(crate) fn report(failure: &anyhow::Error) -> ExitCode {
    if let Some(usage) = failure.downcast_ref::<clap::Error>() {
        usage.exit();
    }
    eprintln!("{}", text(failure));
    ExitCode::from(FAILED)
}

/// The failure and its causes, as much as one reads; a cause that repeats what was said already is
/// left out.
fn text(failure: &anyhow::Error) -> String {
    let mut text = format!("error: {failure}");
    for cause in failure.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": caused by ");
            text.push_str(&cause);
        }
    }
    cut(&text, TEXT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    #[test]
    fn a_failure_is_one_line_with_its_causes_once() {
        let failure = anyhow!("connection refused").context("no database: connection refused");
        let failure = failure.context("could not start the sink");
        let expected = "error: could not start the sink: caused by no database: connection refused";
        assert_eq!(super::text(&failure), expected);
    }

    #[test]
    fn a_failure_is_bounded_whatever_it_quotes() {
        let failure = anyhow!("an answer of {}", "x".repeat(1 << 20)).context("no bucket");
        let text = super::text(&failure);
        assert!(text.starts_with("error: no bucket: caused by an answer of x"));
        assert_eq!(text.len(), super::TEXT_CHARS_MAX);
    }
}
