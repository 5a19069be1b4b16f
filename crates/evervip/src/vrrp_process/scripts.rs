//! Running scripts: check scripts that somebody waits for, and notify scripts that nobody does.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use config::settings::Command;
use log::error;
use sys::process::{self, Exit, ExitStatus};
use types::Instant;
use vrrp::settings::ScriptSettings;
use vrrp::{ScriptOutcome, Signal};

use crate::child::scripts::{self, Ended, SIGKILL, SIGTERM};

/// All processes that were started for scripts and have not ended.
#[derive(Default)]
pub(super) struct Scripts {
    running: scripts::Scripts<Arc<str>>,
    /// What each script of the settings runs, by its name.
    identities: BTreeMap<String, String>,
}

impl Scripts {
    /// Starts a check script.
    pub(super) fn run(&mut self, name: &Arc<str>, command: Option<&Command>) -> Result<()> {
        let Some(command) = command else {
            bail!("the settings have no command for it")
        };
        self.running.run(Arc::clone(name), command)
    }

    /// Starts a notify script and forgets about it.
    pub(super) fn notify(&mut self, command: &Command) -> Result<()> {
        self.running.notify(command)
    }

    /// Signals the process group of a running check script.
    pub(super) fn signal(&mut self, name: &str, signal: Signal) {
        let number = match signal {
            Signal::Terminate => SIGTERM,
            Signal::Kill => SIGKILL,
        };
        for pid in self.running.processes(name) {
            if let Err(problem) = process::kill_group(pid, number) {
                error!("VRRP_Script({name}): {problem}");
            }
        }
    }

    /// A process ended: if it was a check script, which one and how.
    pub(super) fn ended(&mut self, now: Instant, exit: &Exit) -> Option<(Arc<str>, ScriptOutcome)> {
        let (name, ended) = self.running.ended(now, exit)?;
        let outcome = match ended {
            Ended::With(ExitStatus::Code(code)) => ScriptOutcome::Exited(code),
            Ended::With(ExitStatus::Signal(signal)) => ScriptOutcome::Signalled(signal),
            // For a router, whoever could not be asked has not said that it is well, whatever kept us from asking.
            Ended::NotStarted | Ended::Hindered => ScriptOutcome::NotStarted,
        };
        Some((name, outcome))
    }

    pub(super) fn any_running(&self) -> bool {
        self.running.any_running()
    }

    /// A script that is no longer in the settings, or runs another command now: its end must not be taken for that of its
    /// successor.
    pub(super) fn settings_change(&mut self, scripts: &[ScriptSettings]) {
        let new: BTreeMap<String, String> = scripts
            .iter()
            .map(|script| (script.name.clone(), script.identity.clone()))
            .collect();
        let old = std::mem::take(&mut self.identities);
        self.running.keep_checks(|name| {
            let identity = new.get(&**name);
            identity.is_some() && identity == old.get(&**name)
        });
        self.identities = new;
    }
}
