//! The routes and rules that we want the kernel to hold, and the difference to what it does hold.
//!
//! Wanted is a multiset, as for addresses in `holdings.rs`: a reload claims for the new settings before it lets go of the old
//! ones, and what is in both is never touched. A route is the same if its destination, source, TOS, metric, table, scope, type
//! and ways are ([`RouteId`]); if only its options differ it is replaced in place. A rule is the same if all of it is.
//!
//! What the kernel holds is what we asked it for, until it says otherwise. It does not always say: IPv4 routes vanish without
//! a word with the interface, or with the source address that they name. So a route whose interface went down is *unsure*: it
//! is asked for again when the interface comes up (that it is there already is no error), and removed like one that is there.
//!
//! What a dead predecessor left behind is recognised by its protocol number and by being ours: it is taken over when it is
//! wanted, and removed when it is not.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use types::{Family, IfIndex, IfName, Prefix};

use crate::action::{Action, RoutingChange};
use crate::interfaces::Interfaces;
use crate::settings::routes::{Insertion, RouteType, Table};
use crate::settings::{Route, Rule};

/// The metric that the kernel gives an IPv6 route that names none.
const DEFAULT_METRIC_V6: u32 = 1024;

/// A route as the kernel tells of it: what distinguishes it from others, not every option that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRoute {
    /// Where to.
    pub destination: Prefix,
    /// Only for packets of this source; IPv6 only.
    pub from: Option<Prefix>,
    /// Its type, one of the kernel's `RTN_*` numbers.
    pub kind: RouteType,
    /// Type of service; 0: any.
    pub tos: u8,
    /// The number of its table.
    pub table: u32,
    /// Who made it.
    pub protocol: u8,
    /// How far the destination is; means nothing for IPv6.
    pub scope: u8,
    /// Its metric; 0 if the kernel names none.
    pub metric: u32,
    /// Its ways: next routers and interfaces. A route with a single way has one here, even if it is an empty one.
    pub ways: Vec<(Option<IpAddr>, Option<IfIndex>)>,
}

/// What makes a route the same as another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteId {
    slot: Slot,
    from: Option<Prefix>,
    tos: u8,
    metric: Option<u32>,
    kind: RouteType,
    scope: u8,
    ways: Vec<(Option<IpAddr>, Option<IfName>)>,
}

/// Where a route is looked for.
type Slot = (Prefix, Table);

fn slot(route: &Route) -> Slot {
    (route.destination, route.table.clone())
}

impl RouteId {
    pub(crate) fn of(route: &Route) -> Self {
        Self {
            slot: slot(route),
            from: route.from,
            tos: route.tos,
            metric: route.metric,
            kind: route.kind,
            scope: route.scope,
            ways: ways(route).map(|(via, dev)| (via, dev.cloned())).collect(),
        }
    }
}

/// The ways of a route: its next hops, or the single one.
fn ways(route: &Route) -> impl Iterator<Item = (Option<IpAddr>, Option<&IfName>)> {
    let single = route
        .next_hops
        .is_empty()
        .then_some((route.via, route.interface.as_ref()));
    let hops = route.next_hops.iter();
    single
        .into_iter()
        .chain(hops.map(|hop| (hop.via, hop.interface.as_ref())))
}

/// Whether packets leave through an interface, and not into a hole.
const fn has_a_way_out(route: &Route) -> bool {
    // unicast, local, broadcast, anycast, multicast, nat; not blackhole, unreachable, prohibit, throw.
    route.kind.0 <= 5 || route.kind.0 == 10
}

/// Whether a route may go when this interface does. One that names none leaves through an interface that only the kernel
/// knows.
fn depends_on(route: &Route, interface: &IfName) -> bool {
    let mut named = ways(route).filter_map(|(_, dev)| dev).peekable();
    match named.peek() {
        Some(_) => named.any(|dev| dev == interface),
        None => has_a_way_out(route),
    }
}

/// Whether all interfaces that a route names carry packets: the kernel refuses it before.
fn is_possible(route: &Route, interfaces: &Interfaces) -> bool {
    ways(route)
        .filter_map(|(_, dev)| dev)
        .all(|dev| interfaces.is_up(dev))
}

/// Equal, but for what the kernel is not told.
fn same_options(a: &Route, b: &Route) -> bool {
    let mut b = b.clone();
    (b.no_track, b.insertion) = (a.no_track, a.insertion);
    *a == b
}

