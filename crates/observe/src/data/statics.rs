//! The sections about what does not depend on any instance, and the routes and rules of those that do.

use vrrp::Vrrp;
use vrrp::settings::InstanceSettings;

use super::{Owner, Page, address_text};
use crate::routing::{route_text, rule_text};

impl Page {
    /// Static addresses, routes, rules and track groups; what there is none of has no section.
    pub(super) fn statics(&mut self, vrrp: &Vrrp) {
        let addresses = vrrp.static_addresses().map(|(address, there)| {
            address_text(address.entry, there, Owner::Static(address.track_group))
        });
        self.list("Static Addresses", addresses);
        let routes = vrrp.static_routes();
        self.list(
            "Static Routes",
            routes.map(|route| route_text(route.entry, route.track_group)),
        );
        let rules = vrrp.static_rules();
        self.list(
            "Static Rules",
            rules.map(|rule| rule_text(rule.entry, rule.track_group)),
        );
        if !vrrp.track_groups().is_empty() {
            self.section("Static Track groups");
        }
        for group in vrrp.track_groups() {
            self.object(format_args!("Static Track Group = {}", group.name));
            self.field(format_args!("VRRP member instances :"));
            for member in &group.members {
                self.entry(format_args!("{member}"));
            }
        }
    }

    /// The routes and rules of an instance.
    pub(super) fn virtual_routing(&mut self, settings: &InstanceSettings) {
        if !settings.virtual_routes.is_empty() {
            self.field(format_args!("Virtual Routes :"));
        }
        for route in &settings.virtual_routes {
            self.entry(format_args!("{}", route_text(route, None)));
        }
        if !settings.virtual_rules.is_empty() {
            self.field(format_args!("Virtual Rules :"));
        }
        for rule in &settings.virtual_rules {
            self.entry(format_args!("{}", rule_text(rule, None)));
        }
    }

    /// A section whose entries belong to no object; the indent is theirs all the same.
    fn list(&mut self, title: &str, entries: impl Iterator<Item = String>) {
        for (index, entry) in entries.enumerate() {
            if index == 0 {
                self.section(title);
            }
            self.entry(format_args!("{entry}"));
        }
    }
}
