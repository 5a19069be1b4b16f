//! What a master holds and somebody else removes: put back at once, as long as that makes sense.
//!
//! keepalived leaves MASTER with priority 0 whenever somebody deletes a virtual address, and comes back after its skew
//! time: all addresses are gone for a moment because one was. Here the one that was lost is put back and announced;
//! nobody else notices. Most losses are single: an operator's slip, a network manager that starts anew, the kernel that
//! takes the other IPv4 addresses of a network along with the first.
//!
//! Some are not: a program that removes what it does not know, as often as it is there. Then the host serves nobody well
//! and another router may do better. After [`PATIENCE`] losses of one and the same object, none later than [`QUIET`] after
//! the one before, the instance does what keepalived does; it waits [`REST`] at least, so that two programs which fight
//! for an address do it once a second and not as fast as they can. Its patience comes back after [`QUIET`] without a loss.
//!
//! An object on an interface that is not usable is not fought for: it is put back when the interface comes up. What is
//! `no_track` is left to whoever took it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use types::{IfIndex, IfName, Instant, Prefix};

use crate::action::Event;
use crate::garp::Which;
use crate::holdings::kernel_prefix;
use crate::instance::{Instance, Queued};
use crate::settings::VirtualAddress;
use crate::vrrp::Vrrp;

/// So often the same object is put back. An operator errs once or twice, a restarted network manager removes what it does
/// not know once, twice if the link flaps meanwhile; what happens five times in a row will happen again.
const PATIENCE: u32 = 5;

/// Losses further apart than that have nothing to do with one another: a network manager that acts on every lease or
/// every router advertisement does so at longer intervals, and a program that fights acts at once.
const QUIET: Duration = Duration::from_secs(10);

/// How long an instance that gave up stays BACKUP at least. Its skew time may be microseconds.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// So many losses are named before [`QUIET`] passes; a flush of thousands of addresses is one event.
const NAMED: u32 = 16;

/// An object that a master holds, by its place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// One of its addresses.
    Address(usize),
    /// One of its routes.
    Route(usize),
    /// One of its rules.
    Rule(usize),
}

/// What a master has lost lately. Only those that have lost something have one.
#[derive(Debug)]
pub(crate) struct Losses {
    last: Instant,
    times: BTreeMap<Held, u32>,
    lines: u32,
}

/// What follows from a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// The object is put back.
    PutBack,
    /// It is given up: somebody removes it again and again.
    GiveUp,
}

/// What is said about a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Its name.
    Named,
    /// Its name, and that no more will be named for a while.
    LastNamed,
    /// Nothing.
    None,
}

impl Losses {
    fn new(now: Instant) -> Self {
        Self {
            last: now,
            times: BTreeMap::new(),
            lines: 0,
        }
    }

    fn note(&mut self, what: Held, now: Instant) -> (Verdict, Words) {
        if now.since(self.last) > QUIET {
            *self = Self::new(now);
        }
        self.last = now;
        let times = self.times.entry(what).or_default();
        // It stops counting there: after the next mastership one more loss is enough.
        *times = (*times + 1).min(PATIENCE + 1);
        if *times > PATIENCE {
            return (Verdict::GiveUp, Words::Named);
        }
        self.lines = (self.lines + 1).min(NAMED + 1);
        let words = match self.lines {
            ..NAMED => Words::Named,
            NAMED => Words::LastNamed,
            _ => Words::None,
        };
        (Verdict::PutBack, words)
    }
}

impl Instance {
    pub(crate) fn note_loss(&mut self, what: Held, now: Instant) -> (Verdict, Words) {
        let losses = self.losses.get_or_insert_with(|| Losses::new(now).into());
        losses.note(what, now)
    }
}

impl Vrrp {
    /// Somebody removed an address that is wanted.
    pub(crate) fn address_lost(&mut self, now: Instant, interface: &IfName, prefix: Prefix) {
        let Some(index) = self
            .shared
            .interfaces
            .by_name(interface)
            .filter(|interface| interface.usable)
            .map(|interface| interface.index)
        else {
            return;
        };
        let Some((id, place)) = self.holder(interface, prefix, |address| !address.no_track) else {
            return;
        };
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let (verdict, words) = instance.note_loss(Held::Address(place), now);
        let name = Arc::clone(&instance.name);
        if words != Words::None {
            let event = Event::AddressLost {
                address: prefix,
                interface: *interface,
                given_up: verdict == Verdict::GiveUp,
            };
            self.shared.report(&name, event);
        }
        if words == Words::LastNamed {
            self.shared.report(&name, Event::MoreLosses);
        }
        match verdict {
            Verdict::PutBack => self.put_back(index, id, place, now),
            Verdict::GiveUp => self.leave_after_loss(id, now),
        }
    }

    /// Puts an address back and announces it.
    pub(crate) fn put_back(&mut self, index: IfIndex, id: usize, place: usize, now: Instant) {
        let Some(instance) = self.instances.get(id) else {
            return;
        };
        let Some(address) = instance.address(place) else {
            return;
        };
        let shared = &mut self.shared;
        let put_back = shared
            .holdings
            .put_back(index, address, &mut shared.interfaces);
        if let Some(action) = put_back {
            shared.queue.push_back(Queued::Action(action));
            // The kernel has dropped the routes that name it as their source.
            shared.address_is_there(address.prefix.address());
            let rounds = instance.settings.garp.master_repeat;
            instance.announce(Which::One(place), rounds, now, shared);
        }
        self.arm_pace();
    }

    /// A master that holds an address, and the place of the address in its list.
    pub(crate) fn master_with(&self, interface: &IfName, prefix: Prefix) -> Option<(usize, usize)> {
        self.holder(interface, prefix, |_| true)
    }

    fn holder(
        &self,
        interface: &IfName,
        prefix: Prefix,
        cares: impl Fn(&VirtualAddress) -> bool,
    ) -> Option<(usize, usize)> {
        let mut masters = self.instances.iter().filter(|i| i.is_master());
        masters.find_map(|instance| {
            let place = instance.addresses().position(|address| {
                address.interface == *interface
                    && kernel_prefix(address) == prefix
                    && cares(address)
            });
            place.map(|place| (instance.id, place))
        })
    }
}

#[cfg(test)]
mod tests;
