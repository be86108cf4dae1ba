//! What a subcommand was asked for, on stdout.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

/// Prints a line, as `println!` does; that nobody reads on (`bikeshare rejected | head`) is no failure.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}
pub(crate) use say;

/// See [`say!`].
pub(crate) fn line(text: fmt::Arguments<'_>) {
    told(writeln!(io::stdout(), "{text}"));
}

/// Prints what ends in a line's end already.
pub(crate) fn all(text: &[u8]) {
    told(
        io::stdout()
            .write_all(text)
            .and_then(|()| io::stdout().flush()),
    );
}

/// Shows a text in place of the one before; where stdout is no terminal, behind it.
pub(crate) fn anew(text: &str) {
    /// Home, and clear from there.
    const CLEAR: &str = "\x1b[H\x1b[J";
    let clear = if io::stdout().is_terminal() {
        CLEAR
    } else {
        ""
    };
    all(format!("{clear}{text}").as_bytes());
}

/// A server goes on all the same when its line cannot be written; whoever reads the log is told.
fn told(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tracing::warn!(%error, "could not write to stdout");
        }
        _ => {}
    }
}
