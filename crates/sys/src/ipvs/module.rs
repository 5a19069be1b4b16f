//! The kernel module, where IPVS is one. Whether it may be loaded the caller decides: it concerns the whole machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::error::Error;
use crate::process::{self, Credentials, ExitStatus, Script};
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
    load(MODULE)
}

fn load(module: &str) -> Result<(), Error> {
    let problem =
        |text: String| Error::object("load kernel module", &module)(io::Error::other(text));
    let Some(program) = modprobe() else {
        return Err(problem("there is no modprobe on this machine".to_owned()));
    };
    let ids = users::current_ids()?;
    let child = process::spawn_script(&Script {
        path: &program,
        arguments: &["modprobe".to_owned(), module.to_owned()],
        credentials: &Credentials {
            uid: ids.effective_uid(),
            gid: ids.effective_gid(),
            groups: None,
        },
    })?;
    if let Some(pidfd) = &child.pidfd {
        let patience = Timespec::try_from(PATIENCE).ok();
        let ended =
            retry_on_intr(|| poll(&mut [PollFd::new(pidfd, PollFlags::IN)], patience.as_ref()));
        if !matches!(ended, Ok(1..)) {
            process::kill_group(child.pid, libc::SIGKILL)?;
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
fn modprobe() -> Option<PathBuf> {
    let chosen = fs::read_to_string(CHOSEN).unwrap_or_default();
    let chosen = Path::new(chosen.trim()).to_owned();
    if chosen.is_absolute() {
        return Some(chosen);
    }
    PLACES
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_not_there_is_a_clear_error() {
        // No module has such a name, so nothing is loaded, with or without the privilege.
        let error = load("evervip-no-such-module").unwrap_err().to_string();
        assert!(
            error.starts_with("cannot load kernel module evervip-no-such-module: "),
            "{error}"
        );
    }
}
