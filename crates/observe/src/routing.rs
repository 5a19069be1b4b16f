//! Routes and rules as the dump files write them: nearly what iproute2 says, in keepalived's order of words.
//!
//! The order is that of keepalived 2.2.7. Where its text is damaged (MPLS labels and ILA locators in the kernel's form, `lock`
//! glued to the name of a congestion control), the words of the configuration are written.

use std::fmt::Display;
use std::net::IpAddr;

use types::{Family, Prefix};
use vrrp::settings::routes::{
    Encap, Insertion, IpEncap, MAIN_TABLE, Metric, MetricValue, NextHop, Realms, Route, RouteType,
    Table,
};
use vrrp::settings::rules::{Rule, RuleAction};

/// `prepend 10.0.1.0/24 via inet 10.0.0.1 dev eth0 proto 18`.
pub(crate) fn route_text(route: &Route, track_group: Option<&str>) -> String {
    let mut words = Words(String::new());
    words.alone(match route.insertion {
        Insertion::Prepend => "prepend",
        Insertion::Add => "add",
        Insertion::Append => "append",
    });
    if route.kind != RouteType::UNICAST {
        words.alone(route.kind);
    }
    if route.destination.length() == 0 {
        words.alone("default");
    } else {
        words.alone(prefix(route.destination));
    }
    words.pair("from", route.from.map(prefix));
    words.pair("src", route.source);
    words.pair("tos", Some(route.tos).filter(|tos| *tos != 0));
    words.encap(route.encap.as_ref());
    words.via(route.via);
    words.pair("dev", route.interface.as_ref());
    match &route.table {
        Table::Number(MAIN_TABLE) => {}
        Table::Number(number) => words.pair("table", Some(number)),
        Table::Vrf(device) => words.pair("vrf", Some(device)),
    }
    words.pair("proto", Some(route.protocol));
    words.pair("scope", Some(route.scope).filter(|scope| *scope != 0));
    words.pair("metric", route.metric);
    words.pair("expires", route.expires.map(|left| format!("{left}sec")));
    words.flag("onlink", route.onlink);
    words.realms(route.realms);
    if let Some(congestion) = &route.congestion {
        let lock = if congestion.locked { "lock " } else { "" };
        words.pair("congctl", Some(format!("{lock}{}", congestion.name)));
    }
    words.metrics(route);
    let preference = route.preference.map(|preference| match preference {
        0 => "medium".to_owned(),
        1 => "high".to_owned(),
        3 => "low".to_owned(),
        number => number.to_string(),
    });
    words.pair("pref", preference);
    let propagate = |on| if on { "enabled" } else { "disabled" };
    words.pair("ttl-propagate", route.ttl_propagate.map(propagate));
    for hop in &route.next_hops {
        words.next_hop(hop);
    }
    words.flag("no_track", route.no_track);
    words.pair("track_group", track_group);
    words.0
}

/// `from all to 10.0.1.0/24 priority 5 tos 0x0 protocol 18 lookup 100`.
pub(crate) fn rule_text(rule: &Rule, track_group: Option<&str>) -> String {
    let mut words = Words(String::new());
    // Otherwise an address tells the family.
    let unnamed = rule.family == Family::V6 && rule.from.is_none() && rule.to.is_none();
    words.flag("inet6", unnamed);
    words.flag("not", rule.invert);
    let from = rule.from.map_or_else(|| "all".to_owned(), prefix);
    words.pair("from", Some(from));
    words.pair("to", rule.to.map(prefix));
    words.pair("priority", Some(rule.preference));
    words.pair("tos", Some(format!("{:#x}", rule.tos)));
    words.pair("fwmark", rule.mark);
    words.pair("iif", rule.input.as_ref());
    words.pair("oif", rule.output.as_ref());
    let lookup = match rule.action {
        RuleAction::Lookup(lookup) => Some(lookup),
        RuleAction::L3mdev
        | RuleAction::Goto(_)
        | RuleAction::Blackhole
        | RuleAction::Unreachable
        | RuleAction::Prohibit
        | RuleAction::Nop => None,
    };
    let shortest = lookup.and_then(|lookup| lookup.suppress_prefix_length);
    words.pair("suppress_prefixlen", shortest);
    let group = lookup.and_then(|lookup| lookup.suppress_group);
    words.pair("suppress_ifgroup", group);
    words.pair("tunnel-id", rule.tunnel_id);
    words.pair("uidrange", rule.users);
    words.flag("l3mdev", rule.action == RuleAction::L3mdev);
    words.pair("protocol", Some(rule.protocol));
    words.pair("ipproto", rule.ip_protocol);
    words.pair("sport", rule.source_ports);
    words.pair("dport", rule.destination_ports);
    if let Some(realms) = lookup.and_then(|lookup| lookup.realms) {
        words.pair("realms", Some(format!("{}/{}", realms.from, realms.to)));
    }
    match rule.action {
        RuleAction::Lookup(lookup) => words.pair("lookup", Some(lookup.table)),
        // The kernel finds the table.
        RuleAction::L3mdev => words.pair("lookup", Some(0)),
        RuleAction::Goto(target) => words.pair("goto", Some(target)),
        RuleAction::Blackhole => words.alone("type blackhole"),
        RuleAction::Unreachable => words.alone("type unreachable"),
        RuleAction::Prohibit => words.alone("type prohibit"),
        RuleAction::Nop => words.alone("nop"),
    }
    words.flag("no_track", rule.no_track);
    words.pair("track_group", track_group);
    words.0
}

