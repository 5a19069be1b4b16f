//! A kernel of its own for a scenario: User Mode Linux, a Linux that runs as a process. For what the machine's own kernel
//! was built without (dummy interfaces, VLANs, ipvlan, VRF, netem, IPVS), and for modules a test must not load there.
//!
//! Its root is the machine's own file system, seen with the eyes of the user who runs the test, so every program that is
//! installed here runs there. A scenario says which modules it needs, and is started again inside:
//!
//! ```no_run
//! use std::process::{Command, ExitCode};
//!
//! use evervip_lab::{HostOptions, Lab, scenario, uml};
//!
//! fn vlans(lab: &mut Lab) -> anyhow::Result<()> {
//!     let host = lab.host("a", HostOptions::default())?;
//!     host.call("ip link add base type dummy")?;
//!     host.call("ip link add link base name base.7 type vlan id 7")?;
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     scenario::main(&[("vlans", |lab| uml::scenario(lab, &["8021q", "dummy"], vlans))])
//! }
//! ```
//!
//! It has one processor, starts in two or three seconds, and its system calls cost some microseconds more than here.
//! inotify is blind on its root; the lab's directories are in memory, where it is not.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::directory::{Directory, PLACE_VARIABLE};
use crate::process::Process;
use crate::scenario::{CHOSEN, EXIT_SKIPPED, Skipped};
use crate::{Lab, packages};

/// Where Debian keeps the modules of this kernel.
const MODULES: &str = "/usr/lib/uml/modules";

/// Memory of the machine in MiB, if nobody needs more: taken from the host only when it is used.
pub const MEMORY: u32 = 512;

/// Loaded before everything else: a lab's hosts and segments are made of them.
const BASE: [&str; 3] = ["ipv6", "bridge", "veth"];

/// Set inside.
const INSIDE: &str = "EVERVIP_INSIDE_UML";

/// A file system in memory inside, for what changes often and is watched.
const SCRATCH: &str = "/mnt";

/// How long a scenario may take inside, the start of the kernel included: less than the runner of scenarios allows, so
/// that what it said until then is seen.
const TIMEOUT: Duration = Duration::from_secs(110);

/// What is to be done in a kernel of its own.
#[derive(Debug)]
pub struct UmlJob<'a> {
    /// Kernel modules to load, besides those of which hosts and segments are made.
    pub modules: &'a [&'a str],
    /// What to run there, as root. Of the environment only what was set on the command itself comes along.
    pub command: &'a Command,
    /// When it is ended, however far it is; from the start of the kernel.
    pub timeout: Duration,
    /// Memory of the machine in MiB, such as [`MEMORY`]: taken from the host only when it is used.
    pub memory: u32,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UmlOutput {
    /// What the command wrote to standard output and standard error.
    pub output: String,
    /// Its exit status as a shell has it: of a command ended by a signal, 128 and the signal's number.
    pub status: i32,
}

/// Whether this code runs in such a kernel.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs a scenario of this test binary in a kernel of its own with these modules. To be called by what
/// [`scenario::main`](crate::scenario::main) calls, which comes by here twice: outside, and inside.
///
/// # Errors
/// [`Skipped`] where the kernel is not installed; what the scenario said, if it failed.
pub fn scenario(
    lab: &mut Lab,
    modules: &[&str],
    scenario: impl FnOnce(&mut Lab) -> Result<()>,
) -> Result<()> {
    if is_inside() {
        return scenario(lab);
    }
    let name = env::var_os(CHOSEN).context("this is not a scenario of scenario::main")?;
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.env(CHOSEN, name);
    let UmlOutput { output, status } = run(&UmlJob {
        modules,
        command: &command,
        timeout: TIMEOUT,
        memory: MEMORY,
    })?;
    if status == i32::from(EXIT_SKIPPED) {
        return Err(Skipped(output.trim_end().to_owned()).into());
    }
    println!("{output}");
    if status != 0 {
        bail!("inside User Mode Linux it ended with status {status}");
    }
    Ok(())
}

