//! Running scripts: check scripts that somebody waits for, and notify scripts that nobody does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use config::settings::Command;
use log::{debug, error};
use sys::process::{self, Child, Credentials, Exit, ExitStatus, Pid, Script};
use vrrp::settings::ScriptSettings;
use vrrp::{ScriptOutcome, Signal};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// All processes that were started for scripts and have not ended.
#[derive(Default)]
pub(super) struct Scripts {
    checks: BTreeMap<Pid, Arc<str>>,
    notifications: BTreeSet<Pid>,
    /// What each script of the settings runs, by its name.
    identities: BTreeMap<String, String>,
}

impl Scripts {
    /// Starts a check script.
    pub(super) fn run(&mut self, name: &Arc<str>, command: Option<&Command>) -> Result<()> {
        let Some(command) = command else {
            bail!("the settings have no command for it")
        };
        let child = start(command)?;
        self.checks.insert(child.pid, Arc::clone(name));
        Ok(())
    }

    /// Starts a notify script and forgets about it.
    pub(super) fn notify(&mut self, command: &Command) -> Result<()> {
        let child = start(command)?;
        self.notifications.insert(child.pid);
        Ok(())
    }

    /// Signals the process group of a running check script.
    pub(super) fn signal(&mut self, name: &str, signal: Signal) {
        let number = match signal {
            Signal::Terminate => SIGTERM,
            Signal::Kill => SIGKILL,
        };
        for pid in self
            .checks
            .iter()
            .filter(|(_, running)| &***running == name)
            .map(|(pid, _)| *pid)
        {
            if let Err(problem) = process::kill_group(pid, number) {
                error!("VRRP_Script({name}): {problem}");
            }
        }
    }

    /// A process ended: if it was a check script, which one and how.
    pub(super) fn ended(&mut self, exit: &Exit) -> Option<(Arc<str>, ScriptOutcome)> {
        if self.notifications.remove(&exit.pid) {
            debug!("notify script {} ended: {:?}", exit.pid, exit.status);
        }
        let name = self.checks.remove(&exit.pid)?;
        let outcome = match exit.status {
            ExitStatus::Code(code) => ScriptOutcome::Exited(code),
            ExitStatus::Signal(signal) => ScriptOutcome::Signalled(signal),
        };
        Some((name, outcome))
    }

    pub(super) fn any_running(&self) -> bool {
        !self.checks.is_empty() || !self.notifications.is_empty()
    }

    /// A script that is no longer in the settings, or runs another command now: its end must not be taken for that of its
    /// successor.
    pub(super) fn settings_change(&mut self, scripts: &[ScriptSettings]) {
        let new: BTreeMap<String, String> = scripts
            .iter()
            .map(|script| (script.name.clone(), script.identity.clone()))
            .collect();
        self.checks.retain(|pid, name| {
            let identity = new.get(&**name);
            let kept = identity.is_some() && identity == self.identities.get(&**name);
            if !kept && let Err(problem) = process::kill_group(*pid, SIGKILL) {
                error!("VRRP_Script({name}): {problem}");
            }
            kept
        });
        self.identities = new;
    }
}

/// Starts a command of the configuration, as its user.
pub(super) fn start(command: &Command) -> Result<Child> {
    let credentials = Credentials {
        uid: command.user.uid,
        gid: command.user.gid,
        groups: (!command.user.groups.is_empty()).then(|| command.user.groups.clone()),
    };
    let script = Script {
        path: Path::new(&command.path),
        arguments: &command.argv,
        credentials: &credentials,
    };
    process::spawn_script(&script).with_context(|| command.argv.join(" "))
}