/// A rule without what the kernel is not told.
fn bare(rule: &Rule) -> Rule {
    let mut bare = rule.clone();
    bare.no_track = false;
    // The kernel does not distinguish "any" from "not said".
    let any = |prefix: &Prefix| prefix.length() == 0;
    bare.from = bare.from.filter(|prefix| !any(prefix));
    bare.to = bare.to.filter(|prefix| !any(prefix));
    if let Some(mark) = &mut bare.mark {
        mark.mask = Some(mark.mask.unwrap_or(u32::MAX));
    }
    bare
}

/// Whether two rules are the same to the kernel.
pub(crate) fn same_rule(a: &Rule, b: &Rule) -> bool {
    bare(a) == bare(b)
}

/// Whether the kernel holds something that we want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It does.
    There,
    /// It did, before an interface or an address went.
    Unsure,
    /// It does not: not asked for yet, or somebody removed it.
    Absent,
    /// It did not want to.
    Refused,
}

impl Presence {
    /// A removal must be asked for.
    const fn may_be_there(self) -> bool {
        matches!(self, Self::There | Self::Unsure)
    }
}

#[derive(Debug)]
struct Held<T> {
    claims: u32,
    entry: Arc<T>,
    presence: Presence,
}

/// The wanted routes and rules, and what else is there.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    routes: BTreeMap<Slot, Vec<Held<Route>>>,
    rules: BTreeMap<Rule, Held<Rule>>,
    /// What the kernel had before we asked for anything, and nobody has claimed.
    stray_routes: Vec<SeenRoute>,
    stray_rules: Vec<Rule>,
    vrf_tables: BTreeMap<IfName, u32>,
}