/// Starts the kernel, has it run one command, and waits until it is gone.
///
/// # Errors
/// [`Skipped`] where the kernel is not installed. When it does not start, lacks a module, or is not done in time; the
/// error holds what it said.
pub fn run(job: &UmlJob<'_>) -> Result<UmlOutput> {
    let kernel = needs()?;
    let directory = Directory::create("uml")?;
    let place = Place(directory.path());
    fs::create_dir_all(place.file("tree/lib"))?;
    symlink(MODULES, place.file("tree/lib/modules"))?;
    fs::write(place.file("init"), place.init(job)?)?;
    fs::set_permissions(place.file("init"), fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new(kernel);
    command
        .arg(format!("mem={}M", job.memory))
        .arg("umid=uml")
        .arg(format!("uml_dir={}/", place.file("sockets").display()))
        .args(["rootfstype=hostfs", "rootflags=/", "rw", "quiet"])
        .arg(format!("init={}", place.file("init").display()))
        .args(["con=null", "con0=fd:0,fd:1"]);
    let mut process = Process::start(command, "linux.uml", place.file("console"))?;
    let ended = process.wait_timeout(job.timeout);
    // First: nothing of it writes to the directory any more, or lives longer than this call.
    drop(process);
    let output = place.read("output");
    let told = || {
        format!(
            "it said:\n{output}\nits console:\n{}",
            place.read("console")
        )
    };
    ended.with_context(told)?;
    if let Some(problem) = Some(place.read("problem")).filter(|text| !text.is_empty()) {
        bail!("User Mode Linux: {}\n{}", problem.trim_end(), told());
    }
    let status = place.read("status");
    let status = status
        .trim()
        .parse()
        .with_context(|| format!("User Mode Linux ended before the command did; {}", told()))?;
    Ok(UmlOutput { output, status })
}

/// The kernel, if everything that it takes is installed.
fn needs() -> Result<PathBuf> {
    for program in ["busybox", "modprobe"] {
        packages::require(program).map_err(|problem| Skipped(problem.to_string()))?;
    }
    let kernel = packages::require("linux.uml").map_err(|problem| Skipped(problem.to_string()))?;
    if !Path::new(MODULES).is_dir() {
        return Err(Skipped(format!(
            "{MODULES} is missing; Debian has it in package user-mode-linux"
        ))
        .into());
    }
    Ok(kernel)
}

/// The directory that both sides see.
///
/// The script in it takes busybox for what changes the system: an ordinary user's file system seen from inside belongs to
/// nobody, and a program that runs with the rights of its owner, as mount(8) does, runs with nobody's.
struct Place<'a>(&'a Path);

impl Place<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What is in a file; nothing if it was never written.
    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first process of the new kernel.
    fn init(&self, job: &UmlJob<'_>) -> Result<String> {
        let quoted = |name: &str| quote(&self.file(name).display().to_string());
        let mut script = format!(
            "#!/bin/sh
exec >{output} 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME={SCRATCH} {PLACE_VARIABLE}={SCRATCH}
finish() {{
    busybox poweroff -f
}}
fail() {{
    echo \"$*\" >{problem}
    finish
}}
busybox mount -t proc proc /proc && busybox mount -t sysfs sys /sys || fail 'cannot mount /proc and /sys'
busybox mount -t tmpfs run /run && busybox mount -t tmpfs scratch {SCRATCH} || fail 'cannot mount file systems in memory'
busybox hostname uml
busybox ifconfig lo up
",
            output = quoted("output"),
            problem = quoted("problem"),
        );
        for module in BASE.iter().chain(job.modules) {
            let module = quote(module);
            writeln!(
                script,
                "modprobe -d {} {module} || fail cannot load module {module}",
                quoted("tree")
            )?;
        }
        writeln!(script, "export {INSIDE}=1")?;
        let text = |word: &std::ffi::OsStr| -> Result<String> {
            let word = word.to_str();
            let word = word.context("words for User Mode Linux are UTF-8")?;
            Ok(quote(word))
        };
        for (name, value) in job.command.get_envs() {
            if let Some(value) = value {
                // Quoted as a whole: a shell takes 'A=b' behind export as it takes A=b.
                let assignment = format!("{}={}", name.display(), value.display());
                writeln!(script, "export {}", quote(&assignment))?;
            }
        }
        if let Some(directory) = job.command.get_current_dir() {
            let directory = text(directory.as_os_str())?;
            writeln!(script, "cd {directory} || fail cannot enter {directory}")?;
        }
        let mut words = vec![text(job.command.get_program())?];
        for argument in job.command.get_args() {
            words.push(text(argument)?);
        }
        writeln!(script, "{} </dev/null", words.join(" "))?;
        writeln!(script, "echo $? >{}\nfinish", quoted("status"))?;
        Ok(script)
    }
}

/// A word that a shell leaves as it is.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_the_command_as_it_was_given() {
        let mut command = Command::new("printf");
        command
            .args(["%s|", "it's", "$HOME and `ls`", ""])
            .env("A", "b 'c'")
            .current_dir("/");
        let job = UmlJob {
            modules: &["dummy"],
            command: &command,
            timeout: Duration::from_secs(1),
            memory: MEMORY,
        };
        let script = Place(Path::new("/no/such place")).init(&job).unwrap();
        let checked = Command::new("sh").args(["-n", "-c", &script]).status();
        assert!(checked.unwrap().success(), "{script}");
        let line = script.lines().find(|line| line.starts_with("'printf'"));
        let said = Command::new("sh").args(["-c", line.unwrap()]).output();
        assert_eq!(
            said.unwrap().stdout,
            b"%s|it's|$HOME and `ls`||"[3..].to_vec()
        );
        assert!(script.contains(r"export 'A=b '\''c'\'''"), "{script}");
        assert!(script.contains("'/no/such place/status'"), "{script}");
    }
}
