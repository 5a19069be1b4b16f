//! Static addresses, routes and rules: there as long as the daemon runs, whatever the instances do.
//!
//! They are claimed like those of a master, so that an address which a reload moves from an instance to the static ones is
//! not touched. What somebody else removes is put back at once; what is removed again and again, once a second, so that two
//! programs do not fight as fast as they can.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use types::{IfName, Instant, Prefix};

use crate::action::{Action, Event};
use crate::deadlines::{Armed, Owner};
use crate::holdings::kernel_prefix;
use crate::instance::Shared;
use crate::interfaces::InterfaceAddress;
use crate::routing::{RouteId, same_rule};
use crate::settings::{Route, Rule, Static, TrackGroup, VirtualAddress};
use crate::vrrp::Vrrp;

/// So often one and the same entry is put back at once.
const PATIENCE: u32 = 5;

/// Losses further apart than that have nothing to do with one another.
const QUIET: Duration = Duration::from_secs(10);

/// How long an entry stays away that somebody removes again and again.
const REST: Duration = Duration::from_secs(1);

/// Entries whose losses are named before [`QUIET`] passes: somebody may flush thousands.
const NAMED: usize = 16;

/// The name under which losses are reported.
const NAME: &str = "static";

/// All static entries.
#[derive(Debug, Default)]
pub(crate) struct Statics {
    addresses: Vec<Arc<VirtualAddress>>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    groups: Groups,
    losses: Losses,
    pub(crate) armed: Armed,
}

/// The track groups, and which of them each entry names, for dumps: what they do is in the settings of their members.
#[derive(Debug, Default)]
struct Groups {
    all: Vec<TrackGroup>,
    of_addresses: Vec<Option<String>>,
    of_routes: Vec<Option<String>>,
    of_rules: Vec<Option<String>>,
}

/// A static entry as dumps and tests see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticView<'a, T> {
    /// What is wanted.
    pub entry: &'a T,
    /// Its `track_group`.
    pub track_group: Option<&'a str>,
}

/// What somebody removed lately.
#[derive(Debug, Default)]
struct Losses {
    last: Option<Instant>,
    times: BTreeMap<Entry, u32>,
    retry_at: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Address(IfName, Prefix),
    Route(RouteId),
    Rule(Rule),
}

impl Losses {
    /// Whether it is put back at once; and whether that is worth a line.
    fn note(&mut self, what: Entry, now: Instant) -> (bool, bool) {
        if self.last.is_some_and(|last| now.since(last) > QUIET) {
            self.times.clear();
        }
        self.last = Some(now);
        let known = self.times.len();
        let times = self.times.entry(what).or_default();
        *times = (*times + 1).min(PATIENCE + 1);
        let at_once = *times <= PATIENCE;
        let named = (*times == 1 && known < NAMED) || *times == PATIENCE + 1;
        if !at_once {
            self.retry_at.get_or_insert(now + REST);
        }
        (at_once, named)
    }
}

impl Vrrp {
    /// Claims the static entries of new settings; yields those of the old ones, which are still claimed.
    #[must_use]
    pub(crate) fn replace_statics(
        &mut self,
        addresses: Vec<Static<VirtualAddress>>,
        routes: Vec<Static<Route>>,
        rules: Vec<Static<Rule>>,
        groups: Vec<TrackGroup>,
    ) -> Statics {
        let addresses = addresses
            .into_iter()
            .map(|it| (Arc::new(it.entry), it.track_group));
        let (addresses, of_addresses) = addresses.unzip();
        let (routes, of_routes) = routes
            .into_iter()
            .map(|it| (it.entry, it.track_group))
            .unzip();
        let (rules, of_rules) = rules
            .into_iter()
            .map(|it| (it.entry, it.track_group))
            .unzip();
        let new = Statics {
            addresses,
            routes,
            rules,
            groups: Groups {
                all: groups,
                of_addresses,
                of_routes,
                of_rules,
            },
            // What was put off is still to be put back.
            losses: core::mem::take(&mut self.statics.losses),
            armed: Armed::default(),
        };
        let shared = &mut self.shared;
        for address in &new.addresses {
            let actions = shared.holdings.claim(address, &mut shared.interfaces);
            shared.act_all(actions);
        }
        shared.hold_routing(&new.routes, &new.rules);
        let old = core::mem::replace(&mut self.statics, new);
        self.arm_statics();
        old
    }

    /// Lets go of static entries: those of old settings, or all of them when the daemon stops. True if there were addresses.
    pub(crate) fn release_statics(&mut self, old: &Statics) -> bool {
        let shared = &mut self.shared;
        shared.release_routing(&old.routes, &old.rules);
        for address in &old.addresses {
            let action = shared.holdings.release(address, &mut shared.interfaces);
            shared.act_all(action);
        }
        !old.addresses.is_empty()
    }

    /// Somebody removed an address; true if it was a static one and is dealt with.
    pub(crate) fn static_address_lost(
        &mut self,
        now: Instant,
        interface: &IfName,
        prefix: Prefix,
    ) -> bool {
        let lost = self.statics.addresses.iter().find(|address| {
            !address.no_track && address.interface == *interface && kernel_prefix(address) == prefix
        });
        let Some(lost) = lost.cloned() else {
            return false;
        };
        // It comes back with its interface.
        if self.shared.interfaces.is_up(interface) {
            let what = || format!("address {prefix} of {interface}");
            if self.static_lost(Entry::Address(*interface, prefix), what, now) {
                put_back_address(&lost, &mut self.shared);
            }
        }
        true
    }

