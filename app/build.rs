//! Builds the crate anew when the client's files, which it embeds, come or change.

fn main() {
    println!("cargo::rerun-if-changed=../target/assets/site");
}
