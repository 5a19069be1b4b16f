//! Programs on a host: what they say, how they end, and how to end them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sys::process::{ExitStatus, Pid, Reached, kill, kill_group};

use crate::wait::wait_until;

const SIGKILL: i32 = 9;
const SIGSTOP: i32 = 19;

/// How long a killed process may take to vanish.
const DEATH_THROES: Duration = Duration::from_secs(10);

/// A program that was started on a host. Dropping it kills it, its process group and its descendants.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    status: Option<ExitStatus>,
    output: PathBuf,
}

impl Process {
    /// On the thread of its host, with which it dies.
    pub(crate) fn start(mut command: Command, name: &str, output: PathBuf) -> Result<Self> {
        let log =
            File::create(&output).with_context(|| format!("cannot create {}", output.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        sys::process::tie_to_spawner(&mut command, SIGKILL);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::new)
            .context("a process without a number")?;
        Ok(Self {
            name: name.to_owned(),
            child,
            pid,
            status: None,
            output,
        })
    }

    /// Its number as seen from outside of its host.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn kill(&mut self, signal: i32) -> Result<()> {
        if let Some(status) = self.poll()? {
            bail!("{} has ended already: {status:?}", self.name);
        }
        kill(self.pid, signal)?;
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Not expected.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let ended = self
                .child
                .try_wait()
                .with_context(|| format!("cannot wait for {}", self.name))?;
            self.status = ended.map(|status| match (status.code(), status.signal()) {
                (Some(code), _) => ExitStatus::Code(code),
                (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
            });
        }
        Ok(self.status)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `timeout`; the error shows what it said.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        let ended = wait_until(timeout, &what, || !matches!(self.poll(), Ok(None)));
        match (ended, self.poll()?) {
            (_, Some(status)) => Ok(status),
            (result, None) => {
                result.with_context(|| format!("output so far:\n{}", self.output_so_far()))?;
                bail!("{} still runs", self.name)
            }
        }
    }

    /// What it and its children wrote to standard output and standard error until now.
    pub fn output_so_far(&self) -> String {
        match fs::read(&self.output) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(cannot read {}: {error})", self.output.display()),
        }
    }

    /// Waits until its output contains `text`.
    ///
    /// # Errors
    /// When it does not within `timeout`; the error shows what it said instead.
    pub fn wait_for_output(&self, text: &str, timeout: Duration) -> Result<()> {
        wait_until(timeout, &format!("{} says {text:?}", self.name), || {
            self.output_so_far().contains(text)
        })
        .with_context(|| format!("output so far:\n{}", self.output_so_far()))
    }

    /// It and everything it started, freshest last.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn family(&self) -> Result<Vec<Pid>> {
        let mut family = vec![self.pid];
        family.extend(descendants(self.pid)?);
        Ok(family)
    }

    /// Ends it and everything it started as a power cut would: none of them gets to say goodbye.
    ///
    /// # Errors
    /// When they do not die.
    pub fn crash(&mut self) -> Result<()> {
        if self.poll()?.is_some() {
            return Ok(());
        }
        crash(self.pid)?;
        self.wait_timeout(DEATH_THROES).map(|_| ())
    }

    fn clean_up(&mut self) -> Result<()> {
        if self.poll()?.is_none() {
            let family = self.family()?;
            kill_group(self.pid, SIGKILL)?;
            for pid in family {
                kill(pid, SIGKILL)?;
            }
        } else {
            // Its group may have outlived it.
            kill_group(self.pid, SIGKILL)?;
        }
        self.wait_timeout(DEATH_THROES).map(|_| ())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.clean_up() {
            eprintln!("cannot clean up after {}: {error:#}", self.name);
        }
    }
}

/// Ends a process and all its descendants without letting any of them act on the others' end: all are stopped
/// first, until no new ones appear, and then killed. Returns when they are gone, zombies apart.
///
/// # Errors
/// When /proc cannot be read, we may not signal them, or they do not die.
pub fn crash(pid: Pid) -> Result<()> {
    let mut stopped = Vec::new();
    loop {
        let mut family = vec![pid];
        family.extend(descendants(pid)?);
        let fresh: Vec<Pid> = family
            .into_iter()
            .filter(|member| !stopped.contains(member))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for member in fresh {
            kill(member, SIGSTOP)?;
            stopped.push(member);
        }
    }
    // Children first: when the leader of a process group ends while others of it are stopped, the kernel may wake
    // those up (setpgid(2), orphaned process groups), and a moment is enough to say goodbye.
    for member in stopped.iter().rev() {
        kill(*member, SIGKILL)?;
    }
    wait_until(DEATH_THROES, "killed processes vanish", || {
        stopped.iter().all(|member| !is_alive(*member))
    })
}

/// Whether there is a process of this number that is not a zombie.
pub(crate) fn is_alive(pid: Pid) -> bool {
    match kill(pid, 0) {
        Ok(Reached::Nobody) => false,
        Ok(Reached::Somebody) | Err(_) => stat(Path::new(&format!("/proc/{pid}")))
            .is_none_or(|(state, _)| !matches!(state, 'Z' | 'X')),
    }
}

/// The children of a process, and theirs, and so on; zombies are left out. Parents come before their children.
///
/// # Errors
/// When /proc cannot be read.
pub fn descendants(pid: Pid) -> Result<Vec<Pid>> {
    let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry.context("cannot read /proc")?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::new);
        // A process that ends while we look is no descendant any more.
        if let (Some(child), Some((state, parent))) = (number, stat(&entry.path()))
            && !matches!(state, 'Z' | 'X')
            && let Some(parent) = Pid::new(parent)
        {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = Vec::new();
    let mut todo = vec![pid];
    while let Some(parent) = todo.pop() {
        // Each is removed when met, so that no reuse of a number makes this endless.
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(child);
            todo.push(child);
        }
    }
    Ok(found)
}

/// State letter and parent from `/proc/PID/stat`: "PID (NAME) STATE PARENT ...", the name may contain anything.
fn stat(directory: &Path) -> Option<(char, i32)> {
    let text = fs::read(directory.join("stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
