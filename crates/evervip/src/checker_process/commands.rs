//! The commands of MISC_CHECKs, and notify scripts: started, asked to end, and none left behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use anyhow::Result;
use config::settings::Command;
use log::{debug, error, warn};
use lvs::{CheckId, CommandEnd, Signal};
use sys::process::{self, Exit, ExitStatus, Pid};
use types::Instant;

use crate::child::scripts::{Ended, SIGKILL, SIGTERM, Scripts};

/// How long a command whose result nobody wants has to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(2);

/// Notify scripts that run at a time. A switch that fails takes thousands of servers along, each with a script; as many
/// processes at once would be worse than a few seconds' wait.
const MOST_NOTIFYING: usize = 256;

/// If so many do not end, so many others are started all the same after this time: scripts that hang must not silence the rest.
const TURN: Duration = Duration::from_secs(5);

/// Notify scripts that wait for their turn. Who has fallen so far behind hears of nothing in time.
const MOST_WAITING: usize = 100_000;

/// All processes that were started and have not ended.
#[derive(Default)]
pub(super) struct Commands {
    running: Scripts<CheckId>,
    /// Those whose result nobody wants any more, and when they are killed.
    dismissed: BTreeMap<Pid, Instant>,
    /// Those that got a signal: what they have started may have to be killed.
    signalled: BTreeSet<Pid>,
    /// Notify scripts that are to run when others have ended, in their order.
    waiting: VecDeque<Command>,
    /// When they have waited long enough.
    turn_at: Option<Instant>,
    /// Notify scripts that never will.
    dropped: usize,
}

impl Commands {
    /// Starts the command of a check. False: no process can be made for it, which has been said.
    pub(super) fn run(&mut self, now: Instant, check: CheckId, command: &Command) -> bool {
        let Err(problem) = self.running.run(check, command) else {
            return true;
        };
        debug!("a MISC_CHECK has no result: {problem:#}");
        let cause = match problem.downcast_ref() {
            Some(sys::Error::System { reason, .. } | sys::Error::Object { reason, .. }) => {
                reason.to_string()
            }
            _ => problem.to_string(),
        };
        self.running.say_hindered(now, &cause);
        false
    }

    /// Starts a notify script and forgets about it; if many are running, a little later.
    pub(super) fn notify(&mut self, now: Instant, command: &Command) -> Result<()> {
        if self.waiting.is_empty() && self.running.notifying() < MOST_NOTIFYING {
            return self.running.notify(command);
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(command.clone());
            self.turn_at.get_or_insert(now + TURN);
        } else {
            if self.dropped == 0 {
                warn!(
                    "{MOST_WAITING} notify scripts wait for others to end: no more are remembered"
                );
            }
            self.dropped += 1;
        }
        Ok(())
    }

    /// Starts so many of the notify scripts that wait.
    fn notify_waiting(&mut self, count: usize) {
        for _ in 0..count {
            let Some(command) = self.waiting.pop_front() else {
                self.waiting.shrink_to_fit();
                self.turn_at = None;
                return;
            };
            if let Err(problem) = self.running.notify(&command) {
                error!("a notify script cannot be started: {problem:#}");
            }
        }
    }

    /// Signals the process group of a check's command.
    pub(super) fn signal(&mut self, check: CheckId, signal: Signal) {
        for pid in self.running.processes(&check) {
            self.signalled.insert(pid);
            send(
                pid,
                match signal {
                    Signal::Terminate => SIGTERM,
                    Signal::Kill => SIGKILL,
                },
            );
        }
    }

    /// Nobody wants the result of a check's command.
    pub(super) fn dismiss(&mut self, now: Instant, check: CheckId) {
        for pid in self.running.processes(&check) {
            self.running.forget(pid);
            self.signalled.insert(pid);
            self.dismissed.insert(pid, now + PATIENCE);
            send(pid, SIGTERM);
        }
    }

    /// A process ended: if it was the command of a check, whose and how.
    pub(super) fn ended(&mut self, now: Instant, exit: &Exit) -> Option<(CheckId, CommandEnd)> {
        if self.signalled.remove(&exit.pid) {
            // The rest of its group.
            send(exit.pid, SIGKILL);
        }
        self.dismissed.remove(&exit.pid);
        let ended = self.running.ended(now, exit);
        if !self.waiting.is_empty() {
            self.notify_waiting(MOST_NOTIFYING.saturating_sub(self.running.notifying()));
        }
        let (check, ended) = ended?;
        let end = match ended {
            Ended::With(ExitStatus::Code(code)) => CommandEnd::Exited(code),
            Ended::With(ExitStatus::Signal(signal)) => CommandEnd::Signalled(signal),
            Ended::NotStarted => CommandEnd::NotStarted,
            Ended::Hindered => CommandEnd::NoProcess,
        };
        Some((check, end))
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let dismissed = self.dismissed.values().min().copied();
        dismissed.into_iter().chain(self.turn_at).min()
    }

    /// Kills those that were dismissed and do not go, and starts those that have waited for long enough.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.turn_at.is_some_and(|at| at <= now) {
            self.turn_at = Some(now + TURN);
            self.notify_waiting(MOST_NOTIFYING);
        }
        for (pid, at) in &mut self.dismissed {
            if *at <= now {
                *at = now + PATIENCE;
                send(*pid, SIGKILL);
            }
        }
    }

    /// Whether any of them has not ended.
    pub(super) fn any_running(&self) -> bool {
        self.running.any_running() || !self.dismissed.is_empty() || !self.waiting.is_empty()
    }

    /// The end. Notify scripts may finish.
    pub(super) fn end(&mut self) {
        let unheard = self.waiting.len() + self.dropped;
        if unheard > 0 {
            warn!("{unheard} notify scripts have not run: there were too many at once");
        }
        self.waiting.clear();
        for pid in std::mem::take(&mut self.dismissed).into_keys() {
            send(pid, SIGKILL);
        }
        self.running.keep_checks(|_| false);
    }
}

