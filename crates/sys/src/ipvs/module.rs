//! The kernel module, where IPVS is one. Whether it may be loaded the caller decides: it concerns the whole machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::error::Error;
use crate::process::{self, Credentials, ExitStatus, Script, ScriptProcess};
use crate::users;

/// What the kernel itself calls for modules.
const CHOSEN: &str = "/proc/sys/kernel/modprobe";
/// Where it is otherwise.
const PLACES: [&str; 4] = [
    "/usr/sbin/modprobe",
    "/sbin/modprobe",
    "/usr/bin/modprobe",
    "/bin/modprobe",
];
const MODULE: &str = "ip_vs";
/// Far longer than it takes. Who waits for it does nothing else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `modprobe ip_vs`, as keepalived does when the kernel has no IPVS, and waits until it is done, for 10 s at most.
///
/// # Errors
/// When there is no modprobe, it fails, or it is not done in time.
pub fn load_module() -> Result<(), Error> {
    load(&modprobe()?, MODULE, PATIENCE)
}

/// The same without waiting: whether it works shows when IPVS is there. The process is reaped like any other.
///
/// # Errors
/// When there is no modprobe, or no process can be made.
pub fn begin_to_load_module() -> Result<(), Error> {
    // Dropping what is known of the process does not end it.
    start(&modprobe()?, MODULE).map(drop)
}

fn start(program: &Path, module: &str) -> Result<ScriptProcess, Error> {
    let ids = users::current_ids()?;
    process::spawn_script(&Script {
        path: program,
        arguments: &["modprobe".to_owned(), module.to_owned()],
        credentials: &Credentials {
            uid: ids.effective_uid(),
            gid: ids.effective_gid(),
            groups: None,
        },
    })
}

fn problem(module: &str, text: String) -> Error {
    Error::object("load kernel module", &module)(io::Error::other(text))
}

fn load(program: &Path, module: &str, patience: Duration) -> Result<(), Error> {
    let problem = |text: String| problem(module, text);
    let child = start(program, module)?;
    if let Some(pidfd) = &child.pidfd {
        let patience = Timespec::try_from(patience).ok();
        let ended =
            retry_on_intr(|| poll(&mut [PollFd::new(pidfd, PollFlags::IN)], patience.as_ref()));
        if !matches!(ended, Ok(1..)) {
            process::kill_group(child.pid, libc::SIGKILL)?;
            // The kernel may hold on to it for as long as it likes. It is reaped like any other then.
            return Err(problem(format!("{} takes too long", program.display())));
        }
    }
    let status = process::wait_for(child.pid)?;
    if let Some(reason) = child.beginning.problem() {
        return Err(problem(format!("{} {reason}", program.display())));
    }
    match status {
        ExitStatus::Code(0) => Ok(()),
        ExitStatus::Code(code) => Err(problem(format!(
            "{} ended with status {code}; is the module installed?",
            program.display()
        ))),
        ExitStatus::Signal(signal) => Err(problem(format!(
            "{} was ended by signal {signal}",
            program.display()
        ))),
    }
}

/// The program that the kernel would call, or the usual one.
fn modprobe() -> Result<PathBuf, Error> {
    let chosen = fs::read_to_string(CHOSEN).unwrap_or_default();
    let chosen = Path::new(chosen.trim()).to_owned();
    if chosen.is_absolute() {
        return Ok(chosen);
    }
    PLACES
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or_else(|| problem(MODULE, "there is no modprobe on this machine".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_not_there_is_a_clear_error() {
        // No module has such a name, so nothing is loaded, with or without the privilege.
        let error = modprobe()
            .and_then(|program| load(&program, "evervip-no-such-module", PATIENCE))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("cannot load kernel module "), "{error}");
    }

    #[test]
    fn a_program_that_does_not_come_back_is_not_waited_for() {
        let program = Path::new("/bin/sleep");
        let error = load(program, "1000", Duration::from_millis(50)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot load kernel module 1000: /bin/sleep takes too long"
        );
    }
}
