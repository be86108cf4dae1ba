//! Builds the server anew when the client's files, which it embeds, come or change.

use std::env::var_os;

fn main() {
    // The client itself must not be: it would follow its own last build.
    let embedded = if var_os("CARGO_FEATURE_SSR").is_some() {
        "../target/assets/site"
    } else {
        "build.rs"
    };
    println!("cargo::rerun-if-changed={embedded}");
}
