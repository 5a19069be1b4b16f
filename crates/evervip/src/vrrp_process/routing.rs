//! Which routes and rules of the kernel concern the core, and what is said of those that the kernel does not take.

use std::collections::BTreeSet;

use log::error;
use sys::netlink::{Refusal, RouteSocket, RoutingEvent};
use types::{Instant, Prefix};
use vrrp::settings::Rule;
use vrrp::{SeenRoute, Vrrp};

use crate::kernel_routing::{seen_route, seen_rule};

/// Of which routes and rules of the kernel the core wants to hear: those that may be left over from a predecessor. A router
/// has routes by the hundred thousand.
#[derive(Debug, Default)]
pub(super) struct Interest {
    protocols: BTreeSet<u8>,
    destinations: BTreeSet<Prefix>,
}

impl Interest {
    /// What settings make us hold.
    pub(super) fn of(settings: &vrrp::Settings) -> Self {
        let mut interest = Self::default();
        let of_instances = settings.instances.iter();
        let routes = of_instances
            .clone()
            .flat_map(|instance| instance.virtual_routes.iter())
            .chain(settings.static_routes.iter().map(|it| &it.entry));
        for route in routes {
            interest.protocols.insert(route.protocol);
            interest.destinations.insert(route.destination);
        }
        let rules = of_instances
            .flat_map(|instance| instance.virtual_rules.iter())
            .chain(settings.static_rules.iter().map(|it| &it.entry));
        interest.protocols.extend(rules.map(|rule| rule.protocol));
        interest
    }

    /// Whether there is something that `before` did not know of.
    pub(super) fn exceeds(&self, before: &Self) -> bool {
        !self.protocols.is_subset(&before.protocols)
            || !self.destinations.is_subset(&before.destinations)
    }

    /// What the kernel has of it.
    pub(super) fn read(
        &self,
        socket: &mut RouteSocket,
    ) -> Result<(Vec<SeenRoute>, Vec<Rule>), sys::Error> {
        let mut routes = Vec::new();
        let mut rules = Vec::new();
        for protocol in &self.protocols {
            let mut there = socket.routes(*protocol)?;
            there.retain(|route| self.destinations.contains(&route.destination));
            routes.extend(there.into_iter().map(seen_route));
            rules.extend(socket.rules(*protocol)?.iter().filter_map(seen_rule));
        }
        Ok((routes, rules))
    }
}

/// Tells the core of an event. Each names the socket that caused it, so our own removals are known by `own_port`: they
/// must not look as if somebody had taken away what we have put back since.
pub(super) fn tell(now: Instant, event: &RoutingEvent, own_port: u32, core: &mut Vrrp) {
    match event {
        RoutingEvent::Route { route, .. } => core.handle_route(&seen_route(route.clone())),
        RoutingEvent::RouteGone { port_id, .. } | RoutingEvent::RuleGone { port_id, .. }
            if *port_id == own_port => {}
        RoutingEvent::RouteGone { route, .. } => {
            core.handle_route_gone(now, &seen_route(route.clone()));
        }
        RoutingEvent::RuleGone { rule, .. } => {
            if let Some(rule) = seen_rule(rule) {
                core.handle_rule_gone(now, &rule);
            }
        }
        // Somebody else's, or the echo of ours.
        RoutingEvent::Rule { .. } => {}
    }
}

/// What the kernel refused, each said once until it is done: a route without its network is asked for again with every
/// address that appears.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeSet<String>);

impl Complaints {
    /// The kernel refused it. `what` is a route or a rule as it stands in the file.
    pub(super) fn refused(&mut self, doing: &str, what: String, refusal: &Refusal) {
        if !self.0.contains(&what) {
            error!("cannot {doing} the {what}: {refusal}");
            self.0.insert(what);
        }
    }

    /// The kernel has done it.
    pub(super) fn done(&mut self, what: impl FnOnce() -> String) {
        if !self.0.is_empty() {
            self.0.remove(&what());
        }
    }

    /// New settings: what they hold is to be said again.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
