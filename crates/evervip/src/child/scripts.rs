//! Programs that a child starts for the operator: those that it waits for, and those that it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use config::settings::Command;
use log::{debug, error, info};
use sys::process::{self, Beginning, Credentials, Exit, ExitStatus, Pid, Script, ScriptProcess};
use types::Instant;

/// A shortage that has not been met for so long is news when it comes again.
const CALM: Duration = Duration::from_secs(60);
/// Kinds of shortages that are remembered: more than the system has words for.
const MOST_SHORTAGES: usize = 100;

pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGTERM: i32 = 15;

/// All processes that were started for scripts and have not ended. `K` tells those apart whose result somebody waits for.
pub(crate) struct Scripts<K> {
    checks: BTreeMap<Pid, Running<K>>,
    notifications: BTreeMap<Pid, Running<()>>,
    /// Programs of check scripts that could not be executed: that is said once, until it can be again.
    missing: BTreeSet<String>,
    shortages: Shortages,
}

/// What we lacked to make a process, and when last: it is said once for all scripts.
#[derive(Default)]
struct Shortages(BTreeMap<String, Instant>);

impl Shortages {
    /// Notes one. True if it is news: it was not so for a while.
    fn note(&mut self, now: Instant, cause: &str) -> bool {
        let before = self.0.insert(cause.to_owned(), now);
        if self.0.len() > MOST_SHORTAGES {
            self.0.pop_first();
        }
        before.is_none_or(|before| now.since(before) >= CALM)
    }
}

/// A process that was started.
struct Running<K> {
    key: K,
    program: String,
    beginning: Beginning,
}

impl<K> Running<K> {
    fn start(key: K, command: &Command) -> Result<(Pid, Self)> {
        let ScriptProcess { pid, beginning, .. } = start(command)?;
        let program = command.path.clone();
        let running = Self {
            key,
            program,
            beginning,
        };
        Ok((pid, running))
    }
}

/// How a check script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its program has run.
    With(ExitStatus),
    /// Its program was not executed, which has been said.
    NotStarted,
    /// The same, for want of processes, memory or descriptors, which says nothing of the program.
    Hindered,
}

impl<K> Default for Scripts<K> {
    fn default() -> Self {
        Self {
            checks: BTreeMap::new(),
            notifications: BTreeMap::new(),
            missing: BTreeSet::new(),
            shortages: Shortages::default(),
        }
    }
}

impl<K: PartialEq> Scripts<K> {
    /// Starts a check script.
    pub(crate) fn run(&mut self, key: K, command: &Command) -> Result<()> {
        let (pid, running) = Running::start(key, command)?;
        self.checks.insert(pid, running);
        Ok(())
    }

    /// Starts a notify script and forgets about it.
    pub(crate) fn notify(&mut self, command: &Command) -> Result<()> {
        let (pid, running) = Running::start((), command)?;
        self.notifications.insert(pid, running);
        Ok(())
    }

    /// The process groups of a check script's running processes.
    pub(crate) fn processes<Q: ?Sized + PartialEq>(&self, key: &Q) -> Vec<Pid>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.checks
            .iter()
            .filter(|(_, running)| running.key.borrow() == key)
            .map(|(pid, _)| *pid)
            .collect()
    }

    /// Nobody waits for the result of this process any more.
    pub(crate) fn forget(&mut self, process: Pid) {
        self.checks.remove(&process);
    }

    /// A process ended: if it was a check script, which one and how.
    pub(crate) fn ended(&mut self, now: Instant, exit: &Exit) -> Option<(K, Ended)> {
        if let Some(Running {
            program, beginning, ..
        }) = self.notifications.remove(&exit.pid)
        {
            match beginning.problem() {
                Some(problem) => error!("notify script {program} {problem}"),
                None => match exit.status {
                    ExitStatus::Code(0) => debug!("notify script {program} has ended"),
                    ExitStatus::Code(status) => {
                        info!("notify script {program} ended with status {status}");
                    }
                    ExitStatus::Signal(signal) => {
                        info!("notify script {program} was ended by signal {signal}");
                    }
                },
            }
        }
        let Running {
            key,
            program,
            beginning,
        } = self.checks.remove(&exit.pid)?;
        let Some(problem) = beginning.problem() else {
            if self.missing.remove(&program) {
                info!("check script {program} can be executed again");
            }
            return Some((key, Ended::With(exit.status)));
        };
        if problem.is_shortage() {
            self.say_hindered(now, &problem.to_string());
            return Some((key, Ended::Hindered));
        }
        if !self.missing.contains(&program) {
            error!("check script {program} {problem}");
            self.missing.insert(program);
        }
        Some((key, Ended::NotStarted))
    }

    /// A check script cannot even be started; that is said if it is news.
    pub(crate) fn say_hindered(&mut self, now: Instant, cause: &str) {
        if self.shortages.note(now, cause) {
            error!("check scripts cannot be started: {cause}");
        }
    }

    /// How many notify scripts have not ended.
    pub(crate) fn notifying(&self) -> usize {
        self.notifications.len()
    }

    /// One of them.
    #[cfg(test)]
    pub(crate) fn notified(&self) -> Option<Pid> {
        self.notifications.keys().next().copied()
    }

    /// Whether any of them has not ended.
    pub(crate) fn any_running(&self) -> bool {
        !self.checks.is_empty() || !self.notifications.is_empty()
    }

    /// Kills the check scripts that are no longer wanted: nobody hears how they end.
    pub(crate) fn keep_checks(&mut self, mut wanted: impl FnMut(&K) -> bool) {
        self.checks.retain(|pid, running| {
            let kept = wanted(&running.key);
            if !kept && let Err(problem) = process::kill_group(*pid, SIGKILL) {
                error!("a script that is not wanted any more: {problem}");
            }
            kept
        });
    }
}

/// Starts a command of the configuration, as its user.
pub(crate) fn start(command: &Command) -> Result<ScriptProcess> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_said_once_until_it_is_over() {
        let mut said = Shortages::default();
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        for (second, cause, news) in [
            (0, "a", true),
            (1, "a", false),
            (2, "b", true),
            (59, "a", false),
            (118, "a", false),
            (178, "a", true),
            (179, "b", true),
        ] {
            assert_eq!(said.note(at(second), cause), news, "{second} {cause}");
        }
    }
}
