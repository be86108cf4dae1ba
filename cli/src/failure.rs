//! How a failure ends the program: one line on stderr, and an exit status.

use std::process::ExitCode;

/// Exit status of a failure, as opposed to 2 for a wrong call.
const FAILED: u8 = 1;

/// Prints `error: …: caused by …` and gives the exit status.
pub(crate) fn report(failure: &anyhow::Error) -> ExitCode {
    if let Some(usage) = failure.downcast_ref::<clap::Error>() {
        usage.exit();
    }
    eprintln!("{}", text(failure));
    ExitCode::from(FAILED)
}

/// The failure and its causes; a cause that repeats what was said already is left out.
fn text(failure: &anyhow::Error) -> String {
    let mut text = format!("error: {failure}");
    for cause in failure.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": caused by ");
            text.push_str(&cause);
        }
    }
    text
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
}
