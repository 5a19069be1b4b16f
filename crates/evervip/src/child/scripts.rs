//! Programs that a child starts for the operator: those that it waits for, and those that it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use config::settings::Command;
use log::{debug, error};
use sys::process::{self, Child, Credentials, Exit, ExitStatus, Pid, Script};

pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGTERM: i32 = 15;

/// All processes that were started for scripts and have not ended. `K` tells those apart whose result somebody waits for.
pub(crate) struct Scripts<K> {
    checks: BTreeMap<Pid, K>,
    notifications: BTreeSet<Pid>,
}

impl<K> Default for Scripts<K> {
    fn default() -> Self {
        Self {
            checks: BTreeMap::new(),
            notifications: BTreeSet::new(),
        }
    }
}

impl<K: PartialEq> Scripts<K> {
    /// Starts a check script.
    pub(crate) fn run(&mut self, key: K, command: &Command) -> Result<()> {
        let child = start(command)?;
        self.checks.insert(child.pid, key);
        Ok(())
    }

    /// Starts a notify script and forgets about it.
    pub(crate) fn notify(&mut self, command: &Command) -> Result<()> {
        let child = start(command)?;
        self.notifications.insert(child.pid);
        Ok(())
    }

    /// The process groups of a check script's running processes.
    pub(crate) fn processes<Q: ?Sized + PartialEq>(&self, key: &Q) -> Vec<Pid>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.checks
            .iter()
            .filter(|(_, running)| (*running).borrow() == key)
            .map(|(pid, _)| *pid)
            .collect()
    }

    /// Nobody waits for the result of this process any more.
    pub(crate) fn forget(&mut self, process: Pid) {
        self.checks.remove(&process);
    }

    /// A process ended: if it was a check script, which one and how.
    pub(crate) fn ended(&mut self, exit: &Exit) -> Option<(K, ExitStatus)> {
        if self.notifications.remove(&exit.pid) {
            debug!("notify script {} ended: {:?}", exit.pid, exit.status);
        }
        let key = self.checks.remove(&exit.pid)?;
        Some((key, exit.status))
    }

    /// How many notify scripts have not ended.
    pub(crate) fn notifying(&self) -> usize {
        self.notifications.len()
    }

    /// One of them.
    #[cfg(test)]
    pub(crate) fn notified(&self) -> Option<Pid> {
        self.notifications.first().copied()
    }

    /// Whether any of them has not ended.
    pub(crate) fn any_running(&self) -> bool {
        !self.checks.is_empty() || !self.notifications.is_empty()
    }

    /// Kills the check scripts that are no longer wanted: nobody hears how they end.
    pub(crate) fn keep_checks(&mut self, mut wanted: impl FnMut(&K) -> bool) {
        self.checks.retain(|pid, key| {
            let kept = wanted(key);
            if !kept && let Err(problem) = process::kill_group(*pid, SIGKILL) {
                error!("a script that is not wanted any more: {problem}");
            }
            kept
        });
    }
}

/// Starts a command of the configuration, as its user.
pub(crate) fn start(command: &Command) -> Result<Child> {
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
