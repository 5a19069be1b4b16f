//! A model kernel's routes and rules: those of ours, for there are no others in this world; and what must be true of them.

use types::{Family, IfIndex, IfName, Prefix};
use vrrp::settings::routes::Table;
use vrrp::settings::{InstanceSettings, Route, Rule};
use vrrp::{RoutingChange, SeenRoute, StateName, Vrrp};

use crate::kernel::Kernel;
use crate::oracles::Violation;
use crate::random::Random;
use crate::scenario::interface_name;

/// A master has every route and every rule, as they are configured; nobody else has any.
pub const ROUTES_FOLLOW: &str =
    "a master has all of its routes and rules, and who is not master has none";

/// Routes that an instance may have.
const ROUTES: u8 = 3;

/// The routes and rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoutingTables {
    routes: Vec<Route>,
    rules: Vec<Rule>,
}

/// By what the kernel tells routes of this world apart.
fn key(route: &Route) -> (Prefix, Option<u32>, Option<IfName>) {
    (route.destination, route.metric, route.interface)
}

impl RoutingTables {
    /// A request of a host. What is there is not made again, what is not there is not removed.
    pub(crate) fn change(&mut self, change: &RoutingChange) {
        match change {
            RoutingChange::AddRoute { route } => {
                if !self.routes.iter().any(|there| key(there) == key(route)) {
                    self.routes.push(Route::clone(route));
                }
            }
            RoutingChange::ReplaceRoute { old, new } => {
                self.routes.retain(|there| key(there) != key(old));
                self.routes.push(Route::clone(new));
            }
            RoutingChange::RemoveRoute { route } => {
                self.routes.retain(|there| key(there) != key(route));
            }
            RoutingChange::AddRule { rule } => {
                if !self.rules.contains(rule) {
                    self.rules.push(Rule::clone(rule));
                }
            }
            RoutingChange::RemoveRule { rule } => self.rules.retain(|there| there != &**rule),
        }
    }

    /// An interface is gone or down, and the routes through it with it. Of IPv4 routes the kernel says nothing.
    pub(crate) fn link_lost(&mut self, name: &IfName, index: IfIndex) -> Vec<SeenRoute> {
        let through = |route: &Route| route.interface.as_ref() == Some(name);
        let lost = self.routes.iter().filter(|route| through(route));
        let told = lost
            .filter(|route| route.family() == Family::V6)
            .map(|route| seen(route, Some(index)))
            .collect();
        self.routes.retain(|route| !through(route));
        told
    }

    /// Somebody deletes a route or a rule, whichever `place` points at.
    pub(crate) fn delete(&mut self, place: usize) -> Option<Deleted> {
        if let Some(place) = place.checked_sub(self.routes.len()) {
            return (place < self.rules.len()).then(|| Deleted::Rule(self.rules.remove(place)));
        }
        (place < self.routes.len()).then(|| Deleted::Route(self.routes.remove(place)))
    }

    /// How many routes and rules there are.
    pub(crate) const fn len(&self) -> usize {
        self.routes.len() + self.rules.len()
    }

    /// Everything, as a dump of it would say.
    pub(crate) fn snapshot(
        &self,
        index: impl Fn(&IfName) -> Option<IfIndex>,
    ) -> (Vec<SeenRoute>, Vec<Rule>) {
        let routes = self.routes.iter().map(|route| {
            let index = route.interface.as_ref().and_then(&index);
            seen(route, index)
        });
        (routes.collect(), self.rules.clone())
    }
}

/// What somebody deleted.
pub(crate) enum Deleted {
    Route(Route),
    Rule(Rule),
}

/// A route as the kernel tells of it.
pub(crate) fn seen(route: &Route, index: Option<IfIndex>) -> SeenRoute {
    let default = match route.family() {
        Family::V4 => 0,
        Family::V6 => 1024,
    };
    SeenRoute {
        destination: route.destination,
        from: None,
        kind: route.kind,
        tos: 0,
        table: match route.table {
            Table::Number(number) => number,
            Table::Vrf(_) => 0,
        },
        protocol: route.protocol,
        scope: 0,
        metric: route.metric.unwrap_or(default),
        ways: vec![(None, index)],
    }
}