/// Nobody there to get it is no error.
fn send(group: Pid, signal: i32) {
    if let Err(problem) = process::kill_group(group, signal) {
        error!("a command of MISC_CHECK: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use config::settings::RunAs;

    use super::*;

    /// `sh -c TEXT` as ourselves.
    fn shell(text: &str) -> Command {
        let ids = sys::users::current_ids().unwrap();
        Command {
            argv: ["sh", "-c", text].map(str::to_owned).to_vec(),
            path: "/bin/sh".to_owned(),
            user: RunAs {
                uid: ids.effective_uid(),
                gid: ids.effective_gid(),
                groups: Vec::new(),
                user: None,
                group: None,
            },
        }
    }

    fn end_of(commands: &mut Commands, pid: Pid) -> Option<(CheckId, CommandEnd)> {
        let status = process::wait_for(pid).unwrap();
        commands.ended(Instant::ZERO, &Exit { pid, status })
    }

    #[test]
    fn how_they_end() {
        let mut commands = Commands::default();
        let (one, two) = (CheckId(1), CheckId(2));
        assert!(commands.run(Instant::ZERO, one, &shell("exit 7")));
        let pid = commands.running.processes(&one)[0];
        assert_eq!(
            end_of(&mut commands, pid),
            Some((one, CommandEnd::Exited(7)))
        );
        assert!(commands.run(Instant::ZERO, two, &shell("exec sleep 1000")));
        let pid = commands.running.processes(&two)[0];
        commands.signal(one, Signal::Kill);
        commands.signal(two, Signal::Kill);
        assert_eq!(
            end_of(&mut commands, pid),
            Some((two, CommandEnd::Signalled(9)))
        );
        assert!(!commands.any_running() && commands.signalled.is_empty());
    }

    #[test]
    fn notify_scripts_take_turns() {
        let mut commands = Commands::default();
        let sleeper = shell("exec sleep 1000");
        let now = Instant::ZERO;
        for _ in 0..MOST_NOTIFYING + 3 {
            commands.notify(now, &sleeper).unwrap();
        }
        assert_eq!(commands.running.notifying(), MOST_NOTIFYING);
        assert_eq!(commands.waiting.len(), 3);
        let first = commands.running.notified().unwrap();
        process::kill_group(first, SIGKILL).unwrap();
        assert_eq!(end_of(&mut commands, first), None);
        assert_eq!(commands.running.notifying(), MOST_NOTIFYING);
        assert_eq!(commands.waiting.len(), 2);
        // The others do not end.
        assert_eq!(commands.next_wake(), Some(now + TURN));
        commands.tick(now + TURN);
        assert_eq!(commands.running.notifying(), MOST_NOTIFYING + 2);
        assert_eq!(commands.next_wake(), None);
        let mut ended = 1;
        while commands.any_running() {
            let pid = commands.running.notified().unwrap();
            process::kill_group(pid, SIGKILL).unwrap();
            assert_eq!(end_of(&mut commands, pid), None);
            ended += 1;
        }
        assert_eq!(ended, MOST_NOTIFYING + 3);
    }

    /// Neither a path that no process can be made for nor a user who has as many processes as they may is the server's fault.
    #[test]
    fn without_a_process_there_is_no_result() {
        let mut commands = Commands::default();
        let check = CheckId(1);
        let impossible = Command {
            path: "/bin/\0".to_owned(),
            ..shell("")
        };
        assert!(!commands.run(Instant::ZERO, check, &impossible));
        assert!(!commands.any_running());
    }

    /// With `misc_dynamic` each of these statuses would be a weight.
    #[test]
    fn one_that_was_not_executed_is_no_status() {
        let mut commands = Commands::default();
        let check = CheckId(1);
        let absent = Command {
            path: "/nonexistent/evervip-check".to_owned(),
            ..shell("")
        };
        for (command, wanted) in [
            (absent, CommandEnd::NotStarted),
            (shell("exit 127"), CommandEnd::Exited(127)),
            (shell("exit 125"), CommandEnd::Exited(125)),
        ] {
            assert!(commands.run(Instant::ZERO, check, &command));
            let pid = commands.running.processes(&check)[0];
            assert_eq!(end_of(&mut commands, pid), Some((check, wanted)));
        }
    }

    #[test]
    fn one_that_is_dismissed_is_killed_in_the_end_and_says_nothing() {
        let mut commands = Commands::default();
        let check = CheckId(1);
        let stubborn = shell("trap '' TERM; while :; do sleep 1000; done");
        assert!(commands.run(Instant::ZERO, check, &stubborn));
        let pid = commands.running.processes(&check)[0];
        let now = Instant::ZERO;
        commands.dismiss(now, check);
        assert_eq!(commands.next_wake(), Some(now + PATIENCE));
        assert!(commands.any_running());
        // The number of the check may be another one's now.
        assert!(commands.run(Instant::ZERO, check, &shell("exit 0")));
        let second = commands.running.processes(&check);
        assert!(second.len() == 1 && second[0] != pid);
        assert_eq!(
            end_of(&mut commands, second[0]),
            Some((check, CommandEnd::Exited(0)))
        );
        commands.tick(now + PATIENCE);
        assert_eq!(end_of(&mut commands, pid), None);
        assert!(!commands.any_running() && commands.next_wake().is_none());
    }
}
