//! What the kernel tells about routes and rules, and what follows from it.
//!
//! The host tells of those that carry our protocol number, and leaves out the echo of its own removals.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use types::{IfIndex, IfName, Instant};

use crate::action::{Action, Event};
use crate::instance::{Instance, Queued, Shared};
use crate::loss::{Held, Verdict, Words};
use crate::routing::{RouteId, SeenRoute, same_rule};
use crate::settings::{InstanceSettings, Route, Rule};
use crate::vrrp::Vrrp;

impl Vrrp {
    /// All routes and rules that the kernel has under our protocol number, read afresh: at start, before the first
    /// settings, and after notifications were lost. Behind [`handle_snapshot`](Self::handle_snapshot), and read after all
    /// that followed from it was carried out.
    pub fn handle_routing_snapshot(
        &mut self,
        now: Instant,
        routes: Vec<SeenRoute>,
        rules: Vec<Rule>,
    ) {
        let Shared {
            routing,
            interfaces,
            ..
        } = &mut self.shared;
        let (lost_routes, lost_rules) = routing.snapshot(routes, rules, interfaces);
        for route in lost_routes {
            self.route_lost(now, &route);
        }
        for rule in lost_rules {
            self.rule_lost(now, &rule);
        }
    }

    /// A route is there, or something about it is new; the echo of our own requests may be told, too.
    pub fn handle_route(&mut self, route: &SeenRoute) {
        let Shared {
            routing,
            interfaces,
            ..
        } = &mut self.shared;
        routing.route_seen(route, interfaces);
    }

    /// Somebody, not we, removed a route.
    pub fn handle_route_gone(&mut self, now: Instant, route: &SeenRoute) {
        let Shared {
            routing,
            interfaces,
            ..
        } = &mut self.shared;
        if let Some(lost) = routing.route_gone(route, interfaces) {
            self.route_lost(now, &lost);
        }
    }

    /// Somebody, not we, removed a rule.
    pub fn handle_rule_gone(&mut self, now: Instant, rule: &Rule) {
        if let Some(lost) = self.shared.routing.rule_gone(rule) {
            self.rule_lost(now, &lost);
        }
    }

    /// The kernel refused a route that we asked it for; the host has said why. It is asked again when an interface or an
    /// address appears that may make it possible.
    pub fn handle_route_refused(&mut self, route: &Route) {
        self.shared.routing.route_refused(route);
    }

    /// The kernel did not want to replace a route by the same one; the host has said why. It may be there all the same.
    pub fn handle_route_not_replaced(&mut self, route: &Route) {
        self.shared.routing.route_not_replaced(route);
    }

    /// The kernel refused a rule that we asked it for; the host has said why.
    pub fn handle_rule_refused(&mut self, rule: &Rule) {
        self.shared.routing.rule_refused(rule);
    }

    /// The device of a VRF has this routing table.
    pub fn handle_vrf(&mut self, device: &IfName, table: u32) {
        if self.shared.routing.note_vrf(*device, table) {
            self.restore_routes(device);
        }
    }

    /// The table of a VRF, by the name of its device, if the host has told.
    #[must_use]
    pub fn vrf_table(&self, device: &IfName) -> Option<u32> {
        self.shared.routing.vrf_table(device)
    }

    /// The number of an interface now, if there is one of this name.
    #[must_use]
    pub fn interface_index(&self, name: &IfName) -> Option<IfIndex> {
        let interface = self.shared.interfaces.by_name(name);
        interface.map(|interface| interface.index)
    }

    /// An interface appeared, came up, went down or away: what that means for the routes through it.
    pub(crate) fn restore_routes(&mut self, name: &IfName) {
        if self.shared.routing.is_empty() {
            return;
        }
        let Shared {
            routing,
            interfaces,
            ..
        } = &mut self.shared;
        if interfaces.is_up(name) {
            let actions = routing.interface_is_back(name, interfaces);
            self.shared.act_all(actions);
        } else {
            routing.interface_went(name);
        }
    }

    fn route_lost(&mut self, now: Instant, route: &Route) {
        if self.static_route_lost(now, route) {
            return;
        }
        let id = RouteId::of(route);
        let holder = self.master_whose(|settings| {
            let mut routes = settings.virtual_routes.iter();
            routes.position(|held| !held.no_track && RouteId::of(held) == id)
        });
        let Some((master, place)) = holder else {
            return;
        };
        let what = || format!("route {route}");
        if self.routing_lost(now, master, Held::Route(place), what) == Verdict::PutBack {
            let Shared {
                routing,
                interfaces,
                ..
            } = &mut self.shared;
            let action = routing.put_back_route(route, interfaces);
            self.shared.act_all(action);
        }
    }