/// The tables hold what the masters want, no more; and no less, but for what goes with an interface that is not usable.
pub(crate) fn check(vrrp: &Vrrp, kernel: &Kernel) -> Result<(), Violation> {
    let masters = || {
        vrrp.instances()
            .filter(|view| view.state == StateName::Master)
            .map(|view| view.settings)
    };
    let wanted_routes = || masters().flat_map(|settings| settings.virtual_routes.iter());
    let wanted_rules = || masters().flat_map(|settings| settings.virtual_rules.iter());
    let tables = kernel.routing();
    let usable = |name: &IfName| kernel.by_name(name).is_some_and(|nic| nic.usable());
    let missing_route = wanted_routes()
        .filter(|route| route.interface.as_ref().is_none_or(usable))
        .find(|route| !tables.routes.contains(route));
    let stray_route = tables
        .routes
        .iter()
        .find(|there| !wanted_routes().any(|wanted| key(wanted) == key(there)));
    let missing_rule = wanted_rules().find(|rule| !tables.rules.contains(rule));
    let stray_rule = tables
        .rules
        .iter()
        .find(|there| !wanted_rules().any(|wanted| wanted == *there));
    let problem = missing_route
        .map(|route| format!("{route} is missing"))
        .or_else(|| stray_route.map(|route| format!("{route} is nobody's")))
        .or_else(|| missing_rule.map(|rule| format!("{rule} is missing")))
        .or_else(|| stray_rule.map(|rule| format!("{rule} is nobody's")));
    match problem {
        None => Ok(()),
        Some(problem) => Err(Violation::new(ROUTES_FOLLOW, problem)),
    }
}

/// A draw of a route. `option`: something that does not make it another one.
fn draw_route(settings: &InstanceSettings, random: &mut Random) -> Option<Route> {
    let number = random.byte(0, ROUTES - 1);
    let (address, length) = match settings.family {
        Family::V4 => (format!("10.{}.{number}.0", settings.vrid), 24),
        Family::V6 => (format!("2001:db8:{}:{number}::", settings.vrid), 64),
    };
    let mut route = Route::new(Prefix::new(address.parse().ok()?, length).ok()?);
    route.interface = Some(interface_name(random.byte(0, 1)));
    route.metric = random.percent(30).then_some(50);
    route.onlink = random.percent(50);
    Some(route)
}

/// A draw of routes and rules.
pub(crate) fn draw(settings: &mut InstanceSettings, random: &mut Random) {
    for _route in 0..random.below(3) {
        edit_routes(settings, random);
    }
    if random.percent(30) {
        edit_rules(settings, random);
    }
}

/// Another route, or another option of one that is there, or one less.
pub(crate) fn edit_routes(settings: &mut InstanceSettings, random: &mut Random) {
    let Some(route) = draw_route(settings, random) else {
        return;
    };
    let known = settings
        .virtual_routes
        .iter()
        .position(|there| key(there) == key(&route));
    let Some(place) = known else {
        settings.virtual_routes.push(route);
        return;
    };
    settings.virtual_routes.remove(place);
    if random.percent(50) {
        settings.virtual_routes.push(route);
    }
}

/// A rule more, or one less.
pub(crate) fn edit_rules(settings: &mut InstanceSettings, random: &mut Random) {
    use vrrp::settings::rules::{Lookup, RuleAction};
    if settings.virtual_rules.pop().is_none() || random.percent(30) {
        let preference = 100 * u32::from(settings.vrid.get()) + u32::from(random.byte(0, 9));
        let lookup = Lookup::new(100);
        settings.virtual_rules.push(Rule::new(
            settings.family,
            preference,
            RuleAction::Lookup(lookup),
        ));
    }
}
