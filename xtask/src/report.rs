//! Adds up what the test programs print, hides the output of tests that passed, and repeats at the
//! end why the others failed: a page of log lines hides it else.

/// Lines of a failure that are repeated, and characters of each.
const FAILURE_LINES: usize = 12;
const FAILURE_CHARS: usize = 400;

/// Sums over every test program of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    ok: u64,
    failed: u64,
    ignored: u64,
    /// Tests that said `SKIPPED:` because a service is missing; libtest calls them ok.
    said_skipped: u64,
    in_passed_output: bool,
    failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Debug)]
struct Failure {
    test: String,
    /// From the panic's first line on.
    failure: Vec<String>,
    in_failure: bool,
}

impl Failure {
    fn read(&mut self, line: &str) {
        self.in_failure |= line.contains("panicked at ") || line.starts_with("Error: ");
        self.in_failure &= !line.is_empty() && !line.starts_with("stack backtrace:");
        if self.in_failure && self.failure.len() < FAILURE_LINES {
            let line = line.chars().take(FAILURE_CHARS).collect();
            self.failure.push(line);
        }
    }
}

impl Report {
    /// Takes one line of libtest's output; tells whether to show it.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        if line.starts_with("SKIPPED:") {
            self.said_skipped += 1;
            return true;
        }
        if line == "successes:" {
            self.in_passed_output = true;
        }
        if line == "failures:" || line.starts_with("test result:") {
            self.in_passed_output = false;
        }
        if !self.in_passed_output {
            self.read_failure(line);
        }
        if let Some(sums) = line.strip_prefix("test result:") {
            self.ok += number_before(sums, " passed");
            self.failed += number_before(sums, " failed");
            self.ignored += number_before(sums, " ignored");
        }
        !self.in_passed_output
    }

    fn read_failure(&mut self, line: &str) {
        let name = line.strip_prefix("---- ");
        if let Some(test) = name.and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.failures.push(Failure {
                test: test.to_owned(),
                failure: Vec::new(),
                in_failure: false,
            });
        } else if let Some(failure) = self.failures.last_mut() {
            failure.read(line);
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Failure { test, failure, .. } in &self.failures {
            writeln!(f, "failed: {test}")?;
            for line in failure {
                writeln!(f, "    {line}")?;
            }
        }
        let passed = self.ok.saturating_sub(self.said_skipped);
        let skipped = self.ignored + self.said_skipped;
        write!(
            f,
            "{passed} passed, {} failed, {skipped} skipped",
            self.failed
        )
    }
}

/// `12` in `ok. 12 passed; 0 failed` for the word ` passed`.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text
        .split(word)
        .next()
        .filter(|before| before.len() < text.len());
    before
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Report;

    const FAILURE: &str = "\
failures:

---- two stdout ----
noise

thread 'two' (17) panicked at a/b.rs:1:2:
found 3 records
of 4
stack backtrace:
   0: noise

failures:
    two

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";

    const OUTPUT: &str = "\
running 3 tests
test one ... ok

successes:

---- one stdout ----
SKIPPED: no chromedriver
noise

successes:
    one

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out";

    #[test]
    fn a_test_that_says_it_was_skipped_is_not_counted_as_passed() {
        let mut report = Report::default();
        for line in OUTPUT.lines() {
            report.read(line);
        }
        assert_eq!(report.to_string(), "4 passed, 4 failed, 2 skipped");
    }

    #[test]
    fn the_output_of_passed_tests_is_hidden() {
        let mut report = Report::default();
        let shown: Vec<_> = OUTPUT.lines().filter(|line| report.read(line)).collect();
        assert!(shown.contains(&"test one ... ok"));
        assert!(shown.contains(&"SKIPPED: no chromedriver"));
        assert!(!shown.contains(&"noise"));
    }

    #[test]
    fn why_a_test_failed_is_repeated_without_what_else_it_printed() {
        let mut report = Report::default();
        for line in FAILURE.lines() {
            assert!(report.read(line));
        }
        let expected = "\
failed: two
    thread 'two' (17) panicked at a/b.rs:1:2:
    found 3 records
    of 4
0 passed, 1 failed, 0 skipped";
        assert_eq!(report.to_string(), expected);
    }
}