    fn rule_lost(&mut self, now: Instant, rule: &Rule) {
        if self.static_rule_lost(now, rule) {
            return;
        }
        let holder = self.master_whose(|settings| {
            let mut rules = settings.virtual_rules.iter();
            rules.position(|held| !held.no_track && same_rule(held, rule))
        });
        let Some((master, place)) = holder else {
            return;
        };
        let what = || format!("rule {rule}");
        if self.routing_lost(now, master, Held::Rule(place), what) == Verdict::PutBack {
            let action = self.shared.routing.put_back_rule(rule);
            self.shared.act_all(action);
        }
    }

    /// A master with this in its settings, and the place of it in its list.
    fn master_whose(
        &self,
        place: impl Fn(&InstanceSettings) -> Option<usize>,
    ) -> Option<(usize, usize)> {
        let mut masters = self.instances.iter().filter(|i| i.is_master());
        masters.find_map(|instance| Some((instance.id, place(&instance.settings)?)))
    }

    /// A master has lost something: notes it, and gives up all that it holds if that happens again and again.
    fn routing_lost(
        &mut self,
        now: Instant,
        master: usize,
        held: Held,
        what: impl Fn() -> String,
    ) -> Verdict {
        let Some(instance) = self.instances.get_mut(master) else {
            return Verdict::GiveUp;
        };
        let (verdict, words) = instance.note_loss(held, now);
        let name = Arc::clone(&instance.name);
        if words != Words::None {
            let (what, given_up) = (what(), verdict == Verdict::GiveUp);
            self.shared
                .report(&name, Event::RoutingLost { what, given_up });
        }
        if words == Words::LastNamed {
            self.shared.report(&name, Event::MoreLosses);
        }
        if verdict == Verdict::GiveUp {
            self.leave_after_loss(master, now);
        }
        verdict
    }
}

impl Shared {
    pub(crate) fn act_all(&mut self, actions: impl IntoIterator<Item = Action>) {
        self.queue.extend(actions.into_iter().map(Queued::Action));
    }

    /// An address is there, ours or another: what the kernel refused or dropped without it may be possible now.
    pub(crate) fn address_is_there(&mut self, address: IpAddr) {
        if !self.routing.is_empty() {
            let actions = self.routing.address_is_there(address, &self.interfaces);
            self.act_all(actions);
        }
    }

    /// Makes sure that the kernel has these routes and rules. The addresses come first: routes may need them.
    pub(crate) fn hold_routing<'a>(
        &mut self,
        routes: impl IntoIterator<Item = &'a Route>,
        rules: impl IntoIterator<Item = &'a Rule>,
    ) {
        for route in routes {
            let actions = self.routing.claim_route(route, &self.interfaces);
            self.act_all(actions);
        }
        for rule in rules {
            let action = self.routing.claim_rule(rule);
            self.act_all(action);
        }
    }

    /// Lets go of them, before the addresses go.
    pub(crate) fn release_routing<'a>(
        &mut self,
        routes: impl IntoIterator<Item = &'a Route>,
        rules: impl IntoIterator<Item = &'a Rule>,
    ) {
        for rule in rules {
            let action = self.routing.release_rule(rule);
            self.act_all(action);
        }
        for route in routes {
            let actions = self.routing.release_route(route, &self.interfaces);
            self.act_all(actions);
        }
    }

    /// Removes what a predecessor left of them and nobody holds.
    pub(crate) fn sweep_routing(&mut self, settings: &InstanceSettings) {
        for rule in &settings.virtual_rules {
            let action = self.routing.sweep_rule(rule);
            self.act_all(action);
        }
        for route in &settings.virtual_routes {
            let action = self.routing.sweep_route(route, &self.interfaces);
            self.act_all(action);
        }
    }
}

impl Instance {
    pub(crate) fn hold_routing(&self, shared: &mut Shared) {
        shared.hold_routing(&self.settings.virtual_routes, &self.settings.virtual_rules);
    }

    pub(crate) fn release_routing(&self, shared: &mut Shared) {
        shared.release_routing(&self.settings.virtual_routes, &self.settings.virtual_rules);
    }
}
