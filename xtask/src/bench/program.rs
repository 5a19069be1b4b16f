//! The programs under test, and how either is started on a host.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use lab::{Host, Process};

/// evervip or keepalived.
pub(super) struct Program {
    name: &'static str,
    binary: PathBuf,
}

impl Program {
    /// The program `name`, found at `binary`.
    pub(super) fn new(name: &'static str, binary: PathBuf) -> Self {
        Self { name, binary }
    }

    /// What to call it in tables.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its executable.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Writes its configuration, which it loads when it is started or told so; and tells where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn configure(&self, host: &Host, configuration: &str) -> Result<PathBuf> {
        let file = host.directory().join("bench.conf");
        fs::write(&file, configuration)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// Starts it on `host`, in the foreground, with `configuration` and files of its own: two instances that share
    /// a pid file would refuse to run side by side. Logging is not detailed, as it is not where nobody asks for it.
    ///
    /// # Errors
    /// When the configuration cannot be written or the program does not start.
    pub(super) fn start(&self, host: &Host, configuration: &str) -> Result<Process> {
        let directory: &Path = host.directory();
        let file = self.configure(host, configuration)?;
        let mut command = Command::new(&self.binary);
        command.args(["-n", "-l", "-f"]).arg(&file);
        for (option, name) in [
            ("-p", "parent"),
            ("-r", "vrrp"),
            ("-c", "checkers"),
            ("-b", "bfd"),
        ] {
            let file = directory.join(format!("{name}.pid"));
            // Left behind by a crash, as it would not be on a host that crashed: keepalived takes it for the sign of
            // a running one when the number in it has gone to somebody else.
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", file.display()));
                }
                Ok(()) | Err(_) => {}
            }
            command.arg(option).arg(file);
        }
        host.spawn(&mut command)
    }
}
