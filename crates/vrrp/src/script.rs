//! Check scripts: when they run, how long they may, and when their results count.
//!
//! Running them is the host's business; here is the clock that says when, and the counting that says what it means.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use types::Instant;

use crate::action::{Action, Event, Report, Signal};
use crate::deadlines::Armed;
use crate::settings::ScriptSettings;

/// From SIGTERM to the first SIGKILL, and to the second (keepalived: 2 s each).
const PATIENCE: Duration = Duration::from_secs(2);
/// Between further SIGKILLs, for a process that the kernel itself holds on to (keepalived: 10 s).
const LAST_RESORT: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptOutcome {
    /// By itself, with this status; 0 is success.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It could not be started.
    NotStarted,
    /// It took longer than it may.
    TimedOut,
}

impl ScriptOutcome {
    /// Whether it counts as a success.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for ScriptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signalled(signal) => write!(f, "killed by signal {signal}"),
            Self::NotStarted => f.write_str("could not be started"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

/// What is known about a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// No run has ended yet.
    NotYet {
        /// Instances that depend on it wait: so at start. A reload does not make them wait.
        hold: bool,
    },
}

/// A run, or its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Idle,
    Running {
        until: Instant,
    },
    /// SIGTERM has been sent.
    Terminating {
        kill_at: Instant,
    },
    /// SIGKILL has been sent, so many times.
    Killing {
        again_at: Instant,
        times: u32,
    },
}

/// What a script is doing, for dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptState {
    /// Between two runs.
    Idle,
    /// Running.
    Running,
    /// Asked to end.
    RequestedTermination,
    /// Forced to end.
    ForcingTermination,
}

/// A script as dumps show it.
#[derive(Clone, Copy, Debug)]
pub struct ScriptView<'a> {
    /// Its settings.
    pub settings: &'a ScriptSettings,
    /// Whether it counts as good; `None`: no run has ended yet.
    pub good: Option<bool>,
    /// Successes in hand: from `rise` up it is good.
    pub result: u32,
    /// What it does now.
    pub state: ScriptState,
}

/// A tracked script.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: Arc<str>,
    pub(crate) settings: ScriptSettings,
    pub(crate) verdict: Verdict,
    pub(crate) armed: Armed,
    /// 0 ..= rise + fall - 1; at `rise` or above the script is good.
    count: u32,
    next_at: Instant,
    run: Run,
    /// A run fell due in the moment in which its predecessor's time was up: it begins as soon as that one is gone.
    owed: bool,
}

impl Script {
    /// A script whose first run is due at once.
    pub(crate) fn new(settings: ScriptSettings, now: Instant, hold: bool) -> Self {
        Self {
            name: settings.name.as_str().into(),
            verdict: Verdict::NotYet { hold },
            armed: Armed::default(),
            // One success makes it good at first, however many it takes later.
            count: settings.rise.saturating_sub(1),
            next_at: now,
            run: Run::Idle,
            owed: false,
            settings,
        }
    }

    /// Takes new settings for the same command; what is known about it stays.
    pub(crate) fn update(&mut self, settings: ScriptSettings, now: Instant) {
        if self.settings == settings {
            return;
        }
        self.next_at = self.next_at.min(now + settings.interval);
        let most = settings
            .rise
            .saturating_add(settings.fall)
            .saturating_sub(1);
        self.count = match self.verdict {
            Verdict::Good => most,
            Verdict::Bad => 0,
            Verdict::NotYet { .. } => settings.rise.saturating_sub(1),
        };
        self.settings = settings;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        Some(match self.run {
            Run::Idle => self.next_at,
            Run::Running { until } => until.min(self.next_at),
            Run::Terminating { kill_at } => kill_at.min(self.next_at),
            Run::Killing { again_at, .. } => again_at.min(self.next_at),
        })
    }

