//! Daemons of FRR on a host: each has its run directory, its sockets and its files there, so that any number of hosts
//! can have their own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sys::process::ExitStatus;

use crate::host::Host;
use crate::process::Process;
use crate::scenario::Skipped;
use crate::wait::wait_until;
use crate::{is_real_root, packages};

/// How long a daemon may take until its terminal can be reached, and an answer from there.
const READY: Duration = Duration::from_secs(20);

/// Where the daemons of one host have their files.
#[derive(Debug)]
pub struct Frr {
    directory: PathBuf,
}

impl Frr {
    /// Makes the directory, which is removed with the lab. Nothing runs yet.
    ///
    /// # Errors
    /// [`Skipped`] when one of `daemons` (`"bfdd"`) is not installed, or this is an ordinary user's lab: FRR becomes
    /// user frr.
    pub fn new(host: &Host, daemons: &[&str]) -> Result<Self> {
        for daemon in daemons {
            require(daemon)?;
        }
        if !is_real_root()? {
            let why = "FRR becomes user frr, which an ordinary user's namespace does not have";
            return Err(Skipped(why.to_owned()).into());
        }
        let directory = host.directory().join("frr");
        fs::create_dir(&directory)?;
        // User frr writes there.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777))?;
        Ok(Self { directory })
    }

    /// Where `NAME.conf` and the sockets are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes what a daemon is to read when it starts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, daemon: &str, configuration: &str) -> Result<()> {
        let file = self.directory.join(format!("{daemon}.conf"));
        fs::write(&file, configuration).with_context(|| file.display().to_string())
    }

    /// Starts a daemon that has been [configured](Self::configure), in the foreground, with its log in its output. What one
    /// that was killed has left behind is removed first: after a power cut /run is empty.
    ///
    /// # Errors
    /// When it cannot be started, or has not opened its terminal in time.
    pub fn start(&self, host: &Host, daemon: &str) -> Result<Process> {
        let terminal = format!("{daemon}.vty");
        let mut left = vec![format!("{daemon}.pid"), terminal.clone()];
        let mut command = Command::new(require(daemon)?);
        match daemon {
            "zebra" => left.push(SERVER.to_owned()),
            "bfdd" => {
                left.push(CONTROL.to_owned());
                command.arg("--bfdctl").arg(self.directory.join(CONTROL));
            }
            _ => {}
        }
        for name in left {
            let file = self.directory.join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| file.display().to_string());
                }
                Ok(()) | Err(_) => {}
            }
        }
        for (option, file) in [
            ("-f", format!("{daemon}.conf")),
            ("-i", format!("{daemon}.pid")),
            ("-z", SERVER.to_owned()),
            ("--vty_socket", String::new()),
        ] {
            command.arg(option).arg(self.directory.join(file));
        }
        command.args(["-u", "frr", "-g", "frr", "-A", "127.0.0.1"]);
        command.args(["--log", "stdout", "--log-level", "informational"]);
        let process = host.spawn(&mut command)?;
        let mut awaited = vec![terminal];
        if daemon == "zebra" {
            awaited.push(SERVER.to_owned());
        }
        wait_until(READY, &format!("{daemon} listens"), || {
            awaited
                .iter()
                .all(|name| self.directory.join(name).exists())
        })
        .with_context(|| format!("output so far:\n{}", process.output_so_far()))?;
        Ok(process)
    }

    /// Has FRR's shell carry out commands, each as an operator would type it, and gives what it printed.
    ///
    /// # Errors
    /// When it is not installed, says that it does not know a command, or is not done in time.
    pub fn tell(&self, host: &Host, commands: &[&str]) -> Result<String> {
        let mut shell = Command::new(require("vtysh")?);
        shell.arg("--vty_socket").arg(&self.directory);
        for command in commands {
            shell.args(["-c", command]);
        }
        let mut process = host.spawn(&mut shell)?;
        let status = process.wait_timeout(READY)?;
        let said = process.output_so_far();
        // It prints a line with a % where it did not understand, and goes on.
        if status != ExitStatus::Code(0) || said.lines().any(|line| line.starts_with('%')) {
            bail!("vtysh: {commands:?}: {status:?}: {}", said.trim_end());
        }
        Ok(said)
    }
}

/// zebra's socket for the other daemons.
const SERVER: &str = "zserv.api";

/// bfdd's socket for programs of others.
const CONTROL: &str = "bfdd.sock";

fn require(program: &str) -> Result<PathBuf> {
    packages::require(program).map_err(|problem| Skipped(problem.to_string()).into())
}
