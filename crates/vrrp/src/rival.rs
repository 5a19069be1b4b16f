//! Two masters: another router that claims our addresses while we hold them.
//!
//! | heard by a master | then |
//! |---|---|
//! | an advert that it does not give way to | a *rival*; said and counted with the second advert, or with the first once we have been MASTER for a whole Master_Down_Interval |
//! | nothing more of the rival for a Master_Down_Interval of its own, or its goodbye | it has given way: that and how long it lasted is said, and our addresses are announced |
//! | an advert of the rival that is better than ours | we give way; that is said, too |
//!
//! The first advert alone may be a handover: a lesser master sends one more before it has heard of us. Whoever has been
//! MASTER for so long that any backup would have taken over by now cannot meet with a handover.
//!
//! The announcement at the end does not depend on `garp_lower_prio_repeat`, which strict mode sets to 0: the other one may
//! have told the link anything while it was cut off, and nobody but the winner can put that right.

use alloc::boxed::Box;
use core::net::IpAddr;
use core::time::Duration;

use types::{Centiseconds, Instant, Priority};

use crate::action::{Event, Truce};
use crate::instance::{Instance, Shared};
use crate::state::State;
use crate::timers;

/// Another master, as we hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) address: IpAddr,
    /// When it was first heard.
    pub(crate) since: Instant,
    /// When it has been silent for long enough to be none.
    pub(crate) until: Instant,
    /// The second advert, or the length of our mastership, has shown that it is no handover.
    pub(crate) told: bool,
}

impl Instance {
    /// Another master sent an advert that we do not give way to.
    pub(crate) fn rival_heard(
        &mut self,
        from: IpAddr,
        priority: Priority,
        their_int: Centiseconds,
        now: Instant,
        shared: &mut Shared,
    ) {
        let until = now + self.patience_with(their_int);
        let settled = self
            .last
            .transition
            .is_some_and(|since| now.since(since) >= self.master_down());
        let State::Master(master) = &mut self.state else {
            return;
        };
        let first = master.rival.is_none();
        let rival = master.rival.get_or_insert_with(|| {
            Box::new(Rival {
                address: from,
                since: now,
                until,
                told: false,
            })
        });
        rival.until = until;
        if rival.told || (first && !settled) {
            return;
        }
        // With several of them, the one that is heard now.
        rival.address = from;
        rival.told = true;
        self.statistics.mistakes().dual_master += 1;
        let event = Event::DualMaster {
            other: from,
            theirs: priority,
            ours: self.effective,
        };
        shared.report(&self.name, event);
    }

    /// How long another master may be silent before it is none any more.
    fn patience_with(&self, their_int: Centiseconds) -> Duration {
        timers::master_down(
            self.settings.version,
            self.effective,
            their_int.max(self.settings.advert_int),
            self.settings.down_timer_adverts,
        )
    }

    /// The rival, if there is one, has been silent for too long.
    pub(crate) fn rival_may_be_gone(&mut self, now: Instant, shared: &mut Shared) {
        if self.rival_deadline().is_some_and(|until| until <= now) {
            self.rival_ends(Truce::TheyGaveWay, now, shared);
        }
    }

    /// Whether this is the other master that is known.
    pub(crate) fn is_rival(&self, from: IpAddr) -> bool {
        match &self.state {
            State::Master(master) => master.rival.as_ref().is_some_and(|it| it.address == from),
            State::Init | State::Backup(_) | State::Fault { .. } | State::Stop => false,
        }
    }

    pub(crate) fn rival_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Master(master) => master.rival.as_ref().map(|rival| rival.until),
            State::Init | State::Backup(_) | State::Fault { .. } | State::Stop => None,
        }
    }

    /// There are no longer two masters, for this reason.
    pub(crate) fn rival_ends(&mut self, truce: Truce, now: Instant, shared: &mut Shared) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        let Some(rival) = master.rival.take().filter(|rival| rival.told) else {
            return;
        };
        let event = Event::DualMasterEnded {
            other: rival.address,
            lasted: now.since(rival.since),
            truce,
        };
        shared.report(&self.name, event);
        if truce == Truce::TheyGaveWay {
            self.announce_addresses(self.settings.garp.master_repeat, now, shared);
        }
    }
}

#[cfg(test)]
mod tests;
