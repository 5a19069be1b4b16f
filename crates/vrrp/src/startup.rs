//! The beginning: `vrrp_startup_delay` and `vrrp_delay_after_boot`.
//!
//! Switches, routing daemons and the machine itself may need a while before a router is of use. Until the later of the two
//! delays is over nothing is sent and nothing that is received counts; all timers count from there. So a router that
//! begins late does not disturb the one that serves meanwhile, and the owner of the addresses does not claim them early.
//! States are entered and announced as ever, BACKUP and FAULT at once.
//!
//! A reload computes anew what is left. Once the beginning is over it does not come again: a router that runs is not
//! silenced by new settings. The successor of a process that died does not wait where it carries on as MASTER.

use alloc::sync::Arc;
use core::time::Duration;

use types::Instant;

use crate::action::Event;
use crate::deadlines::{Armed, Owner};
use crate::settings::global::GlobalSettings;
use crate::state::State;
use crate::vrrp::Vrrp;

/// The delay.
#[derive(Debug, Default)]
pub(crate) struct Startup {
    progress: Progress,
    /// The machine's uptime, and when that was; unknown: it has been up for ever.
    uptime: Option<(Instant, Duration)>,
    pub(crate) armed: Armed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// There were no settings yet.
    #[default]
    Before,
    /// Since the first settings.
    Delayed { began: Instant, until: Instant },
    /// For good.
    Over,
}

impl Startup {
    /// Whether nothing may be sent or heard yet.
    pub(crate) fn holds(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|until| now < until)
    }

    /// When timers that are set now begin to count.
    pub(crate) fn timers_from(&self, now: Instant) -> Instant {
        self.deadline().map_or(now, |until| until.max(now))
    }

    fn deadline(&self) -> Option<Instant> {
        match self.progress {
            Progress::Delayed { until, .. } => Some(until),
            Progress::Before | Progress::Over => None,
        }
    }

    /// When the delays that these settings ask for are over.
    fn end(&self, settings: &GlobalSettings, began: Instant) -> Instant {
        let after_boot = self.uptime.map(|(at, uptime)| {
            // The machine may have been up for longer than our clock has run.
            at + settings.delay_after_boot.saturating_sub(uptime)
        });
        let after_start = began + settings.startup_delay;
        after_boot.map_or(after_start, |at| at.max(after_start))
    }
}

impl Vrrp {
    /// How long the machine has been up at `now`. Only `vrrp_delay_after_boot` asks for it; tell it before settings.
    pub fn handle_uptime(&mut self, now: Instant, uptime: Duration) {
        self.shared.startup.uptime = Some((now, uptime));
    }

    /// Settings are about to take effect: begins the delay, or computes what is left of it.
    pub(crate) fn settings_delay_start(&mut self, settings: &GlobalSettings, now: Instant) {
        let resumes = !self.resuming.is_empty();
        let startup = &mut self.shared.startup;
        startup.armed = Armed::default();
        let (began, until) = match startup.progress {
            Progress::Over => return,
            Progress::Before if resumes => {
                startup.progress = Progress::Over;
                return;
            }
            Progress::Before => (now, None),
            Progress::Delayed { began, until } => (began, Some(until)),
        };
        let end = startup.end(settings, began);
        match until {
            None if end <= now => startup.progress = Progress::Over,
            Some(before) if before == end => {}
            _ => {
                startup.progress = Progress::Delayed { began, until: end };
                let by = end.since(now);
                if !by.is_zero() {
                    let event = Event::StartDelayed { by };
                    self.shared.report(&Arc::from(""), event);
                }
                self.restart_waiting_backups(end.max(now));
            }
        }
        self.arm_startup();
    }

    /// Nobody has heard anything yet: all backups begin to wait at `from`.
    fn restart_waiting_backups(&mut self, from: Instant) {
        for instance in &mut self.instances {
            if let State::Backup(backup) = &mut instance.state {
                backup.master_down_at = from + backup.master_down;
            }
        }
    }

    pub(crate) fn startup_may_be_over(&mut self, now: Instant) {
        if self.shared.startup.deadline().is_some_and(|at| at <= now) {
            self.shared.startup.progress = Progress::Over;
            self.shared
                .report(&Arc::from(""), Event::DelayedStartCompleted);
        }
        self.arm_startup();
    }

    fn arm_startup(&mut self) {
        let startup = &mut self.shared.startup;
        let deadline = startup.deadline();
        self.deadlines
            .arm(Owner::Startup, &mut startup.armed, deadline);
    }
}

#[cfg(test)]
mod tests;