    /// Serves what is due. True when the verdict changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, mut act: impl FnMut(Action)) -> bool {
        let mut changed = false;
        let mut just_timed_out = false;
        match self.run {
            Run::Running { until } if until <= now => {
                act(Action::Report(Report::new(
                    &self.name,
                    Event::ScriptTimedOut,
                )));
                act(self.signal(Signal::Terminate));
                self.run = Run::Terminating {
                    kill_at: now + PATIENCE,
                };
                changed = self.count_result(ScriptOutcome::TimedOut, &mut act);
                just_timed_out = true;
            }
            Run::Terminating { kill_at } if kill_at <= now => {
                act(self.signal(Signal::Kill));
                self.run = Run::Killing {
                    again_at: now + PATIENCE,
                    times: 1,
                };
            }
            Run::Killing { again_at, times } if again_at <= now => {
                act(self.signal(Signal::Kill));
                self.run = Run::Killing {
                    again_at: now + LAST_RESORT,
                    times: times.saturating_add(1),
                };
            }
            Run::Idle | Run::Running { .. } | Run::Terminating { .. } | Run::Killing { .. } => {}
        }
        if self.next_at <= now {
            // Keep the pace, but do not make up for runs that were missed.
            self.next_at = self.next_at + self.settings.interval;
            if self.next_at <= now {
                self.next_at = now + self.settings.interval;
            }
            self.owed = just_timed_out;
            if self.run == Run::Idle {
                self.begin(now, &mut act);
            } else if !self.owed {
                act(Action::Report(Report::new(
                    &self.name,
                    Event::ScriptStillRunning,
                )));
            }
        }
        changed
    }

    fn begin(&mut self, now: Instant, act: &mut impl FnMut(Action)) {
        act(Action::RunScript {
            script: Arc::clone(&self.name),
        });
        // Without a timeout of its own a run has time until the next one is due.
        let until = self
            .settings
            .timeout
            .map_or(self.next_at, |timeout| now + timeout);
        self.run = Run::Running { until };
        self.owed = false;
    }

    /// A run has ended. True when the verdict changed.
    pub(crate) fn handle_exit(
        &mut self,
        now: Instant,
        outcome: ScriptOutcome,
        mut act: impl FnMut(Action),
    ) -> bool {
        let was = core::mem::replace(&mut self.run, Run::Idle);
        let changed = match was {
            Run::Running { .. } => self.count_result(outcome, &mut act),
            // Its failure was counted when it timed out.
            Run::Terminating { .. } | Run::Killing { .. } | Run::Idle => false,
        };
        if self.owed {
            self.begin(now, &mut act);
        }
        changed
    }

    /// Whether the host has a process of ours.
    pub(crate) const fn is_running(&self) -> bool {
        !matches!(self.run, Run::Idle)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Action {
        Action::SignalScript {
            script: Arc::clone(&self.name),
            signal,
        }
    }

    pub(crate) fn view(&self) -> ScriptView<'_> {
        ScriptView {
            settings: &self.settings,
            good: match self.verdict {
                Verdict::Good => Some(true),
                Verdict::Bad => Some(false),
                Verdict::NotYet { .. } => None,
            },
            result: self.count,
            state: match self.run {
                Run::Idle => ScriptState::Idle,
                Run::Running { .. } => ScriptState::Running,
                Run::Terminating { .. } => ScriptState::RequestedTermination,
                Run::Killing { .. } => ScriptState::ForcingTermination,
            },
        }
    }

    /// keepalived's bookkeeping: `rise` successes in a row make it good, `fall` failures in a row make it bad.
    fn count_result(&mut self, outcome: ScriptOutcome, act: &mut impl FnMut(Action)) -> bool {
        let (rise, fall) = (self.settings.rise.max(1), self.settings.fall.max(1));
        let most = rise.saturating_add(fall).saturating_sub(1);
        let before = self.verdict;
        if outcome.is_success() {
            self.count = if self.count.saturating_add(1) < rise {
                self.count + 1
            } else {
                most
            };
        } else {
            self.count = if self.count > rise { self.count - 1 } else { 0 };
        }
        if self.count >= rise {
            self.verdict = Verdict::Good;
        } else if self.count == 0 || matches!(before, Verdict::NotYet { .. }) {
            self.verdict = Verdict::Bad;
        }
        let changed = self.verdict != before;
        if changed {
            let good = self.verdict == Verdict::Good;
            act(Action::Report(Report::new(
                &self.name,
                Event::ScriptChanged { good, outcome },
            )));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    fn script(interval: u64, timeout: Option<u64>, rise: u32, fall: u32) -> Script {
        let settings = ScriptSettings {
            name: String::from("check"),
            identity: String::new(),
            interval: Duration::from_secs(interval),
            timeout: timeout.map(Duration::from_secs),
            rise,
            fall,
        };
        Script::new(settings, Instant::ZERO, true)
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Runs the timers at `millis` and says what was asked for.
    fn tick(script: &mut Script, millis: u64) -> Vec<&'static str> {
        let mut asked = Vec::new();
        script.handle_timeout(at(millis), |action| {
            asked.push(match action {
                Action::RunScript { .. } => "run",
                Action::SignalScript {
                    signal: Signal::Terminate,
                    ..
                } => "TERM",
                Action::SignalScript {
                    signal: Signal::Kill,
                    ..
                } => "KILL",
                Action::Report(Report {
                    event: Event::ScriptTimedOut,
                    ..
                }) => "timed out",
                Action::Report(Report {
                    event: Event::ScriptStillRunning,
                    ..
                }) => "left out",
                Action::Report(Report {
                    event: Event::ScriptChanged { good: false, .. },
                    ..
                }) => "bad",
                Action::Report(Report {
                    event: Event::ScriptChanged { good: true, .. },
                    ..
                }) => "good",
                other @ (Action::Report(_)
                | Action::SendAdvert { .. }
                | Action::AddAddress { .. }
                | Action::ChangeRouting(_)
                | Action::RemoveAddress { .. }
                | Action::AnnounceAddress { .. }
                | Action::Device(_)
                | Action::Block(_)
                | Action::Unblock(_)
                | Action::JoinGroup { .. }
                | Action::LeaveGroup { .. }
                | Action::Announce(_)) => panic!("{other:?}"),
            });
        });
        asked
    }

    fn results(rise: u32, fall: u32, outcomes: &str) -> String {
        let mut script = script(1, None, rise, fall);
        outcomes
            .chars()
            .map(|outcome| {
                script.run = Run::Running { until: at(0) };
                let outcome = if outcome == '+' {
                    ScriptOutcome::Exited(0)
                } else {
                    ScriptOutcome::Exited(1)
                };
                script.handle_exit(at(0), outcome, |_| ());
                match script.verdict {
                    Verdict::Good => 'G',
                    Verdict::Bad => 'B',
                    Verdict::NotYet { .. } => '?',
                }
            })
            .collect()
    }

    #[test]
    fn rise_and_fall() {
        assert_eq!(results(1, 1, "+-+-"), "GBGB");
        assert_eq!(results(1, 3, "+---+"), "GGGBG");
        assert_eq!(
            results(1, 3, "+--+---"),
            "GGGGGGB",
            "a success in between starts the count again"
        );
        assert_eq!(results(3, 1, "+"), "G", "one success suffices at first");
        assert_eq!(results(3, 1, "-++-+++"), "BBBBBBG");
        assert_eq!(results(2, 2, "+-+--++"), "GGGGBBG");
        assert_eq!(results(2, 2, "-"), "B", "one failure suffices at first");
    }

    /// keepalived 2.4.3 was seen to do this: interval 1, timeout 3, a script that ignores SIGTERM.
    #[test]
    fn a_script_that_hangs_is_terminated_then_killed() {
        let mut script = script(1, Some(3), 1, 1);
        assert_eq!(tick(&mut script, 0), ["run"]);
        assert_eq!(tick(&mut script, 1000), ["left out"]);
        assert_eq!(tick(&mut script, 2000), ["left out"]);
        assert_eq!(tick(&mut script, 3000), ["timed out", "TERM", "bad"]);
        assert_eq!(tick(&mut script, 4999), ["left out"]);
        assert_eq!(tick(&mut script, 5000), ["KILL", "left out"]);
        assert!(
            !script.handle_exit(at(5000), ScriptOutcome::Signalled(9), |_| ()),
            "counted already"
        );
        assert_eq!(tick(&mut script, 6000), ["run"]);
        assert!(script.handle_exit(at(0), ScriptOutcome::Exited(0), |_| ()));
    }

    /// Without a timeout of its own a run may take as long as the interval.
    #[test]
    fn a_run_that_is_ended_when_the_next_is_due_makes_room_for_it() {
        let mut script = script(2, None, 1, 1);
        assert_eq!(tick(&mut script, 0), ["run"]);
        assert_eq!(tick(&mut script, 2000), ["timed out", "TERM", "bad"]);
        let mut asked = Vec::new();
        script.handle_exit(at(2010), ScriptOutcome::Signalled(15), |action| {
            asked.push(action);
        });
        assert!(matches!(asked[..], [Action::RunScript { .. }]), "{asked:?}");
        assert_eq!(tick(&mut script, 4000), ["timed out", "TERM"]);
    }

    #[test]
    fn missed_runs_are_not_made_up_for() {
        let mut script = script(1, None, 1, 1);
        assert_eq!(tick(&mut script, 0), ["run"]);
        script.handle_exit(at(0), ScriptOutcome::Exited(0), |_| ());
        assert_eq!(tick(&mut script, 10_300), ["run"]);
        script.handle_exit(at(0), ScriptOutcome::Exited(0), |_| ());
        assert_eq!(script.deadline(), Some(at(11_300)));
    }
}