    /// Somebody removed a route; true if it was a static one and is dealt with.
    pub(crate) fn static_route_lost(&mut self, now: Instant, route: &Route) -> bool {
        let id = RouteId::of(route);
        let mut routes = self.statics.routes.iter();
        if !routes.any(|known| !known.no_track && RouteId::of(known) == id) {
            return false;
        }
        if self.static_lost(Entry::Route(id), || format!("route {route}"), now) {
            put_back_route(route, &mut self.shared);
        }
        true
    }

    /// Somebody removed a rule; true if it was a static one and is dealt with.
    pub(crate) fn static_rule_lost(&mut self, now: Instant, rule: &Rule) -> bool {
        let mut rules = self.statics.rules.iter();
        if !rules.any(|known| !known.no_track && same_rule(known, rule)) {
            return false;
        }
        if self.static_lost(Entry::Rule(rule.clone()), || format!("rule {rule}"), now) {
            let action = self.shared.routing.put_back_rule(rule);
            self.shared.act_all(action);
        }
        true
    }

    /// Notes a loss; true if the entry is put back at once.
    fn static_lost(&mut self, entry: Entry, what: impl Fn() -> String, now: Instant) -> bool {
        let (at_once, named) = self.statics.losses.note(entry, now);
        if named {
            let (what, later) = (what(), !at_once);
            self.shared
                .report(&NAME.into(), Event::StaticLost { what, later });
        }
        self.arm_statics();
        at_once
    }

    /// Puts back everything static that is missing on an interface that was re-created, or came up again, without it.
    pub(crate) fn restore_static_addresses(&mut self, name: &IfName) {
        if !self.shared.interfaces.is_up(name) {
            return;
        }
        for address in &self.statics.addresses {
            if address.interface == *name {
                put_back_address(address, &mut self.shared);
            }
        }
    }

    /// What was put off is put back, unless nobody wants it to be there.
    pub(crate) fn retry_statics(&mut self, now: Instant) {
        let due = self.statics.losses.retry_at.is_some_and(|at| at <= now);
        if due {
            self.statics.losses.retry_at = None;
            let (statics, shared) = (&self.statics, &mut self.shared);
            for address in statics.addresses.iter().filter(|it| !it.no_track) {
                put_back_address(address, shared);
            }
            for route in statics.routes.iter().filter(|it| !it.no_track) {
                put_back_route(route, shared);
            }
            for rule in statics.rules.iter().filter(|it| !it.no_track) {
                let action = shared.routing.put_back_rule(rule);
                shared.act_all(action);
            }
            // Adverts may leave from one of them again.
            self.reassess_all(now, |_| true);
        }
        self.arm_statics();
    }

    /// The static addresses, in the order of the file, and whether each is there as far as the host has told.
    pub fn static_addresses(&self) -> impl Iterator<Item = (StaticView<'_, VirtualAddress>, bool)> {
        let views = views(
            self.statics.addresses.iter().map(|address| &**address),
            &self.statics.groups.of_addresses,
        );
        views.map(|view| {
            let interfaces = &self.shared.interfaces;
            let interface = interfaces.by_name(&view.entry.interface);
            let there = interface.is_some_and(|interface| {
                interfaces.has_address(interface.index, kernel_prefix(view.entry))
            });
            (view, there)
        })
    }

    /// The static routes, in the order of the file.
    pub fn static_routes(&self) -> impl Iterator<Item = StaticView<'_, Route>> {
        views(self.statics.routes.iter(), &self.statics.groups.of_routes)
    }

    /// The static rules, in the order of the file.
    pub fn static_rules(&self) -> impl Iterator<Item = StaticView<'_, Rule>> {
        views(self.statics.rules.iter(), &self.statics.groups.of_rules)
    }

    /// The track groups that static entries can name, in the order of the file.
    #[must_use]
    pub fn track_groups(&self) -> &[TrackGroup] {
        &self.statics.groups.all
    }

    pub(crate) fn arm_statics(&mut self) {
        let deadline = self.statics.losses.retry_at;
        self.deadlines
            .arm(Owner::Statics, &mut self.statics.armed, deadline);
    }
}

fn views<'a, T: 'a>(
    entries: impl Iterator<Item = &'a T>,
    groups: &'a [Option<String>],
) -> impl Iterator<Item = StaticView<'a, T>> {
    entries.zip(groups).map(|(entry, group)| StaticView {
        entry,
        track_group: group.as_deref(),
    })
}

fn put_back_address(address: &Arc<VirtualAddress>, shared: &mut Shared) {
    let Some(interface) = shared.interfaces.by_name(&address.interface) else {
        return;
    };
    let (interface, prefix) = (interface.index, kernel_prefix(address));
    if shared.interfaces.has_address(interface, prefix) {
        return;
    }
    shared.interfaces.address_present(InterfaceAddress {
        interface,
        prefix,
        tentative: false,
    });
    shared.act(Action::AddAddress {
        interface,
        address: Arc::clone(address),
    });
    shared.address_is_there(prefix.address());
}

fn put_back_route(route: &Route, shared: &mut Shared) {
    let action = shared.routing.put_back_route(route, &shared.interfaces);
    shared.act_all(action);
}

#[cfg(test)]
mod tests;
