//! axe-core, which finds what keeps people from using a page, from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{shell, workspace};

/// The version that the page is held to.
const VERSION: &str = "4.14.1";
/// The package's SHA-512, as npm tells it.
const INTEGRITY: &str =
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==";

/// Downloads a package of npm, compares it, and takes one file out of it.
const DOWNLOAD: &str = r#"
import base64, hashlib, io, sys, tarfile, urllib.request
version, integrity, path = sys.argv[1:]
url = f"https://registry.npmjs.org/axe-core/-/axe-core-{version}.tgz"
package = urllib.request.urlopen(url, timeout=60).read()
found = base64.b64encode(hashlib.sha512(package).digest()).decode()
assert found == integrity, f"{url} has another content than it should have: {found}"
script = tarfile.open(fileobj=io.BytesIO(package)).extractfile("package/axe.min.js").read()
open(path, "wb").write(script)
"#;

/// Makes sure that axe is there; gives its script's path.
///
/// # Errors
/// If it cannot be downloaded, or is not what it should be.
pub(crate) fn axe(python: &Path) -> Result<PathBuf> {
    let script = workspace::target()?.join(format!("axe-{VERSION}.min.js"));
    if script.is_file() {
        return Ok(script);
    }
    let mut download = Command::new(python);
    download
        .args(["-c", DOWNLOAD, VERSION, INTEGRITY])
        .arg(&script);
    shell::run(&mut download)?;
    Ok(script)
}