impl Routing {
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.rules.is_empty()
    }

    pub(crate) fn vrf_table(&self, device: &IfName) -> Option<u32> {
        self.vrf_tables.get(device).copied()
    }

    /// A VRF device has this table. True when that is new.
    pub(crate) fn note_vrf(&mut self, device: IfName, table: u32) -> bool {
        self.vrf_tables.insert(device, table) != Some(table)
    }

    /// Wants one more claim on a route; yields what there is to do for it.
    pub(crate) fn claim_route(&mut self, route: &Route, interfaces: &Interfaces) -> Vec<Action> {
        let id = RouteId::of(route);
        let held = self.routes.entry(slot(route)).or_default();
        if let Some(known) = held.iter_mut().find(|held| RouteId::of(&held.entry) == id) {
            known.claims += 1;
            let new = Arc::new(route.clone());
            let old = core::mem::replace(&mut known.entry, Arc::clone(&new));
            if same_options(&old, &new) || !known.presence.may_be_there() {
                return Vec::new();
            }
            if !is_possible(&new, interfaces) {
                // Its interface is down: the new one comes with it.
                known.presence = Presence::Absent;
                return alloc::vec![change(RoutingChange::RemoveRoute { route: old })];
            }
            return replace(old, new);
        }
        // `add` is refused as long as another route of ours is there that a reload is about to remove.
        let waits = route.insertion == Insertion::Add
            && held.iter().any(|other| {
                let other = (&other.entry, other.presence);
                (other.0.tos, other.0.metric) == (route.tos, route.metric) && other.1.may_be_there()
            });
        let mut new = Held {
            claims: 1,
            entry: Arc::new(route.clone()),
            presence: Presence::Absent,
        };
        let stray = self
            .stray_routes
            .iter()
            .position(|stray| is_route(route, stray, interfaces, &self.vrf_tables));
        let actions = match stray {
            Some(place) => {
                self.stray_routes.remove(place);
                new.presence = Presence::There;
                let ours = Arc::clone(&new.entry);
                match route.insertion {
                    // Its options may be others than ours.
                    Insertion::Prepend | Insertion::Add => replace(Arc::clone(&ours), ours),
                    // The first of several would be replaced, and that is not this one.
                    Insertion::Append => Vec::new(),
                }
            }
            None if waits => Vec::new(),
            None => ask_for_route(&mut new, interfaces, &self.vrf_tables)
                .into_iter()
                .collect(),
        };
        held.push(new);
        actions
    }

    /// Withdraws one claim; yields the removal when it was the last one.
    pub(crate) fn release_route(&mut self, route: &Route, interfaces: &Interfaces) -> Vec<Action> {
        let id = RouteId::of(route);
        let mut actions = Vec::new();
        let Some(held) = self.routes.get_mut(&id.slot) else {
            return actions;
        };
        let Some(place) = held.iter().position(|held| RouteId::of(&held.entry) == id) else {
            return actions;
        };
        if let Some(known) = held.get_mut(place) {
            known.claims -= 1;
            if known.claims > 0 {
                return actions;
            }
        }
        let gone = held.remove(place);
        if gone.presence.may_be_there() {
            actions.push(change(RoutingChange::RemoveRoute { route: gone.entry }));
        }
        for other in held.iter_mut() {
            let waited =
                other.presence == Presence::Absent && other.entry.insertion == Insertion::Add;
            if waited {
                actions.extend(ask_for_route(other, interfaces, &self.vrf_tables));
            }
        }
        if held.is_empty() {
            self.routes.remove(&id.slot);
        }
        actions
    }

    /// A removal for a route that is there although nobody wants it: what a dead predecessor left behind.
    pub(crate) fn sweep_route(&mut self, route: &Route, interfaces: &Interfaces) -> Option<Action> {
        let place = self
            .stray_routes
            .iter()
            .position(|stray| is_route(route, stray, interfaces, &self.vrf_tables))?;
        self.stray_routes.remove(place);
        let route = Arc::new(route.clone());
        Some(change(RoutingChange::RemoveRoute { route }))
    }

    /// Wants one more claim on a rule; yields what there is to do for it.
    pub(crate) fn claim_rule(&mut self, rule: &Rule) -> Option<Action> {
        let key = bare(rule);
        if let Some(known) = self.rules.get_mut(&key) {
            known.claims += 1;
            known.entry = Arc::new(rule.clone());
            return None;
        }
        let stray = self.stray_rules.iter().position(|stray| *stray == key);
        if let Some(place) = stray {
            self.stray_rules.remove(place);
        }
        let rule = Arc::new(rule.clone());
        let new = Held {
            claims: 1,
            entry: Arc::clone(&rule),
            presence: Presence::There,
        };
        self.rules.insert(key, new);
        stray
            .is_none()
            .then(|| change(RoutingChange::AddRule { rule }))
    }

    /// Withdraws one claim; yields the removal when it was the last one.
    pub(crate) fn release_rule(&mut self, rule: &Rule) -> Option<Action> {
        let key = bare(rule);
        let known = self.rules.get_mut(&key)?;
        known.claims -= 1;
        if known.claims > 0 {
            return None;
        }
        let gone = self.rules.remove(&key)?;
        let there = gone.presence.may_be_there();
        there.then(|| change(RoutingChange::RemoveRule { rule: gone.entry }))
    }

    /// A removal for a rule that is there although nobody wants it.
    pub(crate) fn sweep_rule(&mut self, rule: &Rule) -> Option<Action> {
        let key = bare(rule);
        let place = self.stray_rules.iter().position(|stray| *stray == key)?;
        self.stray_rules.remove(place);
        let rule = Arc::new(rule.clone());
        Some(change(RoutingChange::RemoveRule { rule }))
    }

    /// Asks again for everything that may be missing because of an interface, now that it is there and carries packets.
    pub(crate) fn interface_is_back(
        &mut self,
        name: &IfName,
        interfaces: &Interfaces,
    ) -> Vec<Action> {
        let vrf_tables = &self.vrf_tables;
        let missing = self.routes.values_mut().flatten().filter(|held| {
            held.presence != Presence::There
                && (depends_on(&held.entry, name) || held.entry.table == Table::Vrf(*name))
        });
        missing
            .filter_map(|held| ask_for_route(held, interfaces, vrf_tables))
            .collect()
    }

    /// An interface went down or away: nobody knows what became of the routes through it.
    pub(crate) fn interface_went(&mut self, name: &IfName) {
        for held in self.routes.values_mut().flatten() {
            if held.presence == Presence::There && depends_on(&held.entry, name) {
                held.presence = Presence::Unsure;
            }
        }
    }

    /// An address went: the kernel drops the IPv4 routes that name it as their source.
    pub(crate) fn address_went(&mut self, address: IpAddr) {
        for held in self.routes.values_mut().flatten() {
            if held.presence == Presence::There && held.entry.source == Some(address) {
                held.presence = Presence::Unsure;
            }
        }
    }

    /// An address is there: what the kernel refused before, or dropped with the address, may be possible now.
    pub(crate) fn address_is_there(
        &mut self,
        address: IpAddr,
        interfaces: &Interfaces,
    ) -> Vec<Action> {
        let vrf_tables = &self.vrf_tables;
        let family = Family::of(address);
        let missing = self.routes.values_mut().flatten().filter(|held| {
            let sourced = held.entry.source == Some(address);
            match held.presence {
                Presence::There => false,
                Presence::Unsure => sourced,
                Presence::Refused => held.entry.family() == family,
                Presence::Absent => false,
            }
        });
        missing
            .filter_map(|held| ask_for_route(held, interfaces, vrf_tables))
            .collect()
    }

    /// The kernel refused a route.
    pub(crate) fn route_refused(&mut self, route: &Route) {
        self.note_presence(route, Presence::Refused);
    }

    /// The kernel did not want to replace a route by itself. It may be there, as a predecessor left it.
    pub(crate) fn route_not_replaced(&mut self, route: &Route) {
        self.note_presence(route, Presence::Unsure);
    }

    fn note_presence(&mut self, route: &Route, presence: Presence) {
        let id = RouteId::of(route);
        if let Some(held) = self.routes.get_mut(&id.slot) {
            for held in held.iter_mut().filter(|h| RouteId::of(&h.entry) == id) {
                held.presence = presence;
            }
        }
    }

    /// The kernel refused a rule.
    pub(crate) fn rule_refused(&mut self, rule: &Rule) {
        if let Some(held) = self.rules.get_mut(&bare(rule)) {
            held.presence = Presence::Refused;
        }
    }

    /// Somebody made this route; or it is the echo of our own request.
    pub(crate) fn route_seen(&mut self, seen: &SeenRoute, interfaces: &Interfaces) {
        if let Some(held) = self.held_route(seen, interfaces) {
            held.presence = Presence::There;
        }
    }

    /// A route is gone. The wanted one that it was, if its loss is not the consequence of something else.
    pub(crate) fn route_gone(
        &mut self,
        gone: &SeenRoute,
        interfaces: &Interfaces,
    ) -> Option<Arc<Route>> {
        self.stray_routes.retain(|stray| stray != gone);
        let held = self.held_route(gone, interfaces)?;
        if !held.presence.may_be_there() {
            return None;
        }
        held.presence = Presence::Absent;
        let route = &held.entry;
        // It comes back with its interface. And one that expires may be gone at any time.
        let lost = is_possible(route, interfaces) && route.expires.is_none();
        lost.then(|| Arc::clone(route))
    }

    /// A rule is gone: the wanted one that it was.
    pub(crate) fn rule_gone(&mut self, gone: &Rule) -> Option<Arc<Rule>> {
        let key = bare(gone);
        self.stray_rules.retain(|stray| *stray != key);
        let held = self.rules.get_mut(&key)?;
        if !held.presence.may_be_there() {
            return None;
        }
        held.presence = Presence::Absent;
        Some(Arc::clone(&held.entry))
    }

    /// Asks again for a route that somebody removed.
    pub(crate) fn put_back_route(
        &mut self,
        route: &Route,
        interfaces: &Interfaces,
    ) -> Option<Action> {
        let id = RouteId::of(route);
        let held = self.routes.get_mut(&id.slot)?;
        let held = held.iter_mut().find(|h| RouteId::of(&h.entry) == id)?;
        if held.presence == Presence::There {
            return None;
        }
        ask_for_route(held, interfaces, &self.vrf_tables)
    }

    /// Asks again for a rule that somebody removed.
    pub(crate) fn put_back_rule(&mut self, rule: &Rule) -> Option<Action> {
        let held = self.rules.get_mut(&bare(rule))?;
        if held.presence == Presence::There {
            return None;
        }
        held.presence = Presence::There;
        let rule = Arc::clone(&held.entry);
        Some(change(RoutingChange::AddRule { rule }))
    }

    /// All that the kernel has under our protocol number, read afresh. Yields what is gone without a word.
    pub(crate) fn snapshot(
        &mut self,
        routes: Vec<SeenRoute>,
        rules: Vec<Rule>,
        interfaces: &Interfaces,
    ) -> (Vec<Arc<Route>>, Vec<Arc<Rule>>) {
        let mut lost_routes = Vec::new();
        for held in self.routes.values_mut().flatten() {
            let there = routes
                .iter()
                .any(|seen| is_route(&held.entry, seen, interfaces, &self.vrf_tables));
            let before = held.presence;
            held.presence = match (there, before) {
                (true, _) => Presence::There,
                (false, Presence::Refused) => Presence::Refused,
                (false, Presence::There | Presence::Unsure | Presence::Absent) => Presence::Absent,
            };
            let expected = is_possible(&held.entry, interfaces) && held.entry.expires.is_none();
            if !there && before.may_be_there() && expected {
                lost_routes.push(Arc::clone(&held.entry));
            }
        }
        let rules: Vec<Rule> = rules.iter().map(bare).collect();
        let mut lost_rules = Vec::new();
        for (key, held) in &mut self.rules {
            let there = rules.contains(key);
            if there {
                held.presence = Presence::There;
            } else if held.presence.may_be_there() {
                held.presence = Presence::Absent;
                lost_rules.push(Arc::clone(&held.entry));
            }
        }
        self.stray_routes = routes
            .into_iter()
            .filter(|seen| self.wanted_route(seen, interfaces).is_none())
            .collect();
        self.stray_rules = rules
            .into_iter()
            .filter(|rule| !self.rules.contains_key(rule))
            .collect();
        (lost_routes, lost_rules)
    }

    /// The tables under which a wanted route may be kept that the kernel has in table `number`.
    fn tables(&self, number: u32) -> impl Iterator<Item = Table> {
        let vrfs = self.vrf_tables.iter();
        let vrfs = vrfs.filter(move |(_, table)| **table == number);
        core::iter::once(Table::Number(number)).chain(vrfs.map(|(name, _)| Table::Vrf(*name)))
    }

    /// Where the wanted route is that the kernel tells of.
    fn wanted_route(&self, seen: &SeenRoute, interfaces: &Interfaces) -> Option<(Slot, usize)> {
        self.tables(seen.table).find_map(|table| {
            let slot = (seen.destination, table);
            let place = self
                .routes
                .get(&slot)?
                .iter()
                .position(|held| is_route(&held.entry, seen, interfaces, &self.vrf_tables))?;
            Some((slot, place))
        })
    }

    fn held_route(
        &mut self,
        seen: &SeenRoute,
        interfaces: &Interfaces,
    ) -> Option<&mut Held<Route>> {
        let (slot, place) = self.wanted_route(seen, interfaces)?;
        self.routes.get_mut(&slot)?.get_mut(place)
    }
}

