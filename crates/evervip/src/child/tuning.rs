//! How a child runs: nice value, real-time priority, processors, locked memory (`vrrp_priority`, `checker_priority` and
//! their kin), and the priority that it gives itself when it is scheduled late (`max_auto_priority`).
//!
//! What the settings say is compared with what was carried out last; what did not change is not touched. What the kernel
//! refuses is said once, and everything else goes on.

use std::time::Duration;

use config::settings::global::{AutoPriority, Process, Processes};
use log::{error, info, warn};
use sys::process;
use types::Instant;

use crate::messages::Role;

pub(crate) struct Tuning {
    role: Role,
    /// What was carried out, or attempted.
    applied: Process,
    auto: AutoPriority,
    late_after: Duration,
    /// The real-time priority that we run at: the configured one, or one that we have given ourselves.
    running_at: Option<u8>,
    limited: bool,
    said_late: bool,
    said_stepped_down: bool,
}

impl Tuning {
    /// It runs as it was started.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            applied: Process::default(),
            auto: AutoPriority::default(),
            late_after: Duration::ZERO,
            running_at: None,
            limited: false,
            said_late: false,
            said_stepped_down: false,
        }
    }

    /// What the names of this process' own keywords begin with.
    const fn prefix(&self) -> &'static str {
        match self.role {
            Role::Vrrp => "vrrp",
            Role::Checkers => "checker",
            Role::Bfd => "bfd",
        }
    }

    /// New settings. To be called when everything else has taken them: that is much work at once, which is no good at
    /// real-time priority.
    pub(crate) fn settings_change(&mut self, processes: &Processes) {
        let wanted = match self.role {
            Role::Vrrp => &processes.vrrp,
            Role::Checkers => &processes.checker,
            Role::Bfd => &processes.bfd,
        };
        if wanted.nice != self.applied.nice {
            report(process::set_nice(wanted.nice));
        }
        if wanted.no_swap != self.applied.no_swap {
            report(process::lock_memory(wanted.no_swap));
        }
        if wanted.cpus != self.applied.cpus {
            report(process::set_cpus(&wanted.cpus));
        }
        let limit_changed = wanted.rttime_limit != self.applied.rttime_limit;
        if wanted.realtime != self.applied.realtime || self.auto != processes.max_auto_priority {
            self.run_at(wanted.realtime, wanted.rttime_limit);
        } else if limit_changed && self.running_at.is_some() {
            self.limit(wanted.rttime_limit);
        }
        self.applied = wanted.clone();
        self.auto = processes.max_auto_priority;
        self.late_after = processes.min_auto_priority_delay;
        self.said_late = false;
        self.said_stepped_down = false;
    }

    /// We are awake, and should have been so at `planned`.
    pub(crate) fn woke(&mut self, planned: Option<Instant>, now: Instant) {
        if process::stepped_down() {
            self.step_up_again();
        }
        let late = planned.map_or(Duration::ZERO, |planned| now.since(planned));
        if late > self.late_after && !self.late_after.is_zero() {
            self.was_late(late);
        }
    }

    /// Real-time priority was lost by working for too long; but we have waited since.
    fn step_up_again(&mut self) {
        if let Some(priority) = self.running_at {
            if !std::mem::replace(&mut self.said_stepped_down, true) {
                warn!(
                    "this process worked for more than {}_rlimit_rttime at real-time priority: for as long as such work \
                     takes it is an ordinary process",
                    self.prefix()
                );
            }
            report(process::set_realtime(Some(priority)));
        }
    }

    fn was_late(&mut self, late: Duration) {
        let millis = late.as_millis();
        match self.auto {
            AutoPriority::OffAndQuiet => {}
            AutoPriority::Off => {
                if !std::mem::replace(&mut self.said_late, true) {
                    warn!(
                        "this process was scheduled {millis} ms late: it could run before others with max_auto_priority or \
                         {}_rt_priority",
                        self.prefix()
                    );
                }
            }
            AutoPriority::UpTo(most) => {
                let next = self.running_at.map_or(1, |now| now.saturating_add(1));
                if next <= most {
                    info!("scheduled {millis} ms late: going to real-time priority {next}");
                    self.run_at(Some(next), self.applied.rttime_limit);
                }
            }
        }
    }

    fn run_at(&mut self, priority: Option<u8>, limit: Option<Duration>) {
        if priority == self.running_at {
            return;
        }
        if priority.is_some() {
            self.limit(limit);
        }
        // Even if it was refused: otherwise each late moment would be another attempt.
        self.running_at = priority;
        report(process::set_realtime(priority));
        if priority.is_none() {
            self.limit(None);
        }
    }

    fn limit(&mut self, limit: Option<Duration>) {
        if limit.is_some() || self.limited {
            self.limited = limit.is_some();
            report(process::limit_realtime(limit));
        }
    }
}

fn report(result: Result<(), sys::Error>) {
    if let Err(problem) = result {
        error!("{problem}");
    }
}
