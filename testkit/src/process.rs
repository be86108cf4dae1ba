//! Processes that end with their test, also if that fails.

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};

/// A process that dropping kills at once, as kill -9 does.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Runs an ignored test of the program that runs now, by its whole name, with these variables of
    /// the environment.
    pub fn of_test(test: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--ignored"])
            .envs(variables.iter().copied())
            .stdout(Stdio::null());
        Self::start(&mut command)
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
