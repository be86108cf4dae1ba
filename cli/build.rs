//! Builds this program again when the SmartModules that it carries were built again.

fn main() -> std::io::Result<()> {
    let folder = "../target/assets/smartmodules";
    // A folder that is not there would count as changed at every build.
    std::fs::create_dir_all(folder)?;
    println!("cargo::rerun-if-changed={folder}");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