/// Hosts stand without a length.
fn prefix(prefix: Prefix) -> String {
    if prefix.length() == prefix.family().host_prefix_length() {
        prefix.address().to_string()
    } else {
        prefix.to_string()
    }
}

/// `212.5ms`, `1.5s`.
fn time(value: u32, per_milli: u32) -> String {
    let millis = f64::from(value) / f64::from(per_milli);
    if millis < 1000.0 {
        format!("{millis}ms")
    } else {
        format!("{}s", millis / 1000.0)
    }
}

/// Words with a blank between any two.
struct Words(String);

impl Words {
    fn alone(&mut self, word: impl Display) {
        let blank = if self.0.is_empty() { "" } else { " " };
        self.0 += &format!("{blank}{word}");
    }

    fn flag(&mut self, word: &str, given: bool) {
        if given {
            self.alone(word);
        }
    }

    fn pair(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.alone(format_args!("{name} {value}"));
        }
    }

    fn via(&mut self, router: Option<IpAddr>) {
        match router {
            Some(IpAddr::V4(router)) => self.pair("via inet", Some(router)),
            Some(IpAddr::V6(router)) => self.pair("via inet6", Some(router)),
            None => {}
        }
    }

    fn realms(&mut self, realms: Option<Realms>) {
        match realms {
            Some(Realms { from: 0, to }) => self.pair("realm", Some(to)),
            Some(Realms { from, to }) => self.pair("realms", Some(format_args!("{from}/{to}"))),
            None => {}
        }
    }

    fn encap(&mut self, encap: Option<&Encap>) {
        match encap {
            Some(Encap::Ip(header)) => self.tunnel(["encap ip", "tos", "ttl"], header),
            Some(Encap::Ip6(header)) => self.tunnel(["encap ip6", "tc", "hoplimit"], header),
            Some(other @ (Encap::Mpls(_) | Encap::Ila(_))) => self.pair("encap", Some(other)),
            None => {}
        }
    }

    fn tunnel<Address: Display>(
        &mut self,
        [kind, class, limit]: [&str; 3],
        header: &IpEncap<Address>,
    ) {
        self.alone(kind);
        self.pair("id", header.id);
        self.pair("dst", header.destination.as_ref());
        self.pair("src", header.source.as_ref());
        self.pair(class, header.traffic_class);
        self.pair(limit, header.hop_limit);
        self.pair("flags", header.flags.map(|flags| format!("{flags:#x}")));
    }

    /// Times and features before all other metrics.
    fn metrics(&mut self, route: &Route) {
        for (metric, per_milli) in [(Metric::Rtt, 8), (Metric::RttVar, 4), (Metric::RtoMin, 1)] {
            if let Some(MetricValue { value, locked }) = route.metrics.get(&metric) {
                let lock = if *locked { "lock " } else { "" };
                let text = format!("{lock}{}", time(*value, per_milli));
                self.pair(metric.name(), Some(text));
            }
        }
        self.flag(
            "features ecn",
            route.metrics.contains_key(&Metric::Features),
        );
        for (metric, MetricValue { value, locked }) in &route.metrics {
            let lock = if *locked { "lock " } else { "" };
            match metric {
                Metric::Rtt | Metric::RttVar | Metric::RtoMin | Metric::Features => {}
                Metric::Mtu
                | Metric::Window
                | Metric::SsThresh
                | Metric::Cwnd
                | Metric::AdvMss
                | Metric::Reordering
                | Metric::HopLimit
                | Metric::InitCwnd
                | Metric::InitRwnd
                | Metric::QuickAck
                | Metric::FastOpenNoCookie => {
                    self.pair(metric.name(), Some(format_args!("{lock}{value}")));
                }
            }
        }
    }

    fn next_hop(&mut self, hop: &NextHop) {
        self.alone("nexthop");
        self.via(hop.via);
        self.pair("dev", hop.interface.as_ref());
        self.pair("weight", Some(hop.weight).filter(|weight| *weight != 1));
        self.flag("onlink", hop.onlink);
        self.realms(hop.realms);
        self.encap(hop.encap.as_ref());
    }
}

#[cfg(test)]
mod tests;