fn change(change: RoutingChange) -> Action {
    Action::ChangeRouting(change)
}

/// What it takes to give a route that is there other options. The kernel replaces the first route of the same destination, TOS
/// and metric: ours, unless it was put behind others.
fn replace(old: Arc<Route>, new: Arc<Route>) -> Vec<Action> {
    match new.insertion {
        Insertion::Prepend | Insertion::Add => {
            alloc::vec![change(RoutingChange::ReplaceRoute { old, new })]
        }
        Insertion::Append => alloc::vec![
            change(RoutingChange::RemoveRoute { route: old }),
            change(RoutingChange::AddRoute { route: new }),
        ],
    }
}

/// The request for a route, if it can be made now.
fn ask_for_route(
    held: &mut Held<Route>,
    interfaces: &Interfaces,
    vrf_tables: &BTreeMap<IfName, u32>,
) -> Option<Action> {
    let route = Arc::clone(&held.entry);
    let table_is_known = match &route.table {
        Table::Number(_) => true,
        Table::Vrf(device) => vrf_tables.contains_key(device),
    };
    if !is_possible(&route, interfaces) || !table_is_known {
        return None;
    }
    held.presence = Presence::There;
    let several = route.family() == Family::V6
        && !route.next_hops.is_empty()
        && route.insertion != Insertion::Append;
    Some(change(if several {
        // Each way is a route of its own for IPv6: those that are still there would be refused, and the others with them.
        let old = Arc::clone(&route);
        RoutingChange::ReplaceRoute { old, new: route }
    } else {
        RoutingChange::AddRoute { route }
    }))
}

