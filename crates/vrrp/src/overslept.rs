//! A master that was not scheduled for so long that others must have taken over (`timer_expired_backup`).
//!
//! A virtual machine that was paused comes back as MASTER among routers that have agreed on another one. As a rule the
//! election settles that, and the better priority wins: for a moment there are two masters, and connections are cut a
//! second time. With `nopreempt` and this option the sleeper steps back without a word, before it has sent anything: no
//! priority 0, for that would call up an election that is over.

use core::time::Duration;

use types::{Instant, Priority};

use crate::action::Event;
use crate::instance::Instance;
use crate::state::{BackupEntry, BackupTimer, Farewell};
use crate::timers;
use crate::vrrp::Vrrp;

impl Instance {
    /// How long it has been silent, if a backup of the configured priority would have taken over meanwhile.
    ///
    /// keepalived: three intervals, whatever `down_timer_adverts` says, and the skew time of that priority.
    fn overslept(&self, now: Instant) -> Option<Duration> {
        let priority = Priority::new(self.settings.timer_expired_backup?).ok()?;
        let last = self.last.advert_sent.filter(|_| self.is_master())?;
        let interval = self.settings.advert_int;
        let patience = timers::master_down(self.settings.version, priority, interval, 3);
        let silent = now.since(last);
        (silent >= patience).then_some(silent)
    }
}

impl Vrrp {
    /// Steps back if the instance has slept. To be asked before anything is made of a packet or a time-out.
    pub(crate) fn yield_if_overslept(&mut self, id: usize, now: Instant) {
        let Some(instance) = self.instances.get(id) else {
            return;
        };
        let Some(silent) = instance.overslept(now) else {
            return;
        };
        self.shared
            .report(&instance.name, Event::Overslept { silent });
        let entry = BackupEntry {
            farewell: Farewell::None,
            timer: BackupTimer::MasterDown,
            master: None,
        };
        self.give_way(id, entry, now);
    }
}

#[cfg(test)]
mod tests;
