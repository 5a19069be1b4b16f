//! What the scenarios of the daemon share: starting it (and keepalived) on a host, reading its counters, and
//! recognising its packets.

#![allow(
    dead_code,
    reason = "each test binary is compiled with this file and uses its own part of it"
)]

pub(crate) mod packets;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{
    ExitStatus, Host, HostOptions, Lab, Pid, Process, Segment, Skipped, packages, wait_until,
};

/// Longer than anything that is waited for takes on a machine that has other things to do, too.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Signals by their numbers.
pub(crate) const SIGHUP: i32 = 1;
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGUSR1: i32 = 10;
pub(crate) const SIGUSR2: i32 = 12;
pub(crate) const SIGTERM: i32 = 15;
pub(crate) const SIGCONT: i32 = 18;
pub(crate) const SIGSTOP: i32 = 19;
pub(crate) const SIGJSON: i32 = 36;

/// The daemon under test.
pub(crate) fn evervip() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_evervip"))
}

/// Debian's keepalived, or a reason to skip.
pub(crate) fn keepalived() -> Result<PathBuf> {
    program("keepalived")
}

/// A program of Debian's, or a reason to skip.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    packages::require(name).map_err(|problem| Skipped(problem.to_string()).into())
}

/// The link called `eth0` of a new host on `lan`, with 198.18.0.`number` and fd00:18::`number`.
pub(crate) fn host(lab: &Lab, lan: &Segment, name: &str, number: u8) -> Result<Host> {
    let host = lab.host(name, HostOptions::default())?;
    host.connect(lan, "eth0")?;
    address(&host, number)?;
    Ok(host)
}

/// Gives `eth0` of a host its addresses (again).
pub(crate) fn address(host: &Host, number: u8) -> Result<()> {
    host.add_address("eth0", &format!("198.18.0.{number}/24"))?;
    host.add_address("eth0", &format!("fd00:18::{number}/64"))
}

/// A running daemon. What it said is printed when it goes, and seen if the scenario fails.
pub(crate) struct Daemon {
    pub(crate) process: Process,
    name: String,
    directory: PathBuf,
}

impl Daemon {
    /// Starts `program` in the foreground with a configuration, and pid files in the host's directory.
    pub(crate) fn start(host: &Host, program: &Path, configuration: &str) -> Result<Self> {
        Self::start_with(host, program, configuration, &[])
    }

    /// The same with further options.
    pub(crate) fn start_with(
        host: &Host,
        program: &Path,
        configuration: &str,
        options: &[&str],
    ) -> Result<Self> {
        let directory = host.directory().to_owned();
        fs::write(directory.join("keepalived.conf"), configuration)?;
        let mut command = Command::new(program);
        command.args(["-n", "-l", "-D"]).args(options);
        for (option, file) in [
            ("-f", "keepalived.conf"),
            ("-p", "keepalived.pid"),
            ("-r", "vrrp.pid"),
            ("-c", "checkers.pid"),
            ("-b", "bfd.pid"),
        ] {
            command.arg(option).arg(directory.join(file));
        }
        let short = program.file_name().unwrap_or(OsStr::new("?"));
        Ok(Self {
            process: host.spawn(&mut command)?,
            name: format!("{} on {}", short.display(), host.name()),
            directory,
        })
    }

    /// Its configuration.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("keepalived.conf")
    }

    /// Replaces its configuration and asks it to reload.
    pub(crate) fn reload(&mut self, configuration: &str) -> Result<()> {
        // A reload that was asked for before may be under way: it must not find half a file.
        let new = self.directory.join("keepalived.conf.new");
        fs::write(&new, configuration)?;
        fs::rename(&new, self.file())?;
        self.process.kill(SIGHUP)
    }

    /// The same, and waits for the end of it (evervip only, with no other reload under way). What a child does shows before
    /// it has told so, and whoever dies in between has a successor that begins afresh. What it told before is known then, too.
    pub(crate) fn reload_whole(&mut self, configuration: &str) -> Result<()> {
        let ended = |daemon: &Self| daemon.times_said("Reload complete");
        let before = ended(self);
        self.reload(configuration)?;
        wait_until(SOON, "the end of the reload", || ended(self) > before)
    }

    /// The number of the VRRP process, from its pid file.
    pub(crate) fn vrrp_pid(&self) -> Result<Pid> {
        pid_in(&self.directory.join("vrrp.pid"))
    }

    /// Whether there is a file of that name beside its pid files.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.directory.join(name).exists()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process.kill(SIGTERM)?;
        let status = self.process.wait_timeout(SOON)?;
        ensure!(
            status == ExitStatus::Code(0),
            "{} ended with {status:?}",
            self.name
        );
        Ok(())
    }

    /// Ends it as a power cut would. Its pid files are gone, too: after a power cut /run is empty.
    pub(crate) fn crash(&mut self) -> Result<()> {
        self.process.crash()?;
        for name in ["keepalived.pid", "vrrp.pid"] {
            fs::remove_file(self.directory.join(name))?;
        }
        Ok(())
    }

    /// Waits until it has said so.
    pub(crate) fn says(&self, text: &str) -> Result<()> {
        self.process.wait_for_output(text, SOON)
    }

    /// Waits until an instance follows a master (evervip only): since it heard it, or, on a machine that was too busy for
    /// that, since it gave way to it.
    pub(crate) fn follows(&self, master: &str) -> Result<()> {
        let words = ["master is", "giving way to"].map(|words| format!("{words} {master}"));
        wait_until(SOON, &format!("{} follows {master}", self.name), || {
            words.iter().any(|words| self.times_said(words) > 0)
        })
    }

    /// How often it has said so.
    pub(crate) fn times_said(&self, text: &str) -> usize {
        self.process.output_so_far().matches(text).count()
    }

    /// The file that a signal makes it write.
    pub(crate) fn dump(
        &mut self,
        signal: i32,
        name: &str,
        complete: fn(&str) -> bool,
    ) -> Result<String> {
        let path = self.directory.join("tmp").join(name);
        if path.exists() {
            fs::remove_file(&path)?;
        }
        self.process.kill(signal)?;
        wait_until(SOON, &format!("{} writes {name}", self.name), || {
            fs::read_to_string(&path).is_ok_and(|text| complete(&text))
        })?;
        Ok(fs::read_to_string(&path)?)
    }

    /// Its counters.
    pub(crate) fn counters(&mut self) -> Result<Counters> {
        // The last line of the last instance; keepalived's file is not renamed into place when it is whole.
        let text = self.dump(SIGUSR2, "keepalived.stats", |text| {
            text.rsplit_once("    Sent: ")
                .is_some_and(|(_, number)| number.ends_with('\n'))
        })?;
        Counters::parse(&text)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        println!(
            "---- {} said:\n{}----",
            self.name,
            self.process.output_so_far()
        );
    }
}

