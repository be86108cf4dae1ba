//! Installs what a machine lacks, or says exactly what to do.

mod axe;
mod cargo_deny;
mod kafka;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

pub(crate) use self::axe::axe;
pub(crate) use self::cargo_deny::cargo_deny;
pub(crate) use self::kafka::kafka;
use crate::{shell, workspace};

/// What tests take from `PyPI` as a second opinion, with the module that shows it is there: the
/// Fluvio client that the embedded broker is held to, an S3 server for the producer, a validator for
/// the feed that the app serves, one that tries its API, and a Kafka client that shares nothing with the
/// bridge's.
const PYTHON_PACKAGES: [(&str, &str); 5] = [
    ("fluvio==0.21.*", "fluvio"),
    ("moto[server]==5.*", "moto.server"),
    ("gbfs-validator==0.1.*", "gbfs_validator"),
    ("schemathesis==4.*", "schemathesis"),
    ("kafka-python==2.*", "kafka"),
];

/// Systems that a load is measured beside, with what they need to write to Postgres.
const PEER_PACKAGES: [(&str, &str); 3] = [
    ("pathway==0.33.*", "pathway"),
    ("pyspark==4.*", "pyspark"),
    ("psycopg2-binary==2.*", "psycopg2"),
];

/// Makes sure that the server binaries of Postgres are on this machine.
///
/// # Errors
/// If they are missing and cannot be installed; the message names the package.
pub(crate) fn postgres() -> Result<()> {
    if std::env::var_os("DATABASE_URL").is_some() || has_postgres() {
        return Ok(());
    }
    need(
        &["postgresql"],
        "Postgres' server programs (initdb, postgres), or a DATABASE_URL",
    )
}

/// Makes sure that OpenSSL's headers are there, for the Kafka client's TLS.
///
/// # Errors
/// If they are missing and cannot be installed.
pub(crate) fn openssl() -> Result<()> {
    let is_found = || {
        let mut ask = Command::new("pkg-config");
        shell::read(ask.args(["--exists", "openssl"])).is_ok()
    };
    if std::env::var_os("OPENSSL_DIR").is_some() || is_found() {
        return Ok(());
    }
    need(&["libssl-dev", "pkg-config"], "OpenSSL's headers")
}

/// Makes sure that Chromium and its driver are there, for the tests of the page.
///
/// # Errors
/// If they are missing and cannot be installed.
pub(crate) fn browser() -> Result<()> {
    if shell::is_installed("chromedriver")
        && ["chromium", "google-chrome"]
            .iter()
            .any(|name| shell::is_installed(name))
    {
        return Ok(());
    }
    need(
        &["chromium", "chromium-driver"],
        "Chromium and chromedriver",
    )
}

/// Makes sure that Prometheus' tool is there, for the tests of the alerts.
///
/// # Errors
/// If it is missing and cannot be installed.
pub(crate) fn prometheus() -> Result<()> {
    if shell::is_installed("promtool") {
        return Ok(());
    }
    need(&["prometheus"], "Prometheus' promtool")
}

/// A Python with the packages that tests need; gives the interpreter's path.
///
/// # Errors
/// If Python is missing or a package cannot be downloaded.
pub(crate) fn python() -> Result<PathBuf> {
    python_with("python", &PYTHON_PACKAGES)
}

/// A Python, and Java, with the systems that a load is measured beside; gives the interpreter's path.
///
/// # Errors
/// As [`python`], or if Java cannot be installed.
pub(crate) fn peers() -> Result<PathBuf> {
    java()?;
    python_with("peers", &PEER_PACKAGES)
}

/// Makes sure that Java is there.
///
/// # Errors
/// If it is missing and cannot be installed.
fn java() -> Result<()> {
    if shell::is_installed("java") {
        return Ok(());
    }
    need(&["default-jre-headless"], "Java 17 or later")
}

fn python_with(name: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let folder = workspace::target()?.join(name);
    let python = folder.join("bin/python");
    let imports: Vec<_> = packages
        .iter()
        .map(|(_, module)| format!("import {module}"))
        .collect();
    let has_packages =
        || shell::read(Command::new(&python).args(["-c", &imports.join("\n")])).is_ok();
    if python.exists() && has_packages() {
        return Ok(python);
    }
    // `ensurepip` is what Debian puts into a package of its own.
    if shell::read(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err() {
        need(&["python3", "python3-venv"], "Python 3 with venv")?;
    }
    shell::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let packages = packages.iter().map(|(package, _)| package);
    shell::run(Command::new(&python).args(pip).args(packages))?;
    Ok(python)
}

fn has_postgres() -> bool {
    if shell::is_installed("initdb") && shell::is_installed("postgres") {
        return true;
    }
    // Debian keeps them out of PATH, in a folder per version.
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else {
        return false;
    };
    versions
        .flatten()
        .any(|version| version.path().join("bin/initdb").exists())
}

fn need(packages: &[&str], what: &str) -> Result<()> {
    if shell::may_install_packages() {
        return shell::install_packages(packages);
    }
    let by_hand = if Path::new("/etc/debian_version").exists() {
        format!("run `sudo apt-get install {}`", packages.join(" "))
    } else {
        "install it with this system's package manager".to_owned()
    };
    bail!("missing: {what}; {by_hand}, then start again")
}
