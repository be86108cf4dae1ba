//! Apache Kafka's server and `MirrorMaker`, as jars from Maven Central.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{java, need};
use crate::{shell, workspace};

/// The version the bridge is tested against.
const VERSION: &str = "4.3.1";

/// What Maven has to be told to collect the server and all it depends on.
const PROJECT: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bikeshare</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>connect-mirror</artifactId>
      <version>VERSION</version>
    </dependency>
  </dependencies>
</project>
"#;

/// Makes sure that Java and Kafka's jars are there; gives the jars' folder.
///
/// # Errors
/// If Java or Maven cannot be installed, or the jars cannot be downloaded.
pub(crate) fn kafka() -> Result<PathBuf> {
    let folder = workspace::target()?.join(format!("kafka-{VERSION}"));
    let jars = folder.join("jars");
    java()?;
    let text = PROJECT.replace("VERSION", VERSION);
    // Maven copies file by file; the mark says that all of this project are there.
    let complete = folder.join("complete");
    if std::fs::read_to_string(&complete).is_ok_and(|complete| complete == text) {
        return Ok(jars);
    }
    if !shell::is_installed("mvn") {
        need(&["maven"], "Maven (mvn)")?;
    }
    let project = folder.join("pom.xml");
    workspace::write_if_changed(&project, text.as_bytes())?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(project);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display()));
    shell::run(&mut maven)?;
    std::fs::write(&complete, text).with_context(|| format!("could not write {complete:?}"))?;
    Ok(jars)
}