/// The number in a pid file.
pub(crate) fn pid_in(path: &Path) -> Result<Pid> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Pid::new(text.trim().parse()?).context("a pid is not 0")
}

/// What `keepalived.stats` says: instance, then `"Section/Name"` or `"Name"`.
pub(crate) struct Counters(BTreeMap<String, BTreeMap<String, u64>>);

impl Counters {
    fn parse(text: &str) -> Result<Self> {
        let mut all: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let (mut instance, mut section) = (String::new(), String::new());
        for line in text.lines() {
            let (name, value) = line.trim().split_once(':').context(line.to_owned())?;
            let value = value.trim();
            if name == "VRRP Instance" {
                value.clone_into(&mut instance);
            } else if value.is_empty() {
                name.clone_into(&mut section);
            } else {
                let key = if line.starts_with("    ") {
                    format!("{section}/{name}")
                } else {
                    name.to_owned()
                };
                let counters = all.entry(instance.clone()).or_default();
                counters.insert(key, value.parse()?);
            }
        }
        Ok(Self(all))
    }

    /// One counter.
    pub(crate) fn get(&self, instance: &str, key: &str) -> Result<u64> {
        self.0
            .get(instance)
            .and_then(|counters| counters.get(key))
            .copied()
            .with_context(|| format!("there is no {key} of {instance}: {:?}", self.0))
    }

    /// The same of one instance.
    pub(crate) fn errors_of(&self, instance: &str) -> Vec<(String, u64)> {
        let counters = self.0.get(instance).into_iter().flatten();
        counters
            .filter(|(key, count)| key.contains("Errors/") && **count > 0)
            .map(|(key, count)| (key.clone(), *count))
            .collect()
    }

    /// The counters of errors that are not zero.
    pub(crate) fn errors(&self) -> Vec<(String, u64)> {
        self.0
            .values()
            .flatten()
            .filter(|(key, count)| key.contains("Errors/") && **count > 0)
            .map(|(key, count)| (key.clone(), *count))
            .collect()
    }
}

/// Waits until a host has an address on `eth0`.
pub(crate) fn gains(host: &Host, address: &str) -> Result<()> {
    wait_until(SOON, &format!("{} gets {address}", host.name()), || {
        holds(host, address)
    })
}

/// Waits until a host has lost an address on `eth0`.
pub(crate) fn loses(host: &Host, address: &str) -> Result<()> {
    wait_until(SOON, &format!("{} loses {address}", host.name()), || {
        !holds(host, address)
    })
}

/// Whether a host has an address on `eth0`.
pub(crate) fn holds(host: &Host, address: &str) -> bool {
    host.has_address("eth0", address).unwrap_or(false)
}

/// Waits until somebody on a host listens at a TCP port, without taking a connection from whoever it is.
pub(crate) fn listens(host: &Host, port: u16) -> Result<()> {
    // "sl local_address rem_address st ...": st 0A is LISTEN (proc(5), the kernel's tcp_states.h).
    let is_it = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next().unwrap_or_default();
        local.ends_with(&format!(":{port:04X}")) && words.nth(1) == Some("0A")
    };
    let read = |name: &str| {
        let path = format!("/proc/thread-self/net/{name}");
        let text = host.run(move || fs::read_to_string(path));
        text.is_ok_and(|text| text.is_ok_and(|text| text.lines().any(is_it)))
    };
    wait_until(SOON, &format!("a server listens at port {port}"), || {
        read("tcp") || read("tcp6")
    })
}

/// Writes an executable shell script into a directory.
pub(crate) fn script(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Whether this process may become any user.
pub(crate) fn is_real_root() -> Result<bool> {
    lab::is_real_root()
}