/// Whether the kernel speaks of this route. What the settings leave open, such as the interface, may be anything.
fn is_route(
    route: &Route,
    seen: &SeenRoute,
    interfaces: &Interfaces,
    vrf_tables: &BTreeMap<IfName, u32>,
) -> bool {
    let table = match &route.table {
        Table::Number(number) => Some(*number),
        Table::Vrf(device) => vrf_tables.get(device).copied(),
    };
    let (metric, same_scope) = match route.family() {
        Family::V4 => (route.metric.unwrap_or(0), route.scope == seen.scope),
        // 0 is not a metric for the kernel, and it has no scopes.
        Family::V6 => {
            let named = route.metric.filter(|metric| *metric != 0);
            (named.unwrap_or(DEFAULT_METRIC_V6), true)
        }
    };
    let is_one_of_them = |(via, index): &(Option<IpAddr>, Option<IfIndex>)| {
        ways(route).any(|(our_via, our_dev)| {
            let same_dev = our_dev.is_none_or(|dev| {
                let known = interfaces.by_name(dev).map(|interface| interface.index);
                known.is_some() && known == *index
            });
            our_via == *via && same_dev
        })
    };
    (
        seen.destination,
        Some(seen.table),
        seen.from,
        seen.tos,
        seen.metric,
        seen.kind,
        seen.protocol,
    ) == (
        route.destination,
        table,
        route.from,
        route.tos,
        metric,
        route.kind,
        route.protocol,
    ) && same_scope
        // Of several ways of an IPv6 route the kernel may speak one by one.
        && seen.ways.iter().all(is_one_of_them)
}

#[cfg(test)]
mod tests;
